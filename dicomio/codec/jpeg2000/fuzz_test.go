package jpeg2000

import (
	"encoding/binary"
	"testing"

	"segd/dicomio/codec"
)

// FuzzDecode decodes anything into the layout that it announces itself, if that
// is small: no panic, and no error without a kind.
func FuzzDecode(f *testing.F) {
	for _, s := range testStreams(f) {
		f.Add(s.src)
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		l := announced(src)
		if _, err := Decode(make([]byte, l.Bytes()), src, l); err != nil && kind(err) == nil {
			t.Errorf("error without a kind: %v", err)
		}
	})
}

// announced returns the layout of the SIZ marker of src, as far as it is small.
func announced(src []byte) codec.Layout {
	l := codec.Layout{Rows: 43, Columns: 59, Samples: 1, BitsAllocated: 16}
	b, _, err := unwrap(src)
	if err != nil || len(b) < 43 {
		return l
	}
	at := func(i int) int { return int(binary.BigEndian.Uint32(b[i:])) }
	rows, columns := at(12)-at(20), at(8)-at(16)
	if rows > 0 && columns > 0 && rows <= 256 && columns <= 256 {
		l.Rows, l.Columns = rows, columns
	}
	if n := int(b[40])<<8 | int(b[41]); n == 3 || n == 4 {
		l.Samples = n
	}
	if b[42]&0x7F > 15 {
		l.BitsAllocated = 32
	}
	return l
}
