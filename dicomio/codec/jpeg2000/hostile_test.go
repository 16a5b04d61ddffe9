package jpeg2000

import (
	"bytes"
	"encoding/binary"
	"errors"
	"runtime"
	"testing"
	"time"

	"segd"
	"segd/dicomio/codec"
	"segd/dicomio/dicomtest"
)

// A forgery is a codestream made by hand, with sizes that no encoder chooses.
type forgery struct {
	width, height, tileWidth, tileHeight int
	samples                              int
	order, layers, transform             int
	levels, blockWidth, blockHeight      int // exponents less 2, as in the stream
	style, wavelet                       int
	precincts                            []byte
	main                                 []byte // more marker segments
	body                                 []byte // of each tile
}

// bytes returns the codestream with as many tiles as it has, up to count.
func (f forgery) bytes(count int) []byte {
	b := []byte{0xFF, 0x4F}
	siz := binary.BigEndian.AppendUint16(nil, 0)
	for _, v := range []int{f.width, f.height, 0, 0, f.tileWidth, f.tileHeight, 0, 0} {
		siz = binary.BigEndian.AppendUint32(siz, uint32(v))
	}
	siz = binary.BigEndian.AppendUint16(siz, uint16(f.samples))
	for range f.samples {
		siz = append(siz, 15, 1, 1)
	}
	b = append(b, marker(markSIZ, siz)...)
	flag := byte(0)
	if f.precincts != nil {
		flag = 1
	}
	cod := []byte{flag, byte(f.order), byte(f.layers >> 8), byte(f.layers), byte(f.transform),
		byte(f.levels), byte(f.blockWidth), byte(f.blockHeight), byte(f.style), byte(f.wavelet)}
	b = append(b, marker(markCOD, append(cod, f.precincts...))...)
	b = append(b, marker(markQCD, append([]byte{0x40}, bytes.Repeat([]byte{16 << 3}, 3*f.levels+1)...))...)
	b = append(b, f.main...)
	for i := range count {
		b = append(b, 0xFF, 0x90, 0, 10, byte(i>>8), byte(i))
		b = binary.BigEndian.AppendUint32(b, uint32(14+len(f.body)))
		b = append(b, 0, 1, 0xFF, 0x93)
		b = append(b, f.body...)
	}
	return append(b, 0xFF, 0xD9)
}

// marker returns a marker segment.
func marker(m int, content []byte) []byte {
	b := binary.BigEndian.AppendUint16(nil, uint16(m))
	b = binary.BigEndian.AppendUint16(b, uint16(2+len(content)))
	return append(b, content...)
}

