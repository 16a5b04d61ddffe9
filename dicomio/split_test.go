package dicomio

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"segd"
)

// absent are distinct attributes without a value.
func absent() (list []float64) {
	for range distinctAttributes {
		list = append(list, math.NaN())
	}
	return list
}

// row is n slices from z mm on, a step apart, numbered from first on, that change.
func row(z, step float64, n, first int, change func(*Slice)) (list []Slice) {
	for k := range n {
		s := sliceAt(z+float64(k)*step, first+k)
		s.phase = phase{distinct: absent(), taken: math.NaN(), instance: fmt.Sprint("1.", first+k), loose: []float64{float64(first + k)}}
		change(&s)
		list = append(list, s)
	}
	return list
}

// Slices that together form no volume form one for each value of what tells them
// apart; where nothing does, they form none.
func TestNewStacks(t *testing.T) {
	t.Parallel()
	plain := func(*Slice) {}
	taken := func(n float64) func(*Slice) { return func(s *Slice) { s.phase.taken = n } }
	kind := func(k string) func(*Slice) { return func(s *Slice) { s.phase.kind = k } }
	echo := func(ms float64) func(*Slice) { return func(s *Slice) { s.phase.distinct[3] = ms } }
	time := func(n float64) func(*Slice) { return func(s *Slice) { s.phase.distinct[1] = n } }
	across := func(s *Slice) {
		s.plane.right, s.plane.down = [3]float64{1, 0, 0}, [3]float64{0, 1, 0}
		s.plane.origin = [3]float64{0, 0, float64(s.number)}
	}
	for name, tt := range map[string]struct {
		list  []Slice
		want  string // depth×times of each stack
		lost  int    // groups
		cause string // of the first
	}{
		"one":                         {list: row(0, 3, 5, 1, plain), want: "5×1"},
		"acquisitions of two lengths": {list: slices.Concat(row(0, 3, 5, 1, taken(1)), row(0, 3, 7, 6, taken(2))), want: "5×1 7×1"},
		"acquisitions of two steps":   {list: slices.Concat(row(0, 3, 5, 1, taken(1)), row(0, 5, 5, 6, taken(2))), want: "5×1 5×1"},
		"acquisitions in a row":       {list: slices.Concat(row(0, 3, 5, 1, taken(1)), row(15, 3, 5, 6, taken(2))), want: "10×1"},
		"acquisitions at the same":    {list: slices.Concat(row(0, 3, 5, 1, taken(1)), row(0, 3, 5, 6, taken(2))), want: "5×2"},
		"echoes of two lengths":       {list: slices.Concat(row(0, 3, 5, 1, echo(10)), row(0, 3, 4, 6, echo(80))), want: "5×1 4×1"},
		"water and fat":               {list: slices.Concat(row(0, 3, 3, 1, kind("W")), row(0, 3, 2, 4, kind("F"))), want: "3×1 2×1"},
		"water and fat, interleaved":  {list: slices.Concat(row(0, 6, 2, 1, kind("W")), row(3, 6, 2, 3, kind("F")), row(0, 6, 2, 5, kind("F")), row(3, 6, 2, 7, kind("W"))), want: "4×2"},
		"echoes in acquisitions": {list: slices.Concat(row(0, 3, 5, 1, func(s *Slice) { taken(1)(s); echo(10)(s) }), row(0, 3, 4, 6, func(s *Slice) { taken(1)(s); echo(20)(s) }),
			row(0, 4, 5, 11, func(s *Slice) { taken(2)(s); echo(10)(s) })), want: "5×1 4×1 5×1"},
		"three planes of a localizer": {list: slices.Concat(row(0, 3, 1, 1, plain), row(0, 3, 1, 2, across)), want: "1×1 1×1"},
		"a localizer among axial":     {list: slices.Concat(row(0, 3, 1, 1, across), row(0, 3, 4, 2, plain)), want: "1×1 4×1"},
		"one of them with a gap":      {list: slices.Concat(row(0, 3, 2, 1, plain), row(9, 3, 3, 4, plain), row(0, 3, 2, 10, across)), want: "2×1", lost: 1, cause: "1 slice is missing along the normal: between 2 and 4, at 7 mm"},
		"a time too short":            {list: slices.Concat(row(0, 3, 5, 1, time(1)), row(0, 3, 4, 6, time(2))), lost: 1, cause: "temporal position (0020,0100) 2 is missing"},
		"one slice too many":          {list: slices.Concat(row(0, 3, 5, 1, plain), row(3, 3, 1, 6, plain)), lost: 1, cause: "2 slices at one position but 1 at another"},
	} {
		for _, turned := range []bool{false, true} { // whatever order they come in
			list := slices.Clone(tt.list)
			if turned {
				slices.Reverse(list)
			}
			stacks, lost := NewStacks(list)
			var got []string
			for _, s := range stacks {
				got = append(got, fmt.Sprintf("%d×%d", s.Depth, s.Times))
				for i := 1; i < s.Depth; i++ {
					if list[s.Order[i]].plane.depth() <= list[s.Order[i-1]].plane.depth() {
						t.Errorf("%s: not in order along the normal: %v", name, s.Order)
					}
				}
			}
			if turned {
				slices.Reverse(got)
			}
			if strings.Join(got, " ") != tt.want || len(lost) != tt.lost {
				t.Errorf("%s, turned %t: %v, lost %v; want %s and %d", name, turned, got, lost, tt.want, tt.lost)
				continue
			}
			if tt.lost > 0 && (!errors.Is(lost[0].Err, segd.ErrUnprocessable) || !strings.Contains(lost[0].Err.Error(), tt.cause)) {
				t.Errorf("%s: %v, want %q", name, lost[0].Err, tt.cause)
			}
		}
	}
	if stacks, _ := NewStacks(slices.Concat(row(0, 6, 2, 1, kind("W")), row(3, 6, 2, 3, kind("F")), row(0, 6, 2, 5, kind("F")), row(3, 6, 2, 7, kind("W")))); len(stacks) == 1 {
		if got := stacks[0].Order; !slices.Equal(got, []int{4, 2, 5, 3, 0, 6, 1, 7}) {
			t.Errorf("kinds are mixed: %v", got)
		}
	}
}

