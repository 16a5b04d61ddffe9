package dicomio

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"segd"
	"segd/dicomio/dicomtest"
	"segd/dicomio/tag"
)

// permutations calls f with each order of n things.
func permutations(n int, f func([]int)) {
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	var swap func(k int)
	swap = func(k int) {
		if k == n {
			f(order)
			return
		}
		for i := k; i < n; i++ {
			order[k], order[i] = order[i], order[k]
			swap(k + 1)
			order[k], order[i] = order[i], order[k]
		}
	}
	swap(0)
}

// TestStackOrders stacks five series, with one and with two phases, in every order of
// their files, as files and as frames of one: the volume is always the same.
func TestStackOrders(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		orientation string
		step        [3]float64
	}{
		"axial":    {`1\0\0\0\1\0`, [3]float64{0, 0, 3}},
		"coronal":  {`1\0\0\0\0\-1`, [3]float64{0, 2.5, 0}},
		"sagittal": {`0\1\0\0\0\-1`, [3]float64{-4, 0, 0}},
		"oblique":  {`0.8\0.6\0\0\0\-1`, [3]float64{-1.8, 2.4, 0}},
		"tilted":   {`1\0\0\0\1\0`, [3]float64{0, 1.4, 3}},
	} {
		for _, times := range []int{1, 2} {
			const depth = 3
			at := func(i int) string { // file i, phase by phase
				var parts []string
				for r := range 3 {
					parts = append(parts, fmt.Sprintf("%g", 10*float64(r)+float64(i%depth)*tt.step[r]))
				}
				return strings.Join(parts, `\`)
			}
			var list []Slice
			var frames []dicomtest.Frame
			for i := range depth * times {
				f := identified("1.2.840.10008.5.1.4.1.1.4", "MR", i+1, append(placed(0), text(tag.ImagePositionPatient, at(i)), text(tag.ImageOrientationPatient, tt.orientation),
					text(tag.TemporalPositionIdentifier, fmt.Sprint(i/depth+1)))...)
				slice, ok := openSource(t, f).Slice()
				if !ok {
					t.Fatal("no slice")
				}
				list = append(list, slice)
				frames = append(frames, dicomtest.Frame{Position: at(i), Orientation: tt.orientation, Temporal: i/depth + 1})
			}
			want, err := NewStack(list)
			if err != nil || want.Depth != depth || want.Times != times {
				t.Fatalf("%s, %d times: %+v, %v", name, times, want, err)
			}
			for k := range depth {
				got := want.Affine.Apply([3]float64{0, 0, float64(k)})
				for r, p := range list[want.Order[k]].plane.origin {
					if math.Abs(got[r]-p) > 1e-9 {
						t.Errorf("%s: plane %d lies at %v", name, k, got)
					}
				}
			}
			permutations(len(list), func(order []int) {
				moved := make([]Slice, len(list))
				for k, i := range order {
					moved[k] = list[i]
				}
				stacks, lost := NewStacks(moved)
				if len(stacks) != 1 || len(lost) > 0 || !sameStack(stacks[0], want, order) {
					t.Errorf("%s, %d times, order %v: %+v, %v", name, times, order, stacks, lost)
				}
			})
			for _, order := range [][]int{{2, 0, 1}, {1, 2, 0}, {5, 3, 4, 2, 0, 1}, {0, 3, 1, 4, 2, 5}} {
				if len(order) != len(list) {
					continue
				}
				var moved []dicomtest.Frame
				for _, i := range order {
					moved = append(moved, frames[i])
				}
				stacks, err := openSource(t, dicomtest.Enhanced(16, moved)).Stacks()
				if err != nil || len(stacks) != 1 || !slices.Equal(originals(stacks[0], order), want.Order) {
					t.Errorf("%s, %d times, frames %v: %+v, %v", name, times, order, stacks, err)
				}
			}
		}
	}
}

// originals are the slices of a stack as they are called before an order moved them.
func originals(s *Stack, order []int) (list []int) {
	for _, i := range s.Order {
		list = append(list, order[i])
	}
	return list
}

func sameStack(s, want *Stack, order []int) bool {
	return s.Depth == want.Depth && s.Times == want.Times && near(s.Affine, want.Affine) && slices.Equal(originals(s, order), want.Order)
}

func near(a, b segd.Affine) bool {
	for r := range 3 {
		for c := range 4 {
			if math.Abs(a[r][c]-b[r][c]) > 1e-9 {
				return false
			}
		}
	}
	return true
}
