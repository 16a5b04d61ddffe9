package rle

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"testing"

	"segd"
	"segd/dicomio/codec"
)

// encode compresses a decoded frame: runs of three and more as runs, the rest
// literally. With sprinkle it puts in the code that stands for nothing.
func encode(pix []byte, l codec.Layout, sprinkle bool) []byte {
	width := l.BitsAllocated / 8
	n := width * l.Samples
	out := make([]byte, headerSize)
	binary.LittleEndian.PutUint32(out, uint32(n))
	for i := range n {
		binary.LittleEndian.PutUint32(out[4+4*i:], uint32(len(out)))
		var plane []byte
		for at := i/width*width + width - 1 - i%width; at < len(pix); at += n {
			plane = append(plane, pix[at])
		}
		run := func(p int) int {
			k := 1
			for p+k < len(plane) && k < 128 && plane[p+k] == plane[p] {
				k++
			}
			return k
		}
		for p := 0; p < len(plane); {
			if k := run(p); k > 2 {
				out = append(out, byte(1-k), plane[p])
				p += k
				continue
			}
			q := p
			for q < len(plane) && q-p < 128 && run(q) < 3 {
				q++
			}
			out = append(append(out, byte(q-p-1)), plane[p:q]...)
			p = q
			if sprinkle {
				out = append(out, 0x80)
			}
		}
		if len(out)%2 == 1 {
			out = append(out, 0)
		}
	}
	return out
}

// picture has runs, noise and slopes.
func picture(l codec.Layout, seed uint64) []byte {
	r := rand.New(rand.NewPCG(seed, 1))
	pix := make([]byte, l.Bytes())
	for p := 0; p < len(pix); {
		n, v, kind := 1+r.IntN(300), byte(r.Uint32()), r.IntN(3)
		for ; n > 0 && p < len(pix); n-- {
			pix[p] = v
			switch kind {
			case 0:
				v = byte(r.Uint32())
			case 1:
				v++
			}
			p++
		}
	}
	return pix
}

var layouts = []codec.Layout{
	{Rows: 1, Columns: 1, Samples: 1, BitsAllocated: 8},
	{Rows: 7, Columns: 129, Samples: 1, BitsAllocated: 8},
	{Rows: 31, Columns: 33, Samples: 1, BitsAllocated: 16},
	{Rows: 31, Columns: 33, Samples: 1, BitsAllocated: 32},
	{Rows: 64, Columns: 65, Samples: 3, BitsAllocated: 8},
	{Rows: 9, Columns: 65, Samples: 3, BitsAllocated: 16},
	{Rows: 9, Columns: 65, Samples: 3, BitsAllocated: 32},
}

func TestDecode(t *testing.T) {
	t.Parallel()
	for i, l := range layouts {
		for _, sprinkle := range []bool{false, true} {
			want := picture(l, uint64(i))
			got := make([]byte, l.Bytes())
			if _, err := Decode(got, encode(want, l, sprinkle), l); err != nil {
				t.Errorf("%+v: %v", l, err)
			} else if !bytes.Equal(got, want) {
				t.Errorf("%+v, sprinkled %t: wrong pixels", l, sprinkle)
			}
		}
	}
}

// TestByHand decodes the bytes of PS3.5 G.3.1's rules, written by hand.
func TestByHand(t *testing.T) {
	t.Parallel()
	l := codec.Layout{Rows: 1, Columns: 4, Samples: 1, BitsAllocated: 16}
	src := make([]byte, headerSize)
	for i, v := range []uint32{2, 64, 66} {
		binary.LittleEndian.PutUint32(src[4*i:], v)
	}
	src = append(src, 0xfd, 1, 1, 5, 6, 0xff, 7) // 1 1 1 1; 5 6 7 7
	got := make([]byte, 8)
	if _, err := Decode(got, src, l); err != nil || !bytes.Equal(got, []byte{5, 1, 6, 1, 7, 1, 7, 1}) {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()
	l := codec.Layout{Rows: 8, Columns: 40, Samples: 1, BitsAllocated: 16}
	whole := encode(picture(l, 3), l, false)
	dst := make([]byte, l.Bytes())
	for n := range len(whole) - 1 { // the last byte may be padding
		if _, err := Decode(dst, whole[:n:n], l); !errors.Is(err, segd.ErrFormat) {
			t.Fatalf("cut to %d of %d bytes: got %v, want segd.ErrFormat", n, len(whole), err)
		}
	}
	with := func(at int, v uint32) []byte {
		b := bytes.Clone(whole)
		binary.LittleEndian.PutUint32(b[at:], v)
		return b
	}
	tests := []struct {
		name string
		b    []byte
		want error
	}{
		{"no segments", with(0, 0), segd.ErrUnprocessable},
		{"three segments", with(0, 3), segd.ErrUnprocessable},
		{"4 billion segments", with(0, 0xffffffff), segd.ErrFormat},
		{"segment in the header", with(4, 10), segd.ErrFormat},
		{"segment behind the end", with(8, uint32(len(whole)+1)), segd.ErrFormat},
		{"segments in each other", with(8, 64), segd.ErrFormat},
		{"offset of 4 GiB", with(4, 0xfffffff0), segd.ErrFormat},
	}
	for _, tt := range tests {
		if _, err := Decode(dst, tt.b, l); !errors.Is(err, tt.want) {
			t.Errorf("%s: got %v, want %v", tt.name, err, tt.want)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for i, l := range layouts {
		if l.Rows < 32 {
			f.Add(encode(picture(l, uint64(i)), l, true), uint8(i))
		}
	}
	f.Fuzz(func(t *testing.T, src []byte, which uint8) {
		l := layouts[int(which)%len(layouts)]
		dst := make([]byte, l.Bytes())
		_, err := Decode(dst, src, l)
		if err != nil {
			if !errors.Is(err, segd.ErrFormat) && !errors.Is(err, segd.ErrUnprocessable) {
				t.Errorf("error of no kind: %v", err)
			}
			return
		}
		again := make([]byte, l.Bytes())
		if _, err := Decode(again, encode(dst, l, false), l); err != nil || !bytes.Equal(again, dst) {
			t.Errorf("encoded again it is not the same: %v", err)
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	for _, l := range []codec.Layout{
		{Rows: 512, Columns: 512, Samples: 1, BitsAllocated: 8},
		{Rows: 512, Columns: 512, Samples: 1, BitsAllocated: 16},
		{Rows: 512, Columns: 512, Samples: 3, BitsAllocated: 8},
	} {
		src, dst := encode(picture(l, 1), l, false), make([]byte, l.Bytes())
		b.Run(map[int]string{1: "grey", 3: "colour"}[l.Samples]+map[int]string{8: "8", 16: "16"}[l.BitsAllocated], func(b *testing.B) {
			b.SetBytes(int64(len(dst)))
			for b.Loop() {
				if _, err := Decode(dst, src, l); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
