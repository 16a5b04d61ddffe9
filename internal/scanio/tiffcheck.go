package scanio

import (
	"fmt"
	"slices"

	"segd"
)

// Tags of TIFF 6.0 and of what came after it.
const (
	tiffNewSubfile      = 254
	tiffSubfile         = 255
	tiffWidth           = 256
	tiffHeight          = 257
	tiffBitsPerSample   = 258
	tiffCompression     = 259
	tiffPhotometric     = 262
	tiffFillOrder       = 266
	tiffDescription     = 270
	tiffStripOffsets    = 273
	tiffOrientation     = 274
	tiffSamples         = 277
	tiffRowsPerStrip    = 278
	tiffStripByteCounts = 279
	tiffPlanar          = 284
	tiffT4Options       = 292
	tiffT6Options       = 293
	tiffPredictor       = 317
	tiffColorMap        = 320
	tiffTileWidth       = 322
	tiffTileHeight      = 323
	tiffTileOffsets     = 324
	tiffTileByteCounts  = 325
	tiffExtraSamples    = 338
	tiffSampleFormat    = 339
	tiffIndexed         = 346
	tiffDecode          = 433
	tiffImageDepth      = 32997
	tiffTileDepth       = 32998
)

// Values of tags.
const (
	subfileReduced = 1 // of NewSubfileType, a bit
	subfileMask    = 4 // likewise

	compressionNone     = 1
	compressionGroup3   = 3
	compressionGroup4   = 4
	compressionLZW      = 5
	compressionDeflate  = 8
	compressionPackBits = 32773
	compressionDeflate0 = 32946

	whiteIsZero = 0
	blackIsZero = 1
	photoRGB    = 2
	photoColors = 3

	planarSeparate = 2

	alphaAssociated = 1
	alphaStraight   = 2

	tiffUnsigned = 1
	tiffFloat    = 3
	tiffOpaque   = 4 // format not stated, which all readers take for unsigned
)

// tagRule is a tag that changes what the bytes of a page mean, and the values of
// it that the readers here heed. A page with another value is refused: its
// pixels would be scrambled, or mean something else.
type tagRule struct {
	tag     uint16
	name    string
	handled []uint32 // besides its default, which need not be there; nil: none
}

var tagRules = []tagRule{
	{tiffBitsPerSample, "BitsPerSample", []uint32{1, 8, 16, 32, 64}},
	{tiffCompression, "Compression", []uint32{0, compressionNone, compressionGroup3, compressionGroup4, compressionLZW, compressionDeflate, compressionPackBits, compressionDeflate0}},
	{tiffPhotometric, "PhotometricInterpretation", []uint32{whiteIsZero, blackIsZero, photoRGB, photoColors}},
	{tiffFillOrder, "FillOrder", []uint32{1, 2}},
	{tiffOrientation, "Orientation", []uint32{0, 1, 2, 3, 4, 5, 6, 7, 8}}, // warned of
	{tiffSamples, "SamplesPerPixel", []uint32{1, 3, 4}},
	{tiffPlanar, "PlanarConfiguration", []uint32{1, planarSeparate}},
	{tiffT4Options, "T4Options", []uint32{0}},
	{tiffT6Options, "T6Options", []uint32{0}},
	{tiffPredictor, "Predictor", []uint32{1, 2, tiffFloat}},
	{tiffSampleFormat, "SampleFormat", []uint32{tiffUnsigned, tiffFloat, tiffOpaque}},
	{tiffIndexed, "Indexed", []uint32{0}},
	{tiffDecode, "Decode", nil},
	{tiffImageDepth, "ImageDepth", []uint32{1}},
	{tiffTileDepth, "TileDepth", []uint32{1}},
}

// refuse is an error that names a tag.
func refuse(tag uint16, name, format string, a ...any) error {
	return fmt.Errorf("scanio: %w: tiff with %s (tag %d) %s", segd.ErrUnsupported, name, tag, fmt.Sprintf(format, a...))
}

