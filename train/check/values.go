package check

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"segd"
	"segd/train/dataset"
)

// ValueSummary is what Run reports about labels that are values.
type ValueSummary struct {
	Min       float64 `json:"min"`
	Max       float64 `json:"max"`
	Mean      float64 `json:"mean"`      // over pixels
	Deviation float64 `json:"deviation"` // likewise
	Known     int64   `json:"known"`     // pixels
	Unknown   int64   `json:"unknown"`   // NaN
}

// valueLook is what Run records about a label that was read as values.
type valueLook struct {
	err       error
	known     dataset.Spread
	low, high float64 // of the known values
	unknown   int64
	topped    int64 // pixels with the highest value
	varied    bool  // values that no mask has, see varied
}

// readValues reads the label as values.
func (c *checked) readValues() {
	if c.imageErr != nil {
		return
	}
	pix, err := c.Case.ReadLabelValues(c.width, c.height)
	if err != nil {
		c.look.err = err
		return
	}
	l := &c.look
	l.low, l.high = math.Inf(1), math.Inf(-1)
	l.known.Add(pix)
	for _, f := range pix {
		v := float64(f)
		switch {
		case v != v:
			l.unknown++
			continue
		case v > l.high:
			l.high, l.topped = v, 0
		}
		if v == l.high {
			l.topped++
		}
		l.low = min(l.low, v)
	}
	l.varied = varied(pix, c.width, float32(l.low), float32(l.high))
}

// fewValues exceeds the number of values that a mask's soft edge or classes have in
// one image if no index is above 255.
const fewValues = 4

// varied reports values that no mask has. Most squares of four pixels above the
// lowest value are not uniform, whereas masks have plateaus, even if they are scaled
// or number objects. Also, there are more values than classes may have, or values
// that no 8-bit mask has. A soft mask of thin structures looks similar, but is mostly
// background and reaches the limit of its format.
func varied(pix []float32, width int, low, high float32) bool {
	seen := map[float32]bool{}
	background, squares, flat := 0, 0, 0
	for i, v := range pix {
		if v == v && len(seen) <= dataset.MaxClass+1 {
			seen[v] = true
		}
		if v == low {
			background++
		}
		if i < width || i%width == 0 {
			continue
		}
		a, b, c := pix[i-1], pix[i-width], pix[i-width-1]
		if v > low && a > low && b > low && c > low {
			squares++
			if a == b && b == c && c == v {
				flat++
			}
		}
	}
	if 2*flat >= squares || 2*background > len(pix) && slices.Contains(formatTops, float64(high)) {
		return false
	}
	return len(seen) > dataset.MaxClass+1 || len(seen) > fewValues && high > math.MaxUint8
}

// settleHead decides what labels mean if the options leave it open. They are values
// if more than half of the readable ones have values that no mask has.
func (c *checker) settleHead() {
	if c.labels == nil {
		c.labels = maskLabels{}
		n, all, first := 0, 0, ""
		for _, k := range c.cases {
			if k.imageErr != nil || k.labelErr != nil && k.look.err != nil {
				continue
			}
			all++
			if k.look.varied {
				if n++; first == "" {
					first = k.Where(k.Label)
				}
			}
		}
		if 2*n > all {
			c.labels = valueLabels{}
			c.warn(KindValues, first, n, "train with --head regression; check --head classes reads them as masks",
				"labels are read as values: %d of %d hold many that differ from pixel to pixel", n, all)
		}
	}
	if c.labels != (valueLabels{}) {
		return
	}
	for _, k := range c.cases {
		if k.look.err == nil && k.look.known.N+k.look.unknown == 0 {
			k.readValues() // it might have been a mask, and was not examined
		}
	}
}

// Limits for labels that are values.
const (
	cutShare = 0.001 // share of pixels at the highest value of a format: more suggest clipping
	farOff   = 30    // standard deviations from the mean
	wholeIn  = 16    // a smaller range loses much by rounding to whole numbers
)

// formatTops lists the highest values of the integer formats in files.
var formatTops = []float64{math.MaxUint8, math.MaxInt16, math.MaxUint16}

// valueLabels reports labels of values that spoil training or its figures.
func (c *checker) valueLabels() {
	var all dataset.Spread
	low, high := math.Inf(1), math.Inf(-1)
	var list []*checked // readable labels
	for _, k := range c.cases {
		switch {
		case k.imageErr != nil:
			continue
		case k.look.err != nil:
			c.valueError(k)
			continue
		}
		list = append(list, k)
		all.Join(k.look.known)
		if k.look.known.N > 0 {
			low, high = min(low, k.look.low), max(high, k.look.high)
		}
	}
	if len(list) == 0 {
		return
	}
	c.flatLabels(list, all, low, high)
	c.unknownValues(list)
	if all.N == 0 || low == high {
		return
	}
	deviation := math.Sqrt(all.Squares / float64(all.N))
	for _, k := range list {
		l := &k.look
		if l.known.N == 0 {
			continue
		}
		if share := float64(l.topped) / float64(l.known.N); l.high == high && slices.Contains(formatTops, high) && share > cutShare && l.low < l.high {
			c.warn(KindSaturated, k.Where(k.Label), 1, "write it in 16 bits or float32, or scale it down",
				"%.2g %% of the pixels have %g, the highest value of their format: values above it were clipped", 100*share, high)
		}
		if far := max(l.high-all.Mean, all.Mean-l.low) / deviation; far > farOff {
			c.warn(KindRange, k.Where(k.Label), 1, "look at it: such values dominate the loss; write NaN for unknown values",
				"values from %g to %g, up to %.0f standard deviations from the mean of all labels", l.low, l.high, far)
		}
	}
	c.valueRange(list, low, high)
}

