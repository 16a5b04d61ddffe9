package dicomio

import (
	"fmt"

	"segd/dicomio/tag"
)

// modalities are the defined terms of Modality (0008,0060) that images have.
// Anything else a file may hold there is not passed on.
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

// steps says what is done to the pixels, in order, for the first frame.
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
		add("pixels of the values %g to %g are padding", s.floatPadding.low, s.floatPadding.high)
	case s.padding.set && s.padding.low == s.padding.high:
		add("pixels of the stored value %d are padding", s.padding.low)
	case s.padding.set:
		add("pixels of the stored values %d to %d are padding", s.padding.low, s.padding.high)
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
			add("colours as the compressed stream names them, else %s, to RGB", l.photometric)
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
		add("turned so that high is bright (MONOCHROME1)")
	}
	if g.spacing.Known() {
		add("spacing %g × %g mm from %s", g.spacing.RowMM, g.spacing.ColMM, g.spacing.Source)
	}
	return out
}

// warnings says what a user should know about the result, of the first frame.
func (s *scan) warnings(g *grading) []string {
	out := append([]string(nil), s.file.warnings...)
	if v := s.header.root.text(tag.BurnedInAnnotation); v != "" && v != "NO" {
		out = append(out, "BurnedInAnnotation (0028,0301) is not NO: the pixels may show who the patient is")
	}
	if p := s.pixels.native; p != nil && p.big && s.pixels.allocated == 32 {
		out = append(out, "pixels of 32 bits in big endian: programs disagree on the order of their words; the low one is taken to be first, as the standard has it")
	}
	if bad := s.header.voiLUT != nil && s.header.voi == nil; (bad || g.badVOI) && s.pixels.grey() {
		out = append(out, "the VOI lookup table (0028,3010) is not one that can be used for display")
	}
	return out
}
