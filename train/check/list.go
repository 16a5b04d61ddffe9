package check

import (
	"context"
	"path/filepath"

	"segd/internal/scanio"
	"segd/internal/walk"
	"segd/train/dataset"
)

// list finds the files of a data set.
func (c *checker) list(ctx context.Context, set int, dir string) error {
	found, err := dataset.Look(ctx, dir)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		c.fault(KindFolder, dir, "put the images into images/ and their masks, of the same names, into labels/", "%s", cause(err))
		return nil
	}
	if !c.listed(&found.Images, "give each image a name of its own") || !c.listed(&found.Labels, "keep one label for each image") {
		return nil
	}
	c.passedOver(&found.Images, false)
	c.passedOver(&found.Labels, true)
	if found.Images.Files == 0 {
		c.fault(KindFolder, found.Images.Path, "put files of "+scanio.Readable()+" there", "no image")
	}
	if found.Unpaired != nil {
		c.fault(KindFolder, found.Labels.Path, "one segmentation for each image, with the same segments in all of them", "%s", cause(found.Unpaired))
		return nil
	}
	c.entries(found.Entries)
	if found.GroupsErr != nil {
		c.fault(KindFolder, filepath.Join(dir, "ids.csv"), "write a header id,group and a line for each image", "%s", cause(found.GroupsErr))
	}
	c.joinClasses(set, dir, found)
	for _, k := range found.Cases {
		c.cases = append(c.cases, &checked{side: side(dir), Case: k})
	}
	for _, file := range found.Spare {
		c.warn(KindNoImage, file, 1, "add its image to images/ under the same name, or take the label out", "no image")
	}
	c.grouping(dir, found)
	return nil
}

// listed reports what cannot be read of a folder, and whether there is a list of its
// files; fix mends it where there is none.
func (c *checker) listed(f *dataset.Folder, fix string) bool {
	if f.Err != nil {
		c.fault(KindFolder, f.Path, fix, "%s", cause(f.Err))
		return false
	}
	for _, file := range f.Failed {
		c.fault(KindUnreadable, file.Path, "make it readable, or take it out", "%v", file.Err)
	}
	return true
}

// joinClasses numbers the classes of a data set like those before.
func (c *checker) joinClasses(set int, dir string, found *dataset.Inventory) {
	if err := c.joined.Join(set, dir, found.Cases, found.Classes); err != nil {
		c.fault(KindClassNames, dir, "name and label the same classes in all data sets", "%s", cause(err))
	}
	for _, w := range c.joined.Warnings {
		c.warn(KindClassNames, dir, 0, "make sure of it, or name the classes in both", "%s", w)
	}
	c.joined.Warnings = nil
}

// entries reports images without a label, and those that are of no use.
func (c *checker) entries(list []dataset.Entry) {
	for _, e := range list {
		switch {
		case !e.Label && e.Passed != "":
			c.fault(KindNoLabel, e.Image, "save its label as PNG", "no label that is read: %s is skipped", walk.Printable(e.Passed))
		case !e.Label:
			c.fault(KindNoLabel, e.Image, "add its mask to labels/ under the same name, or take the image out", "no label")
		case e.Err != nil:
			c.fault(KindUnreadable, e.Image, "export it again, or take it and its label out", "%s", cause(e.Err))
		}
	}
}

// grouping reports images that no group is known of.
func (c *checker) grouping(dir string, found *dataset.Inventory) {
	alone := 0 // images that nothing joins to others
	for _, e := range found.Entries {
		if !e.Grouped {
			alone++
		}
	}
	switch {
	case !found.Grouped && alone > 1:
		c.warn(KindUngrouped, dir, alone, "write ids.csv (header id,group) if several images show one subject or slide: else validation images are not new to the network",
			"no ids.csv: each image counts as a subject of its own")
	case found.Ungrouped != "":
		c.warn(KindUngrouped, filepath.Join(dir, "ids.csv"), 1, "complete it", "%s", found.Ungrouped)
	}
}
