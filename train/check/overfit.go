package check

import (
	"sort"

	"segd/train"
	"segd/train/dataset"
)

// worthKnowing picks cases with much foreground, or with widely differing values,
// from different groups if possible.
func (c *checker) worthKnowing() []dataset.Case {
	list := c.whole()
	sort.SliceStable(list, func(i, j int) bool { return c.labels.substance(list[i]) > c.labels.substance(list[j]) })
	var cases []dataset.Case
	subjects, images := map[string]bool{}, map[string]bool{}
	for _, again := range []bool{false, true} {
		for _, k := range list {
			if len(cases) < train.OverfitCases && !images[k.Image] && (again || !subjects[k.Subject()]) {
				cases = append(cases, k.Case)
				subjects[k.Subject()], images[k.Image] = true, true
			}
		}
	}
	return cases
}
