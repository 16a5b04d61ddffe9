package check

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"segd"
	"segd/internal/output"
	"segd/internal/scanio"
	"segd/train/dataset"
)

// Fixed says what Fix wrote.
type Fixed struct {
	Cases     int        `json:"cases"`               // written
	Mended    int        `json:"mended"`              // of them, with a corrected mask
	Instances int        `json:"instances,omitempty"` // of them, with object numbers in instances/
	Left      []Finding  `json:"left_out"`            // what could not be corrected, and why
	Classes   []string   `json:"classes"`             // which value became which class, if values were renumbered
	Softened  []Softened `json:"softened,omitempty"`  // masks whose soft edges were cut
	Original  int        `json:"original"`            // cases in the source
}

// Softened is a mask whose soft edge was cut: each pixel between the two levels was
// set to the nearer one. The connected parts are the same at a quarter, half and
// three quarters of the way.
type Softened struct {
	File  string `json:"file"`
	Moved int    `json:"moved"` // pixels between the levels
	Parts int    `json:"parts"` // of the class
}

// Fix writes a copy of one data set to out, in which masks hold class indices.
//
// Fix derives the meaning of a label from the set as a whole and never guesses. 0 and
// 255 become 0 and 1. Soft edges are cut at half. Other values, and colours on black
// or transparent ground, are numbered in order, the same in all masks. Values that
// number objects go to instances/, as 16-bit grey PNG, next to a mask of one class.
// If the background or anything else is uncertain, Fix leaves the label out and
// reports the question, which o can answer. It reads each label back and compares the
// pixels and connected parts of each class with the source. Images, instances and
// ids.csv are copied unchanged. A case that cannot be corrected, because a file is
// missing, unreadable or the wrong size, is left out and named.
//
// out must not exist or must be empty. Otherwise the error is segd.ErrOption, as it
// is for options that do not fit the set.
func Fix(ctx context.Context, dir, out string, o FixOptions) (*Fixed, error) {
	if err := isEmpty(out); err != nil {
		return nil, err
	}
	if images, labels, err := dataset.Folders(dir); err == nil && (within(images, out) || within(labels, out)) {
		return nil, fmt.Errorf("train: %w: %s lies inside the data set to be corrected; choose a folder outside it", segd.ErrOption, out)
	}
	c := &checker{sets: 1, labels: maskLabels{}, options: o}
	if err := c.list(ctx, 0, dir); err != nil {
		return nil, err
	}
	if err := c.read(ctx, func(int, int) {}); err != nil {
		return nil, err
	}
	c.images()
	c.sizes()
	if err := c.masks(); err != nil {
		return nil, err
	}
	f := &fixer{dir: dir, out: out, meaning: c.meaning, copied: map[string]bool{}}
	f.result.Original, f.result.Classes = len(c.cases), c.meaning.legend
	for _, finding := range c.findings {
		if finding.Fault && slices.Contains([]string{KindFolder, KindNoLabel, KindUnreadable, KindSize, KindPlace}, finding.Kind) {
			f.result.Left = append(f.result.Left, finding)
		}
	}
	for _, k := range c.cases {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := f.do(k); err != nil {
			return nil, err
		}
	}
	f.commands()
	if f.result.Cases == 0 {
		return &f.result, nil
	}
	return &f.result, f.copy(filepath.Join(dir, "ids.csv"), "ids.csv")
}

// isEmpty returns an error for a folder that is not empty.
func isEmpty(dir string) error {
	entries, err := os.ReadDir(dir)
	entries = slices.DeleteFunc(entries, func(e fs.DirEntry) bool { return e.Name() == output.LockName }) // written by this run
	switch {
	case err == nil && len(entries) > 0:
		return fmt.Errorf("train: %w: %s is not empty", segd.ErrOption, dir)
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("train: %w", err)
	}
	return nil
}

// within reports whether path lies inside dir.
func within(dir, path string) bool {
	a, err := filepath.Abs(dir)
	b, err2 := filepath.Abs(path)
	rel, err3 := filepath.Rel(a, b)
	return errors.Join(err, err2, err3) == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}

// fixer writes corrected cases.
type fixer struct {
	dir, out string
	meaning  *meaning
	copied   map[string]bool // images
	result   Fixed
	asked    []int // those in Left that are open questions
}

// do corrects a case and writes it, or leaves it out. The error is one of writing.
func (f *fixer) do(k *checked) error {
	left := func(kind, file, cause, fix string) {
		f.result.Left = append(f.result.Left, Finding{Fault: true, Kind: kind, File: file, Cause: cause, Fix: fix})
	}
	v := &k.verdict
	switch {
	case k.imageErr != nil || k.form != nil && (k.width != k.mw || k.height != k.mh): // among the findings
		return nil
	case len(k.More) > 0:
		left(KindFolder, k.Image, "an image in several files, one for each channel, is not copied: correct its label in place", "")
		return nil
	case k.form == nil:
		if errors.Is(k.labelErr, segd.ErrUnprocessable) {
			left(KindScaledMask, k.Where(k.Label), cause(k.labelErr), "")
		}
		return nil
	case v.act == actRefuse:
		if v.asked {
			f.asked = append(f.asked, len(f.result.Left))
		}
		left(v.kind, k.Where(k.Label), v.cause, v.fix)
		return nil
	}
	m, err := f.mend(k)
	if e, ok := errors.AsType[changedError](err); ok {
		left(cmp.Or(v.kind, KindScaledMask), k.Where(k.Label), e.Error(), "draw it again, or correct it by hand")
		return nil
	}
	if err != nil {
		return err
	}
	return f.write(k, m)
}

// mended holds the corrected files of a label.
type mended struct {
	label, instances []byte // PNG; nil: none
	soft             *Softened
}

