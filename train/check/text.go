package check

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// WriteText writes the findings as text: a line for each, faults first, then the
// content of the labels and the result of the overfit test.
func (r *Result) WriteText(w io.Writer) error {
	var b strings.Builder
	for _, f := range r.Findings {
		level := "warning"
		if f.Fault {
			level = "fault"
		}
		fmt.Fprintf(&b, "%s: %s\n", level, f)
	}
	fmt.Fprintf(&b, "%d images with labels, %d groups; ", r.Cases, r.Groups)
	if r.Classes != nil {
		b.WriteString("pixels by class:")
		var all int64
		for _, n := range r.Classes {
			all += n
		}
		for _, v := range slices.Sorted(maps.Keys(r.Classes)) {
			fmt.Fprintf(&b, " %d: %.2f %%", v, 100*float64(r.Classes[v])/float64(all))
		}
	} else {
		b.WriteString(r.Values.String())
	}
	b.WriteByte('\n')
	if t := r.Overfit; t != nil {
		fmt.Fprintf(&b, "overfit test: %s on %d images after %d steps, %.0f s\n", r.labels.overfit(t), t.Cases, t.Steps, t.Seconds)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// String returns the finding without its level: the file, the fault and the remedy.
func (f Finding) String() string {
	text := f.Cause
	if f.File != "" {
		text = f.File + ": " + text
	}
	if f.Fix != "" {
		text += "; " + f.Fix
	}
	return text
}

// WriteText describes the corrected copy in folder out as text.
func (f *Fixed) WriteText(w io.Writer, out string) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: wrote %d of %d cases, corrected %d masks, each compared with its source", out, f.Cases, f.Original, f.Mended)
	if f.Instances > 0 {
		fmt.Fprintf(&b, "; wrote the objects of %d to instances/", f.Instances)
	}
	b.WriteByte('\n')
	for _, c := range f.Classes {
		fmt.Fprintf(&b, "  class %s\n", c)
	}
	for _, s := range f.Softened {
		fmt.Fprintf(&b, "  thresholded soft edges at half: %s: %d pixels changed, still %d connected components\n", s.File, s.Moved, s.Parts)
	}
	for _, left := range f.Left {
		fmt.Fprintf(&b, "  left out: %s\n", left)
	}
	_, err := io.WriteString(w, b.String())
	return err
}
