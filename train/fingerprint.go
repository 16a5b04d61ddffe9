package train

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"math"
	"slices"
	"sort"

	"segd"
	"segd/models"
	"segd/preprocess"
	"segd/train/dataset"
)

// valuesPerCase limits the foreground grey values kept for a case.
const valuesPerCase = 2000

// facts holds what the plan needs from a case after its pixels are released.
type facts struct {
	width, height, channels int
	spacing                 segd.Spacing
	calibrated              bool // values are Hounsfield units
	seen                    dataset.Seen
	counts                  [256]int // number of pixels by label value
	thickness               [256]float64
	regions                 [256]int
	foreground              []float32      // grey values of foreground, evenly spaced
	hash                    uint64         // of the label's pixels
	known                   dataset.Spread // for labels that are values
	plane                   models.TrainingPlane
}

// factsOf extracts the facts from a case.
func factsOf(t target, c *dataset.Case, r dataset.Sample) facts {
	f := facts{width: r.Image.Width, height: r.Image.Height, channels: r.Image.Channels, spacing: r.Image.Spacing, plane: placeOf(c)}
	f.calibrated = c.Calibrated(r.Image)
	t.note(&f, c, r)
	return f
}

// Distances between pixels, as in Fingerprint.
type Distances struct {
	Min    float64 `json:"min"`
	Median float64 `json:"median"`
	Max    float64 `json:"max"`
}

// alike is the factor by which the spacings of a data set may differ and still count
// as equal.
const alike = 1.02

// measureValues sets what depends on units: the spacings and, if at least nine in ten
// cases are calibrated, the foreground values.
func (f *Fingerprint) measureValues(list []facts) {
	var spacings []float64
	var values []float32
	calibrated := 0
	for i := range list {
		if s := list[i].spacing; s.Known() {
			spacings = append(spacings, math.Sqrt(s.RowMM*s.ColMM))
		}
		if list[i].calibrated {
			calibrated++
			values = append(values, list[i].foreground...)
		}
	}
	if n := len(spacings); n == len(list) && n > 0 {
		slices.Sort(spacings)
		f.SpacingMM = &Distances{Min: spacings[0], Median: spacings[n/2], Max: spacings[n-1]}
	}
	if 10*calibrated < 9*len(list) || len(values) < 2 {
		return
	}
	slices.Sort(values)
	at := func(p float64) float64 { return float64(values[int(p*float64(len(values)-1)+0.5)]) }
	w := preprocess.Window{Low: at(0.005), High: at(0.995)}
	var sum, squares float64
	for _, v := range values {
		sum += min(max(float64(v), w.Low), w.High)
	}
	w.Mean = sum / float64(len(values))
	for _, v := range values {
		d := min(max(float64(v), w.Low), w.High) - w.Mean
		squares += d * d
	}
	w.Deviation = math.Sqrt(squares / float64(len(values)))
	if w.Deviation > 0 {
		f.Window = &w
	}
}

// adapt chooses normalisation and spacing. Calibrated values are normalised by those
// of all foreground, as nnU-Net does for CT. The median spacing is used if spacings
// are known and differ.
func (p *Plan) adapt(f Fingerprint) {
	if f.Window != nil {
		p.Recipe.Normalise, p.Recipe.Window = preprocess.Fixed, *f.Window
		p.Recipe.ClipLow, p.Recipe.ClipHigh = 0, 0
	}
	if s := f.SpacingMM; s != nil && s.Max > alike*s.Min && p.Recipe.LongSide == 0 {
		p.Recipe.SpacingMM = s.Median
	}
}

// hashValues hashes the bits of values.
func hashValues(values []float32) uint64 {
	h := fnv.New64a()
	var b []byte
	for _, v := range values {
		if b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v)); len(b) >= 1<<14 {
			_, _ = h.Write(b) // a hash never fails
			b = b[:0]
		}
	}
	_, _ = h.Write(b)
	return h.Sum64()
}

