package export

import (
	"strings"
	"testing"
)

func TestRanges(t *testing.T) {
	for want, frames := range map[string][]int{
		"":                  nil,
		"1":                 {0},
		"1 to 4":            {0, 1, 2, 3},
		"4 to 1":            {3, 2, 1, 0},
		"3 to 1, 4, 8 to 9": {2, 1, 0, 3, 7, 8},
	} {
		if got := ranges(frames); got != want {
			t.Errorf("%v: %q, want %q", frames, got, want)
		}
	}
	var long []int
	for i := range 100 {
		long = append(long, 3*i)
	}
	if got := ranges(long); strings.Count(got, ",") != 11 || !strings.HasSuffix(got, "…") {
		t.Errorf("many: %q", got)
	}
}
