package dicomio

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"segd"
)

// sliceAt is a slice z mm along its normal, tilted, of a number.
func sliceAt(z float64, number int) Slice {
	p := plane{orientation: "tilted", right: [3]float64{0.8, 0.6, 0}, down: [3]float64{0, 0, -1}, rowMM: 2, colMM: 0.5, thickness: "4"}
	n := p.normal()
	for r := range 3 {
		p.origin[r] = float64(r+1) + z*n[r]
		p.position += fmt.Sprint(p.origin[r], " ")
	}
	return Slice{plane: p, number: number}
}

func TestNewStack(t *testing.T) {
	turned := sliceAt(6, 3)
	turned.plane.right, turned.plane.orientation = [3]float64{1, 0, 0}, "another"
	nearly := sliceAt(6.001, 3) // as files round
	nearly.plane.right[0], nearly.plane.orientation = 0.80001, "the same, written in other digits"
	wide := sliceAt(6, 3)
	wide.plane.colMM = 0.6
	shifted := sliceAt(6, 3)
	shifted.plane.origin[2] += 0.5
	for name, tt := range map[string]struct {
		slices []Slice
		order  []int
		times  int
		step   float64
	}{
		"in order":  {[]Slice{sliceAt(0, 1), sliceAt(3, 2), sliceAt(6, 3)}, []int{0, 1, 2}, 1, 3},
		"any order": {[]Slice{sliceAt(6, 1), sliceAt(0, 2), sliceAt(3, 3)}, []int{1, 2, 0}, 1, 3},
		"phases":    {[]Slice{sliceAt(5, 4), sliceAt(0, 2), sliceAt(5, 3), sliceAt(0, 9)}, []int{1, 2, 3, 0}, 2, 5},
		"one place": {[]Slice{sliceAt(7, 2), sliceAt(7, 1)}, []int{1, 0}, 2, 4},
		"one":       {[]Slice{sliceAt(7, 1)}, []int{0}, 1, 4},
		"rounded":   {[]Slice{sliceAt(0, 1), sliceAt(3, 2), nearly}, []int{0, 1, 2}, 1, 3.0005},
		"turned":    {slices: []Slice{sliceAt(0, 1), sliceAt(3, 2), turned}},
		"spacing":   {slices: []Slice{sliceAt(0, 1), sliceAt(3, 2), wide}},
		"shifted":   {slices: []Slice{sliceAt(0, 1), sliceAt(3, 2), shifted}},
		"uneven":    {slices: []Slice{sliceAt(0, 1), sliceAt(3, 2), sliceAt(7, 3)}},
		"a phase":   {slices: []Slice{sliceAt(0, 1), sliceAt(3, 2), sliceAt(3, 3)}},
		"none":      {},
	} {
		s, err := NewStack(tt.slices)
		if tt.order == nil {
			if !errors.Is(err, segd.ErrUnprocessable) {
				t.Errorf("%s: %+v, %v", name, s, err)
			}
			continue
		}
		if err != nil || !slices.Equal(s.Order, tt.order) || s.Times != tt.times || s.Depth*s.Times != len(tt.slices) {
			t.Errorf("%s: %+v, %v", name, s, err)
			continue
		}
		// Each plane lies where the affine has it.
		for k, i := range s.Order {
			for r := range 3 {
				got := s.Affine[r][3] + float64(k%s.Depth)*s.Affine[r][2]
				if d := got - tt.slices[i].plane.origin[r]; d > 0.01*tt.step || d < -0.01*tt.step {
					t.Errorf("%s: plane %d, coordinate %d: %g, want %g", name, k, r, got, tt.slices[i].plane.origin[r])
				}
			}
		}
		n := tt.slices[0].plane.normal()
		if along := s.Affine[0][2]*n[0] + s.Affine[1][2]*n[1] + s.Affine[2][2]*n[2]; along < tt.step-1e-9 || along > tt.step+1e-9 {
			t.Errorf("%s: steps of %g, want %g", name, along, tt.step)
		}
	}
}
