package dataset

import (
	"context"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"segd"
	"segd/dicomio"
	"segd/internal/classes"
	"segd/internal/scanio"
	"segd/train/internal/parallel"
)

// place locates the files of a data set.
type place struct {
	dir            string // of the data set
	images, labels string // folders
	spec           *nnunet
}

// entry is an image of a data set, with its labels.
type entry struct {
	stem   string
	image  string
	more   []string // files of the other channels
	number []int    // channel numbers of image and more; nil if the name has none
	frames int
	labels []string // one file, or one per frame; nil: none
	err    error    // why the image cannot be used

	picture int // in a label of outlines

	who    dicomio.Identity // of a DICOM image
	groups []string         // from ids.csv, by frame; nil: there is none
}

// pairing finds the labels of images.
type pairing struct {
	place
	files    *files
	entries  []entry
	masks    map[string]string   // label files by stem
	suffixed map[string][]string // label stems by image stem, see bySuffix
	used     map[string]bool     // their stems
	classes  []string            // names of the foreground classes, if the data set has them

	segmentations *segmentations // those among the labels
	outlines      *outlineFiles  // among the labels
	namesErr      error          // why the classes of outlines have no numbers
	bases         map[string]int // images by the last part of their stems
}

// pair lists the images of stems and finds the labels of each. A fault of one image
// is stored in the err of its entry. The returned error concerns the data set as a
// whole, or is that of ctx.
func pair(ctx context.Context, where place, images, labels *listing, opener *files) (*pairing, error) {
	p := &pairing{place: where, files: opener, masks: labels.files, suffixed: bySuffix(labels.files, images.files), used: map[string]bool{}, bases: map[string]int{}}
	if where.spec != nil {
		p.classes = where.spec.classes
	}
	p.list(images.stems, images.files)
	for _, e := range p.entries {
		p.bases[path.Base(e.stem)]++
	}
	if err := parallel.Do(ctx, len(p.entries), func(i int) error { p.probe(&p.entries[i]); return nil }); err != nil {
		return nil, err
	}
	if err := p.readSegmentations(); err != nil {
		return nil, err
	}
	p.outlines = p.indexOutlines(labels.drawn)
	for i := range p.entries {
		p.match(&p.entries[i])
		p.matchOutlines(&p.entries[i])
	}
	p.namesErr = p.nameClasses()
	return p, nil
}

// probe counts the frames of an image. PNG and JPEG have one and are not read. Of a
// TIFF, only the directories are read.
func (p *pairing) probe(e *entry) {
	e.frames = 1
	switch kindOf(e.image) {
	case scanio.PNG, scanio.JPEG, scanio.Unknown: // fails later, when it is read
		return
	case scanio.TIFF:
		if len(e.more) == 0 {
			if n, err := tiffFrames(e.image); err == nil {
				e.frames = n
			} // a fault is reported when it is read
			return
		}
	}
	if _, err := p.files.join(e.image, e.more); err != nil {
		if e.err == nil {
			e.err = err
		}
		return
	}
	o, _ := p.files.open(e.image, asImage) // opened by join
	e.frames = o.scan.Frames
	e.who = identityOf(o)
}

// identityOf returns the identity of an image, which is empty unless it is DICOM.
func identityOf(o *opened) dicomio.Identity {
	switch {
	case o.source != nil:
		return o.source.Identity()
	case o.scan.Format != "dicom":
		return dicomio.Identity{}
	}
	b, err := readFile(o.path) // no object can refer to it, but it has a patient
	if err != nil {
		return dicomio.Identity{}
	}
	id, _ := dicomio.ReadIdentity(b) // it has been read before
	return id
}

// readSegmentations records which images the segmentations among the labels refer to,
// and how they name their segments. A number with two names would mix two things in
// one class, so it is segd.ErrFormat.
func (p *pairing) readSegmentations() (err error) {
	refer := slices.ContainsFunc(p.entries, func(e entry) bool { return e.who.Instance != "" })
	if p.segmentations, err = indexSegmentations(p.files, p.masks, refer); err != nil || !refer {
		return err
	}
	names := map[int]string{}
	for _, stem := range slices.Sorted(maps.Keys(p.segmentations.segments)) {
		for _, segment := range p.segmentations.segments[stem] {
			if name, ok := names[segment.Number]; ok && !strings.EqualFold(name, segment.Label) {
				return fmt.Errorf("train: %w: segment %d is called %q in %s and %q before it: number the segments the same in all files",
					segd.ErrFormat, segment.Number, segment.Label, p.masks[stem], name)
			}
			names[segment.Number] = segment.Label
		}
	}
	if p.spec != nil {
		for number, name := range names {
			if n, err := (classes.List{Whose: "dataset.json", Names: p.spec.classes}).Number(name, number); number > 0 && (err != nil || n != number) {
				return fmt.Errorf("train: %w: segment %d of the labels is called %q, but dataset.json has the classes %q: number them the same",
					segd.ErrFormat, number, name, p.spec.classes)
			}
		}
	}
	for i := 1; names[i] != "" && p.spec == nil; i++ {
		p.classes = append(p.classes, names[i])
	}
	delete(names, 0) // background in label maps
	if len(p.classes) != len(names) && p.spec == nil {
		p.classes = nil // gaps in the numbers: they cannot name the classes
	}
	return nil
}

// match finds the labels of an image. They are a file with its stem, with or without
// a label suffix (names.go); a file with the name of its folder, if slices are files;
// a segmentation that refers to it or to its series; or a file for each frame. If a
// segmentation has the right stem but refers to other images, the entry gets an
// error.
func (p *pairing) match(e *entry) {
	take := func(stem string) bool {
		if p.masks[stem] == "" {
			return false
		}
		e.labels = append(e.labels, p.masks[stem])
		p.used[stem] = true
		return true
	}
	named := func(stem string) bool {
		if !take(stem) {
			return false
		}
		if e.who.Instance != "" && p.segmentations.denies(stem, e.who) && e.err == nil {
			e.err = fmt.Errorf("train: mask %s: %w: it refers to other images than %s", p.masks[stem], segd.ErrFormat, e.image)
		}
		return true
	}
	if named(e.stem) {
		return
	}
	switch also := p.suffixed[plainStem(e.stem)]; {
	case len(also) == 1 && named(also[0]):
		return
	case len(also) > 1 && e.err == nil:
		e.err = fmt.Errorf("train: image %s: %w: %s and %s may both be its label: keep one, or give the right one exactly the name of the image", e.image, segd.ErrFormat, p.masks[also[0]], p.masks[also[1]])
		return
	}
	if e.who.Instance != "" && (take(p.segmentations.about(e.who)) || named(path.Dir(e.stem))) {
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

// cases returns the frames of the images that have labels and no fault.
func (p *pairing) cases() []Case {
	var list []Case
	for i := range p.entries {
		e := &p.entries[i]
		if e.labels == nil || e.err != nil {
			continue
		}
		for k := range e.frames {
			c := Case{
				ID: frameID(e.stem, k, e.frames), Image: e.image, More: e.more, Frame: k, Frames: e.frames,
				Label: e.labels[min(k, len(e.labels)-1)], stem: e.stem, folder: p.images, who: e.who, files: p.files, calibrated: p.spec.calibrated(),
				picture: e.picture, outlines: p.outlines.naming,
			}
			if p.spec != nil {
				c.ignore, c.channelNames = p.spec.ignore, p.spec.channels
			}
			if e.groups != nil {
				c.named = e.groups[k]
			}
			list = append(list, c)
		}
	}
	return list
}
