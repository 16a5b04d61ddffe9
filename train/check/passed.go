package check

import (
	"cmp"
	"maps"
	"slices"

	"segd/internal/scanio"
	"segd/internal/walk"
	"segd/train/dataset"
)

// passedOver reports the files of a folder that are not read. It writes a line for
// each extension and each unwanted kind, with reason and remedy, and one for
// everything else.
func (c *checker) passedOver(f *dataset.Folder, labels bool) {
	dir, p := f.Path, &f.Passed
	report := func(of string, names []string, cause, fix string) {
		first := walk.Printable(slices.Min(names))
		if len(names) == 1 {
			c.warn(KindPassed, dir, 1, fix, "%s is skipped: %s", first, cause)
			return
		}
		c.warn(KindPassed, dir, len(names), fix, "%d files (%s) are skipped, %s first: %s", len(names), of, first, cause)
	}
	for _, kind := range slices.Sorted(maps.Keys(p.Unfit)) {
		if scanio.Kind(kind) == scanio.JPEG {
			report(kind, p.Unfit[kind], "a mask of another format has the same name", "remove them if they are only pictures of the masks")
			continue
		}
		report(kind, p.Unfit[kind], scanio.Name(scanio.Kind(kind))+" changes the values of a mask", "export the masks as PNG from the program that drew them")
	}
	for _, ext := range slices.Sorted(maps.Keys(p.Other)) {
		cause, fix := why(ext, labels)
		report(walk.Printable(cmp.Or(ext, "no extension")), p.Other[ext], cause, fix)
	}
	if p.Rest > 0 {
		c.warn(KindPassed, dir, p.Rest, "check that no image or label is among them", "%s", p.Text)
	}
}

// why says what an extension means among files that are not images, and what to do
// about it.
func why(ext string, labels bool) (cause, fix string) {
	switch ext {
	case ".tga", ".psd", ".heic", ".avif", ".jxl", ".exr":
		if labels {
			return "a format that is not read", "save them as PNG, which keeps every value"
		}
		return "a format that is not read", "save them as PNG or TIFF"
	case ".json", ".geojson", ".roi", ".zip":
		if labels {
			return "neither masks nor outlines of COCO, LabelMe, QuPath or ImageJ", "if they hold the labels, export them from the program that drew them in one of these formats, or as PNG masks"
		}
		return "no images", "no action needed if they are notes; put outlines into the folder of labels"
	case ".xml", ".txt", ".csv", ".md", ".npy":
		if labels {
			return "text or data of a program, not masks", "if they hold the labels, export them as PNG masks, or as outlines of COCO, LabelMe, QuPath or ImageJ"
		}
		return "no images", "no action needed if they are notes"
	}
	if labels {
		return "not " + scanio.ReadableLabels(), "if they are masks, save them as PNG"
	}
	return "not " + scanio.Readable(), "if they are images, save them as PNG or TIFF"
}
