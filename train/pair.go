package train

import (
	"context"
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"segd"
	"segd/internal/scanio"
)

// place is where a data set keeps its files.
type place struct {
	images, labels string // folders
	spec           *nnunet
}

// entry is an image of a data set, with its labels.
type entry struct {
	stem   string
	image  string
	more   []string // files of further channels
	frames int
	labels []string // one file, or one for each frame; nil: none
	err    error    // why the image is of no use

	instance, series, study string // UIDs of a DICOM image
}

// pairing finds the labels of images.
type pairing struct {
	place
	files   *files
	entries []entry
	masks   map[string]string // label files by stem
	used    map[string]bool   // their stems
	classes []string          // names of the foreground classes, where the data set has them

	// Segmentations by the UIDs they refer to.
	byInstance, bySeries map[string]string
}

// isLabel reports whether a file of a label folder may be a mask.
func isLabel(name string) bool {
	switch base := strings.ToLower(filepath.Base(name)); {
	case strings.HasSuffix(base, ".jpg"), strings.HasSuffix(base, ".jpeg"):
		return false
	default:
		return scanio.IsScan(base)
	}
}

// pair lists the images of stems and finds the labels of each. What is wrong
// with one image is its entry's err; the error is that of the data set as a
// whole, or ctx's.
func pair(ctx context.Context, where place, stems []string, images, masks map[string]string, opener *files) (*pairing, error) {
	p := &pairing{place: where, files: opener, masks: masks, used: map[string]bool{}, byInstance: map[string]string{}, bySeries: map[string]string{}}
	if where.spec != nil {
		p.classes = where.spec.classes
	}
	p.list(stems, images)
	if err := forEach(ctx, len(p.entries), func(i int) error { p.probe(&p.entries[i]); return nil }); err != nil {
		return nil, err
	}
	if err := p.readSegmentations(); err != nil {
		return nil, err
	}
	for i := range p.entries {
		p.match(&p.entries[i])
	}
	return p, nil
}

// list makes an entry of each image, or of the files of its channels.
func (p *pairing) list(stems []string, images map[string]string) {
	at := map[string]int{}
	for _, stem := range stems {
		name, channel, ok := channelOf(stem)
		if p.spec == nil || !ok || p.masks[stem] != "" {
			p.entries = append(p.entries, entry{stem: stem, image: images[stem]})
			continue
		}
		i, seen := at[name]
		if !seen {
			i = len(p.entries)
			at[name] = i
			p.entries = append(p.entries, entry{stem: name, image: images[stem]})
		} else {
			p.entries[i].more = append(p.entries[i].more, images[stem])
		}
		// Stems are sorted, so channels come in order.
		if e := &p.entries[i]; channel != len(e.more) && e.err == nil {
			e.err = fmt.Errorf("train: image %s: %w: channel %d where %d should be", images[stem], segd.ErrFormat, channel, len(e.more))
		}
	}
	for i := range p.entries {
		e := &p.entries[i]
		want := len(e.more) + 1
		if p.spec != nil && len(p.spec.channels) > 0 && want > 1 {
			want = len(p.spec.channels)
		}
		switch {
		case e.err != nil:
		case want != len(e.more)+1:
			e.err = fmt.Errorf("train: image %s: %w: %d files of channels, dataset.json names %d", e.image, segd.ErrFormat, len(e.more)+1, want)
		case want != 1 && want != 3:
			e.err = fmt.Errorf("train: image %s: %w: %d channels, want 1 or 3", e.image, segd.ErrUnsupported, want)
		}
	}
}

// probe finds out how many frames an image has. PNG and JPEG have one, and are not
// read for it; of a TIFF the directories are.
func (p *pairing) probe(e *entry) {
	e.frames = 1
	switch strings.ToLower(filepath.Ext(e.image)) {
	case ".png", ".jpg", ".jpeg":
		return
	case ".tif", ".tiff":
		if len(e.more) == 0 {
			if n, err := tiffFrames(e.image); err == nil {
				e.frames = n
			} // else named when it is read
			return
		}
	}
	for k, path := range append([]string{e.image}, e.more...) {
		o, err := p.files.open(path, asImage)
		switch {
		case err != nil:
			if e.err == nil {
				e.err = err
			}
			return
		case k == 0:
			e.frames = o.scan.Frames
			if s := o.source; s != nil {
				e.instance, e.series, e.study = s.Instance(), s.Series(), s.Study()
			}
		case o.scan.Frames != e.frames && e.err == nil:
			e.err = fmt.Errorf("train: image %s: %w: %d planes, %s has %d", path, segd.ErrFormat, o.scan.Frames, e.image, e.frames)
		}
	}
}

