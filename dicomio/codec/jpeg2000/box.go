package jpeg2000

import (
	"bytes"
	"encoding/binary"

	"segd/dicomio/codec"
)

// Boxes of the JP2 file format (15444-1 Annex I).
const (
	boxSignature  = "jP  "
	boxHeader     = "jp2h"
	boxColour     = "colr"
	boxCodestream = "jp2c"
)

// unwrap returns the codestream of src and the colour space that a JP2 wrapper
// names. PS3.5 A.4.4 forbids the wrapper; some writers leave it on.
func unwrap(src []byte) ([]byte, codec.Colour, error) {
	if len(src) < 12 || string(src[4:8]) != boxSignature {
		return src, codec.ColourUnknown, nil
	}
	colour := codec.ColourUnknown
	for rest := src; ; {
		kind, content, next, ok := nextBox(rest)
		switch {
		case !ok:
			return nil, 0, malformed("JP2 boxes without a codestream")
		case kind == boxCodestream:
			return content, colour, nil
		case kind == boxHeader:
			colour = headerColour(content)
		}
		rest = next
	}
}

// headerColour looks for an enumerated colour space in a jp2h box.
func headerColour(header []byte) codec.Colour {
	for {
		kind, content, next, ok := nextBox(header)
		if !ok {
			return codec.ColourUnknown
		}
		if kind == boxColour && len(content) >= 7 && content[0] == 1 {
			switch binary.BigEndian.Uint32(content[3:]) {
			case 16: // sRGB
				return codec.ColourRGB
			case 18: // sYCC
				return codec.ColourYCbCr
			}
		}
		header = next
	}
}

// nextBox splits the first box off b; its length counts its own header, 1 says
// that a length of 8 bytes follows, 0 that the box goes on to the end.
func nextBox(b []byte) (kind string, content, rest []byte, ok bool) {
	if len(b) < 8 {
		return "", nil, nil, false
	}
	length, head := uint64(binary.BigEndian.Uint32(b)), uint64(8)
	kind = string(b[4:8])
	if length == 1 && len(b) >= 16 {
		length, head = binary.BigEndian.Uint64(b[8:]), 16
	}
	if length == 0 || kind == boxCodestream && length > uint64(len(b)) && bytes.HasPrefix(b[head:], []byte{0xFF, 0x4F}) {
		length = uint64(len(b))
	}
	if length < head || length > uint64(len(b)) {
		return "", nil, nil, false
	}
	return kind, b[head:length], b[length:], true
}
