package dicomio

import (
	"math"

	"segd"
)

// Coded concepts (PS3.16; SCT is SNOMED CT).
var (
	codeArtificialIntelligence = code{Value: "123110", Scheme: "DCM", Meaning: "Artificial Intelligence"}
	codeSegmentation           = code{Value: "113076", Scheme: "DCM", Meaning: "Segmentation"}
	codeSourceImage            = code{Value: "121322", Scheme: "DCM", Meaning: "Source image for image processing operation"}
	codeArea                   = code{Value: "42798000", Scheme: "SCT", Meaning: "Area"}
	codeMean                   = code{Value: "373098007", Scheme: "SCT", Meaning: "Mean"}
	codeProbability            = code{Value: "122157", Scheme: "DCM", Meaning: "Probability"}
	codeComponents             = code{Value: "246432004", Scheme: "SCT", Meaning: "Number of occurrences"}
	codeNoUnit                 = code{Value: "1", Scheme: "UCUM", Meaning: "no units"}
	codeTissue                 = code{Value: "85756007", Scheme: "SCT", Meaning: "Tissue"}
)

// property returns the segmented property category and type of a class, or
// tissue if its model names none.
func property(c segd.Class) (category, kind code) {
	if c.Category == (code{}) || c.Type == (code{}) {
		return codeTissue, codeTissue
	}
	return c.Category, c.Type
}

// cieLab returns an sRGB colour (IEC 61966-2-1) as the 16-bit numbers of
// RecommendedDisplayCIELabValue (PS3.3 C.10.7.1.1): L* of 0..100 and a* and b*
// of -128..127, each scaled to 0..65535. The white point is D65, that of sRGB,
// because dcmtk, highdicom and viewers built on dcmjs assume it and so show the
// exact colour.
func cieLab(c [3]uint8) []int {
	var linear [3]float64
	for i, v := range c {
		x := float64(v) / 255
		if x <= 0.04045 {
			linear[i] = x / 12.92
		} else {
			linear[i] = math.Pow((x+0.055)/1.055, 2.4)
		}
	}
	r, g, b := linear[0], linear[1], linear[2]
	f := func(t float64) float64 {
		if t > 216.0/24389 {
			return math.Cbrt(t)
		}
		return (24389.0/27*t + 16) / 116
	}
	x := f((0.4124564*r + 0.3575761*g + 0.1804375*b) / 0.95047)
	y := f(0.2126729*r + 0.7151522*g + 0.0721750*b)
	z := f((0.0193339*r + 0.1191920*g + 0.9503041*b) / 1.08883)
	encode := func(v, low, high float64) int {
		return int(math.Round(min(max((v-low)/(high-low), 0), 1) * 65535))
	}
	return []int{encode(116*y-16, 0, 100), encode(500*(x-y), -128, 127), encode(200*(y-z), -128, 127)}
}