// readSegmentations notes which images the segmentations among the labels are
// about, and what they call their segments. A number with two names would be
// two things in one class: segd.ErrFormat.
func (p *pairing) readSegmentations() error {
	if !slices.ContainsFunc(p.entries, func(e entry) bool { return e.instance != "" }) {
		return nil
	}
	names := map[int]string{}
	stems := make([]string, 0, len(p.masks))
	for stem := range p.masks {
		stems = append(stems, stem)
	}
	slices.Sort(stems)
	for _, stem := range stems {
		file := p.masks[stem]
		switch strings.ToLower(filepath.Ext(file)) {
		case ".png", ".tif", ".tiff", ".nii", ".gz":
			continue
		}
		o, err := p.files.open(file, asMask)
		if err != nil || o.labels.SEG == nil {
			continue // named when its image is read
		}
		for _, uid := range o.labels.SEG.Instances() {
			if other := p.byInstance[uid]; other != "" {
				return fmt.Errorf("train: %w: segmentations %s and %s are of the same image", segd.ErrFormat, p.masks[other], file)
			}
			p.byInstance[uid] = stem
		}
		for _, uid := range o.labels.SEG.Series() {
			p.bySeries[uid] = stem
		}
		for _, segment := range o.labels.SEG.Segments {
			if name, ok := names[segment.Number]; ok && name != segment.Label {
				return fmt.Errorf("train: %w: segment %d is called %q in %s and %q before it: number the segments alike in all files",
					segd.ErrFormat, segment.Number, segment.Label, file, name)
			}
			names[segment.Number] = segment.Label
		}
	}
	for i := 1; names[i] != "" && p.spec == nil; i++ {
		p.classes = append(p.classes, names[i])
	}
	delete(names, 0) // background of label maps
	if len(p.classes) != len(names) && p.spec == nil {
		p.classes = nil // numbers with gaps: nothing to name the classes by
	}
	return nil
}

// match finds the labels of an image: the file of its stem, or of its stem and
// _mask; of its folder, for slices that are files; a segmentation that refers
// to it or to its series; a file for each frame.
func (p *pairing) match(e *entry) {
	take := func(stem string) bool {
		if p.masks[stem] == "" {
			return false
		}
		e.labels = append(e.labels, p.masks[stem])
		p.used[stem] = true
		return true
	}
	if take(e.stem) || take(e.stem+"_mask") {
		return
	}
	if e.instance != "" && (take(p.byInstance[e.instance]) || take(p.bySeries[e.series]) || take(path.Dir(e.stem))) {
		return
	}
	for i := range e.frames {
		if e.frames == 1 || !take(frameID(e.stem, i, e.frames)) {
			for _, label := range e.labels {
				for stem, file := range p.masks {
					if file == label {
						delete(p.used, stem)
					}
				}
			}
			e.labels = nil
			return
		}
	}
}

// frameID names frame i, counted from 0, as segd segment names its outputs.
func frameID(stem string, i, frames int) string {
	if frames == 1 {
		return stem
	}
	return fmt.Sprintf("%s_%04d", stem, i+1)
}

// cases are the frames of the images that have labels and nothing wrong.
func (p *pairing) cases(groups map[string]string) []Case {
	var list []Case
	series := map[string]string{} // the first stem of each
	for i := range p.entries {
		e := &p.entries[i]
		if groups == nil && e.series != "" && series[e.series] == "" {
			series[e.series] = e.stem
		}
		if e.labels == nil || e.err != nil {
			continue
		}
		for k := range e.frames {
			c := Case{
				ID: frameID(e.stem, k, e.frames), Image: e.image, More: e.more, Frame: k, Frames: e.frames,
				Label: e.labels[min(k, len(e.labels)-1)], stem: e.stem, files: p.files, calibrated: p.spec.calibrated(),
			}
			if p.spec != nil {
				c.ignore = p.spec.ignore
			}
			c.Group, c.subject = e.stem, e.stem
			if first := series[e.series]; first != "" {
				c.Group, c.subject = first, first
				if e.study != "" {
					c.subject = e.study
				}
			}
			for _, id := range []string{e.stem, c.ID} {
				if g, ok := groups[id]; ok {
					c.Group, c.subject = g, g
				}
			}
			list = append(list, c)
		}
	}
	return list
}
