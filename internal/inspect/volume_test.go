package inspect

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"segd/dicomio/dicomtest"
	"segd/internal/nifti/niftitest"
)

// A line says which volumes the frames of a file make up, or why none.
func TestInspectVolume(t *testing.T) {
	t.Parallel()
	at := func(y, z float64) dicomtest.Frame { return dicomtest.Frame{Position: fmt.Sprintf(`0\%g\%g`, y, z)} }
	timed := func(z float64, time int) dicomtest.Frame {
		f := at(0, z)
		f.Temporal = time
		return f
	}
	coronal := at(3, 0)
	coronal.Orientation = `1\0\0\0\0\-1`
	enhanced := func(list ...dicomtest.Frame) []byte { return dicomtest.Write(dicomtest.Enhanced(16, list)) }
	cine := dicomtest.Disc(16)
	cine.Frames, cine.Pixels = 2, slices.Concat(cine.Pixels, cine.Pixels)
	for name, tt := range map[string]struct {
		b             []byte
		step, warning string
	}{
		"in order":     {enhanced(at(0, 0), at(0, 3), at(0, 6)), "the frames are a volume of 3 planes, 3 mm apart", ""},
		"any order":    {enhanced(at(0, 6), at(0, 0), at(0, 3)), "the frames are a volume of 3 planes, 3 mm apart", ""},
		"phases":       {enhanced(timed(0, 1), timed(0, 2), timed(3, 1), timed(3, 2)), "the frames are a volume of 2 planes, 3 mm apart, at 2 times", ""},
		"tilted":       {enhanced(at(0, 0), at(1, 3), at(2, 6)), "sheared as by a tilted gantry", ""},
		"two":          {enhanced(at(0, 0), at(0, 3), coronal), "the frames are 2 volumes: 2 planes, 3 mm apart; 1 plane", ""},
		"a gap":        {enhanced(at(0, 0), at(0, 3), at(0, 9)), "", "the frames make up no volume: 1 slice is missing along the normal: between 2 and 3, at 6 mm"},
		"rounded":      {enhanced(at(0, 0), at(0, 3.2), at(0, 6), at(0, 9)), "3 mm apart", "off even steps of 3 mm: they count as even"},
		"no positions": {dicomtest.Write(cine), "", ""},
		"NIfTI": {niftitest.Write(niftitest.Volume{Width: 4, Height: 4, Depth: 3, Affine: [3][4]float64{{-1, 0, 0, 0}, {0, 1, 0, 0}, {0, 0, 2, 0}}, Values: make([]int16, 48)}),
			"the frames are a volume of 3 planes, 2 mm apart", ""},
	} {
		i, err := File(tt.b, Options{})
		if err != nil {
			t.Fatal(name, err)
		}
		steps, warnings := strings.Join(i.Steps, "; "), strings.Join(i.Warnings, "; ")
		if !strings.Contains(steps, tt.step) || tt.step == "" && strings.Contains(steps, "the frames are") || !strings.Contains(warnings, tt.warning) || tt.warning == "" && strings.Contains(warnings, "volume") {
			t.Errorf("%s: steps %q, warnings %q", name, steps, warnings)
		}
	}
}
