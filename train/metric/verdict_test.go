package metric

import "testing"

// A model is worse if its Dice is significantly lower in a class. With too few groups
// no difference is significant.
func TestJudge(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name        string
		groups      int
		now, before float64
		worse       bool
	}{
		{"lower in all groups", MinGroups, 0.5, 0.9, true},
		{"higher in all groups", MinGroups, 0.9, 0.5, false},
		{"the same", MinGroups, 0.9, 0.9, false},
		{"too few groups", MinGroups - 1, 0.5, 0.9, false},
	} {
		v, err := Judge(reportOf(c.groups, c.now), reportOf(c.groups, c.before))
		if err != nil {
			t.Fatal(err)
		}
		if v.Worse != c.worse || v.Groups != c.groups || v.Cases != c.groups {
			t.Errorf("%s: %+v, want worse %t", c.name, v, c.worse)
		}
	}
}

// reportOf returns a report of one class with the same Dice in each of n groups.
func reportOf(n int, dice float64) *Report {
	r := &Report{Mean: Entry{Classes: []Score{{Index: 1, Name: "disc", Dice: dice}}}}
	for i := range n {
		e := Entry{ID: string(rune('a' + i)), Classes: []Score{{Index: 1, Name: "disc", Dice: dice}}}
		r.Cases, r.Groups = append(r.Cases, e), append(r.Groups, e)
	}
	return r
}
