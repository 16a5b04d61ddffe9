package dicomio

import (
	"bytes"
	"compress/flate"
	"fmt"
	"io"
	"strings"

	"segd"
	"segd/dicomio/codec"
	"segd/dicomio/codec/jpeg"
	"segd/dicomio/codec/jpeg2000"
	"segd/dicomio/codec/jpegls"
	"segd/dicomio/codec/rle"
)

// UIDs of the transfer syntaxes that determine the encoding of a data set (PS3.5
// annex A). In every other supported syntax the data set is in explicit VR
// little endian and the pixels are in fragments.
const (
	implicitLE = "1.2.840.10008.1.2"
	explicitLE = "1.2.840.10008.1.2.1"
	explicitBE = "1.2.840.10008.1.2.2"
	deflatedLE = "1.2.840.10008.1.2.1.99"
)

// decoder is the entry point of a package beneath dicomio/codec.
type decoder func(dst, src []byte, l codec.Layout) (codec.Info, error)

// encapsulation is how a transfer syntax compresses a frame.
type encapsulation struct {
	name   string
	decode decoder
	form   form
	work   int // bytes that decoding takes for each sample, besides the result
	// start is what the first fragment of a frame begins with; empty: anything.
	start string
}

// form is how a decoder leaves a frame.
type form int

const (
	// Each sample has bytes of its own, and colour is interleaved.
	_ form = iota
	// packedSamples: likewise, but samples of 1 bit are eight to a byte.
	packedSamples
	// native: as the frame would lie uncompressed, in planes, 422 and all.
	native
)

// The first bytes of streams: the marker of JPEG and JPEG-LS, and the two of
// JPEG 2000 codestreams.
const (
	soi = "\xff\xd8\xff"
	soc = "\xff\x4f\xff\x51"
)

// encapsulations are the supported transfer syntaxes with frames in fragments
// (PS3.5 A.4, PS3.6 table A-1).
var encapsulations = map[string]encapsulation{
	"1.2.840.10008.1.2.1.98":  {name: "encapsulated, not compressed", decode: plain, form: native},
	"1.2.840.10008.1.2.4.50":  {name: "JPEG baseline", decode: jpeg.Decode, work: 2, start: soi},
	"1.2.840.10008.1.2.4.51":  {name: "JPEG extended", decode: jpeg.Decode, work: 2, start: soi},
	"1.2.840.10008.1.2.4.53":  {name: "JPEG spectral selection", decode: jpeg.Decode, work: 4, start: soi},
	"1.2.840.10008.1.2.4.55":  {name: "JPEG full progression", decode: jpeg.Decode, work: 4, start: soi},
	"1.2.840.10008.1.2.4.57":  {name: "JPEG lossless", decode: jpeg.Decode, start: soi},
	"1.2.840.10008.1.2.4.70":  {name: "JPEG lossless", decode: jpeg.Decode, start: soi},
	"1.2.840.10008.1.2.4.80":  {name: "JPEG-LS", decode: jpegls.Decode, start: soi},
	"1.2.840.10008.1.2.4.81":  {name: "JPEG-LS, near-lossless", decode: jpegls.Decode, start: soi},
	"1.2.840.10008.1.2.4.90":  {name: "JPEG 2000, lossless", decode: jpeg2000.Decode, work: 4, start: soc},
	"1.2.840.10008.1.2.4.91":  {name: "JPEG 2000", decode: jpeg2000.Decode, work: 4, start: soc},
	"1.2.840.10008.1.2.4.92":  {name: "JPEG 2000 part 2, lossless", decode: jpeg2000.Decode, work: 4, start: soc},
	"1.2.840.10008.1.2.4.93":  {name: "JPEG 2000 part 2", decode: jpeg2000.Decode, work: 4, start: soc},
	"1.2.840.10008.1.2.4.201": {name: "HTJ2K, lossless", decode: jpeg2000.Decode, work: 4, start: soc},
	"1.2.840.10008.1.2.4.202": {name: "HTJ2K, lossless, by resolution", decode: jpeg2000.Decode, work: 4, start: soc},
	"1.2.840.10008.1.2.4.203": {name: "HTJ2K", decode: jpeg2000.Decode, work: 4, start: soc},
	"1.2.840.10008.1.2.5":     {name: "RLE", decode: rle.Decode, form: packedSamples},
	"1.2.840.10008.1.2.8.1":   {name: "deflated frames", decode: inflateFrame, form: native},
}

// refused describes an unsupported transfer syntax, in parentheses, if it is
// known (PS3.6 table A-1).
func refused(syntax string) string {
	for prefix, what := range map[string]string{
		"1.2.840.10008.1.2.4.10":  "video",
		"1.2.840.10008.1.2.7.":    "video or sound",
		"1.2.840.10008.1.2.4.11":  "JPEG XL",
		"1.2.840.10008.1.2.4.94":  "pixels on a JPIP server",
		"1.2.840.10008.1.2.4.95":  "pixels on a JPIP server",
		"1.2.840.10008.1.2.4.204": "pixels on a JPIP server",
		"1.2.840.10008.1.2.4.205": "pixels on a JPIP server",
	} {
		if strings.HasPrefix(syntax, prefix) {
			return " (" + what + ")"
		}
	}
	return ""
}

// plain decodes frames that are encapsulated but not compressed.
func plain(dst, src []byte, _ codec.Layout) (codec.Info, error) {
	if len(src) < len(dst) {
		return codec.Info{}, fmt.Errorf("%w: truncated: %d bytes, want %d", segd.ErrFormat, len(src), len(dst))
	}
	copy(dst, src)
	return codec.Info{}, nil
}

// inflateFrame decodes deflated frames (PS3.5 A.4.13).
func inflateFrame(dst, src []byte, _ codec.Layout) (codec.Info, error) {
	if _, err := io.ReadFull(flate.NewReader(bytes.NewReader(src)), dst); err != nil {
		return codec.Info{}, fmt.Errorf("%w: the deflated frame is damaged or truncated", segd.ErrFormat)
	}
	return codec.Info{}, nil
}