// checkTags refuses a page with a tag that is not supported.
func (d ifd) checkTags() error {
	const most = 16 // values of a tag, one for each sample
	for _, r := range tagRules {
		kind, _, _ := d.entry(r.tag)
		if kind == 0 {
			continue
		}
		values := d.numbers(r.tag, most)
		if len(values) == 0 {
			return fmt.Errorf("scanio: %w: tiff with %s (tag %d) of type %d, or cut off", segd.ErrFormat, r.name, r.tag, kind)
		}
		for _, v := range values {
			switch {
			case !slices.Contains(r.handled, v):
				return refuse(r.tag, r.name, "%d, want %s", v, oneOf(r.handled))
			case v != values[0]:
				return refuse(r.tag, r.name, "%d and %d, want the same for all samples", values[0], v)
			}
		}
	}
	return nil
}

// oneOf lists what is handled.
func oneOf(values []uint32) string {
	if len(values) == 0 {
		return "a page without it"
	}
	s := fmt.Sprint(values[0])
	for i, v := range values[1:] {
		sep := ", "
		if i == len(values)-2 {
			sep = " or "
		}
		s += sep + fmt.Sprint(v)
	}
	return s
}

// checkIntegers refuses combinations of tags that the decoder of pages of
// integers, golang.org/x/image/tiff, takes for something else.
func (d ifd) checkIntegers() error {
	bits, samples, photo := d.value(tiffBitsPerSample, 1), d.value(tiffSamples, 1), d.photometric()
	compression, predictor := d.value(tiffCompression, compressionNone), d.value(tiffPredictor, 1)
	wantSamples := 1
	if photo == photoRGB {
		wantSamples = 3
	}
	extra := d.numbers(tiffExtraSamples, 16)
	switch n := len(d.numbers(tiffBitsPerSample, 16)); {
	case n > 1 && n != samples:
		return refuse(tiffBitsPerSample, "BitsPerSample", "of %d samples, while SamplesPerPixel is %d", n, samples)
	case bits > 16 || bits == 1 && photo == photoRGB || bits == 16 && photo == photoColors:
		return refuse(tiffBitsPerSample, "BitsPerSample", "%d of photometric interpretation %d", bits, photo)
	case samples != wantSamples && !(photo == photoRGB && samples == 4):
		return refuse(tiffSamples, "SamplesPerPixel", "%d of photometric interpretation %d", samples, photo)
	case samples == 4 && (len(extra) != 1 || extra[0] != alphaAssociated && extra[0] != alphaStraight):
		return refuse(tiffExtraSamples, "ExtraSamples", "%v, want 1 or 2, alpha, for a fourth sample", extra)
	case d.fax() && (bits != 1 || photo == photoColors):
		return refuse(tiffCompression, "Compression", "%d, fax, of %d bits a sample and photometric interpretation %d", compression, bits, photo)
	case predictor == tiffFloat:
		return refuse(tiffPredictor, "Predictor", "3, of floating point, on integers")
	case predictor == 2 && (bits == 1 || !slices.Contains([]int{compressionLZW, compressionDeflate, compressionDeflate0}, compression)):
		return refuse(tiffPredictor, "Predictor", "2 of %d bits and compression %d, want 8 or 16 bits and LZW or deflate", bits, compression)
	}
	if n := 3 << bits; photo == photoColors && len(d.numbers(tiffColorMap, n+1)) != n {
		return fmt.Errorf("scanio: %w: tiff with ColorMap (tag %d) of %d values, want %d for %d bits", segd.ErrFormat, tiffColorMap, len(d.numbers(tiffColorMap, n+1)), n, bits)
	}
	return nil
}

// photometric is the photometric interpretation; where none is stated, grey whose
// black is 0, or RGB, and of a fax white that is 0.
func (d ifd) photometric() int {
	fallback := blackIsZero
	switch {
	case d.fax():
		fallback = whiteIsZero
	case d.value(tiffSamples, 1) >= 3:
		fallback = photoRGB
	}
	return d.value(tiffPhotometric, fallback)
}

// fax reports a page in one of the codes of ITU-T T.4 and T.6.
func (d ifd) fax() bool {
	c := d.value(tiffCompression, compressionNone)
	return c == compressionGroup3 || c == compressionGroup4
}
