package engine

import (
	"slices"
	"testing"
)

func TestWarnings(t *testing.T) {
	t.Parallel()
	const empty = "nothing was found"
	frames := func(warnings ...[]string) *Result {
		r := &Result{Warnings: []string{"no spacing"}}
		for _, w := range warnings {
			r.Frames = append(r.Frames, &FrameResult{Warnings: w})
		}
		return r
	}
	sources := []*Source{{Origin: "a"}, {Origin: "b"}, {Origin: "c"}}
	got := Warnings(sources, []*Result{frames([]string{empty, empty}, nil, []string{empty}), frames([]string{empty}, []string{empty}), nil})
	want := []string{
		"a: 2 of 3 frames: " + empty,
		"a and 1 more: no spacing",
		"b: " + empty,
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