// valueError reports a label that cannot be read as values.
func (c *checker) valueError(k *checked) {
	file, why := k.Where(k.Label), cause(k.look.err)
	switch {
	case c.misplaced(k.Label, k.look.err):
	case isA[*dataset.SizeError](k.look.err):
		c.fault(KindSize, file, "make the label from exactly this image: the value of a pixel does not survive resampling", "%s", why)
	case errors.Is(k.look.err, segd.ErrUnprocessable):
		c.fault(KindRange, file, "write NaN for unknown values, and use another unit", "%s", why)
	default:
		c.fault(KindUnreadable, file, "labels of values are grey PNG or TIFF of 8 or 16 bits, TIFF of floating point, or NIfTI: export it again", "%s", why)
	}
}

// flatLabels reports labels with a single value.
func (c *checker) flatLabels(list []*checked, all dataset.Spread, low, high float64) {
	if all.N == 0 {
		c.fault(KindConstantLabel, list[0].Where(list[0].Label), "check how the labels were exported", "no value in any of %d labels is known", len(list))
		return
	}
	if low == high {
		c.fault(KindConstantLabel, list[0].Where(list[0].Label), "check how the labels were exported", "all values of %d labels are %g: there is nothing to learn", len(list), low)
		return
	}
	var flat []*checked
	for _, k := range list {
		if k.look.known.N > 0 && k.look.low == k.look.high && k.Frames <= 1 { // the ends of a volume are often empty
			flat = append(flat, k)
		}
	}
	if len(flat) > 0 {
		c.warn(KindConstantLabel, flat[0].Where(flat[0].Label), len(flat), "fine if there is nothing to see in them; otherwise export them again or remove them",
			"%d of %d labels have a single value everywhere, here %g", len(flat), len(list), flat[0].look.low)
	}
}

// unknownValues reports NaN.
func (c *checker) unknownValues(list []*checked) {
	var some, none []*checked
	var known, unknown int64
	for _, k := range list {
		known, unknown = known+k.look.known.N, unknown+k.look.unknown
		switch {
		case k.look.known.N == 0:
			none = append(none, k)
		case k.look.unknown > 0:
			some = append(some, k)
		}
	}
	if len(none) > 0 && known > 0 {
		c.warn(KindOpenPixels, none[0].Where(none[0].Label), len(none), "remove them and their images: they teach nothing and do not count", "%d labels hold no known value, only NaN", len(none))
	}
	if len(some) > 0 {
		c.warn(KindOpenPixels, some[0].Where(some[0].Label), len(some), "check that NaN means unknown",
			"%d labels hold NaN in a total of %.2g %% of the pixels: such pixels are ignored", len(some), 100*float64(unknown)/float64(known+unknown))
	}
}

// valueRange reports harmful units: a different one for each image, or one that a
// 16-bit picture cannot hold.
func (c *checker) valueRange(list []*checked, low, high float64) {
	own := len(list) >= 3 && slices.Contains(formatTops, high)
	for _, k := range list {
		own = own && k.look.high == high
	}
	if own {
		c.warn(KindRange, list[0].Where(list[0].Label), len(list), "scale all labels the same: a value must mean the same in all of them",
			"the highest value of each of %d labels is %g, as if each had been scaled separately", len(list), high)
	}
	switch {
	case low < 0 || high > math.MaxUint16:
		c.warn(KindRange, "", 0, "ask segd segment for --output tiff or nifti", "values from %g to %g: a value PNG is cut off at 0 and %d", low, high, math.MaxUint16)
	case high-low < wholeIn:
		c.warn(KindRange, "", 0, "ask segd segment for --output tiff or nifti, or scale the labels", "values from %g to %g: a value PNG rounds them to whole numbers", low, high)
	}
}

// summary describes the content of the readable labels.
func (c *checker) summary() *ValueSummary {
	s := &ValueSummary{}
	var all dataset.Spread
	low, high := math.Inf(1), math.Inf(-1)
	for _, k := range c.whole() {
		all.Join(k.look.known)
		s.Unknown += k.look.unknown
		if k.look.known.N > 0 {
			low, high = min(low, k.look.low), max(high, k.look.high)
		}
	}
	if all.N > 0 {
		s.Min, s.Max, s.Mean, s.Deviation, s.Known = low, high, all.Mean, math.Sqrt(all.Squares/float64(all.N)), all.N
	}
	return s
}

func isA[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

// String returns the summary as text.
func (s *ValueSummary) String() string {
	return fmt.Sprintf("values from %.4g to %.4g, mean %.4g, standard deviation %.4g", s.Min, s.Max, s.Mean, s.Deviation)
}
