// Package codec defines what the decoders of compressed DICOM pixels share. Each
// decoder is a package beneath it with one entry point,
//
//	info, err := rle.Decode(dst, src, layout)
//
// which decodes one frame into the form of uncompressed pixels, so that package
// dicomio treats both alike. src is the whole compressed frame, with its
// fragments joined. dst has Layout.Bytes bytes and receives the stored values
// row by row, with colour interleaved, little endian and as wide as
// BitsAllocated. Signed values are in two's complement, extended to that width.
//
// A decoder takes its sizes from Layout and refuses a stream that contradicts
// it. A hostile stream therefore takes no more memory than dst and a bounded
// working set, and no more time than its length and dst allow. A decoder never
// panics, keeps neither slice, and is safe for concurrent use.
//
// Errors are segd.ErrFormat (malformed or truncated), segd.ErrUnprocessable (the
// stream contradicts Layout) and segd.ErrUnsupported (a valid stream of an
// unsupported kind). They hold no values of pixels or of the data set.
//
// Source: PS3.5 8.2 and A.4.
package codec

// Layout describes a frame as the data set announces it (PS3.3 C.7.6.3).
type Layout struct {
	Rows, Columns int
	Samples       int // of a pixel: 1, 3 or 4
	BitsAllocated int // 8, 16 or 32
}

// Bytes is the length of a decoded frame.
func (l Layout) Bytes() int { return l.Rows * l.Columns * l.Samples * (l.BitsAllocated / 8) }

// Colour is the colour space that a stream names for its samples. It takes
// precedence over the photometric interpretation of the data set.
type Colour uint8

// The colour spaces that a stream can name.
const (
	ColourUnknown Colour = iota // the stream does not say
	ColourRGB
	ColourYCbCr // full range, ITU-T T.871
)

// Info is what a stream says about itself.
type Info struct {
	Precision int  // bits of a sample; 0 if the stream does not say
	Signed    bool // samples are in two's complement
	Colour    Colour
}