// mend makes a label of class indices and compares it with its source.
func (f *fixer) mend(k *checked) (*mended, error) {
	d, err := drawing(&k.Case)
	if err != nil {
		return nil, err
	}
	if d.Width != k.mw || d.Height != k.mh {
		return nil, fmt.Errorf("train: %s: %w: the file has changed since it was checked", k.Label, segd.ErrFormat)
	}
	s := &source{d: d, v: &k.verdict}
	s.pix, s.inks = numbered(d, inksOf(d, k.verdict.byColour))
	s.classes = make([]uint8, len(s.inks))
	mask := segd.NewMask(d.Width, d.Height)
	var numbers []uint16
	for i, ink := range s.inks {
		class, ok := f.classOf(ink, s.v)
		if !ok {
			return nil, fmt.Errorf("train: %s: %w", k.Where(k.Label), changed("no class is known for %s", ink))
		}
		s.classes[i] = class
		if s.v.act == actInstances && s.classes[i] > 0 {
			n := uint16(ink.value)
			if ink.value < 0 {
				n = uint16(i + 1)
			}
			numbers = append(numbers, n)
		} else {
			numbers = append(numbers, 0)
		}
	}
	for i, n := range s.pix {
		mask.Pix[i] = s.classes[n]
	}
	m := &mended{}
	if m.label, err = encodePNG(&image.Gray{Pix: mask.Pix, Stride: mask.Width, Rect: image.Rect(0, 0, mask.Width, mask.Height)}); err != nil {
		return nil, err
	}
	if s.v.act == actInstances {
		objects := image.NewGray16(image.Rect(0, 0, d.Width, d.Height))
		for i, n := range s.pix {
			objects.Pix[2*i], objects.Pix[2*i+1] = uint8(numbers[n]>>8), uint8(numbers[n])
		}
		if m.instances, err = encodePNG(objects); err != nil {
			return nil, err
		}
	}
	if m.soft, err = s.compare(m); err != nil {
		return nil, fmt.Errorf("train: %s: %w", k.Where(k.Label), err)
	}
	return m, nil
}

// classOf returns the class of an ink. ok is false if none is known.
func (f *fixer) classOf(k ink, v *verdict) (class uint8, ok bool) {
	switch v.act {
	case actMap:
		class, ok = f.meaning.classes[k]
		return class, ok
	case actCut:
		if t, _ := onLine(k, v.low, v.high); t >= 0.5 {
			class = 1
		}
		return class, true
	case actInstances:
		if f.meaning.is(k) || len(f.meaning.background) == 0 && (k.value == 0 || k.value < 0 && f.meaning.isGround(k)) {
			return 0, true
		}
		return 1, true
	}
	return uint8(k.value), k.value >= 0 && k.value <= 255
}

func encodePNG(m image.Image) ([]byte, error) {
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		return nil, fmt.Errorf("train: %w", err)
	}
	return b.Bytes(), nil
}

// write writes the files of a case.
func (f *fixer) write(k *checked, m *mended) error {
	id := filepath.FromSlash(k.ID) + ".png"
	if err := f.put(filepath.Join("labels", id), m.label); err != nil {
		return err
	}
	f.result.Cases++
	if k.verdict.act != actKeep || k.labelErr != nil {
		f.result.Mended++
	}
	if m.soft != nil {
		m.soft.File = k.Where(k.Label)
		f.result.Softened = append(f.result.Softened, *m.soft)
	}
	instances := filepath.Join("instances", id)
	switch there := k.Instances; {
	case m.instances != nil:
		f.result.Instances++
		if err := f.put(instances, m.instances); err != nil {
			return err
		}
	case there != "":
		if err := f.copy(there, instances); err != nil {
			return err
		}
	}
	if f.copied[k.Image] { // written for another of its frames
		return nil
	}
	f.copied[k.Image] = true
	name := filepath.FromSlash(k.Stem()) + k.Image[len(scanio.Stem(k.Image)):]
	return f.copy(k.Image, filepath.Join("images", name))
}

// commands completes the open questions with the command that answers them. It names
// a new folder if this run has written to out.
func (f *fixer) commands() {
	out := f.out
	for n := 2; f.result.Cases > 0 && len(f.asked) > 0; n++ {
		if out = fmt.Sprintf("%s-%d", f.out, n); isEmpty(out) == nil {
			break
		}
	}
	o := f.meaning.o
	given := ""
	for _, b := range o.Background {
		given += " --background " + b
	}
	if o.Numbers != "" {
		given += " --numbers " + o.Numbers
	}
	if o.Palette != "" {
		given += " --palette " + o.Palette
	}
	command := fmt.Sprintf("segd check -d %s --fix %s%s", quoted(f.dir), quoted(out), given)
	for _, at := range f.asked {
		left := &f.result.Left[at]
		left.Fix = strings.ReplaceAll(left.Fix, "--fix OUT", command)
	}
}

// quoted returns a path quoted for a shell.
func quoted(path string) string {
	if strings.ContainsAny(path, " \t'\"$&();<>|*?\\") {
		return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
	}
	return path
}

// copy copies a file if it exists.
func (f *fixer) copy(from, to string) error {
	b, err := os.ReadFile(from)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("train: %w", err)
	}
	return f.put(to, b)
}

// put writes a new file.
func (f *fixer) put(name string, b []byte) error {
	path := filepath.Join(f.out, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("train: %w", err)
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return fmt.Errorf("train: %w", err)
	}
	_, err = file.Write(b)
	if closed := file.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return fmt.Errorf("train: %w", err)
	}
	return nil
}

// source is a label as drawn.
type source struct {
	d       *scanio.Drawing
	v       *verdict
	pix     []uint16 // by number of ink
	inks    []ink
	classes []uint8 // by number of ink
}
