package dataset

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"segd"
	"segd/internal/classes"
	"segd/internal/scanio"
)

// prediction locates the existing mask of a case.
type prediction struct {
	path   string
	stem   string // of the file, below the folder of predictions
	frames int    // that the file covers: frames of the image, or slices of its series; 1: a file for this case alone

	renumber *classes.Table // of its classes, if the data number them differently
}

// offset describes how the paths of predictions differ from the stems of their
// images. All images of a data set share one offset. With separate offsets, a mask of
// another patient could replace a missing one.
type offset struct {
	above  string // folders that only the predictions lie in, with a trailing slash
	below  string // folders that only the images lie in, likewise
	ending string // of the predictions' stems: a channel number
}

// of returns the expected stem of the prediction of an image.
func (o offset) of(stem string) string { return o.above + strings.TrimPrefix(stem, o.below) + o.ending }

// Predictions are existing masks or values of cases.
type Predictions struct {
	Warnings []string // assumptions about paths and segments

	dir           string
	cases         []Case
	files         map[string]string // by stem below dir
	segmentations *segmentations    // among them
	found         []prediction      // by case
}

// FindPredictions finds the mask of each case below dir. The errors are
// segd.ErrNotFound for a missing mask, and segd.ErrFormat if two masks fit one case,
// two cases share a mask, or a mask refers to other images than its case. If paths
// differ from those of the images, a warning states the assumption.
//
// A DICOM Segmentation belongs to the images that it refers to. Other files belong to
// the case of the same path below the images; see offsets for the other paths that
// are tried.
func FindPredictions(dir string, cases []Case) (*Predictions, error) {
	list, err := allFiles(dir, maskFiles())
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("train: %w: predictions: no folder %s", segd.ErrNotFound, dir)
	case err != nil:
		return nil, fmt.Errorf("predictions: %w", err)
	}
	paths := list.files
	f := &Predictions{dir: dir, cases: cases, files: paths, found: make([]prediction, len(cases)), segmentations: &segmentations{}}
	if slices.ContainsFunc(cases, func(c Case) bool { return c.who.Instance != "" }) {
		if f.segmentations, err = indexSegmentations(cases[0].opener(), paths, true); err != nil {
			return nil, err
		}
	}
	for from := 0; from < len(cases); {
		to := from
		for to < len(cases) && cases[to].Set == cases[from].Set {
			to++
		}
		if err := f.findSet(cases[from:to], f.found[from:to]); err != nil {
			return nil, err
		}
		from = to
	}
	return f, f.checkShared(cases)
}

// findSet finds the predictions of one data set.
func (f *Predictions) findSet(cases []Case, found []prediction) error {
	var best offset
	var fits []offset // with all predictions
	most := -1
	exact := false
	for _, o := range offsets(cases) {
		list, n := f.try(o, cases)
		if n > most {
			best, most = o, n
			copy(found, list)
		}
		if n < len(cases) || !f.usesPaths(list) && len(fits) > 0 {
			continue
		}
		if fits = append(fits, o); len(fits) == 1 {
			exact = o.below+o.ending == "" && (o.above == "" || o.above == cases[0].setName+"/")
		}
	}
	switch {
	case len(fits) == 0:
		return f.missing(best, cases, found)
	case len(fits) > 1 && !exact:
		return fmt.Errorf("train: %w: case %s has two possible predictions, %s and %s: give a folder with one kind of predictions", segd.ErrFormat,
			cases[0].ID, f.name(fits[0].of(cases[0].stem)), f.name(fits[1].of(cases[0].stem)))
	case !exact:
		f.Warnings = append(f.Warnings, fmt.Sprintf("predictions are not named like their images: %s is used for case %s, and the others likewise",
			found[0].path, cases[0].ID))
	}
	return f.checkIdentity(best, cases, found)
}

