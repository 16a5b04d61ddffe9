// Package segd holds the vocabulary that every stage of the service trades in:
// images and scans on one side, tensors in the middle, masks on the other.
//
// The stages (dicomio, preprocess, unet, internal/overlay …) know these types
// and not each other; internal/segment joins them. The package imports the
// standard library only.
package segd

// Image is one frame, ready to be normalised by a preprocess.Recipe.
//
// Pix is row-major with the channels interleaved: the value of channel c at
// row y, column x is Pix[(y*Width+x)*Channels+c]. High is always bright:
// MONOCHROME1 has been turned round. Values are in the unit of the source:
// 0..255 or 0..65535 for PNG and TIFF, modality units (after the modality LUT
// or RescaleSlope and RescaleIntercept, PS3.3 C.11.1) for DICOM. An Image is
// owned by whoever received it; it is not safe for concurrent writes.
type Image struct {
	Width, Height int
	Channels      int // 1 (grey) or 3 (RGB); as many as there are where they are Separate
	// Separate says that each channel is an image of its own (T1, T2 …) and not
	// one of red, green and blue.
	Separate bool
	Pix      []float32
	Padding  []bool // pixels outside the imaged area (PixelPaddingValue), row-major; nil: none
	Spacing  Spacing
	Display  Display
}

// At returns the value of channel c at row y, column x.
func (m *Image) At(y, x, c int) float32 { return m.Pix[(y*m.Width+x)*m.Channels+c] }

// Spacing is the distance between the centres of neighbouring pixels in
// millimetres, zero where it is unknown.
type Spacing struct {
	RowMM float64 `json:"row_mm"` // between rows, that is downwards
	ColMM float64 `json:"col_mm"` // between columns, that is to the right
	// Source names the attribute the value was read from, for example
	// "PixelSpacing (0028,0030)"; empty where the spacing is unknown.
	Source string `json:"source,omitempty"`
}

// Known reports whether both distances are known.
func (s Spacing) Known() bool { return s.RowMM > 0 && s.ColMM > 0 }

// Display says how a viewer turns the values of Image.Pix into grey levels:
// the ramp from Low (black) to High (white), in the unit of Pix and with
// MONOCHROME1 already turned round. A file without a window leaves Low equal
// to High, and the viewer takes percentiles. The network never sees it.
type Display struct {
	Low, High float32
	Sigmoid   bool   // SIGMOID of PS3.3 C.11.2.1.3.1, centre (Low+High)/2 and width High-Low
	Curve     *Curve // in place of the ramp; nil: none
}

// Curve is a VOI lookup table (PS3.3 C.11.2.1.1): the grey levels, 0 (black) to
// 1 (white), of the values Low, Low+1 and so on to High of its Display. Values
// beyond have the level of the nearer end. It is shared and must not be
// changed.
type Curve struct{ Levels []float32 }

// Scan is what one uploaded file holds: one or more frames of one kind.
//
// Frames are decoded when asked for, so that a multi-frame file costs the
// memory of a frame at a time.
type Scan struct {
	Format         string // "dicom", "nifti", "png", "jpeg" or "tiff"
	TransferSyntax string // DICOM transfer syntax UID; empty otherwise
	Modality       string // DICOM Modality (0008,0060); empty otherwise
	Width, Height  int
	Frames         int
	// Channels is the number of files that were joined, each one channel of the
	// image; 0: the scan is one file.
	Channels int
	Steps    []string // what is done to the pixels, in order, in words
	Warnings []string // what a user should know about the result
	// Clean says that the file states that its pixels do not show who the
	// patient is (DICOM BurnedInAnnotation NO); other files state nothing.
	Clean bool

	// Affine maps pixel (column, row, plane) of a scan whose frames are the planes
	// of a volume, Depth at each of Times; those of one time follow each other. It
	// is nil where that is not so, or where the scan does not say where it lies;
	// Depth and Times may then be 0.
	Affine       *Affine
	Depth, Times int

	// Frame decodes frame i, counted from 0. It may be called more than once
	// and from several goroutines; each call returns an Image of its own.
	Frame func(i int) (*Image, error)
}

// Mask holds one class index for each pixel of an image, row-major.
type Mask struct {
	Width, Height int
	Pix           []uint8
}

// NewMask returns a mask of background.
func NewMask(width, height int) *Mask {
	return &Mask{Width: width, Height: height, Pix: make([]uint8, width*height)}
}

// Class is one of the things a model tells apart. Index 0 is background.
type Class struct {
	Index int      `json:"index"`
	Name  string   `json:"name"`
	Color [3]uint8 `json:"color"` // sRGB, for overlays and palettes

	// Category and Type say in a code what the class is, for DICOM objects:
	// the segmented property category and type (PS3.3 C.8.20.2.3), such as
	// anatomical structure and left ventricle. Zero: not coded.
	Category Code `json:"category,omitzero"`
	Type     Code `json:"type,omitzero"`
}

// Code is a coded concept (PS3.3 8.8), for example 87878005, SCT, Left
// ventricle. The zero Code stands for none.
type Code struct {
	Value   string `json:"value"`
	Scheme  string `json:"scheme"` // coding scheme designator: SCT is SNOMED CT, DCM is PS3.16's own
	Meaning string `json:"meaning"`
}

// Tensor is a dense float32 array in NCHW order.
type Tensor struct {
	N, C, H, W int
	Data       []float32
}

// NewTensor returns a tensor of zeros.
func NewTensor(n, c, h, w int) *Tensor {
	return &Tensor{N: n, C: c, H: h, W: w, Data: make([]float32, n*c*h*w)}
}

// Plane returns the H×W values of channel c of image n; it shares memory.
func (t *Tensor) Plane(n, c int) []float32 {
	hw := t.H * t.W
	i := (n*t.C + c) * hw
	return t.Data[i : i+hw : i+hw]
}
