package jpeg2000

import (
	"encoding/binary"

	"segd/dicomio/codec"
)

// Layout returns the layout that the header of a codestream or of a JP2 file announces,
// for files that nothing else describes, and whether its samples are signed. Nothing is
// decoded. A JP2 file whose samples are indices into a palette is segd.ErrUnsupported.
//
// Source: ISO/IEC 15444-1 A.5.1 (SIZ) and I.5.3.4 (the palette box).
func Layout(src []byte) (l codec.Layout, signed bool, err error) {
	b, _, err := unwrap(src)
	if err != nil {
		return l, false, err
	}
	if len(b) < 43 || binary.BigEndian.Uint32(b) != 0xFF4FFF51 {
		return l, false, malformed("a codestream that does not begin with SIZ")
	}
	at := func(i int) int { return int(binary.BigEndian.Uint32(b[i:])) }
	l = codec.Layout{Rows: at(12) - at(20), Columns: at(8) - at(16), Samples: int(binary.BigEndian.Uint16(b[40:])), BitsAllocated: 8}
	if l.Rows < 1 || l.Columns < 1 {
		return l, false, malformed("an image of %d×%d pixels", l.Rows, l.Columns)
	}
	switch precision := int(b[42]&0x7F) + 1; {
	case precision > 16:
		l.BitsAllocated = 32
	case precision > 8:
		l.BitsAllocated = 16
	}
	if hasPalette(src) {
		return l, false, unsupported("samples that are indices into a palette")
	}
	return l, b[42]&0x80 != 0, nil
}

// hasPalette looks for a palette box in the header box of a JP2 file.
func hasPalette(src []byte) bool {
	for {
		kind, content, next, ok := nextBox(src)
		switch {
		case !ok || kind == boxCodestream || kind == boxPalette:
			return kind == boxPalette && ok
		case kind == boxHeader:
			src = content // all else that counts lies in it
		default:
			src = next
		}
	}
}

// boxPalette is the type of the palette box.
const boxPalette = "pclr"
