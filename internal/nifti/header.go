package nifti

import (
	"encoding/binary"
	"fmt"
	"math"
	"strings"

	"segd"
	"segd/internal/orient"
)

// Sizes of the headers, which are their first element too.
const (
	size1 = 348
	size2 = 540
)

// Header says what a NIfTI file holds and where it lies.
type Header struct {
	Version int // 1 or 2
	// Pair reports that the values lie in another file than the header, an .hdr file.
	// Analyze reports an ANALYZE 7.5 header. Its files are always pairs.
	Pair, Analyze bool
	Width, Height int // voxels along the first and the second axis
	Depth, Times  int // along the third and the fourth, at least 1
	Channels      int // 1, or 3 (RGB)

	// Slope and Intercept scale the values, 1 and 0 where the header has none.
	Slope, Intercept float64
	// Affine maps voxel (i, j, k) to a point in mm, with right, anterior and
	// superior rising, which Affine.RAS turns into DICOM's axes and back.
	Affine segd.Affine
	// From names what Affine is made of: "sform", "qform", or "pixdim", which
	// has distances alone and no orientation.
	From string
	// Disagree is how far the sform and the qform of the file place its corners
	// apart, in mm; 0 where it has one of them.
	Disagree float64
	// PixdimMM are the distances that pixdim gives beside an sform that has others, by
	// more than a twentieth; zeros: they agree, or one says nothing.
	PixdimMM [3]float64
	// Low and High are the display window, equal where there is none.
	Low, High float64

	kind   kind
	order  binary.ByteOrder
	offset int64  // of the values in their file
	raw    []byte // the header, as it would be in one file with the values
}

// Planes is the number of planes: Depth of each time.
func (h *Header) Planes() int { return h.Depth * h.Times }

// Placed reports whether it is known where in the patient the volume lies.
func (h *Header) Placed() bool { return h.From == "sform" || h.From == "qform" }

// Form names the format of the file: NIfTI-1, NIfTI-2 or ANALYZE 7.5.
func (h *Header) Form() string {
	if h.Analyze {
		return "ANALYZE 7.5"
	}
	return fmt.Sprintf("NIfTI-%d", h.Version)
}

// Type names the type of the values, such as int16.
func (h *Header) Type() string { return h.kind.name }

// Spacing is the distance between rows and between columns; unknown where the
// header has none that is positive.
func (h *Header) Spacing() segd.Spacing {
	s := segd.Spacing{ColMM: h.distance(0), RowMM: h.distance(1), Source: h.From}
	if !s.Known() {
		return segd.Spacing{}
	}
	return s
}

// Grid returns the voxels of one time and where they lie, in DICOM's axes. ok is
// false where h is not Placed or its axes flatten space.
func (h *Header) Grid() (g segd.Grid, ok bool) {
	g = segd.Grid{Size: [3]int{h.Width, h.Height, h.Depth}, Affine: h.Affine.RAS()}
	_, ok = h.Affine.Inverse()
	return g, ok && h.Placed()
}

// distance is how far neighbouring voxels along an axis lie apart, in mm; 0
// where that is not a positive number.
func (h *Header) distance(axis int) float64 {
	if d := h.Affine.SpacingMM(axis); d > 0 && !math.IsInf(d, 0) {
		return d
	}
	return 0
}

// size is the number of bytes of the values.
func (h *Header) size() int64 {
	return int64(h.Width) * int64(h.Height) * int64(h.Planes()) * int64(h.kind.bytes)
}

// Bytes is the number of bytes that a Volume of this header holds.
func (h *Header) Bytes() int64 { return h.size() }

// orderOf tells the byte order from the header's first element, which is its
// size; nil where it is neither version's.
func orderOf(b []byte) binary.ByteOrder {
	if len(b) < 4 {
		return nil
	}
	for _, o := range []binary.ByteOrder{binary.LittleEndian, binary.BigEndian} {
		if n := o.Uint32(b); n == size1 || n == size2 {
			return o
		}
	}
	return nil
}

// isHeader reports whether b begins as a header of either version does, the
// magic included, or as one of ANALYZE 7.5.
func isHeader(b []byte) bool {
	if o := orderOf(b); o == nil {
		return false
	}
	return len(b) >= size1 && (magic(b) == "n+1" || magic(b) == "ni1") || len(b) >= 8 && (magic2(b) == "n+2" || magic2(b) == "ni2") || isAnalyze(b)
}

