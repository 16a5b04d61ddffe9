package train

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// passed are the files of a folder that are not read, by extension.
type passed struct {
	byExt map[string][]string
}

// take returns want, noting what it does not take.
func (p *passed) take(want func(name string) bool) func(name string) bool {
	p.byExt = map[string][]string{}
	return func(name string) bool {
		if want(name) {
			return true
		}
		if !strings.HasPrefix(name, ".") && !slices.Contains(byproducts, strings.ToLower(name)) {
			ext := strings.ToLower(filepath.Ext(name))
			p.byExt[ext] = append(p.byExt[ext], name)
		}
		return false
	}
}

// byproducts are files that systems leave in folders, which nobody misses.
var byproducts = []string{"thumbs.db", "desktop.ini", "dicomdir"}

// of is the file of a stem that is not read; empty: none.
func (p *passed) of(stem string) string {
	for _, names := range p.byExt {
		for _, name := range names {
			if stemOf(name) == filepath.Base(filepath.FromSlash(stem)) {
				return name
			}
		}
	}
	return ""
}

// notes are what lies among images and is none.
const notes = "no images"

// why says what an extension stands for, and what to do about it.
func why(ext string, labels bool) (cause, fix string) {
	switch ext {
	case ".jpg", ".jpeg":
		return "JPEG changes the values of a mask", "export the masks as PNG from where they were drawn"
	case ".bmp", ".gif", ".webp", ".tga", ".ppm", ".pgm", ".pbm", ".jp2", ".heic", ".avif", ".exr":
		if labels {
			return "a format that is not read", "save them as PNG, which keeps every value"
		}
		return "a format that is not read", "save them as PNG or TIFF"
	case ".json", ".xml", ".txt", ".csv", ".geojson", ".roi", ".md":
		if labels {
			return "text or outlines, not masks", "if they hold the labels, draw masks of them as PNG"
		}
		return notes, "none needed if they are notes"
	}
	if labels {
		return "not PNG, TIFF, NIfTI or DICOM by name", "if they are masks, save them as PNG"
	}
	return "not DICOM, NIfTI, PNG, JPEG or TIFF by name", "if they are images, give them the extension of their format"
}

// extensions lists what was passed over, in order.
func (p *passed) extensions() []string {
	var list []string
	for ext := range p.byExt {
		list = append(list, ext)
	}
	slices.Sort(list)
	return list
}

// passedOver reports the files of a folder that are not read, a line for each
// extension.
func (c *checker) passedOver(dir string, p *passed, labels bool) {
	for _, ext := range p.extensions() {
		names := p.byExt[ext]
		slices.Sort(names)
		what, fix := why(ext, labels)
		c.warn(KindPassedOver, dir, len(names), fix, "%d files (%s), %s the first of them, are passed over: %s", len(names), or(ext, "no extension"), names[0], what)
	}
}

// warnings says in a line what was passed over of a folder of images, but for notes.
func (p *passed) warnings(dir string) (list []string) {
	var parts []string
	for _, ext := range p.extensions() {
		if cause, _ := why(ext, false); cause == notes {
			continue
		}
		parts = append(parts, fmt.Sprintf("%d %s", len(p.byExt[ext]), or(ext, "without extension")))
	}
	if len(parts) > 0 {
		list = append(list, fmt.Sprintf("files of %s that are passed over: %s; segd check says why", dir, strings.Join(parts, ", ")))
	}
	return list
}
