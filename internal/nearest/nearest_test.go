package nearest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestNames(t *testing.T) {
	t.Parallel()
	outputs := []string{"json", "mask", "overlay", "seg", "sr", "zip"}
	for _, c := range []struct {
		name string
		want []string
	}{
		{"overly", []string{"overlay"}},
		{"Mask", []string{"mask"}},
		{"maks", []string{"mask"}}, // two letters swapped
		{"over", []string{"overlay"}},
		{"jsn", []string{"json"}},
		{"sge", []string{"seg"}},
		{"picture", nil},
		{"", nil},
		{strings.Repeat("x", 1000), nil},
	} {
		if got := Names(c.name, outputs); !slices.Equal(got, c.want) && len(got)+len(c.want) > 0 {
			t.Errorf("%.20q: %v, want %v", c.name, got, c.want)
		}
	}
	if got, want := Names("lung-b", []string{"lung", "lung-a", "lung-b2"}), []string{"lung-a", "lung-b2", "lung"}; !slices.Equal(got, want) {
		t.Errorf("in order of distance: %v, want %v", got, want)
	}
}

func TestAmong(t *testing.T) {
	t.Parallel()
	var many []string
	for i := range 100 {
		many = append(many, fmt.Sprintf("model%02d", i))
	}
	for _, c := range []struct {
		name  string
		names []string
		want  string
	}{
		{"overly", []string{"mask", "overlay"}, "did you mean overlay? want mask, overlay"},
		{"x", []string{"mask", "overlay"}, "want mask, overlay"},
		{"x", nil, "want none"},
		{"model77", many[:77], "did you mean model07 or model17? want model07, model17, model27, model37, model47, model57, model67, model70, model71, model72, model73, model74, …"},
	} {
		if got := Among(c.name, c.names); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}
