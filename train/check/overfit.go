package check

import (
	"sort"

	"segd/train"
	"segd/train/dataset"
)

// worthKnowing picks cases with much foreground, or with values that differ much, of
// different groups if it can.
func worthKnowing(all []*checked) []dataset.Case {
	var list []*checked
	for _, k := range all {
		if k.ok() {
			list = append(list, k)
		}
	}
	foreground := func(k *checked) (n float64) {
		if k.asValues {
			return k.look.known.Squares / float64(max(1, k.look.known.N))
		}
		for v, c := range k.counts {
			if v > 0 {
				n += float64(c)
			}
		}
		return n
	}
	sort.SliceStable(list, func(i, j int) bool { return foreground(list[i]) > foreground(list[j]) })
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
