package metric

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
)

// Score holds the agreement of one class. A field is absent if it was not measured,
// does not exist (the distance to an empty mask) or has no meaning (pixel counts of a
// mean).
type Score struct {
	Index           int     `json:"index"`
	Name            string  `json:"name,omitempty"`
	Dice            float64 `json:"dice"`
	IoU             float64 `json:"iou"`
	DiceSD          float64 `json:"dice_sd,omitempty"` // sample standard deviation of the averaged values
	TruthPixels     int64   `json:"truth_pixels,omitempty"`
	PredictedPixels int64   `json:"predicted_pixels,omitempty"`

	// Expected is the Dice that the network itself expects, see ExpectedDice. It is
	// present in a mean over cases.
	Expected *float64 `json:"expected_dice,omitempty"`

	// Surface distances of a case, or their mean over the cases that have one; see
	// Surface. They are in pixels and, if the pixel spacing is known, in mm.
	HD95   *float64 `json:"hd95,omitempty"`
	HD95MM *float64 `json:"hd95_mm,omitempty"`
	NSD    *float64 `json:"nsd,omitempty"`
	NSDMM  *float64 `json:"nsd_mm,omitempty"`
	// Distances is the number of cases over which HD95 is averaged. A case in which
	// only one mask holds the class has no distance.
	Distances int `json:"hd95_cases,omitempty"`

	// 95 % intervals by bootstrap over groups, see bootstrap.
	DiceCI *[2]float64 `json:"dice_ci,omitempty"`
	IoUCI  *[2]float64 `json:"iou_ci,omitempty"`
	HD95CI *[2]float64 `json:"hd95_ci,omitempty"`
	NSDCI  *[2]float64 `json:"nsd_ci,omitempty"`
}

// Entry is one case (an image), one group (the pixels of its images pooled) or one
// summary: a score for each foreground class, by ascending index.
type Entry struct {
	ID      string  `json:"id,omitempty"`
	Group   string  `json:"group,omitempty"` // of a case, if ids.csv names one
	Cases   int     `json:"cases,omitempty"` // in a group
	Classes []Score `json:"classes"`
}

// Dice is the mean over the foreground classes.
func (e Entry) Dice() float64 {
	var s float64
	for _, c := range e.Classes {
		s += c.Dice
	}
	return s / float64(max(1, len(e.Classes)))
}

// Report is what `segd evaluate --report` writes. It excludes background.
type Report struct {
	Cases     []Entry `json:"cases"`
	Groups    []Entry `json:"groups"`
	Mean      Entry   `json:"mean"`       // over cases
	GroupMean Entry   `json:"group_mean"` // over groups
	Pooled    Entry   `json:"pooled"`     // all pixels together
	// NSDTolerance is the tolerance of each case's NSD in pixels, and of NSDMM in mm;
	// 0 if none was measured.
	NSDTolerance float64 `json:"nsd_tolerance,omitempty"`
	// Calibration is that of a model; nil for existing masks.
	Calibration *Calibration `json:"calibration,omitempty"`
}

// WriteText writes the report as a text table: the means, and the `worst` cases with
// the lowest Dice.
func (r Report) WriteText(w io.Writer, worst int) error {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	line := func(format string, args ...any) { _, _ = fmt.Fprintf(t, format, args...) } // tabwriter reports errors in Flush
	line("class\tmean Dice (%d cases)\tmean Dice (%d groups)\tpooled Dice\tmean IoU\tmean HD95\tmean NSD\n", len(r.Cases), len(r.Groups))
	for k, s := range r.Mean.Classes {
		name := s.Name
		if name == "" {
			name = fmt.Sprintf("class %d", s.Index)
		}
		g := r.GroupMean.Classes[k]
		line("%s\t%s\t%s\t%.4f\t%.4f\t%s\t%s\n", name, withInterval(s.Dice, s.DiceCI), withInterval(g.Dice, g.DiceCI),
			r.Pooled.Classes[k].Dice, s.IoU, s.distance(), optional("%.4f", s.NSD))
	}
	if c := r.Calibration; c != nil {
		line("\ncalibration error\t%.4f for all pixels, %.4f for those with a foreground probability of at least 0.1\n", c.ECE, c.Foreground)
	}
	if r.Mean.intervals() {
		line("\n[…]: 95 %% interval, bootstrap over groups\n")
	}
	list := r.Worst(worst)
	if len(list) > 0 {
		line("\nlowest\tDice\t\n")
	}
	for _, e := range list {
		line("%s\t%.4f\t\n", e.ID, e.Dice())
	}
	if err := t.Flush(); err != nil {
		return fmt.Errorf("metric: writing the table: %w", err)
	}
	return nil
}

// withInterval formats a figure with its interval, if it has one.
func withInterval(v float64, ci *[2]float64) string {
	if ci == nil {
		return fmt.Sprintf("%.4f", v)
	}
	return fmt.Sprintf("%.4f [%.4f, %.4f]", v, ci[0], ci[1])
}

// distance formats HD95, in mm if all cases have a spacing, otherwise in pixels.
func (s Score) distance() string {
	if s.HD95MM != nil {
		return optional("%.2f mm", s.HD95MM)
	}
	return optional("%.2f px", s.HD95)
}

func optional(format string, v *float64) string {
	if v == nil {
		return "–"
	}
	return fmt.Sprintf(format, *v)
}

func (e Entry) intervals() bool { return len(e.Classes) > 0 && e.Classes[0].DiceCI != nil }

// Worst lists up to n cases in ascending order of Dice.
func (r Report) Worst(n int) []Entry {
	list := slices.Clone(r.Cases)
	slices.SortStableFunc(list, func(a, b Entry) int { return cmp.Compare(a.Dice(), b.Dice()) })
	return list[:max(0, min(n, len(list)))]
}
