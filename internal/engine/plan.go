package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"segd"
	"segd/dicomio"
	"segd/internal/export"
	"segd/internal/scanio"
)

// Input is the unit of work: a source, or those that are the images of a series.
type Input struct {
	// Sources are those of its volumes, one after the other in their order, and then
	// those that belong to none.
	Sources []*Source
	// Copies are left out: each is the same image as one of Sources.
	Copies []Copy

	stem     string // of outputs of all sources: that of the first, as they came
	piles    []*pile
	at       map[*Source]spot // of the sources that are in a pile
	loose    string           // why the others are in none; empty: there are none
	warnings []string         // about the series
}

// Copy is a source that is the same image as another.
type Copy struct{ Source, Of *Source }

// pile is sources that make up a volume.
type pile struct {
	stack   *dicomio.Stack
	sources []*Source // in the order of the stack
	first   *Source   // as they came; outputs of all are named after it
}

// spot is where a source lies.
type spot struct {
	pile  *pile
	place int // in the order of its stack
}

// member is a source with what tells where it belongs.
type member struct {
	*Source
	key      string // of the series; empty: it stands alone
	identity dicomio.Identity
	slice    dicomio.Slice
	isSlice  bool
	scan     *segd.Scan // where it is read already
	number   int        // of its file
}

// Plan makes inputs of sources, in the order of the first source of each. The files of
// a DICOM series are one input, and those of different patients never are. Plan reads
// every file that may be DICOM, which Run reads again; it keeps only the series and the
// position. A file that cannot be read is an input of its own, which fails in its turn.
// The error is ctx's.
func (j *Job) Plan(ctx context.Context, sources []*Source) ([]*Input, error) {
	var inputs []*Input
	known := map[string]*Input{}
	members := map[*Input][]member{}
	for _, s := range sources {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		m := member{Source: s}
		if len(sources) > 1 {
			m = memberOf(s)
		}
		in := known[m.key]
		if in == nil {
			in = &Input{stem: s.Stem, at: map[*Source]spot{}}
			inputs = append(inputs, in)
			if m.key != "" {
				known[m.key] = in
			}
		}
		members[in] = append(members[in], m)
	}
	first := map[string]dicomio.Identity{} // of each series
	mixed := map[string]bool{}             // series with files of several patients
	for _, in := range inputs {
		m := members[in][0]
		if m.key == "" {
			continue
		}
		series := m.identity.Series
		if of, ok := first[series]; !ok {
			first[series] = m.identity
		} else if !of.SamePatient(m.identity) {
			mixed[series] = true
		}
	}
	for _, in := range inputs {
		if m := members[in][0]; m.key != "" && mixed[m.identity.Series] {
			in.warnings = append(in.warnings, "files with the UID of one series (0020,000E) have different PatientIDs (0010,0020): the files of each patient are a series of their own")
		}
		in.settle(in.distinct(members[in]))
	}
	return inputs, nil
}

// memberOf finds out which series a source belongs to.
func memberOf(s *Source) member {
	m := member{Source: s}
	if s.Err != nil || s.Files[0].Kind != scanio.Unknown && s.Files[0].Kind != scanio.DICOM {
		return m
	}
	file, err := s.Files[0].Read()
	if err != nil || !dicomio.Is(file) {
		return m
	}
	source, err := dicomio.OpenSource(file)
	if err != nil {
		return m
	}
	m.key, m.identity = source.SeriesKey(), source.Identity()
	m.slice, m.isSlice = source.Slice()
	return m
}

// distinct leaves out what is there twice: files of one SOP instance. Where they differ
// in their pixels, neither can be told to be the right one, and both stay.
func (in *Input) distinct(list []member) []member {
	if len(list) < 2 {
		return list
	}
	first := map[string]*Source{}
	clash := 0
	list = slices.DeleteFunc(list, func(m member) bool {
		instance := m.identity.Instance
		of := first[instance]
		if of == nil || instance == "" {
			first[instance] = m.Source
			return false
		}
		if !samePixels(of, m.Source) {
			clash++
			return false
		}
		in.Copies = append(in.Copies, Copy{m.Source, of})
		return true
	})
	if n := len(in.Copies); n > 0 {
		in.warnings = append(in.warnings, fmt.Sprintf("the series has %s of images that it also has under another name, with the same SOP Instance UID (0008,0018): each image counts once", files(n)))
	}
	if clash > 0 {
		in.warnings = append(in.warnings, fmt.Sprintf("%s of the series: the SOP Instance UID (0008,0018) is that of another file with other pixels: objects that refer to it are ambiguous; whoever made the files must give each image a UID of its own", files(clash)))
	}
	return list
}

