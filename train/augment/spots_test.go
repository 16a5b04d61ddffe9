package augment

import (
	"slices"
	"testing"
)

func TestSpotsAreEvenAndBounded(t *testing.T) {
	t.Parallel()
	y := make([]uint8, 10000)
	for i := range y {
		y[i] = uint8(i % 3)
	}
	y[0], y[1] = 255, 255
	s := Spots(y, 3)
	if len(s[0]) != 0 || len(s[1]) != spotsPerClass || len(s[2]) != spotsPerClass {
		t.Fatalf("%d, %d and %d spots", len(s[0]), len(s[1]), len(s[2]))
	}
	for k, i := range s[2] {
		if y[i] != 2 {
			t.Errorf("spot %d has class %d", i, y[i])
		}
		if k > 0 && i-s[2][k-1] > 45 { // 10000/256, plus rounding to the next pixel of its class
			t.Errorf("spots %d and %d are far apart", s[2][k-1], i)
		}
	}
	if got := Spots([]uint8{0, 1, 1}, 2); !slices.Equal(got[1], []int32{1, 2}) {
		t.Errorf("few pixels: %v", got)
	}
}
