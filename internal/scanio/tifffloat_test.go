package scanio

import (
	"bytes"
	"compress/zlib"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"math"
	"testing"

	"segd"
)

// floatPage is a page of floating point to write.
type floatPage struct {
	width, height int
	order         interface {
		binary.ByteOrder
		binary.AppendByteOrder
	}
	bytes        int // of a sample
	wide, high   int // of a tile; 0: strips of high rows
	deflate      bool
	tags         map[uint16]uint32 // over what it writes
	values       []float32
	cutOff       int // bytes missing of the last block
	missingBlock bool
}

func (p floatPage) write(t testing.TB) []byte {
	t.Helper()
	wide, high := p.wide, p.high
	if wide == 0 {
		wide = p.width
	}
	b := []byte("II*\x00\x00\x00\x00\x00")
	if p.order.Uint16([]byte{0, 1}) == 1 {
		b = []byte("MM\x00*\x00\x00\x00\x00")
	}
	var offsets, counts []uint32
	for y := 0; y < p.height; y += high {
		for x := 0; x < p.width; x += wide {
			var raw []byte
			for r := y; r < y+high && (p.wide > 0 || r < p.height); r++ {
				for c := x; c < x+wide; c++ {
					v := float32(-1)
					if r < p.height && c < p.width {
						v = p.values[r*p.width+c]
					}
					if p.bytes == 8 {
						raw = p.order.AppendUint64(raw, math.Float64bits(float64(v)))
					} else {
						raw = p.order.AppendUint32(raw, math.Float32bits(v))
					}
				}
			}
			if p.deflate {
				var z bytes.Buffer
				w := zlib.NewWriter(&z)
				_, _ = w.Write(raw)
				if err := w.Close(); err != nil {
					t.Fatal(err)
				}
				raw = z.Bytes()
			}
			offsets, counts = append(offsets, uint32(len(b))), append(counts, uint32(len(raw)-p.cutOff))
			b = append(b, raw...)
		}
	}
	if p.missingBlock {
		offsets = offsets[1:]
	}
	array := func(v []uint32) uint32 {
		if len(v) == 1 {
			return v[0]
		}
		at := uint32(len(b))
		for _, x := range v {
			b = p.order.AppendUint32(b, x)
		}
		return at
	}
	type entry struct {
		tag, kind uint16
		n, value  uint32
	}
	n := uint32(len(offsets))
	entries := []entry{{256, 4, 1, uint32(p.width)}, {257, 4, 1, uint32(p.height)}, {258, 3, 1, uint32(8 * p.bytes)}, {259, 3, 1, 1}, {262, 3, 1, 1}}
	if p.deflate {
		entries[3].value = 8
	}
	if p.wide > 0 {
		entries = append(entries, entry{322, 3, 1, uint32(p.wide)}, entry{323, 3, 1, uint32(p.high)}, entry{324, 4, n, array(offsets)}, entry{325, 4, uint32(len(counts)), array(counts)})
	} else {
		entries = append(entries, entry{273, 4, n, array(offsets)}, entry{278, 3, 1, uint32(p.high)}, entry{279, 4, uint32(len(counts)), array(counts)})
	}
	entries = append(entries, entry{339, 3, 1, 3})
	for tag, value := range p.tags {
		found := false
		for i := range entries {
			if entries[i].tag == tag {
				entries[i].value, found = value, true
			}
		}
		if !found {
			entries = append(entries, entry{tag, 3, 1, value})
		}
	}
	p.order.PutUint32(b[4:], uint32(len(b)))
	b = p.order.AppendUint16(b, uint16(len(entries)))
	for _, e := range entries {
		b = p.order.AppendUint32(p.order.AppendUint16(p.order.AppendUint16(b, e.tag), e.kind), e.n)
		if e.kind == 3 {
			b = p.order.AppendUint16(p.order.AppendUint16(b, uint16(e.value)), 0)
		} else {
			b = p.order.AppendUint32(b, e.value)
		}
	}
	return append(b, 0, 0, 0, 0)
}

// same compares values by their bits, except NaN.
func same(t *testing.T, name string, b []byte, want []float32) {
	t.Helper()
	for what, read := range map[string]func([]byte) (*segd.Scan, error){"image": Read, "values": ReadValues} {
		s, err := read(b)
		if err != nil {
			t.Errorf("%s as %s: %v", name, what, err)
			continue
		}
		img, err := s.Frame(0)
		if err != nil || img.Channels != 1 || len(img.Pix) != len(want) {
			t.Errorf("%s as %s: %+v, %v", name, what, img, err)
			continue
		}
		for i, v := range img.Pix {
			if v != want[i] && (v == v || want[i] == want[i]) {
				t.Errorf("%s as %s: value %d is %g, want %g", name, what, i, v, want[i])
				break
			}
		}
	}
}

