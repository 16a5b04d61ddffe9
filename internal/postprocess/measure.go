package postprocess

import "segd"

// Measurement describes one class in a mask. Fields that need a pixel are zero,
// and absent from JSON, if the class has none.
type Measurement struct {
	Index  int    `json:"index"`
	Name   string `json:"name"`
	Pixels int    `json:"pixels"`
	// AreaMM2 is Pixels times the area of a pixel, if the spacing is known.
	AreaMM2    *float64 `json:"area_mm2,omitempty"`
	Components int      `json:"components"` // 8-connected
	// Centroid is the mean x (column) and y (row) of the pixels, counted
	// from 0 at the centre of the first pixel.
	Centroid *[2]float64 `json:"centroid,omitempty"`
	// Box is the first column, first row, width and height in pixels.
	Box *[4]int `json:"bounding_box,omitempty"`
	// MeanProbability is the mean probability of the class over its own pixels.
	MeanProbability *float64 `json:"mean_probability,omitempty"`
}

// Measure returns a Measurement for each class except background, in order. p,
// which may be nil, is [1, K, H, W] on the mask's pixels. Pixels with a class
// outside classes are ignored.
func Measure(m *segd.Mask, p *segd.Tensor, classes []segd.Class, spacing segd.Spacing) []Measurement {
	if len(classes) < 2 {
		return nil
	}
	type total struct {
		x, y, p        float64
		x0, y0, x1, y1 int
	}
	out, sums := make([]Measurement, len(classes)), make([]total, len(classes))
	for k := range out {
		out[k].Index, out[k].Name = classes[k].Index, classes[k].Name
	}
	var planes [256][]float32 // of p, by class
	if p != nil {
		for k := range min(p.C, len(planes)) {
			planes[k] = p.Plane(0, k)
		}
	}
	for y := range m.Height {
		for x, k := range m.Pix[y*m.Width:][:m.Width] {
			if int(k) >= len(out) || k == 0 {
				continue
			}
			s := &sums[k]
			if out[k].Pixels == 0 {
				s.x0, s.y0, s.x1, s.y1 = x, y, x, y
			}
			s.x0, s.x1, s.y0, s.y1 = min(s.x0, x), max(s.x1, x), min(s.y0, y), max(s.y1, y)
			s.x += float64(x)
			s.y += float64(y)
			if p != nil {
				s.p += float64(planes[k][y*m.Width+x])
			}
			out[k].Pixels++
		}
	}
	_, parts := components(m)
	for _, c := range parts {
		if c.Value < len(out) {
			out[c.Value].Components++
		}
	}
	for k := range out {
		o, s, n := &out[k], sums[k], float64(out[k].Pixels)
		if spacing.Known() {
			area := n * spacing.RowMM * spacing.ColMM
			o.AreaMM2 = &area
		}
		if n == 0 {
			continue
		}
		o.Centroid = &[2]float64{s.x / n, s.y / n}
		o.Box = &[4]int{s.x0, s.y0, s.x1 - s.x0 + 1, s.y1 - s.y0 + 1}
		if p != nil {
			mean := s.p / n
			o.MeanProbability = &mean
		}
	}
	return out[1:]
}
