package dataset

import (
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"segd"
	"segd/internal/scanio"
	"segd/internal/shapes"
)

// outlineSuffixes are endings of the names of files of ROIs, besides suffixes.
var outlineSuffixes = []string{"_rois", "_roi", "-rois", "-roi", "_roiset", "-roiset"}

// isOutlines reports whether a file of another kind holds outlines, by its name and its
// beginning. One that cannot be read does not.
func isOutlines(file string) bool {
	if !slices.Contains(shapes.Extensions, strings.ToLower(filepath.Ext(file))) {
		return false
	}
	f, err := os.Open(file)
	if err != nil {
		return false
	}
	defer func() { _ = f.Close() }() // read only
	head, err := io.ReadAll(io.LimitReader(f, shapes.HeadBytes))
	return err == nil && shapes.Is(head)
}

// outlineStem cuts the extension off the name of a file of outlines, and that of the
// image before it, as in a.png.json.
func outlineStem(name string) string {
	return scanio.Stem(strings.TrimSuffix(name, path.Ext(name)))
}

// withoutOutlineSuffix removes a suffix of labels or of ROIs.
func withoutOutlineSuffix(stem string) string {
	lower := strings.ToLower(stem)
	for _, s := range outlineSuffixes {
		if len(lower) == len(stem) && strings.HasSuffix(lower, s) && len(path.Base(stem)) > len(s) {
			return stem[:len(stem)-len(s)]
		}
	}
	return withoutSuffix(stem)
}

// outlineFiles are the files of outlines among the labels of a data set.
type outlineFiles struct {
	files  []string            // their paths
	byStem map[string][]string // by the plain stems of the images that they may belong to
	listed map[string][]listed // images that COCO files list, by the plain path of their stem
	base   map[string][]listed // the same, by the last part of it
	read   map[string]*content // what is in the files that can be read, RT Structure Sets too
	errs   map[string]error    // of the others
	used   map[string]bool     // as labels
	beside map[string]bool     // an image that has a mask

	naming *naming // of the classes in the files that are used
}

// content is what is known of a file of outlines.
type content struct {
	format  shapes.Format
	classes []named
}

// named is a class, and the number that its file gives it; 0: none.
type named struct {
	name   string
	number int
}

// listed is an image that a COCO file lists.
type listed struct {
	path    string // of the COCO file
	picture int
}

// structureSet is what messages call an RT Structure Set among the formats of outlines.
const structureSet shapes.Format = "RT Structure Set"

// indexOutlines reads which images the files of outlines may belong to, and which
// classes they and RT Structure Sets name.
func (p *pairing) indexOutlines(paths []string) *outlineFiles {
	o := &outlineFiles{
		files: paths, byStem: map[string][]string{}, listed: map[string][]listed{}, base: map[string][]listed{},
		read: map[string]*content{}, errs: map[string]error{}, used: map[string]bool{}, beside: map[string]bool{},
	}
	for _, file := range paths {
		opened, err := p.files.open(file, asMask)
		if err != nil {
			o.errs[file] = err
			o.addStem(file, p.labels)
			continue
		}
		o.add(file, p.labels, opened.shapes)
	}
	for stem, regions := range p.segmentations.regions {
		c := &content{format: structureSet}
		for _, r := range regions {
			c.classes = append(c.classes, named{r.Name, r.Number})
		}
		o.read[p.masks[stem]] = c
	}
	return o
}

