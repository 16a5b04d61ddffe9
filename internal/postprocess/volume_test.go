package postprocess

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"testing"

	"segd"
)

var solidClasses = []segd.Class{{}, {Index: 1, Name: "a"}, {Index: 2, Name: "b"}}

// flooded is MeasureVolume the plain way: each component is filled from its first
// voxel.
func flooded(pix []byte, w, h, d, class int) (voxels, components, largest int) {
	seen := make([]bool, len(pix))
	for i, c := range pix {
		if int(c) != class || seen[i] {
			continue
		}
		components++
		n, stack := 0, []int{i}
		for seen[i] = true; len(stack) > 0; n++ {
			j := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			for dz := -1; dz <= 1; dz++ {
				for dy := -1; dy <= 1; dy++ {
					for dx := -1; dx <= 1; dx++ {
						x, y, z := j%w+dx, j/w%h+dy, j/w/h+dz
						if x < 0 || y < 0 || z < 0 || x >= w || y >= h || z >= d {
							continue
						}
						if k := (z*h+y)*w + x; pix[k] == c && !seen[k] {
							seen[k] = true
							stack = append(stack, k)
						}
					}
				}
			}
		}
		voxels, largest = voxels+n, max(largest, n)
	}
	return voxels, components, largest
}

func TestMeasureVolume(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	for _, size := range [][3]int{{1, 1, 1}, {7, 5, 6}, {1, 9, 4}, {9, 1, 4}, {12, 8, 1}, {16, 16, 12}} {
		for _, share := range []float64{0, 0.05, 0.15, 0.3, 0.6, 1} {
			w, h, d := size[0], size[1], size[2]
			pix := make([]byte, w*h*d)
			for i := range pix {
				if random.Float64() < share {
					pix[i] = uint8(1 + random.IntN(3)) // 3 is none of the classes
				}
			}
			got, err := MeasureVolume(bytes.NewReader(pix), w, h, d, solidClasses, 0.5)
			if err != nil || len(got) != 2 {
				t.Fatal(got, err)
			}
			for k, m := range got {
				voxels, components, largest := flooded(pix, w, h, d, k+1)
				if m.Voxels != voxels || m.Components != components || m.LargestVoxels != largest || m.Index != k+1 {
					t.Errorf("%v, share %g, class %d: %+v, want %d voxels, %d components, largest %d", size, share, k+1, m, voxels, components, largest)
				}
				if *m.VolumeMM3 != 0.5*float64(voxels) || *m.LargestMM3 != 0.5*float64(largest) || (m.Box == nil) != (voxels == 0) {
					t.Errorf("%v: %+v", size, m)
				}
			}
		}
	}
}

// The centroid and the box of a bar that runs from corner to corner.
func TestMeasureVolumePlace(t *testing.T) {
	t.Parallel()
	pix := make([]byte, 6*5*4)
	for k := range 4 { // touches by corners only
		pix[(k*5+k)*6+k+1] = 1
	}
	got, err := MeasureVolume(bytes.NewReader(pix), 6, 5, 4, solidClasses, 0)
	if err != nil {
		t.Fatal(err)
	}
	m := got[0]
	if m.Components != 1 || *m.Centroid != [3]float64{2.5, 1.5, 1.5} || !slices.Equal(m.Box[:], []int{1, 0, 0, 4, 4, 4}) || m.VolumeMM3 != nil {
		t.Errorf("%+v, %v, %v", m, *m.Centroid, *m.Box)
	}
	if got[1].Voxels != 0 || got[1].Components != 0 || got[1].Centroid != nil {
		t.Errorf("a class without a voxel: %+v", got[1])
	}
}

func TestMeasureVolumeTruncated(t *testing.T) {
	t.Parallel()
	if _, err := MeasureVolume(bytes.NewReader(make([]byte, 8)), 2, 2, 3, solidClasses, 1); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a plane is missing: %v", err)
	}
}
