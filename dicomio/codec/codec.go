// Package codec is what the decoders of compressed DICOM pixels have in common.
// Each lies in a package beneath and has one entry point,
//
//	info, err := rle.Decode(dst, src, layout)
//
// which decodes one frame into the form that uncompressed pixels have, so that
// package dicomio treats both alike: src is the whole compressed frame, its
// fragments joined; dst has Layout.Bytes bytes and is overwritten with the
// stored values, row by row, colour interleaved, little endian and as wide as
// BitsAllocated; signed values in two's complement, extended to that width.
//
// A decoder takes its sizes from Layout and refuses a stream that says
// otherwise, so that a hostile one takes no more memory than dst and a bounded
// working set of its own, and no more time than its length and dst allow. It
// never panics and keeps neither slice. It is safe for concurrent use.
//
// Errors are segd.ErrFormat (malformed or truncated), segd.ErrUnprocessable
// (the stream contradicts Layout) and segd.ErrUnsupported (a valid stream of a
// kind that is not decoded); none holds values of pixels or of the data set.
//
// Source: PS3.5 8.2 and A.4.
package codec

// Layout is the frame that a data set announces (PS3.3 C.7.6.3).
type Layout struct {
	Rows, Columns int
	Samples       int // of a pixel: 1, 3 or 4
	BitsAllocated int // 8, 16 or 32
}

// Bytes is the length of a decoded frame.
func (l Layout) Bytes() int { return l.Rows * l.Columns * l.Samples * (l.BitsAllocated / 8) }

// Colour is what the samples of a decoded pixel are, as far as the stream
// itself says so; it goes before the data set's photometric interpretation.
type Colour uint8

// The colour spaces that a stream can name.
const (
	ColourUnknown Colour = iota // the stream does not say
	ColourRGB
	ColourYCbCr // full range, ITU-T T.871
)

// Info is what a stream says of itself.
type Info struct {
	Precision int  // bits of a sample; 0: the stream does not say
	Signed    bool // samples are in two's complement
	Colour    Colour
}
