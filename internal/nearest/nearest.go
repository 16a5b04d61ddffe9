// Package nearest finds, for a name that nothing has, the names that were probably
// meant. Error messages list them:
//
//	nearest.Among("overly", []string{"mask", "overlay"}) // did you mean overlay? want mask, overlay
package nearest

import (
	"cmp"
	"slices"
	"strings"
)

// shown is how many names a message lists.
const shown = 12

// Names returns those of names that differ from name by few letters, the nearest
// first and equally near ones in their order. Upper and lower case are alike.
func Names(name string, names []string) []string {
	type near struct {
		name string
		off  int
	}
	var found []near
	for _, n := range names {
		a, b := strings.ToLower(name), strings.ToLower(n)
		// A third of the letters may be wrong; a beginning of three letters or
		// more counts as one wrong letter.
		off := distance(a, b)
		if len(a) >= 3 && strings.HasPrefix(b, a) {
			off = min(off, 1)
		}
		if off <= max(len(a), len(b))/3 {
			found = append(found, near{n, off})
		}
	}
	slices.SortStableFunc(found, func(a, b near) int { return cmp.Compare(a.off, b.off) })
	out := make([]string, len(found))
	for i, f := range found {
		out[i] = f.name
	}
	return out
}

// Among says, for the end of an error message, which of names were probably meant
// by name, and then what there is: "did you mean A? want A, B, C". Long lists begin
// with the nearest names and are cut off; "want none" is that of no names.
func Among(name string, names []string) string {
	return Hint(name, names) + "want " + List(name, names)
}

// Hint is "did you mean A? " or "did you mean A or B? ", or empty where no name is
// near.
func Hint(name string, names []string) string {
	near := Names(name, names)
	if len(near) == 0 {
		return ""
	}
	return "did you mean " + strings.Join(near[:min(2, len(near))], " or ") + "? "
}

// List joins names with commas. Where there are many, those near to name come
// first and the number of the rest stands for them.
func List(name string, names []string) string {
	switch {
	case len(names) == 0:
		return "none"
	case len(names) <= shown:
		return strings.Join(names, ", ")
	}
	list := Names(name, names)
	for _, n := range names {
		if !slices.Contains(list, n) {
			list = append(list, n)
		}
	}
	return strings.Join(list[:shown], ", ") + ", …"
}

// distance is how many letters have to be put in, left out, replaced or swapped
// with their neighbour to make b of a (optimal string alignment; Boytsov 2011,
// ACM JEA 16, 1.1).
func distance(a, b string) int {
	s, t := []rune(a), []rune(b)
	if max(len(s), len(t)) > 100 { // no name of ours
		return max(len(s), len(t))
	}
	rows := make([][]int, len(s)+1)
	for i := range rows {
		rows[i] = make([]int, len(t)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(s); i++ {
		for j := 1; j <= len(t); j++ {
			change := 1
			if s[i-1] == t[j-1] {
				change = 0
			}
			d := min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+change)
			if i > 1 && j > 1 && s[i-1] == t[j-2] && s[i-2] == t[j-1] {
				d = min(d, rows[i-2][j-2]+1)
			}
			rows[i][j] = d
		}
	}
	return rows[len(s)][len(t)]
}