func magic(b []byte) string  { return strings.TrimRight(string(b[344:348]), "\x00") }
func magic2(b []byte) string { return string(b[4:7]) }

// fields reads the elements of a header, whose places and widths differ
// between the versions.
type fields struct {
	b     []byte
	order binary.ByteOrder
	wide  bool // version 2
}

func (f fields) i16(at int) int { return int(int16(f.order.Uint16(f.b[at:]))) }

// integer reads an int16 at one place or an int32 at another.
func (f fields) integer(at1, at2 int) int {
	if f.wide {
		return int(int32(f.order.Uint32(f.b[at2:])))
	}
	return f.i16(at1)
}

// float reads element i of float32s at one place or of float64s at another.
func (f fields) float(at1, at2, i int) float64 {
	if f.wide {
		return math.Float64frombits(f.order.Uint64(f.b[at2+8*i:]))
	}
	return float64(math.Float32frombits(f.order.Uint32(f.b[at1+4*i:])))
}

// dim reads element i of dim, which may be anything.
func (f fields) dim(i int) int64 {
	if f.wide {
		return int64(f.order.Uint64(f.b[16+8*i:]))
	}
	return int64(f.i16(40 + 2*i))
}

// parse reads and checks a header.
func parse(b []byte) (*Header, error) {
	order := orderOf(b)
	if order == nil {
		return nil, malformed("the first element is not the size of a header")
	}
	f := fields{b: b, order: order, wide: order.Uint32(b) == size2}
	h := &Header{Version: 1, order: order}
	if f.wide {
		h.Version = 2
	}
	if need := int(order.Uint32(b)); len(b) < need {
		return nil, malformed("truncated: %d bytes of a header of %d", len(b), need)
	}
	switch {
	case f.wide && magic2(b) == "ni2", !f.wide && magic(b) == "ni1":
		h.Pair = true
	case f.wide && magic2(b) != "n+2":
		return nil, malformed("no magic of version 2")
	case !f.wide && magic(b) != "n+1":
		if !isAnalyze(b) {
			return nil, fmt.Errorf("nifti: %w: no magic, and no header of ANALYZE 7.5", segd.ErrUnsupported)
		}
		h.Pair, h.Analyze = true, true
		b = fromAnalyze(b, order)
		f.b = b
	}
	h.raw = b
	if err := h.readDim(f); err != nil {
		return nil, err
	}
	code := f.i16(70)
	if f.wide {
		code = f.i16(12)
	}
	var ok bool
	if h.kind, ok = kinds[code]; !ok {
		return nil, fmt.Errorf("nifti: %w: values of data type %d", segd.ErrUnsupported, code)
	}
	h.Channels = min(h.kind.channels, 3)
	if n := h.size(); n > maxData {
		return nil, fmt.Errorf("nifti: %w: %d bytes of values, limit %d", segd.ErrTooLarge, n, int64(maxData))
	}
	if err := h.readOffset(f); err != nil {
		return nil, err
	}
	h.Slope, h.Intercept = f.float(112, 176, 0), f.float(116, 184, 0)
	if h.Slope == 0 || !finite(h.Slope, h.Intercept) || h.Channels > 1 {
		h.Slope, h.Intercept = 1, 0
	}
	h.High, h.Low = f.float(124, 192, 0), f.float(128, 200, 0)
	if !finite(h.Low, h.High) || h.Low >= h.High {
		h.Low, h.High = 0, 0
	}
	h.readAffine(f)
	return h, nil
}

func (h *Header) readDim(f fields) error {
	n := f.dim(0)
	if n < 1 || n > 7 {
		return malformed("%d axes, want 1 to 7", n)
	}
	size := [7]int64{1, 1, 1, 1, 1, 1, 1}
	for i := range int(n) {
		if size[i] = f.dim(i + 1); size[i] < 1 {
			return malformed("%d voxels along axis %d", size[i], i+1)
		}
	}
	for i := 4; i < 7; i++ {
		if size[i] > 1 {
			return fmt.Errorf("nifti: %w: %d values along axis %d, want one", segd.ErrUnsupported, size[i], i+1)
		}
	}
	switch {
	case size[0] > segd.MaxSide || size[1] > segd.MaxSide:
		return fmt.Errorf("nifti: %w: planes of %d×%d voxels, limit %d a side", segd.ErrTooLarge, size[0], size[1], segd.MaxSide)
	case size[0]*size[1] > segd.MaxPixels:
		return fmt.Errorf("nifti: %w: planes of %d×%d voxels, limit %d in all", segd.ErrTooLarge, size[0], size[1], segd.MaxPixels)
	case size[2] > maxPlanes || size[3] > maxPlanes || size[2]*size[3] > maxPlanes:
		return fmt.Errorf("nifti: %w: %d planes at %d times, limit %d in all", segd.ErrTooLarge, size[2], size[3], maxPlanes)
	}
	h.Width, h.Height, h.Depth, h.Times = int(size[0]), int(size[1]), int(size[2]), int(size[3])
	return nil
}

