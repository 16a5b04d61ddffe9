package nifti

import (
	"fmt"
	"math"
)

// pixdimSlack is how far, as a share, the distances of pixdim may lie from those of the
// sform.
const pixdimSlack = 0.05

// comparePixdim notes distances of pixdim that are not those of the sform, in h.Affine.
func (h *Header) comparePixdim(f fields, scale float64) {
	var pixdim [3]float64
	differ := false
	for axis := range 3 {
		d := math.Abs(f.float(76, 104, axis+1)) * scale
		form := h.distance(axis)
		if !(d > 0) || math.IsInf(d, 0) || form == 0 {
			return
		}
		pixdim[axis] = d
		differ = differ || math.Abs(d-form) > pixdimSlack*max(d, form)
	}
	if differ {
		h.PixdimMM = pixdim
	}
}

// Warnings says what a user should know about where h lies.
func (h *Header) Warnings() (list []string) {
	warn := func(format string, a ...any) { list = append(list, fmt.Sprintf(format, a...)) }
	if h.Analyze {
		warn("ANALYZE 7.5 does not say which side of the planes is the patient's left, nor how they lie: they are taken as stored. Programs differ: SPM and nibabel mirror them, ITK does not; convert the file to NIfTI with a program that knows where it comes from")
	}
	// Half a millimetre, or half a pixel, is more than rounding makes of one place.
	limit := 0.5
	if p := h.Spacing(); p.Known() {
		limit *= min(1, p.RowMM, p.ColMM)
	}
	if h.Disagree > limit {
		warn("the sform and the qform of the file place it up to %.3g mm apart: the sform is used, programs that take the qform put it elsewhere", h.Disagree)
	}
	if p := h.PixdimMM; p[0] > 0 {
		warn("the voxels are %.4g×%.4g×%.4g mm by the sform of the file and %.4g×%.4g×%.4g mm by its pixdim: the sform is used, so areas, volumes and resampling rest on it",
			h.distance(0), h.distance(1), h.distance(2), p[0], p[1], p[2])
	}
	return list
}

// Warnings are those of the header, and values that are no numbers.
func (v *Volume) Warnings() []string {
	list := v.Header.Warnings()
	if v.NoNumbers > 0 {
		list = append(list, fmt.Sprintf("%d of %d values are no numbers (NaN or infinite): a model sees the lowest value of the plane in their place", v.NoNumbers, len(v.data)/v.kind.bytes))
	}
	return list
}

// count counts the values that are no numbers.
func (v *Volume) count() {
	if v.kind.name != "float32" && v.kind.name != "float64" {
		return
	}
	for i := 0; i < len(v.data); i += v.kind.bytes {
		if x := v.kind.value(v.order, v.data[i:]); x-x != 0 { // the difference is NaN for infinities too
			v.NoNumbers++
		}
	}
}