func files(n int) string {
	if n == 1 {
		return "1 file"
	}
	return fmt.Sprint(n, " files")
}

// samePixels reports whether two sources have the same frames. What cannot be read has
// none.
func samePixels(a, b *Source) bool {
	var scans [2]*segd.Scan
	for i, s := range []*Source{a, b} {
		file, err := s.load()
		if err == nil {
			scans[i], err = s.scan(file)
		}
		if err != nil {
			return false
		}
	}
	if scans[0].Frames != scans[1].Frames {
		return false
	}
	for k := range scans[0].Frames {
		x, errX := scans[0].Frame(k)
		y, errY := scans[1].Frame(k)
		if errX != nil || errY != nil || x.Width != y.Width || x.Height != y.Height || !slices.Equal(x.Pix, y.Pix) {
			return false
		}
	}
	return true
}

// settle finds out which volumes the sources make up.
func (in *Input) settle(list []member) {
	var places []dicomio.Slice
	for _, m := range list {
		in.Sources = append(in.Sources, m.Source)
		if m.isSlice {
			places = append(places, m.slice)
		}
	}
	switch {
	case len(list) < 2:
		return
	case len(places) < len(list):
		in.loose = "the series has multi-frame files"
		return
	}
	stacks, lost := dicomio.NewStacks(places)
	came, inPile := in.Sources, make([]bool, len(list))
	in.Sources = nil
	for _, stack := range stacks {
		p := &pile{stack: stack, first: came[slices.Min(stack.Order)]}
		for place, i := range stack.Order {
			p.sources = append(p.sources, came[i])
			in.at[came[i]], inPile[i] = spot{p, place}, true
		}
		in.piles, in.Sources = append(in.piles, p), append(in.Sources, p.sources...)
		if text := stack.Warning(); text != "" {
			in.warnings = append(in.warnings, text)
		}
	}
	for i, s := range came {
		if !inPile[i] {
			in.Sources = append(in.Sources, s)
		}
	}
	in.explain(lost)
}

// explain notes what makes up no volume and, where there are several, how many slices
// each has.
func (in *Input) explain(lost []dicomio.Lost) {
	n := len(in.piles) + len(lost)
	if n > 1 {
		var parts []string
		for _, p := range in.piles {
			parts = append(parts, fmt.Sprint(len(p.sources)))
		}
		for _, l := range lost {
			parts = append(parts, fmt.Sprint(len(l.Slices)))
		}
		text := fmt.Sprintf("the slices of the series differ in orientation, spacing or acquisition: they are %d stacks, with %s slices", n, strings.Join(parts, ", "))
		in.warnings = append(in.warnings, text)
	}
	for _, l := range lost {
		in.loose = "its slices make up none"
		in.warnings = append(in.warnings, fmt.Sprintf("%d slices of the series make up no volume: %s", len(l.Slices), reason(l.Err)))
	}
}

// reason is an error of dicomio without its kind.
func reason(err error) string {
	text := strings.TrimPrefix(err.Error(), "dicomio: ")
	return strings.TrimPrefix(text, segd.ErrUnprocessable.Error()+": ")
}

// Planned lists the outputs of inputs, of sources as if each had one frame: kind by
// kind as they were asked for, and in the order of sources. Those of all inputs are
// not among them.
func (j *Job) Planned(inputs []*Input, sources []*Source) []Output {
	of := map[*Source]*Input{}
	for _, in := range inputs {
		for _, s := range in.Sources {
			of[s] = in
		}
	}
	var list []Output
	for _, name := range j.Outputs {
		k, _ := export.KindOf(name)
		if k.Scope == export.Run {
			continue
		}
		for _, s := range sources {
			in := of[s]
			if in == nil || s.NoOutputs { // a copy has none
				continue
			}
			at, piled := in.at[s]
			switch {
			case k.Object() && in.Sources[0] == s:
				list = append(list, Output{Kind: k, Sources: in.Sources, stem: in.stem})
			case k.Object():
			case k.Volume && piled && at.pile.first == s:
				list = append(list, at.pile.output(k))
			case k.Volume && piled:
			default:
				list = append(list, Output{Kind: k, Sources: []*Source{s}, stem: s.Stem})
			}
		}
	}
	return list
}

// output is a file of all sources of a pile.
func (p *pile) output(k export.Kind) Output {
	return Output{Kind: k, Sources: p.sources, stem: p.first.Stem}
}