// pillow are pages that Pillow 9 compressed, in base64.
var pillow = map[string]string{
	"LZW":                "SUkqADQAAACAACBQNgD+BBBgCg1m4nQJgH+BOAgRGJgCJM1mMwegAEHoiG8JINdQJAEeAgoAAAEDAAEAAAAEAAAAAQEDAAEAAAADAAAAAgEDAAEAAAAgAAAAAwEDAAEAAAAFAAAABgEDAAEAAAABAAAAEQEEAAEAAAAIAAAAFgEDAAEAAAADAAAAFwEEAAEAAAAsAAAAHAEDAAEAAAABAAAAUwEDAAEAAAADAAAAAAAAAA==",
	"LZW, predictor":     "SUkqADoAAACAAAfoFHLJgFAvJIAAA1pWFig/sGFoAQQuKwuMAAegc7I1Cq4Ev0mDwFO5mjM3pGAgAAsAAAEDAAEAAAAEAAAAAQEDAAEAAAADAAAAAgEDAAEAAAAgAAAAAwEDAAEAAAAFAAAABgEDAAEAAAABAAAAEQEEAAEAAAAIAAAAFgEDAAEAAAADAAAAFwEEAAEAAAAxAAAAHAEDAAEAAAABAAAAPQEDAAEAAAADAAAAUwEDAAEAAAADAAAAAAAAAA==",
	"deflate, predictor": "SUkqADwAAAB4nGOwb+zbdCAgbhIDQ/ZUBgaN+oMMDA0KDAxABAa27GW9res4//rYcL07a5w/EQBJ6Q4pCwAAAQMAAQAAAAQAAAABAQMAAQAAAAMAAAACAQMAAQAAACAAAAADAQMAAQAAAAgAAAAGAQMAAQAAAAEAAAARAQQAAQAAAAgAAAAWAQMAAQAAAAMAAAAXAQQAAQAAADQAAAAcAQMAAQAAAAEAAAA9AQMAAQAAAAMAAABTAQMAAQAAAAMAAAAAAAAA",
}

// Pages of floating point come as they are, in strips and tiles, of either byte
// order and size, and as another program compressed them.
func TestFloatTIFF(t *testing.T) {
	nan := float32(math.NaN())
	p := floatPage{width: 5, height: 7, order: binary.LittleEndian, bytes: 4, high: 7}
	for i := range 35 {
		p.values = append(p.values, float32(i)*1.25-7)
	}
	p.values[3], p.values[9] = nan, float32(math.Inf(1))
	for name, change := range map[string]func(*floatPage){
		"one strip": func(*floatPage) {}, "strips": func(p *floatPage) { p.high = 3 }, "a row each": func(p *floatPage) { p.high = 1 },
		"tiles": func(p *floatPage) { p.wide, p.high = 4, 2 }, "a large tile": func(p *floatPage) { p.wide, p.high = 16, 16 },
		"big endian": func(p *floatPage) { p.order, p.high = binary.BigEndian, 2 }, "64 bits": func(p *floatPage) { p.bytes = 8 },
		"deflate":              func(p *floatPage) { p.deflate, p.wide, p.high = true, 16, 16 },
		"without rows a strip": func(p *floatPage) { p.tags = map[uint16]uint32{278: 0} },
	} {
		q := p
		change(&q)
		same(t, name, q.write(t), p.values)
	}
	for name, text := range pillow {
		b, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		same(t, name, b, []float32{0, 1.5, -2.25, 1e9, nan, 7, 7, 7, 0.1, 1000.125, -1e-3, 65536})
	}
	for name, tt := range map[string]struct {
		change func(*floatPage)
		want   error
	}{
		"cut off": {func(p *floatPage) { p.cutOff = 1 }, segd.ErrFormat}, "cut off, deflate": {func(p *floatPage) { p.deflate, p.cutOff = true, 40 }, segd.ErrFormat},
		"a block too few": {func(p *floatPage) { p.high, p.missingBlock = 2, true }, segd.ErrFormat}, "no rows": {func(p *floatPage) { p.tags = map[uint16]uint32{257: 0} }, segd.ErrFormat},
		"promises too much": {func(p *floatPage) { p.tags = map[uint16]uint32{257: 9000} }, segd.ErrFormat},
		"colour":            {func(p *floatPage) { p.tags = map[uint16]uint32{277: 3} }, segd.ErrUnsupported}, "half": {func(p *floatPage) { p.tags = map[uint16]uint32{258: 16} }, segd.ErrUnsupported},
		"white is 0": {func(p *floatPage) { p.tags = map[uint16]uint32{262: 0} }, segd.ErrUnsupported}, "packed bits": {func(p *floatPage) { p.tags = map[uint16]uint32{259: 32773} }, segd.ErrUnsupported},
		"predictor of integers": {func(p *floatPage) { p.tags = map[uint16]uint32{317: 2} }, segd.ErrUnsupported},
		"wide tiles":            {func(p *floatPage) { p.wide, p.high, p.tags = 16, 16, map[uint16]uint32{322: 60000} }, segd.ErrTooLarge},
		"offset beyond":         {func(p *floatPage) { p.tags = map[uint16]uint32{273: 1 << 30} }, segd.ErrFormat},
	} {
		q := p
		tt.change(&q)
		if _, err := ReadValues(q.write(t)); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", name, err, tt.want)
		}
	}
	if _, err := ReadLabels(p.write(t)); !errors.Is(err, segd.ErrUnsupported) {
		t.Errorf("as a mask: %v", err)
	}
}