// TestHostile: whatever sizes a stream claims, it takes little time and, beyond
// itself and dst, no more than 256 MiB.
func TestHostile(t *testing.T) {
	noise := make([]byte, 1<<20)
	random := uint32(1)
	for i := range noise {
		random = random*1664525 + 1013904223
		if noise[i] = byte(random >> 24); noise[i] > 0x8F {
			noise[i] &= 0x7F // no markers
		}
	}
	small := forgery{width: 64, height: 64, tileWidth: 64, tileHeight: 64, samples: 1, layers: 1, levels: 1, blockWidth: 4, blockHeight: 4, wavelet: 1, body: noise[:4096]}
	giant := small
	giant.width, giant.height, giant.tileWidth, giant.tileHeight = 8192, 4096, 8192, 4096
	giant.body = noise
	with := func(f forgery, change func(f *forgery)) forgery { change(&f); return f }
	changes := bytes.Repeat([]byte{0, 0, 0xFF, 0xFF, 33, 1, 2}, 9000)
	for _, c := range []struct {
		name  string
		f     forgery
		tiles int
		want  error // nil: anything with a kind, or none
	}{
		{"larger than announced", with(small, func(f *forgery) { f.width = 1 << 30 }), 1, segd.ErrUnprocessable},
		{"no area", with(small, func(f *forgery) { f.width = 0 }), 1, segd.ErrFormat},
		{"no tile", with(small, func(f *forgery) { f.tileWidth = 0 }), 1, segd.ErrFormat},
		{"no layers", with(small, func(f *forgery) { f.layers = 0 }), 1, segd.ErrFormat},
		{"too many levels", with(small, func(f *forgery) { f.levels = 33 }), 1, segd.ErrFormat},
		{"large blocks", with(small, func(f *forgery) { f.blockWidth, f.blockHeight = 8, 8 }), 1, segd.ErrFormat},
		{"precincts of no size", with(small, func(f *forgery) { f.precincts = []byte{0, 0} }), 1, segd.ErrFormat},
		{"unknown progression", with(small, func(f *forgery) { f.order = 5 }), 1, segd.ErrFormat},
		{"tile index", small, 2, segd.ErrFormat},
		{"RCT of one component", with(small, func(f *forgery) { f.transform = 1 }), 1, segd.ErrFormat},
		{"array transform", with(small, func(f *forgery) { f.transform = 2 }), 1, segd.ErrUnsupported},
		{"mixed blocks", with(small, func(f *forgery) { f.style = 0xC0 }), 1, segd.ErrUnsupported},
		{"empty body", with(small, func(f *forgery) { f.body = nil }), 1, nil},
		{"noise", small, 1, nil},
		{"noise in HT", with(small, func(f *forgery) { f.style = styleHT }), 1, nil},
		{"32768 tiles", with(giant, func(f *forgery) { f.tileWidth, f.tileHeight, f.levels, f.body = 32, 32, 32, nil }), 32768, nil},
		{"tiles missing", with(giant, func(f *forgery) { f.tileWidth, f.tileHeight = 32, 32 }), 1, segd.ErrFormat},
		{"more tiles than there can be", with(giant, func(f *forgery) { f.tileWidth, f.tileHeight = 1, 1 }), 1, segd.ErrFormat},
		{"one giant tile", giant, 1, nil},
		{"one giant tile, many levels", with(giant, func(f *forgery) { f.levels = 32 }), 1, nil},
		{"one giant tile in 9/7", with(giant, func(f *forgery) { f.wavelet, f.levels = 0, 5 }), 1, nil},
		{"one giant tile in HT", with(giant, func(f *forgery) { f.style = styleHT }), 1, nil},
		{"giant tiles of three components", with(giant, func(f *forgery) { f.samples, f.transform = 3, 1 }), 1, segd.ErrUnsupported},
		{"tiny blocks", with(giant, func(f *forgery) { f.blockWidth, f.blockHeight = 0, 0 }), 1, nil},
		{"tiny precincts", with(giant, func(f *forgery) { f.precincts = []byte{0x11, 0x11} }), 1, segd.ErrUnsupported},
		{"tiny precincts, few", with(small, func(f *forgery) { f.precincts = []byte{0x00, 0x11}; f.layers = 65535; f.body = noise }), 1, nil},
		{"layers without end", with(small, func(f *forgery) { f.layers = 65535; f.body = noise }), 1, nil},
		{"layers of nothing", with(small, func(f *forgery) { f.layers = 65535; f.body = make([]byte, 1<<20) }), 1, nil},
		{"progressions without end", with(small, func(f *forgery) {
			f.main = append(marker(markPOC, changes), marker(markPOC, changes)...)
			f.precincts = []byte{0x00, 0x11}
			f.layers, f.body = 20, make([]byte, 1<<20)
		}), 1, segd.ErrFormat},
		{"pieces without end", with(small, func(f *forgery) {
			f.style, f.layers, f.blockWidth, f.blockHeight = styleTermAll, 65535, 0, 0
			f.body = bytes.Repeat([]byte{0xFE}, 4<<20)
		}), 1, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			if testing.Short() && (c.f.height > 64 || len(c.f.body) >= 1<<20) {
				t.Skip("takes long under the race detector")
			}
			src := c.f.bytes(c.tiles)
			l := codec.Layout{Rows: min(c.f.height, 4096), Columns: max(1, min(c.f.width, 8192)), Samples: c.f.samples, BitsAllocated: 16}
			dst := make([]byte, l.Bytes())
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			start := time.Now()
			_, err := Decode(dst, src, l)
			took := time.Since(start)
			runtime.ReadMemStats(&after)
			if err != nil && kind(err) == nil || c.want != nil && !errors.Is(err, c.want) {
				t.Errorf("%v, want %v", err, c.want)
			}
			allocated := (after.TotalAlloc - before.TotalAlloc) >> 20
			if took > dicomtest.Hung || allocated > 256 {
				t.Errorf("%v and %d MiB for %d bytes", took, allocated, len(src))
			}
			t.Logf("%v, %d MiB: %v", took, allocated, err)
		})
	}
}
