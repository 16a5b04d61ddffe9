package nifti

import (
	"fmt"
	"math"

	"segd"
	"segd/internal/orient"
)

// Disagreement warns of a header whose place depends on who reads it: nibabel,
// FSL and SPM prefer the sform, and ITK, and so 3D Slicer and SimpleITK, takes
// the qform unless the sform is at right angles. LikeWriter keeps both as they
// are.
func (h *Header) Disagreement() []string {
	sform, qform := h.forms()
	if sform == nil && qform == nil {
		return []string{"the nifti has no position, as the file has none (sform_code and qform_code 0)"}
	}
	if sform == nil {
		return nil
	}
	_, cosine := sform.Sheared()
	switch {
	case qform == nil && cosine > itkSkew:
		return []string{fmt.Sprintf("the file's sform is sheared, by %.1f degrees, and it has no qform: ITK readers refuse it, and the nifti as well, which has the same", math.Asin(min(1, cosine))*180/math.Pi)}
	case qform == nil:
		return nil
	}
	apart, least := orient.Apart([3]int{h.Width, h.Height, h.Depth}, *sform, *qform), min(sform.SpacingMM(0), sform.SpacingMM(1), sform.SpacingMM(2))
	if apart <= 0.1*least {
		return nil
	}
	if own := sform.SpacingMM(0); own > 0 {
		apart *= h.distance(0) / own // the unit of the header, in mm
	}
	text := fmt.Sprintf("the file's sform and qform place it up to %.3g mm apart, and so those of the nifti, which are the same: readers will not agree where it lies", apart)
	if cosine > itkSkew {
		text += "; the sform is sheared, which ITK readers do not take"
	}
	return []string{text}
}

// itkSkew is the least cosine between axes from which ITK 5 calls an sform not
// orthonormal (itkNiftiImageIO.cxx).
const itkSkew = 1e-4

// forms returns the maps of the sform and of the qform, in the header's unit,
// nil where their code is 0.
func (h *Header) forms() (sform, qform *segd.Affine) {
	f := fields{b: h.raw, order: h.order, wide: h.Version == 2}
	if f.integer(254, 348) > 0 {
		sform = &segd.Affine{}
		for r := range 3 {
			for c := range 4 {
				sform[r][c] = f.float(280+16*r, 400+32*r, c)
			}
		}
	}
	if f.integer(252, 344) > 0 {
		m := quaternionOf(f, 1)
		qform = &m
	}
	return sform, qform
}