func (h *Header) readOffset(f fields) error {
	// Version 1 keeps a whole number as a float.
	offset := f.float(108, 168, 0)
	if f.wide {
		offset = float64(int64(f.order.Uint64(f.b[168:])))
	}
	least := int64(len(h.raw))
	if h.Pair {
		least = 0
	}
	switch {
	case offset == 0 && h.Pair:
	case offset == 0: // some writers leave it out
		h.offset = least + 4
	case !(offset >= float64(least)) || offset != math.Trunc(offset):
		return malformed("values from byte %g on, in a header of %d", offset, least)
	case offset > maxOffset:
		return fmt.Errorf("nifti: %w: values from byte %g on, limit %d", segd.ErrTooLarge, offset, maxOffset)
	default:
		h.offset = int64(offset)
	}
	if h.Pair {
		h.raw = oneFile(h.raw, h.order)
	}
	return nil
}

// readAffine takes the sform, or else the qform, or else the distances alone
// (methods 3, 2 and 1 of nifti1.h).
func (h *Header) readAffine(f fields) {
	scale := 1.0
	units := int(f.b[123])
	if f.wide {
		units = int(f.order.Uint32(f.b[500:]))
	}
	switch units & 7 {
	case 1:
		scale = 1000 // metres
	case 3:
		scale = 0.001 // micrometres
	}
	var byForm, byQuaternion segd.Affine
	for r := range 3 {
		for c := range 4 {
			byForm[r][c] = f.float(280+16*r, 400+32*r, c) * scale
		}
	}
	byQuaternion = quaternionOf(f, scale)
	sform, qform := f.integer(254, 348) > 0, f.integer(252, 344) > 0
	switch {
	case sform:
		h.From, h.Affine = "sform", byForm
		h.comparePixdim(f, scale)
		if qform && usable(byForm) && usable(byQuaternion) {
			h.Disagree = orient.Apart([3]int{h.Width, h.Height, h.Depth}, byForm, byQuaternion)
		}
	case qform:
		h.From, h.Affine = "qform", byQuaternion
	default:
		h.From = "pixdim"
		for r := range 3 {
			h.Affine[r][r] = math.Abs(f.float(76, 104, r+1)) * scale
		}
	}
	if !usable(h.Affine) {
		h.Affine, h.From = segd.Affine{}, ""
	}
}

// usable reports whether all of m are numbers.
func usable(m segd.Affine) bool {
	return finite(m[0][:]...) && finite(m[1][:]...) && finite(m[2][:]...)
}

// quaternionOf makes the affine of the qform.
func quaternionOf(f fields, scale float64) (m segd.Affine) {
	b, c, d := f.float(256, 352, 0), f.float(256, 352, 1), f.float(256, 352, 2)
	a := math.Sqrt(math.Max(0, 1-(b*b+c*c+d*d)))
	rotation := [3][3]float64{
		{a*a + b*b - c*c - d*d, 2*b*c - 2*a*d, 2*b*d + 2*a*c},
		{2*b*c + 2*a*d, a*a + c*c - b*b - d*d, 2*c*d - 2*a*b},
		{2*b*d - 2*a*c, 2*c*d + 2*a*b, a*a + d*d - c*c - b*b},
	}
	for r := range 3 {
		for k := range 3 {
			d := f.float(76, 104, k+1) * scale
			if k == 2 && f.float(76, 104, 0) < 0 {
				d = -d // qfac
			}
			m[r][k] = rotation[r][k] * d
		}
		m[r][3] = f.float(268, 376, r) * scale
	}
	return m
}

func finite(values ...float64) bool {
	for _, v := range values {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return false
		}
	}
	return true
}
