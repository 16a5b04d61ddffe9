package segment

import (
	"strings"
	"testing"

	"segd"
	"segd/models"
	"segd/preprocess"
)

// A picture that is stored turned is turned upright with its spacing, whatever planes the
// model wants, and pixels of another shape are warned of where the model resamples.
func TestSettlePictures(t *testing.T) {
	t.Parallel()
	plain, resampling := &models.Model{}, &models.Model{Manifest: models.Manifest{Recipe: preprocess.Recipe{SpacingMM: 0.5}}}
	for name, tt := range map[string]struct {
		m               *models.Model
		scan            segd.Scan
		turned          bool
		spacing         segd.Spacing // of one of 2 and 3 mm
		step, warning   string
		withoutWarnings bool
		wantSize        [3]int
	}{
		"as stored":    {plain, segd.Scan{}, false, segd.Spacing{}, "", "", true, [3]int{}},
		"upright":      {plain, segd.Scan{Orientation: 1}, false, segd.Spacing{}, "", "", true, [3]int{}},
		"unknown":      {plain, segd.Scan{Orientation: 77}, false, segd.Spacing{}, "", "", true, [3]int{}},
		"mirrored":     {plain, segd.Scan{Orientation: 2}, true, segd.Spacing{RowMM: 2, ColMM: 3}, "mirrored from left to right for the model", "(orientation 2)", false, [3]int{30, 20, 1}},
		"a quarter":    {plain, segd.Scan{Orientation: 8}, true, segd.Spacing{RowMM: 3, ColMM: 2}, "anticlockwise for the model", "--orient upright", false, [3]int{20, 30, 1}},
		"high":         {plain, segd.Scan{Aspect: 1.5}, false, segd.Spacing{}, "", "", true, [3]int{}},
		"high in mm":   {resampling, segd.Scan{Aspect: 1.5}, false, segd.Spacing{}, "", "1.5 times as high as wide", false, [3]int{}},
		"high, turned": {resampling, segd.Scan{Aspect: 1.5, Orientation: 6}, true, segd.Spacing{RowMM: 3, ColMM: 2}, "clockwise", "not resampled", false, [3]int{20, 30, 1}},
	} {
		tt.scan.Width, tt.scan.Height, tt.scan.Frames = 30, 20, 1
		o := settle(tt.m, &tt.scan)
		steps, warnings := strings.Join(o.steps, "; "), strings.Join(o.warnings, "; ")
		if o.turned != tt.turned || !strings.Contains(steps, tt.step) || !strings.Contains(warnings, tt.warning) || tt.withoutWarnings && warnings != "" {
			t.Errorf("%s: turned %v, steps %q, warnings %q", name, o.turned, steps, warnings)
		}
		if !tt.turned {
			continue
		}
		if got := o.of(segd.Spacing{RowMM: 2, ColMM: 3}); got != tt.spacing || o.turn.Size() != tt.wantSize {
			t.Errorf("%s: spacing %+v, size %v", name, got, o.turn.Size())
		}
		if o.results(tt.m, &tt.scan) < 600 {
			t.Errorf("%s: no memory is asked for", name)
		}
	}
}
