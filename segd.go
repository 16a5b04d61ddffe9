// Package segd defines the types that the stages of the service exchange:
// scans and images going in, tensors in between, masks coming out.
//
// The stages (dicomio, preprocess, unet, internal/overlay …) use these types
// and do not import each other; internal/segment connects them. The package
// imports only the standard library.
package segd

// Image is one frame, ready to be normalised by a preprocess.Recipe.
//
// Pix is row-major with the channels interleaved: the value of channel c at
// row y, column x is Pix[(y*Width+x)*Channels+c]. High values are bright:
// MONOCHROME1 has been inverted. Values are in the unit of the source:
// 0..255 or 0..65535 for PNG and TIFF, modality units (after the modality LUT
// or RescaleSlope and RescaleIntercept, PS3.3 C.11.1) for DICOM. The receiver
// owns an Image. It is not safe for concurrent writes.
type Image struct {
	Width, Height int
	Channels      int // 1 (grey) or 3 (RGB); any number if they are Separate
	// Separate reports that each channel is a separate image (T1, T2 …), not
	// red, green or blue.
	Separate bool
	Pix      []float32
	Padding  []bool // pixels outside the imaged area (PixelPaddingValue), row-major; nil: none
	Spacing  Spacing
	Display  Display
}

// At returns the value of channel c at row y, column x.
func (m *Image) At(y, x, c int) float32 { return m.Pix[(y*m.Width+x)*m.Channels+c] }

// Spacing is the distance between the centres of neighbouring pixels in
// millimetres. Zero means unknown.
type Spacing struct {
	RowMM float64 `json:"row_mm"` // between rows, downwards
	ColMM float64 `json:"col_mm"` // between columns, to the right
	// Source names the attribute that holds the value, for example
	// "PixelSpacing (0028,0030)". It is empty if the spacing is unknown.
	Source string `json:"source,omitempty"`
}

// Known reports whether both distances are known.
func (s Spacing) Known() bool { return s.RowMM > 0 && s.ColMM > 0 }

// Display says how a viewer maps the values of Image.Pix to grey levels: a ramp
// from Low (black) to High (white), in the unit of Pix, with MONOCHROME1 already
// inverted. If a file has no window, Low equals High, and the viewer uses
// percentiles. The network never sees it.
type Display struct {
	Low, High float32
	Sigmoid   bool   // SIGMOID of PS3.3 C.11.2.1.3.1, centre (Low+High)/2 and width High-Low
	Curve     *Curve // replaces the ramp; nil: none
}

// Curve is a VOI lookup table (PS3.3 C.11.2.1.1): the grey levels, 0 (black) to
// 1 (white), for the values Low, Low+1 and so on up to High of its Display.
// Values outside this range take the level of the nearer end. A Curve is shared
// and must not be modified.
type Curve struct{ Levels []float32 }

// Scan is the content of one file: one or more frames of the same kind.
//
// Frames are decoded on demand, so a multi-frame file needs the memory of one
// frame at a time.
type Scan struct {
	Format         string // "dicom", "nifti", "png" … the kinds of internal/scanio
	TransferSyntax string // DICOM transfer syntax UID; empty otherwise
	Modality       string // DICOM Modality (0008,0060); empty otherwise
	Width, Height  int
	Frames         int
	// Channels is the number of files that were joined, each a channel of the
	// image. It is 0 if the scan is a single file.
	Channels int
	Steps    []string // processing steps for the pixels, in order, as text
	Warnings []string // warnings for the user
	// Clean reports that the file declares its pixels free of patient identity
	// (DICOM BurnedInAnnotation NO). Other files declare nothing.
	Clean bool

	// Orientation says how the stored pixels of a picture are turned to be upright: 1 to 8,
	// as Exif and TIFF number it (Exif 2.32, 4.6.4; TIFF 6.0, page 36). 0 is not stated,
	// and 1 is upright as stored.
	Orientation int
	// Aspect is the height of a pixel over its width, where a picture states that its
	// pixels are not square without saying how large they are. 0 otherwise.
	Aspect float64

	// Affine maps pixel (column, row, plane) to the patient if the frames are the
	// planes of a volume, Depth planes at each of Times. The planes of one time
	// are consecutive. Affine is nil if the frames are no volume or the scan does
	// not state its position; Depth and Times may then be 0.
	Affine       *Affine
	Depth, Times int

	// Source returns what files derived from the scan refer to and copy: of DICOM a
	// *dicomio.Source, of NIfTI the header of the volume. It is made when it is first
	// asked for, from the file as it was read. It is nil for other files. Safe for
	// concurrent use.
	Source func() (any, error)

	// Frame decodes frame i, counted from 0. It may be called repeatedly and
	// from several goroutines. Each call returns a new Image.
	Frame func(i int) (*Image, error)
}

// Mask holds a class index for each pixel of an image, row-major.
type Mask struct {
	Width, Height int
	Pix           []uint8
}

// NewMask returns a mask with every pixel set to background.
func NewMask(width, height int) *Mask {
	return &Mask{Width: width, Height: height, Pix: make([]uint8, width*height)}
}

// Class is one of the classes that a model distinguishes. Index 0 is background.
type Class struct {
	Index int      `json:"index"`
	Name  string   `json:"name"`
	Color [3]uint8 `json:"color"` // sRGB, for overlays and palettes

	// Category and Type identify the class in DICOM objects: the segmented
	// property category and type (PS3.3 C.8.20.2.3), such as anatomical
	// structure and left ventricle. The zero value means not coded.
	Category Code `json:"category,omitzero"`
	Type     Code `json:"type,omitzero"`
}

// Code is a coded concept (PS3.3 8.8), for example 87878005, SCT, Left
// ventricle. The zero Code means none.
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

// Plane returns the H×W values of channel c of image n, sharing memory with t.
func (t *Tensor) Plane(n, c int) []float32 {
	hw := t.H * t.W
	i := (n*t.C + c) * hw
	return t.Data[i : i+hw : i+hw]
}
