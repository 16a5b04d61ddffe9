package train

import (
	"path/filepath"
	"strings"
)

// duplicates reports images that are there twice.
func (c *checker) duplicates() {
	first := map[[32]byte]*checked{}
	for _, k := range c.cases {
		if k.imageErr != nil || k.low == k.high { // an empty slice is like any other
			continue
		}
		old := first[k.digest]
		switch {
		case old == nil:
			first[k.digest] = k
		case old.set != k.set && old.side != "" && k.side != "" && old.side != k.side:
			c.fault(KindLeakage, k.where(k.Image), "take one of them out", "the same image as %s, on the other side of a split", old.Image)
		case old.Image == k.Image: // frames of one file
		case old.subject == k.subject:
			c.warn(KindDuplicate, k.where(k.Image), 1, "take one of them out", "the same image as %s", old.Image)
		default:
			c.fault(KindDuplicate, k.where(k.Image), "take one out, or give both one group in ids.csv: else a split may have the image on both sides",
				"the same image as %s, in another group", old.Image)
		}
	}
}

// side is what a data set is for, by the name of its folder; "" where that
// does not tell.
func side(dir string) string {
	if abs, err := filepath.Abs(dir); err == nil {
		dir = abs
	}
	switch strings.ToLower(filepath.Base(dir)) {
	case "train", "training":
		return "train"
	case "val", "validation":
		return "val"
	case "test", "testing":
		return "test"
	}
	return ""
}

// leakage reports groups on both sides of a split: between the data sets given,
// and with those that lie beside them.
func (c *checker) leakage(dirs []string) {
	where := map[string][]*checked{}
	for _, k := range c.cases {
		if k.side != "" && k.subject != k.ID {
			where[k.subject] = append(where[k.subject], k)
		}
	}
	for _, k := range c.cases {
		for _, o := range where[k.subject] {
			if k.side != "" && o.side != k.side {
				c.fault(KindLeakage, k.where(k.Image), "move all images of the group to one side", "its group is in %s too, as %s", dirs[o.set], o.Image)
				delete(where, k.subject) // one line a group
				break
			}
		}
	}
	for i, dir := range dirs {
		c.besides(i, dir, dirs)
	}
}

// besides compares the groups of a data set with those of the sets beside it.
func (c *checker) besides(set int, dir string, given []string) {
	mine := side(dir)
	if mine == "" {
		return
	}
	isGiven := map[string]bool{}
	for _, d := range given {
		if abs, err := filepath.Abs(d); err == nil {
			isGiven[abs] = true
		}
	}
	parent, err := filepath.Abs(filepath.Join(dir, ".."))
	if err != nil {
		return
	}
	for _, name := range []string{"train", "training", "val", "validation", "test", "testing"} {
		other := filepath.Join(parent, name)
		if isGiven[other] || side(other) == mine {
			continue
		}
		groups, err := readGroups(filepath.Join(other, "ids.csv"))
		if err != nil || groups == nil {
			continue
		}
		shared := map[string]bool{}
		for _, g := range groups {
			shared[g] = true
		}
		for _, k := range c.cases {
			if k.set == set && k.subject != k.ID && shared[k.subject] {
				delete(shared, k.subject) // one line a group
				c.fault(KindLeakage, k.where(k.Image), "move all images of the group to one side", "its group is in %s too", other)
			}
		}
	}
}
