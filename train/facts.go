package train

import (
	"hash/fnv"
	"math"
	"slices"

	"segd"
	"segd/internal/postprocess"
	"segd/models"
	"segd/preprocess"
)

// valuesPerCase bounds the grey values of foreground that are kept of a case.
const valuesPerCase = 2000

// Air in Hounsfield units, or what scanners write around their field of view.
const (
	airLow  = -3100
	airHigh = -900
)

// facts are what the plan needs of a case once its pixels are gone.
type facts struct {
	width, height, channels int
	spacing                 segd.Spacing
	calibrated              bool // values are Hounsfield units
	values                  valueSet
	shown                   shown    // the colours of values, of a label with a palette
	counts                  [256]int // pixels by label value
	thickness               [256]float64
	regions                 [256]int
	foreground              []float32 // grey values of foreground, evenly spaced
	hash                    uint64    // of the label's pixels
	known                   spreadOf  // of labels that are values
	plane                   models.TrainingPlane
}

// factsOf looks at a case that was read.
func factsOf(c *Case, r raw) facts {
	f := facts{width: r.image.Width, height: r.image.Height, channels: r.image.Channels, spacing: r.image.Spacing, plane: placeOf(c)}
	f.calibrated = r.image.Channels == 1 && (c.calibrated || c.hounsfield(r.image))
	if r.values != nil {
		f.known.add(r.values)
		f.hash = hashValues(r.values)
		return f
	}
	n := 0
	for _, v := range r.mask.Pix {
		f.counts[v]++
		if v != 0 {
			n++
		}
	}
	for v, k := range f.counts {
		f.values[v] = k > 0
	}
	f.shown = c.shownBy(&f.values)
	f.thickness, f.regions = thicknesses(r.mask), postprocess.Regions(r.mask)
	h := fnv.New64a()
	_, _ = h.Write(r.mask.Pix) // a hash never fails
	f.hash = h.Sum64()
	if f.calibrated {
		seen, want := 0, min(n, valuesPerCase)
		for i, v := range r.mask.Pix {
			if v == 0 {
				continue
			}
			if seen*want/n != (seen-1)*want/n || seen == 0 {
				f.foreground = append(f.foreground, r.image.Pix[i])
			}
			seen++
		}
	}
	return f
}

// hounsfield reports whether a case's values are Hounsfield units: a DICOM file
// says so by its modality; of a NIfTI volume it shows by the air around the
// patient.
func (c *Case) hounsfield(img *segd.Image) bool {
	o, err := c.opener().open(c.Image, asImage)
	if err != nil {
		return false
	}
	switch o.scan.Format {
	case "dicom":
		return o.scan.Modality == "CT"
	case "nifti":
		low := slices.Min(img.Pix)
		return low >= airLow && low <= airHigh
	}
	return false
}

// Distances between pixels, as Fingerprint holds them.
type Distances struct {
	Min    float64 `json:"min"`
	Median float64 `json:"median"`
	Max    float64 `json:"max"`
}

// alike is how far the spacings of a data set may differ and count as one.
const alike = 1.02

// measureValues fills in what hangs on units: spacings, and the values of
// foreground where they are calibrated in nine of ten cases at least.
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

// adapt chooses normalisation and spacing by what the values and pixels mean:
// calibrated values by those of all foreground, as nnU-Net does with CT, and
// the median spacing where spacings are known and differ.
func (p *Plan) adapt(f Fingerprint) {
	if f.Window != nil {
		p.Recipe.Normalise, p.Recipe.Window = preprocess.Fixed, *f.Window
		p.Recipe.ClipLow, p.Recipe.ClipHigh = 0, 0
	}
	if s := f.SpacingMM; s != nil && s.Max > alike*s.Min && p.Recipe.LongSide == 0 {
		p.Recipe.SpacingMM = s.Median
	}
}
