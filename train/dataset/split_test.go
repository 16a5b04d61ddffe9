package dataset

import (
	"errors"
	"fmt"
	"testing"

	"segd"
)

func cases(groups ...string) (cs []Case) {
	for i, g := range groups {
		cs = append(cs, Case{ID: fmt.Sprint(i), Group: g, subject: g})
	}
	return cs
}

func TestSplitKeepsGroupsWhole(t *testing.T) {
	cs := cases("a", "a", "b", "c", "c", "c", "d", "e", "f", "g", "h", "i", "j")
	held := map[int]int{}
	for fold := range 5 {
		training, validation, _, err := Split(cs, 1, 0, fold, 5)
		if err != nil {
			t.Fatal(err)
		}
		side := map[string]bool{}
		for _, i := range training {
			side[cs[i].subject] = true
		}
		for _, i := range validation {
			if side[cs[i].subject] {
				t.Errorf("fold %d: group %s is on both sides", fold, cs[i].subject)
			}
			held[i]++
		}
		if len(training)+len(validation) != len(cs) {
			t.Errorf("fold %d: %d + %d of %d cases", fold, len(training), len(validation), len(cs))
		}
	}
	for i := range cs {
		if held[i] != 1 {
			t.Errorf("case %d validates in %d folds, want 1", i, held[i])
		}
	}
	_, validation, _, err := Split(cs, 1, 0.2, 0, 0)
	if err != nil || len(groupNames(pick(cs, validation), func(c Case) string { return c.subject })) != 2 {
		t.Errorf("a fifth of 10 groups: cases %v, %v", validation, err)
	}
}

func pick(cs []Case, index []int) (picked []Case) {
	for _, i := range index {
		picked = append(picked, cs[i])
	}
	return picked
}

func TestSplitAtTheEdges(t *testing.T) {
	training, validation, warning, err := Split(cases("a", "a", "a", "a", "a"), 1, 0.2, 0, 0)
	if err != nil || len(training) != 4 || len(validation) != 1 || warning == "" {
		t.Errorf("one group: %v, %v, %q, %v", training, validation, warning, err)
	}
	if training, validation, _, err = Split(cases("a", "b"), 1, 0.9, 0, 0); err != nil || len(training) != 1 || len(validation) != 1 {
		t.Errorf("two groups: %v, %v, %v", training, validation, err)
	}
	if _, _, _, err = Split(cases("a"), 1, 0.2, 0, 0); !errors.Is(err, segd.ErrUnprocessable) {
		t.Errorf("one case: %v", err)
	}
	if _, _, _, err = Split(cases("a", "b"), 1, 0.2, 0, 5); !errors.Is(err, segd.ErrOption) {
		t.Errorf("five folds of two groups: %v", err)
	}
}