// offsets lists where the predictions of a data set may lie, the usual places
// first:
//
//   - below the name of the data set, as in case IDs, if several are joined;
//   - at the path of the image below its folder, where segd segment writes masks if
//     it is given that folder;
//   - below the last folders of the image folder's own path, such as images/ or
//     train/images/, where it writes them if it is given a folder above;
//   - without the folders that all images share, where it writes them if it is given
//     one of these.
//
// If channels are files, each path may also end in the number of a channel, as in
// CASE_0000.
func offsets(cases []Case) []offset {
	var above []string
	if name := cases[0].setName; name != "" {
		above = append(above, name+"/")
	}
	above = append(above, "")
	folder, err := filepath.Abs(cases[0].folder)
	if err == nil && cases[0].folder != "" {
		parts := strings.Split(strings.Trim(filepath.ToSlash(folder), "/"), "/")
		for i := len(parts) - 1; i >= 0; i-- {
			above = append(above, strings.Join(parts[i:], "/")+"/")
		}
	}
	var list []offset
	for _, a := range above {
		list = append(list, offset{above: a})
	}
	shared := path.Dir(cases[0].stem)
	for shared != "." && slices.ContainsFunc(cases, func(c Case) bool { return !strings.HasPrefix(c.stem, shared+"/") }) {
		shared = path.Dir(shared)
	}
	for ; shared != "."; shared = path.Dir(shared) {
		list = append(list, offset{below: shared + "/"})
	}
	ending := cases[0].channelEnding()
	if ending == "" || slices.ContainsFunc(cases, func(c Case) bool { return c.channelEnding() != ending }) {
		return list
	}
	for _, o := range slices.Clone(list) {
		o.ending = ending
		list = append(list, o)
	}
	return list
}

// channelEnding returns what follows the stem of the case in the name of the first
// channel's file, as in CASE_0000. It is empty for an image in one file.
func (c *Case) channelEnding() string {
	base := filepath.Base(scanio.Stem(c.Image))
	return strings.TrimPrefix(base, path.Base(c.stem))
}

// try finds the predictions of cases with an offset, and counts them.
func (f *Predictions) try(o offset, cases []Case) (list []prediction, n int) {
	list = make([]prediction, len(cases))
	volumes := f.seriesVolumes(o, cases)
	for i := range cases {
		c := &cases[i]
		if list[i] = f.lookUp(o.of(c.stem), c, volumes); list[i].path != "" {
			n++
		}
	}
	return list, n
}

// lookUp finds the prediction of a case: the segmentation that refers to it, or the
// file of its frame, of all frames, or of all slices of its series.
func (f *Predictions) lookUp(stem string, c *Case, volumes map[string]prediction) prediction {
	at := func(stem string, frames int) prediction {
		return prediction{path: f.files[stem], stem: stem, frames: frames}
	}
	if c.who.Instance != "" {
		if by := f.segmentations.instances[c.who.Instance]; by != "" {
			return at(by, 1)
		}
		if list := f.segmentations.series[c.who.Series]; len(list) == 1 && f.segmentations.listed[list[0]] == 0 {
			return at(list[0], 1)
		}
	}
	if volume := volumes[c.who.Series]; volume.path != "" {
		return volume
	}
	if frame := frameID(stem, c.Frame, c.Frames); f.files[frame] != "" && f.allFrames(stem, c.Frames) {
		return at(frame, 1)
	}
	if c.Frames > 1 && f.files[stem] != "" {
		return at(stem, c.Frames)
	}
	return prediction{}
}

// allFrames reports whether each frame of an image has a file of its own.
func (f *Predictions) allFrames(stem string, frames int) bool {
	for k := range frames {
		if f.files[frameID(stem, k, frames)] == "" {
			return false
		}
	}
	return true
}

// seriesVolumes finds, by series UID, NIfTI volumes of DICOM series whose slices are
// files. The volume is named after the folder of the slices. It may also be named
// after one slice, as segd segment does, if no other slice has a file of its own.
func (f *Predictions) seriesVolumes(o offset, cases []Case) map[string]prediction {
	type series struct{ slices, own, volumes int }
	all := map[string]*series{}
	volumes := map[string]prediction{}
	for i := range cases {
		c := &cases[i]
		uid := c.who.Series
		if uid == "" || c.Frames > 1 {
			continue
		}
		s := all[uid]
		if s == nil {
			s = &series{}
			all[uid] = s
		}
		s.slices++
		stem := o.of(c.stem)
		if f.files[stem] != "" {
			s.own++
		}
		for _, stem := range []string{stem, path.Dir(stem)} {
			if f.isVolume(stem) && volumes[uid].stem != stem {
				volumes[uid] = prediction{path: f.files[stem], stem: stem}
				s.volumes++
			}
		}
	}
	for uid, s := range all {
		v := volumes[uid]
		if v.frames = s.slices; s.volumes != 1 || s.own > 1 || s.slices < 2 {
			v = prediction{}
		}
		volumes[uid] = v
	}
	return volumes
}

