package dicomio

import (
	"math"
	"slices"

	"segd"
	"segd/dicomio/tag"
)

// spacings lists the attributes that give a spacing, best first. The first is
// measured in the patient, the others at the detector or on the film.
var spacings = []struct {
	tag    uint32
	source string
}{
	{tag.PixelSpacing, "PixelSpacing (0028,0030)"},
	{tag.ImagerPixelSpacing, "ImagerPixelSpacing (0018,1164)"},
	{tag.NominalScannedPixelSpacing, "NominalScannedPixelSpacing (0018,2010)"},
}

// first returns the values of t in the innermost data set that has them, in the
// order frame group, shared group, file.
func first(t uint32, sets ...attributes) ([]float64, error) {
	for _, a := range sets {
		v, err := a.floats(t)
		if err != nil || len(v) > 0 {
			return v, err
		}
	}
	return nil, nil
}

// grade determines the grading of frame i.
func (h *header) grade(l *layout, i int) (*grading, error) {
	sets := []attributes{h.shared, h.root}
	if len(h.perFrame) > 0 {
		sets = []attributes{h.perFrame[i], h.shared, h.root}
	}
	g := &grading{slope: 1, turn: l.photometric == "MONOCHROME1" || h.root.text(tag.PresentationLUTShape) == "INVERSE" && l.grey()}
	if err := g.readSpacing(h, sets); err != nil {
		return nil, err
	}
	if !l.grey() {
		g.display = segd.Display{Low: 0, High: 255}
		if l.photometric != "PALETTE COLOR" {
			_, high := l.limits()
			g.display.High = float32(high)
		}
		return g, nil
	}
	if err := g.readModality(h, l, sets); err != nil {
		return nil, err
	}
	if err := g.readWindow(l, sets); err != nil {
		return nil, err
	}
	v, inGroups, err := h.frameVOI(l, g, sets)
	if err != nil {
		return nil, err
	}
	g.badVOI = inGroups && v == nil
	if v == nil {
		v = h.voi
	}
	if v != nil { // takes precedence over a window
		g.display = segd.Display{
			Low: float32(v.first), High: float32(v.first + len(v.curve.Levels) - 1), Curve: v.curve,
		}
	}
	g.turnDisplay(l)
	return g, nil
}

func (g *grading) readSpacing(h *header, sets []attributes) error {
	for _, s := range spacings {
		v, err := first(s.tag, sets...)
		if err != nil {
			return err
		}
		if len(v) >= 2 && v[0] > 0 && v[1] > 0 {
			g.spacing = segd.Spacing{RowMM: v[0], ColMM: v[1], Source: s.source}
			return nil
		}
	}
	return g.readRegion(h)
}

// readRegion reads the spacing of an ultrasound image (PS3.3 C.8.5.5) if it has
// exactly one region, of tissue, measured in centimetres in both directions.
// With several regions the spacing varies across the image.
func (g *grading) readRegion(h *header) error {
	if len(h.regions) != 1 {
		return nil
	}
	r := h.regions[0]
	for _, want := range []struct {
		tag   uint32
		value int
	}{{tag.RegionSpatialFormat, 1}, {tag.PhysicalUnitsXDirection, 3}, {tag.PhysicalUnitsYDirection, 3}} {
		if v, err := r.integer(want.tag, 0); err != nil || v != want.value {
			return err
		}
	}
	x, err := r.floats(tag.PhysicalDeltaX)
	if err != nil {
		return err
	}
	y, err := r.floats(tag.PhysicalDeltaY)
	if err != nil {
		return err
	}
	if len(x) == 1 && len(y) == 1 && x[0] != 0 && y[0] != 0 {
		g.spacing = segd.Spacing{
			RowMM: 10 * math.Abs(y[0]), ColMM: 10 * math.Abs(x[0]),
			Source: "SequenceOfUltrasoundRegions (0018,6011)",
		}
	}
	return nil
}

