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
		c.fault(KindFolder, dir, "put the images into images/ and their masks, with the same names, into labels/", "%s", cause(err))
		return nil
	}
	if !c.listed(&found.Images, "give each image a unique name") || !c.listed(&found.Labels, "keep one label for each image") {
		return nil
	}
	c.passedOver(&found.Images, false)
	c.passedOver(&found.Labels, true)
	if found.Images.Files == 0 {
		c.fault(KindFolder, found.Images.Path, "put files of "+scanio.Readable()+" there", "no image")
	}
	if found.Unpaired != nil {
		c.fault(KindFolder, found.Labels.Path, "provide one segmentation for each image, with the same segments in all of them", "%s", cause(found.Unpaired))
		return nil
	}
	if found.NamesErr != nil {
		c.fault(KindClassNames, found.Labels.Path, "give every shape a class, and list the classes in classes.txt in "+dir+", a name in each line", "%s", cause(found.NamesErr))
	}
	if found.Outlines != "" {
		c.warn(KindOutlines, found.Labels.Path, 0, "check the classes; classes.txt in "+dir+", a name in each line, chooses and numbers them", "%s", found.Outlines)
	}
	c.entries(found.Entries)
	if found.GroupsErr != nil {
		c.fault(KindFolder, filepath.Join(dir, "ids.csv"), "start with the header id,group and write a line for each image", "%s", cause(found.GroupsErr))
	}
	c.joinClasses(set, dir, found)
	for _, k := range found.Cases {
		c.cases = append(c.cases, &checked{side: side(dir), Case: k})
	}
	for _, file := range found.Spare {
		c.warn(KindNoImage, file, 1, "add its image to images/ under the same name, or remove the label", "no image")
	}
	c.grouping(dir, found)
	return nil
}

// listed reports the unreadable files of a folder, and whether the folder could be
// listed. fix is the remedy if it could not.
func (c *checker) listed(f *dataset.Folder, fix string) bool {
	if f.Err != nil {
		c.fault(KindFolder, f.Path, fix, "%s", cause(f.Err))
		return false
	}
	for _, file := range f.Failed {
		c.fault(KindUnreadable, file.Path, "make it readable, or remove it", "%v", file.Err)
	}
	return true
}

// joinClasses numbers the classes of a data set like those of the sets before it.
func (c *checker) joinClasses(set int, dir string, found *dataset.Inventory) {
	if err := c.joined.Join(set, dir, found.Cases, found.Classes); err != nil {
		c.fault(KindClassNames, dir, "name and label the same classes in all data sets", "%s", cause(err))
	}
	for _, w := range c.joined.Warnings {
		c.warn(KindClassNames, dir, 0, "check this, or name the classes in both", "%s", w)
	}
	c.joined.Warnings = nil
}

// entries reports images without a label, and unusable ones.
func (c *checker) entries(list []dataset.Entry) {
	for _, e := range list {
		switch {
		case !e.Label && e.Passed != "":
			c.fault(KindNoLabel, e.Image, "save its label as PNG", "no readable label: %s is skipped", walk.Printable(e.Passed))
		case !e.Label:
			c.fault(KindNoLabel, e.Image, "add its mask to labels/ under the same name, or remove the image", "no label")
		case e.Err != nil:
			c.fault(KindUnreadable, e.Image, "export it again, or remove it and its label", "%s", cause(e.Err))
		}
	}
}

// grouping reports images whose group is not known.
func (c *checker) grouping(dir string, found *dataset.Inventory) {
	alone := 0 // images that nothing links to others
	for _, e := range found.Entries {
		if !e.Grouped {
			alone++
		}
	}
	switch {
	case !found.Grouped && alone > 1:
		c.warn(KindUngrouped, dir, alone, "write ids.csv (header id,group) if several images show one subject or slide; otherwise validation images are not new to the network",
			"no ids.csv: each image counts as a separate subject")
	case found.Ungrouped != "":
		c.warn(KindUngrouped, filepath.Join(dir, "ids.csv"), 1, "complete it", "%s", found.Ungrouped)
	}
}