// Fingerprint is what the plan needs to know about the data.
type Fingerprint struct {
	Cases        int     `json:"cases"`
	Groups       int     `json:"groups"`
	Channels     int     `json:"channels"`
	Classes      int     `json:"classes"` // including background; 1 for values
	MinWidth     int     `json:"min_width"`
	MedianWidth  int     `json:"median_width"`
	MaxWidth     int     `json:"max_width"`
	MinHeight    int     `json:"min_height"`
	MedianHeight int     `json:"median_height"`
	MaxHeight    int     `json:"max_height"`
	Foreground   float64 `json:"foreground"` // share of all pixels
	Empty        int     `json:"empty"`      // cases without foreground, if labels are classes
	Regions      []int   `json:"regions"`    // by foreground class: the largest number of connected regions in one case; 0: many
	Thickness    float64 `json:"thickness"`  // of the structures, in pixels: median over cases and classes
	Hash         string  `json:"hash"`       // over ids, groups, sizes and label pixels in order
	// SpacingMM holds the distances between pixels, if all are known. Window holds
	// the foreground values, if they are calibrated.
	SpacingMM *Distances         `json:"spacing_mm,omitempty"`
	Window    *preprocess.Window `json:"window,omitempty"`
}

// fingerprint summarises the facts of the cases. l says what label values mean.
func fingerprint(cases []dataset.Case, list []facts, l dataset.Meaning, classes int) Fingerprint {
	f := Fingerprint{Cases: len(cases), Channels: 1, Classes: classes}
	var widths, heights []int
	var thick []float64
	most, holds := make([]int, classes-1), make([]int, classes-1)
	groups := map[string]bool{}
	var pixels, foreground int
	h := fnv.New64a()
	for i := range list {
		k := &list[i]
		f.Channels = max(f.Channels, k.channels)
		widths, heights = append(widths, k.width), append(heights, k.height)
		groups[cases[i].Subject()] = true
		n := 0
		for c := 1; c < classes; c++ {
			v := c
			if l.Scaled && c == 1 {
				v = 255
			}
			n += k.counts[v]
			if k.thickness[v] > 0 {
				thick = append(thick, k.thickness[v])
			}
			if r := k.regions[v]; r > 0 {
				most[c-1], holds[c-1] = max(most[c-1], r), holds[c-1]+1
			}
		}
		if n == 0 && classes > 1 {
			f.Empty++
		}
		pixels, foreground = pixels+k.width*k.height, foreground+n
		_, _ = fmt.Fprintf(h, "%s\x00%s\x00%d\x00%d\x00%x\x00", cases[i].ID, cases[i].Group, k.width, k.height, k.hash) // a hash never fails
	}
	f.Groups, f.Foreground = len(groups), float64(foreground)/float64(max(1, pixels))
	f.MinWidth, f.MedianWidth, f.MaxWidth = spread(widths)
	f.MinHeight, f.MedianHeight, f.MaxHeight = spread(heights)
	for c := range most {
		if holds[c] < regionCases || most[c] > mostRegions {
			most[c] = 0
		}
	}
	f.Regions = most
	if slices.Sort(thick); len(thick) > 0 {
		f.Thickness = thick[len(thick)/2]
	}
	f.measureValues(list)
	f.Hash = fmt.Sprintf("%016x", h.Sum64())
	return f
}

func spread(v []int) (lowest, median, highest int) {
	s := append([]int(nil), v...)
	sort.Ints(s)
	return s[0], s[len(s)/2], s[len(s)-1]
}

// thicknesses returns the thickness of each value that occurs in m, and 0 for others.
// Thickness is four times the area divided by the perimeter, which is the diameter of
// a disc and twice the width of a long vessel. The perimeter is the number of pixel
// edges times π/4, the average over all directions.
func thicknesses(m *segd.Mask) (t [256]float64) {
	area, edges := make([]int, 256), make([]int, 256)
	between := func(a, b uint8) {
		if a != b {
			edges[a]++
			edges[b]++
		}
	}
	for i, v := range m.Pix {
		area[v]++
		if i%m.Width > 0 {
			between(v, m.Pix[i-1])
		}
		if i >= m.Width {
			between(v, m.Pix[i-m.Width])
		}
	}
	for v := range t {
		if edges[v] > 0 {
			t[v] = 4 * float64(area[v]) / (float64(edges[v]) * math.Pi / 4)
		}
	}
	return t
}
