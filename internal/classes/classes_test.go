package classes

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"segd"
)

func TestMatch(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		have, want []string
		numbers    []uint8 // what 0, 1, 2 … become; nil: a clash
	}{
		{[]string{"disc", "square"}, []string{"disc", "square"}, []uint8{0, 1, 2}},
		{[]string{"disc", "square"}, []string{"Square", "DISC"}, []uint8{0, 2, 1}},
		{[]string{"a", "b", "c"}, []string{"c", "a", "b"}, []uint8{0, 2, 3, 1}},
		{[]string{"disc", "square"}, nil, []uint8{0, 1, 2}},
		{[]string{"disc", "square"}, []string{"class 1", "class 2"}, []uint8{0, 1, 2}},
		{[]string{"foreground"}, []string{"nucleus"}, []uint8{0, 1}},
		{[]string{"liver", "tumour"}, []string{"Liver", "class 2"}, []uint8{0, 1, 2}},
		{[]string{"class 2", "liver"}, []string{"liver", "spleen"}, nil}, // class 2 at 1 is a name
		{[]string{"liver", "tumour"}, []string{"liver", "spleen"}, nil},
		{[]string{"liver"}, []string{"liver", "spleen"}, nil},
		{[]string{"class 1"}, []string{"liver", "spleen"}, nil},
		{[]string{"lung", "heart"}, []string{"Lung", "LUNG"}, nil},
		{[]string{"lung", "Lung"}, []string{"Lung", "lung"}, []uint8{0, 2, 1}},
	} {
		table, err := Match(List{"one", tt.have}, List{"two", tt.want})
		if tt.numbers == nil {
			if !errors.Is(err, segd.ErrFormat) || !strings.Contains(err.Error(), tt.have[0]) || !strings.Contains(err.Error(), tt.want[0]) {
				t.Errorf("%q, %q: %v", tt.have, tt.want, err)
			}
			continue
		}
		got := make([]uint8, len(tt.numbers))
		for i := range got {
			got[i] = uint8(i)
		}
		table.Apply(got)
		if err != nil || !slices.Equal(got, tt.numbers) {
			t.Errorf("%q, %q: %v, %v", tt.have, tt.want, got, err)
		}
	}
}

func TestThen(t *testing.T) {
	t.Parallel()
	var none *Table
	a, b := none.Set(1, 2).Set(2, 1), none.Set(2, 3).Set(3, 2)
	pix := []uint8{0, 1, 2, 3, 255}
	a.Then(b).Apply(pix)
	if !slices.Equal(pix, []uint8{0, 3, 1, 2, 255}) || none.Then(a) != a || a.Then(nil) != a {
		t.Errorf("%v", pix)
	}
}

func TestNumber(t *testing.T) {
	t.Parallel()
	l := List{"the data", []string{"liver", "class 2"}}
	for _, tt := range []struct {
		name         string
		number, want int
	}{{"LIVER", 7, 1}, {"Segment 1", 1, 1}, {"spleen", 2, 2}, {"spleen", 1, 0}, {"liver", 2, 1}} {
		if got, err := l.Number(tt.name, tt.number); got != tt.want || (err == nil) != (tt.want > 0) {
			t.Errorf("%s: %d, %v", tt.name, got, err)
		}
	}
}
