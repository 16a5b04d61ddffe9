package train

import (
	"context"
	"path/filepath"

	"segd/internal/walk"
)

// list finds the files of a data set.
func (c *checker) list(ctx context.Context, set int, dir string) error {
	where, err := folders(dir)
	if err != nil {
		c.fault(KindFolder, dir, "put the images into images/ and their masks, of the same names, into labels/", "%s", cause(err))
		return nil
	}
	images := c.listing(where.images, "give each image a name of its own", imageFiles())
	if images == nil {
		return nil
	}
	masks := c.listing(where.labels, "keep one label for each image", labelFiles())
	if masks == nil {
		return nil
	}
	c.passedOver(where.images, images.passed, false)
	c.passedOver(where.labels, masks.passed, true)
	ids, idsErr := readIDs(filepath.Join(dir, "ids.csv"))
	if len(images.stems) == 0 {
		c.fault(KindFolder, where.images, "put DICOM, NIfTI, PNG, JPEG or TIFF files there", "no image")
	}
	p, err := pair(ctx, where, images.stems, images.files, masks.files, &files{})
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		c.fault(KindFolder, where.labels, "one segmentation for each image, with the same segments in all of them", "%s", cause(err))
		return nil
	}
	c.entries(p, passedStems(masks.passed))
	warning := ""
	if idsErr == nil {
		warning, idsErr = p.nameGroups(ids)
	}
	if idsErr != nil {
		c.fault(KindFolder, filepath.Join(dir, "ids.csv"), "write a header id,group and a line for each image", "%s", cause(idsErr))
	}
	table := c.joinClasses(dir, p.classes)
	for _, k := range p.cases() {
		k.set, k.renumber = set, table
		c.cases = append(c.cases, &checked{side: side(dir), Case: k})
	}
	for _, stem := range masks.stems {
		if !p.used[stem] {
			c.warn(KindNoImage, masks.files[stem], 1, "add its image to images/ under the same name, or take the label out", "no image")
		}
	}
	c.grouping(dir, p, ids != nil || idsErr != nil, warning)
	return nil
}

// listing lists a folder of a data set, and reports what cannot be read; nil where
// there is no list, which fix mends.
func (c *checker) listing(dir, fix string, o walk.Options) *listing {
	l, err := listFiles(dir, o)
	if err != nil {
		c.fault(KindFolder, dir, fix, "%s", cause(err))
		return nil
	}
	for _, f := range l.failed {
		c.fault(KindUnreadable, f.Path, "make it readable, or take it out", "%v", f.Err)
	}
	return l
}

// entries reports images without a label, and those that are of no use. passed are
// the files among the labels that are not read, by stem.
func (c *checker) entries(p *pairing, passed map[string]string) {
	for _, e := range p.entries {
		switch other := or(passed[e.stem], passed[e.stem+"_mask"]); {
		case e.labels == nil && other != "":
			c.fault(KindNoLabel, e.image, "save its label as PNG", "no label that is read: %s is passed over", walk.Printable(other))
		case e.labels == nil:
			c.fault(KindNoLabel, e.image, "add its mask to labels/ under the same name, or take the image out", "no label")
		case e.err != nil:
			c.fault(KindUnreadable, e.image, "export it again, or take it and its label out", "%s", cause(e.err))
		}
	}
}

// grouping reports images that no group is known of; warning is what ids.csv
// leaves open.
func (c *checker) grouping(dir string, p *pairing, ids bool, warning string) {
	alone := 0 // images that nothing joins to others
	for _, e := range p.entries {
		k := Case{stem: e.stem, who: e.who, Frames: e.frames}
		if !k.grouped() {
			alone++
		}
	}
	switch {
	case !ids && alone > 1:
		c.warn(KindUngrouped, dir, alone, "write ids.csv (header id,group) if several images show one subject or slide: else validation images are not new to the network",
			"no ids.csv: each image counts as a subject of its own")
	case warning != "":
		c.warn(KindUngrouped, filepath.Join(dir, "ids.csv"), 1, "complete it", "%s", warning)
	}
}