// readModality reads the modality LUT or the rescale slope and intercept
// (PS3.3 C.11.1).
func (g *grading) readModality(h *header, l *layout, sets []attributes) error {
	if h.modality != nil {
		t, first, err := readTable(h.modality, tag.LUTDescriptor, tag.LUTData, 0, l.signed)
		if err != nil {
			return err
		}
		g.first = first
		g.table = make([]float32, len(t.values))
		for i, v := range t.values {
			g.table[i] = float32(v)
		}
		return nil
	}
	slope, err := first(tag.RescaleSlope, sets...)
	if err != nil {
		return err
	}
	intercept, err := first(tag.RescaleIntercept, sets...)
	if err != nil {
		return err
	}
	if len(slope) > 0 {
		g.slope = slope[0]
	}
	if len(intercept) > 0 {
		g.intercept = intercept[0]
	}
	low, high := l.limits()
	if g.slope == 0 || math.Max(math.Abs(g.slope*low), math.Abs(g.slope*high))+math.Abs(g.intercept) > math.MaxFloat32 {
		return unprocessable("rescale slope %s is zero or too large for float32", name(tag.RescaleSlope))
	}
	return nil
}

// readWindow reads the first window (PS3.3 C.11.2.1.2 and C.11.2.1.3).
func (g *grading) readWindow(l *layout, sets []attributes) error {
	center, err := first(tag.WindowCenter, sets...)
	if err != nil {
		return err
	}
	width, err := first(tag.WindowWidth, sets...)
	if err != nil {
		return err
	}
	function := ""
	for _, a := range sets {
		if function = a.text(tag.VOILUTFunction); function != "" {
			break
		}
	}
	if len(center) > 0 && len(width) > 0 {
		g.display = window(center[0], width[0], function)
	}
	identity := g.table == nil && g.slope == 1 && g.intercept == 0
	if g.display.Low == g.display.High && l.allocated <= 8 && identity {
		low, high := l.limits()
		g.display = segd.Display{Low: float32(low), High: float32(high)}
	}
	return nil
}

// turnDisplay inverts the display of an inverted image, so that it looks the
// same on screen.
func (g *grading) turnDisplay(l *layout) {
	if d := &g.display; g.turn && d.Low != d.High {
		m := g.mirror(l)
		d.Low, d.High = float32(m-float64(d.High)), float32(m-float64(d.Low))
	}
}

// voi is the VOI LUT of a file (PS3.3 C.11.2.1.1), inverted if its images are.
type voi struct {
	first int // value of its first entry, before inversion
	curve *segd.Curve
}

// readVOI reads the VOI LUT for input graded by g. It returns nil if the LUT is
// damaged.
func readVOI(a attributes, l *layout, g *grading) *voi {
	low, _ := l.limits()
	t, first, err := readTable(a, tag.LUTDescriptor, tag.LUTData, 0, g.table == nil && g.slope*low+g.intercept < 0)
	if err != nil || len(t.values) < 2 {
		return nil
	}
	c := &segd.Curve{Levels: make([]float32, len(t.values))}
	for i, v := range t.values {
		c.Levels[i] = min(1, float32(v)/float32(int(1)<<t.bits-1))
	}
	if g.turn {
		slices.Reverse(c.Levels)
		for i, v := range c.Levels {
			c.Levels[i] = 1 - v
		}
	}
	return &voi{first, c}
}

// window converts a centre and a width to the ends of the ramp. It ignores a
// window that the standard does not allow.
func window(center, width float64, function string) segd.Display {
	var d segd.Display
	switch function {
	case "SIGMOID", "LINEAR_EXACT":
		if width > 0 {
			d.Low, d.High = float32(center-width/2), float32(center+width/2)
			d.Sigmoid = function == "SIGMOID"
		}
	default:
		// At width 1 the ramp is a step at centre − ½.
		if width > 1 {
			d.Low, d.High = float32(center-0.5-(width-1)/2), float32(center-0.5+(width-1)/2)
		}
	}
	if !(d.Low < d.High) || math.IsInf(float64(d.Low), 0) || math.IsInf(float64(d.High), 0) {
		return segd.Display{}
	}
	return d
}