// Steps that are off by what files round are even, and say so; a slice that lies a
// tenth of a step away is not.
func TestStackWarning(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		off  float64
		ok   bool
		want string
	}{
		"even":      {0, true, ""},
		"a rounded": {0.02, true, ""},
		"uneven":    {0.2, true, "up to 0.2 mm (7 % of a step) off even steps of 3 mm"},
		"too far":   {0.4, false, ""},
	} {
		list := []Slice{sliceAt(0, 1), sliceAt(3+tt.off, 2), sliceAt(6, 3), sliceAt(9, 4)}
		s, err := NewStack(list)
		if (err == nil) != tt.ok {
			t.Errorf("%s: %v", name, err)
		}
		if err == nil && (tt.want == "") != (s.Warning() == "") || err == nil && !strings.Contains(s.Warning(), tt.want) {
			t.Errorf("%s: %q, want %q", name, s.Warning(), tt.want)
		}
	}
}

// Many gaps are named one by one, up to a few.
func TestGaps(t *testing.T) {
	t.Parallel()
	var list []Slice
	for k := range 30 {
		if k%4 != 1 && k != 6 {
			list = append(list, sliceAt(1.5*float64(k), k+1))
		}
	}
	_, err := NewStack(list)
	if err == nil || !strings.Contains(err.Error(), "8 slices are missing along the normal: between 1 and 3, at 2.5 mm; 2 between 5 and 8, at 8.5 to 10 mm; ") || !strings.Contains(err.Error(), "and in 3 more places") {
		t.Error(err)
	}
}
