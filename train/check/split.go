package check

import (
	"context"
	"path/filepath"
	"strings"

	"segd/train/dataset"
)

// duplicates reports images that occur twice.
func (c *checker) duplicates() {
	first := map[[32]byte]*checked{}
	for _, k := range c.cases {
		if k.imageErr != nil || k.low == k.high { // all empty slices look the same
			continue
		}
		old := first[k.digest]
		switch {
		case old == nil:
			first[k.digest] = k
		case old.Set != k.Set && old.side != "" && k.side != "" && old.side != k.side:
			c.fault(KindLeakage, k.Where(k.Image), "remove one of them", "the same image as %s, on the other side of a split", old.Image)
		case old.Image == k.Image: // frames of one file
		case old.Subject() == k.Subject():
			c.warn(KindDuplicate, k.Where(k.Image), 1, "remove one of them", "the same image as %s", old.Image)
		default:
			c.fault(KindDuplicate, k.Where(k.Image), "remove one, or give both the same group in ids.csv; otherwise a split may have the image on both sides",
				"the same image as %s, in another group", old.Image)
		}
	}
}

// side returns the purpose of a data set according to the name of its folder, or ""
// if the name does not say.
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

// join determines the groups of all cases, and reports contradictions between ids.csv
// and headers.
func (c *checker) join(dirs []string) {
	cases := make([]*dataset.Case, len(c.cases))
	for i, k := range c.cases {
		cases[i] = &k.Case
	}
	for _, x := range dataset.Group(cases) {
		if x.Placeholder {
			c.warn(KindUngrouped, dirs[x.Set], 0, "check that it is one", "%s", x)
			continue
		}
		c.fault(KindLeakage, x.A.Image, "give all images of a patient the same group in ids.csv", "%s", x)
	}
}

// leakage reports groups on both sides of a split, among the data sets given and
// those next to them.
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
				delete(where, k.Subject()) // one line per group
				break
			}
		}
	}
	for i, dir := range dirs {
		c.besides(ctx, i, dir, dirs)
	}
}

// besides compares the groups of a data set with those of neighbouring sets, whose
// headers it reads.
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

// shares reports groups that a data set shares with another folder.
func (c *checker) shares(set int, other string, cases []dataset.Case) {
	var all []*dataset.Case
	for i := range cases {
		cases[i].Set = set + 1 // a different group
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
			delete(shared, k.Subject()) // one line per group
			c.fault(KindLeakage, k.Where(k.Image), "move all images of the group to one side", "its group is in %s too", other)
		}
	}
}
