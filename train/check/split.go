package check

import (
	"context"
	"path/filepath"
	"strings"

	"segd/train/dataset"
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
		case old.Set != k.Set && old.side != "" && k.side != "" && old.side != k.side:
			c.fault(KindLeakage, k.Where(k.Image), "take one of them out", "the same image as %s, on the other side of a split", old.Image)
		case old.Image == k.Image: // frames of one file
		case old.Subject() == k.Subject():
			c.warn(KindDuplicate, k.Where(k.Image), 1, "take one of them out", "the same image as %s", old.Image)
		default:
			c.fault(KindDuplicate, k.Where(k.Image), "take one out, or give both one group in ids.csv: else a split may have the image on both sides",
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

// join settles the groups of all cases, and reports where ids.csv and headers
// contradict each other.
func (c *checker) join(dirs []string) {
	cases := make([]*dataset.Case, len(c.cases))
	for i, k := range c.cases {
		cases[i] = &k.Case
	}
	for _, x := range dataset.Group(cases) {
		if x.Placeholder {
			c.warn(KindUngrouped, dirs[x.Set], 0, "make sure that it is one", "%s", x)
			continue
		}
		c.fault(KindLeakage, x.A.Image, "give all images of a patient one group in ids.csv", "%s", x)
	}
}

// leakage reports groups on both sides of a split: between the data sets given,
// and with those that lie beside them.
func (c *checker) leakage(ctx context.Context, dirs []string) {
	where := map[string][]*checked{}
	for _, k := range c.cases {
		if k.side != "" && k.Grouped() {
			where[k.Subject()] = append(where[k.Subject()], k)
		}
	}
	for _, k := range c.cases {
		for _, o := range where[k.Subject()] {
			if k.side != "" && k.Grouped() && o.side != k.side {
				c.fault(KindLeakage, k.Where(k.Image), "move all images of the group to one side", "its group is in %s too, as %s", dirs[o.Set], o.Image)
				delete(where, k.Subject()) // one line a group
				break
			}
		}
	}
	for i, dir := range dirs {
		c.besides(ctx, i, dir, dirs)
	}
}

// besides compares the groups of a data set with those of the sets beside it,
// whose headers are read for it.
func (c *checker) besides(ctx context.Context, set int, dir string, given []string) {
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
		c.shares(set, other, dataset.Peek(ctx, other))
	}
}

// shares reports groups of a data set that cases of another folder have too.
func (c *checker) shares(set int, other string, cases []dataset.Case) {
	var all []*dataset.Case
	for i := range cases {
		cases[i].Set = set + 1 // another one
		all = append(all, &cases[i])
	}
	for _, k := range c.cases {
		if k.Set == set {
			own := k.Case
			all = append(all, &own)
		}
	}
	dataset.Group(all)
	shared := map[string]bool{}
	for _, k := range all[:len(cases)] {
		if k.Grouped() {
			shared[k.Subject()] = true
		}
	}
	for _, k := range all[len(cases):] {
		if k.Grouped() && shared[k.Subject()] {
			delete(shared, k.Subject()) // one line a group
			c.fault(KindLeakage, k.Where(k.Image), "move all images of the group to one side", "its group is in %s too", other)
		}
	}
}