// add records a file below the folder of labels.
func (o *outlineFiles) add(file, folder string, f *shapes.File) {
	c := &content{format: f.Format}
	o.read[file] = c
	for _, number := range slices.Sorted(maps.Keys(f.Categories)) {
		c.classes = append(c.classes, named{f.Categories[number], number})
	}
	for i := range f.Pictures {
		for _, s := range f.Pictures[i].Shapes {
			if at := (named{name: s.Class}); f.Categories == nil && !slices.Contains(c.classes, at) {
				c.classes = append(c.classes, at)
			}
		}
		if f.Format == shapes.COCO {
			name := strings.ReplaceAll(f.Pictures[i].Image, `\`, "/") // of Windows
			stem := plainStem(scanio.Stem(strings.TrimPrefix(name, "./")))
			o.listed[stem] = append(o.listed[stem], listed{file, i})
			o.base[path.Base(stem)] = append(o.base[path.Base(stem)], listed{file, i})
		}
	}
	if f.Format != shapes.COCO {
		o.addStem(file, folder)
	}
}

// addStem records the images that a file may belong to by its name.
func (o *outlineFiles) addStem(file, folder string) {
	rel, err := filepath.Rel(folder, file)
	if err != nil {
		return
	}
	stem := outlineStem(filepath.ToSlash(rel))
	for _, of := range slices.Compact([]string{plainStem(stem), plainStem(withoutOutlineSuffix(stem))}) {
		o.byStem[of] = append(o.byStem[of], file)
	}
}

// nameClasses settles the classes of the outlines that are labels, once these are
// known. p.classes are those of the data set if it names them in another way.
func (p *pairing) nameClasses() error {
	o := p.outlines
	mask := ""
	for _, e := range p.entries {
		for _, file := range e.labels {
			if o.used[file] = o.read[file] != nil || o.errs[file] != nil; !o.used[file] {
				mask = file
			}
		}
	}
	var used []string
	for _, file := range slices.Sorted(maps.Keys(o.read)) {
		if o.used[file] {
			used = append(used, file)
		}
	}
	if len(used) == 0 {
		return nil
	}
	given := p.classes
	if given == nil && p.spec == nil {
		var err error
		if given, err = readClassList(p.dir); err != nil {
			return err
		}
	}
	o.naming = newNaming(given)
	for _, file := range used {
		for _, c := range o.read[file].classes {
			o.naming.add(file, c.name, c.number)
		}
	}
	names, err := o.naming.settle()
	if err == nil && given == nil && mask != "" && len(names) > 1 {
		err = fmt.Errorf("train: label %s: %w: a mask of indices, while others are outlines of the classes %q: list the classes in classes.txt, in the order of the indices", mask, segd.ErrFormat, names)
	}
	if p.classes == nil {
		p.classes = names
	}
	return err
}

// find returns the file of outlines of an image, and the picture in it. Several are
// segd.ErrFormat; path is empty where there is none. alone says that no other image has
// the last part of the stem.
func (o *outlineFiles) find(stem string, alone bool) (at listed, err error) {
	stem = plainStem(stem)
	var all []listed
	for _, file := range o.byStem[stem] {
		all = append(all, listed{path: file})
	}
	switch {
	case len(o.listed[stem]) > 0:
		all = append(all, o.listed[stem]...)
	case alone:
		all = append(all, o.base[path.Base(stem)]...)
	}
	switch len(all) {
	case 0:
		return at, nil
	case 1:
		return all[0], nil
	}
	return at, fmt.Errorf("%w: %s and %s may both hold its outlines: keep one", segd.ErrFormat, all[0].path, all[1].path)
}

// matchOutlines finds the outlines of an image that has no other label: a file of
// outlines for all its frames or for each, or a COCO file that lists the image.
func (p *pairing) matchOutlines(e *entry) {
	at, err := p.outlines.find(e.stem, p.bases[path.Base(e.stem)] == 1)
	switch {
	case at.path != "" && len(e.labels) > 0:
		p.outlines.beside[at.path] = true
		p.files.note(noteBeside, at.path)
		return
	case len(e.labels) > 0:
		return
	case err != nil:
		if e.err == nil {
			e.err = fmt.Errorf("train: image %s: %w", e.image, err)
		}
		return
	case at.path != "":
		e.labels, e.picture = []string{at.path}, at.picture
		return
	}
	var list []string
	for i := range e.frames {
		files := p.outlines.byStem[plainStem(frameID(e.stem, i, e.frames))]
		if e.frames == 1 || len(files) != 1 {
			return
		}
		list = append(list, files[0])
	}
	e.labels = list
}

// spare lists the files of outlines that belong to no image, and those of them that
// cannot be read.
func (o *outlineFiles) spare() (list []string, failed []Unreadable) {
	for _, file := range o.files {
		switch {
		case o.used[file] || o.beside[file]:
		case o.errs[file] != nil:
			failed = append(failed, Unreadable{file, o.errs[file]})
		default:
			list = append(list, file)
		}
	}
	return list, failed
}

// String says how many labels are outlines, how they are drawn and which classes they
// have; empty: none are.
func (o *outlineFiles) String() string {
	if o.naming == nil {
		return ""
	}
	formats := map[shapes.Format]int{}
	n := 0
	for file, c := range o.read {
		if o.used[file] {
			formats[c.format]++
			n++
		}
	}
	var names []string
	for _, f := range slices.Sorted(maps.Keys(formats)) {
		names = append(names, string(f))
	}
	text := fmt.Sprintf("%d label files hold outlines (%s), drawn as the programs that wrote them do", n, strings.Join(names, ", "))
	if n == 1 {
		text = fmt.Sprintf("1 label file holds outlines (%s), drawn as the program that wrote it does", names[0])
	}
	var classes []string
	for i, name := range o.naming.names() {
		classes = append(classes, fmt.Sprintf("%d %s", i+1, name))
	}
	if len(classes) == 0 {
		return text + "; they name no class: all are class 1"
	}
	return text + "; classes: " + strings.Join(classes, ", ")
}