func (f *Predictions) isVolume(stem string) bool {
	return kindOf(f.files[stem]).IsVolume()
}

// usesPaths reports whether any prediction was found by its path.
func (f *Predictions) usesPaths(list []prediction) bool {
	return slices.ContainsFunc(list, func(p prediction) bool { return !f.segmentations.refers[p.stem] })
}

// name formats a stem below dir for messages.
func (f *Predictions) name(stem string) string { return filepath.Join(f.dir, filepath.FromSlash(stem)) }

// missing returns the error for the first case without a prediction, given the offset
// that finds the most.
func (f *Predictions) missing(o offset, cases []Case, found []prediction) error {
	i := slices.IndexFunc(found, func(p prediction) bool { return p.path == "" })
	c, n := &cases[i], 0
	for _, p := range found {
		if p.path != "" {
			n++
		}
	}
	stem := o.of(c.stem)
	looked := f.name(frameID(stem, c.Frame, c.Frames)) + ".png (or .tif, .nii, .nii.gz, .dcm)"
	if c.Frames > 1 {
		looked += fmt.Sprintf(" for each frame, and for a volume of all %d frames named %s", c.Frames, f.name(stem))
	}
	if c.who.Instance != "" {
		looked += " and for a DICOM Segmentation that refers to the image"
	}
	return fmt.Errorf("train: %w: no prediction for case %s: looked for %s; %d of %d cases have one; predictions lie at the path that the image has below %s%s",
		segd.ErrNotFound, c.ID, looked, n, len(cases), c.folder, f.hint(c, cases))
}

// hint suggests a folder below dir that has all predictions.
func (f *Predictions) hint(c *Case, cases []Case) string {
	for _, stem := range slices.Sorted(maps.Keys(f.files)) {
		above, ok := strings.CutSuffix(stem, "/"+frameID(c.stem, c.Frame, c.Frames))
		if !ok {
			continue
		}
		if _, n := f.try(offset{above: above + "/"}, cases); n == len(cases) {
			return fmt.Sprintf("; %s has files with all these names: give that folder if they belong to these images", f.name(above))
		}
	}
	return ""
}

// checkIdentity refuses segmentations that refer to other images than their path
// suggests.
func (f *Predictions) checkIdentity(o offset, cases []Case, found []prediction) error {
	for i := range cases {
		c, p := &cases[i], found[i]
		if f.segmentations.denies(p.stem, c.who) {
			return fmt.Errorf("train: %w: prediction %s is named like case %s but refers to other images", segd.ErrFormat, p.path, c.ID)
		}
		for _, stem := range []string{frameID(o.of(c.stem), c.Frame, c.Frames), o.of(c.stem)} {
			if named := f.files[stem]; named != "" && named != p.path && f.segmentations.refers[p.stem] {
				return fmt.Errorf("train: %w: prediction %s is named like case %s, but %s refers to its image: remove one of them",
					segd.ErrFormat, named, c.ID, p.path)
			}
		}
	}
	return nil
}

// checkShared refuses a prediction that fits two images, unless it is a segmentation
// that refers to both or a volume of their series.
func (f *Predictions) checkShared(cases []Case) error {
	first := map[string]int{}
	for i, p := range f.found {
		k, seen := first[p.path]
		if !seen {
			first[p.path] = i
			continue
		}
		a, b := &cases[k], &cases[i]
		switch {
		case f.segmentations.refers[p.stem]:
		case p.frames > 1 && p.frames == f.found[k].frames && (a.Image == b.Image || a.who.Series != "" && a.who.Series == b.who.Series):
		default:
			return fmt.Errorf("train: %w: prediction %s fits both case %s and case %s", segd.ErrFormat, p.path, a.ID, b.ID)
		}
	}
	return nil
}
