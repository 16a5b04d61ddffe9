package dicomio

import (
	"fmt"

	"segd/dicomio/tag"
)

// modalities are the defined terms of Modality (0008,0060) for images. Other
// values are dropped, since they may be any text.
var modalities = map[string]bool{
	"AR": true, "BDUS": true, "BI": true, "BMD": true, "CR": true, "CT": true, "DG": true,
	"DX": true, "ECG": true, "EPS": true, "ES": true, "GM": true, "HC": true, "HD": true, "IO": true,
	"IVOCT": true, "IVUS": true, "LS": true, "MG": true, "MR": true, "NM": true, "OCT": true, "OP": true,
	"OPM": true, "OPT": true, "OPTBSV": true, "OPTENF": true, "OT": true, "PA": true, "PT": true, "PX": true,
	"REG": true, "RF": true, "RG": true, "RTDOSE": true, "RTIMAGE": true, "SC": true, "SEG": true, "SM": true,
	"TG": true, "US": true, "VF": true, "XA": true, "XC": true,
}

func (s *scan) modality() string {
	if m := s.header.root.text(tag.Modality); modalities[m] {
		return m
	}
	return ""
}

// steps lists what is done to the pixels of the first frame, in order.
func (s *scan) steps(g *grading) []string {
	l := s.pixels.layout
	var out []string
	add := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	add("transfer syntax %s", s.file.syntax)
	if p := s.pixels.fragments; p != nil {
		add("decoded from %s", p.name)
	}
	switch {
	case l.float:
		add("%d bits, floating point", l.allocated)
	case l.signed:
		add("%d bits stored of %d, signed", l.stored, l.allocated)
	default:
		add("%d bits stored of %d, unsigned", l.stored, l.allocated)
	}
	switch {
	case s.floatPadding.set:
		add("pixels with values %g to %g are padding", s.floatPadding.low, s.floatPadding.high)
	case s.padding.set && s.padding.low == s.padding.high:
		add("pixels with the stored value %d are padding", s.padding.low)
	case s.padding.set:
		add("pixels with stored values %d to %d are padding", s.padding.low, s.padding.high)
	}
	switch {
	case s.palette != nil:
		add("palette of %d colours to RGB", len(s.palette.colour[0]))
	case !l.grey():
		if l.planar && !l.compressed {
			add("colour planes interleaved")
		}
		switch {
		case l.compressed:
			add("colours to RGB, from the colour space of the compressed stream or else %s", l.photometric)
		case l.photometric != "RGB":
			add("%s to RGB", l.photometric)
		}
	case g.table != nil:
		add("modality lookup table of %d entries", len(g.table))
	default:
		per := ""
		if len(s.header.perFrame) > 1 {
			per = " (first frame; each frame has its own)"
		}
		add("rescale slope %g intercept %g%s", g.slope, g.intercept, per)
	}
	if g.turn {
		add("inverted so that high is bright (MONOCHROME1)")
	}
	if g.spacing.Known() {
		add("spacing %g × %g mm from %s", g.spacing.RowMM, g.spacing.ColMM, g.spacing.Source)
	}
	return out
}

// warnings lists what a user should know about the result, for the first frame.
func (s *scan) warnings(g *grading) []string {
	out := append([]string(nil), s.file.warnings...)
	if v := s.header.root.text(tag.BurnedInAnnotation); v != "" && v != "NO" {
		out = append(out, "BurnedInAnnotation (0028,0301) is not NO: the pixels may show who the patient is")
	}
	if p := s.pixels.native; p != nil && p.big && s.pixels.allocated == 32 {
		out = append(out, "32-bit pixels in big endian: programs disagree on the order of their words; the low word is read first, as the standard says")
	}
	if bad := s.header.voiLUT != nil && s.header.voi == nil; (bad || g.badVOI) && s.pixels.grey() {
		out = append(out, "the VOI lookup table (0028,3010) is damaged and is not used for display")
	}
	return out
}
