package jpeg

import (
	"testing"

	"segd/dicomio/codec"
)

// scene returns samples like those of a scan: structures, slopes and noise in
// the lowest bits.
func scene(l codec.Layout, precision int) []int {
	out := make([]int, l.Rows*l.Columns*l.Samples)
	noise := uint32(1)
	for y := range l.Rows {
		for x := range l.Columns {
			noise = noise*1664525 + 1013904223
			v := (x + y) << precision >> 11
			if dy, dx := y-l.Rows/2, x-l.Columns/2; dy*dy+dx*dx < l.Rows*l.Rows/9 {
				v += 1 << precision >> 1
			}
			for i := range l.Samples {
				out[(y*l.Columns+x)*l.Samples+i] = v + int(noise>>29) + i
			}
		}
	}
	return out
}

func BenchmarkDecode(b *testing.B) {
	grey8 := codec.Layout{Rows: 512, Columns: 512, Samples: 1, BitsAllocated: 8}
	grey16 := codec.Layout{Rows: 512, Columns: 512, Samples: 1, BitsAllocated: 16}
	colour := codec.Layout{Rows: 512, Columns: 512, Samples: 3, BitsAllocated: 8}
	one, three := []int{1}, []int{1, 1, 1}
	halves := newPicture(colour, 8, []int{2, 1, 1}, []int{2, 1, 1}, 1)
	tests := []struct {
		name string
		l    codec.Layout
		src  []byte
	}{
		{"baseline/grey", grey8, newPicture(grey8, 8, one, one, 1).encode(form{})},
		{"baseline/444", colour, newPicture(colour, 8, three, three, 1).encode(form{})},
		{"baseline/420", colour, halves.encode(form{})},
		{"extended/12", grey16, newPicture(grey16, 12, one, one, 1).encode(form{})},
		{"progressive/grey", grey8, newPicture(grey8, 8, one, one, 1).encode(form{progressive: true})},
		{"progressive/420", colour, halves.encode(form{progressive: true})},
		{"lossless/1/12", grey16, lossless{precision: 12, predictor: 1}.encode(scene(grey16, 12), grey16)},
		{"lossless/1/16", grey16, lossless{precision: 16, predictor: 1}.encode(scene(grey16, 16), grey16)},
		{"lossless/4/12", grey16, lossless{precision: 12, predictor: 4}.encode(scene(grey16, 12), grey16)},
		{"lossless/7/12", grey16, lossless{precision: 12, predictor: 7}.encode(scene(grey16, 12), grey16)},
		{"lossless/1/colour", colour, lossless{precision: 8, predictor: 1}.encode(scene(colour, 7), colour)},
	}
	for _, tt := range tests {
		dst := make([]byte, tt.l.Bytes())
		b.Run(tt.name, func(b *testing.B) {
			b.SetBytes(int64(len(dst)))
			for b.Loop() {
				if _, err := Decode(dst, tt.src, tt.l); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
