package jpegls

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"segd"
	"segd/dicomio/codec"
)

// scene returns samples with flat places, slopes, edges and noise.
func scene(l codec.Layout, precision int, seed uint64) []int {
	r := rand.New(rand.NewPCG(seed, 5))
	out := make([]int, l.Rows*l.Columns*l.Samples)
	top := 1 << precision
	for y := range l.Rows {
		for x := range l.Columns {
			v := (x*3 + y) * top / 1024
			dy, dx := y-l.Rows/2, x-l.Columns/2
			switch d := dy*dy + dx*dx; {
			case d < l.Rows*l.Rows/25:
				v = top / 2
			case d < l.Rows*l.Rows/9:
				v += top/3 + r.IntN(1+top/64)
			case x > 3*l.Columns/4 && y > l.Rows/2:
				v = r.IntN(top)
			}
			for i := range l.Samples {
				out[(y*l.Columns+x)*l.Samples+i] = min(max(v+i*(x&1), 0), top-1)
			}
		}
	}
	return out
}

func values(b []byte, l codec.Layout) []int {
	out := make([]int, l.Rows*l.Columns*l.Samples)
	for i := range out {
		switch l.BitsAllocated {
		case 8:
			out[i] = int(b[i])
		case 16:
			out[i] = int(binary.LittleEndian.Uint16(b[2*i:]))
		default:
			out[i] = int(binary.LittleEndian.Uint32(b[4*i:]))
		}
	}
	return out
}

func TestDecode(t *testing.T) {
	t.Parallel()
	seen := map[string]int{}
	for precision := 2; precision <= 16; precision++ {
		for _, near := range []int{0, 1, 3, 10} {
			if near > (1<<precision-1)/2 {
				continue
			}
			for _, l := range []codec.Layout{
				{Rows: 40, Columns: 53, Samples: 1, BitsAllocated: 16},
				{Rows: 33, Columns: 31, Samples: 3, BitsAllocated: 16},
				{Rows: 5, Columns: 1, Samples: 3, BitsAllocated: 32},
				{Rows: 20, Columns: 21, Samples: 3, BitsAllocated: 8},
			} {
				if precision > l.BitsAllocated {
					continue
				}
				samples := scene(l, precision, uint64(precision))
				for interleaving := byPlane; interleaving <= bySample; interleaving++ {
					for _, restart := range []int{0, 7} {
						e := &encoder{precision: precision, near: near, interleaving: interleaving, restart: restart}
						name := fmt.Sprintf("%d bits, near %d, interleaving %d, restart %d, %+v", precision, near, interleaving, restart, l)
						dst := make([]byte, l.Bytes())
						info, err := Decode(dst, e.encode(samples, l), l)
						if err != nil {
							t.Fatalf("%s: %v", name, err)
						}
						if info != (codec.Info{Precision: precision}) {
							t.Errorf("%s: info %+v", name, info)
						}
						for i, v := range values(dst, l) {
							if d := v - samples[i]; max(d, -d) > near {
								t.Fatalf("%s: sample %d is %d, want %d", name, i, v, samples[i])
							}
						}
						for k, n := range e.seen {
							seen[k] += n
						}
					}
				}
			}
		}
	}
	for _, k := range []string{"run", "end of a run", "turned", "escape"} {
		if seen[k] == 0 {
			t.Errorf("no stream has a case of %q", k)
		}
	}
}

// TestPreset sends parameters of the stream's own.
func TestPreset(t *testing.T) {
	t.Parallel()
	l := codec.Layout{Rows: 40, Columns: 53, Samples: 1, BitsAllocated: 16}
	for _, p := range []preset{
		{maxval: 1000}, {t1: 5, t2: 9, t3: 100}, {reset: 16}, {maxval: 4000, t1: 4, t2: 4, t3: 4, reset: 255},
	} {
		samples := scene(l, 12, 1)
		for i := range samples {
			if p.maxval > 0 {
				samples[i] = min(samples[i], p.maxval)
			}
		}
		e := &encoder{precision: 12, preset: p}
		dst := make([]byte, l.Bytes())
		if _, err := Decode(dst, e.encode(samples, l), l); err != nil {
			t.Errorf("%+v: %v", p, err)
			continue
		}
		for i, v := range values(dst, l) {
			if v != samples[i] {
				t.Fatalf("%+v: sample %d is %d, want %d", p, i, v, samples[i])
			}
		}
	}
}

// TestThresholds compares the defaults with those of T.87 table C.3.
func TestThresholds(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ maxval, near, t1, t2, t3 int }{
		{255, 0, 3, 7, 21}, {4095, 0, 18, 67, 276}, {65535, 0, 18, 67, 276}, {255, 3, 12, 22, 42}, {3, 0, 2, 3, 3},
	} {
		if t1, t2, t3 := thresholds(tt.maxval, tt.near); t1 != tt.t1 || t2 != tt.t2 || t3 != tt.t3 {
			t.Errorf("maxval %d, near %d: got %d, %d, %d, want %d, %d, %d", tt.maxval, tt.near, t1, t2, t3, tt.t1, tt.t2, tt.t3)
		}
	}
}

// TestExample decodes the image of T.87 H.3 (4×4 samples of 8 bits), whose
// stream the standard gives.
func TestExample(t *testing.T) {
	t.Parallel()
	src := []byte{
		0xff, 0xd8, 0xff, 0xf7, 0x00, 0x0b, 0x08, 0x00, 0x04, 0x00, 0x04, 0x01, 0x01, 0x11, 0x00,
		0xff, 0xda, 0x00, 0x08, 0x01, 0x01, 0x00, 0x00, 0x00, 0x00,
		0xc0, 0x00, 0x00, 0x6c, 0x80, 0x20, 0x8e, 0x01, 0xc0, 0x00, 0x00, 0x57, 0x40, 0x00, 0x00,
		0x6e, 0xe6, 0x00, 0x00, 0x01, 0xbc, 0x18, 0x00, 0x00, 0x05, 0xd8, 0x00, 0x00, 0x91, 0x60, 0xff, 0xd9,
	}
	want := []byte{0, 0, 90, 74, 68, 50, 43, 205, 64, 145, 145, 145, 100, 145, 145, 145}
	l := codec.Layout{Rows: 4, Columns: 4, Samples: 1, BitsAllocated: 8}
	got := make([]byte, l.Bytes())
	if _, err := Decode(got, src, l); err != nil || !bytes.Equal(got, want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()
	l := codec.Layout{Rows: 24, Columns: 40, Samples: 3, BitsAllocated: 8}
	samples := scene(l, 8, 1)
	dst := make([]byte, l.Bytes())
	for interleaving := byPlane; interleaving <= bySample; interleaving++ {
		e := &encoder{precision: 8, interleaving: interleaving, restart: 5}
		whole := e.encode(samples, l)
		for n := range len(whole) - 3 { // the last byte of the scan may be padding
			if _, err := Decode(dst, whole[:n:n], l); !errors.Is(err, segd.ErrFormat) {
				t.Fatalf("interleaving %d cut to %d of %d bytes: got %v, want segd.ErrFormat", interleaving, n, len(whole), err)
			}
		}
		for _, other := range []codec.Layout{
			{Rows: 23, Columns: 40, Samples: 3, BitsAllocated: 8}, {Rows: 24, Columns: 16384, Samples: 3, BitsAllocated: 8},
			{Rows: 24, Columns: 40, Samples: 1, BitsAllocated: 8},
		} {
			if _, err := Decode(make([]byte, other.Bytes()), whole, other); !errors.Is(err, segd.ErrUnprocessable) {
				t.Errorf("as %+v: got %v, want segd.ErrUnprocessable", other, err)
			}
		}
	}
	whole := (&encoder{precision: 8, interleaving: bySample, preset: preset{reset: 64}}).encode(samples, l)
	replace := func(m byte, at int, v ...byte) []byte {
		b := bytes.Clone(whole)
		i := bytes.Index(b, []byte{0xff, m})
		copy(b[i+2+at:], v)
		return b
	}
	tests := []struct {
		name string
		b    []byte
		want error
	}{
		{"nothing", nil, segd.ErrFormat},
		{"no image", []byte("GIF89a"), segd.ErrFormat},
		{"giant", replace(mSOF55, 3, 0xff, 0xff, 0xff, 0xff), segd.ErrUnprocessable},
		{"17 bits", replace(mSOF55, 2, 17), segd.ErrFormat},
		{"16 bits", replace(mSOF55, 2, 16), segd.ErrUnprocessable},
		{"subsampled", replace(mSOF55, 9, 0x22), segd.ErrUnsupported},
		{"baseline", replace(mSOF55, -1, 0xc0), segd.ErrUnsupported},
		{"mapping table", replace(mLSE, 2, 2), segd.ErrUnsupported},
		{"parameters of no kind", replace(mLSE, 2, 9), segd.ErrFormat},
		{"reset 1", replace(mLSE, 11, 0, 1), segd.ErrFormat},
		{"thresholds in disorder", replace(mLSE, 5, 0, 99, 0, 4), segd.ErrFormat},
		{"maxval of 9 bits", replace(mLSE, 3, 1, 0xff), segd.ErrFormat},
		{"component that is not there", replace(mSOS, 3, 9), segd.ErrFormat},
		{"one component twice", replace(mSOS, 5, 1), segd.ErrFormat},
		{"interleaving 3", replace(mSOS, 10, 3), segd.ErrFormat},
		{"planes together", replace(mSOS, 10, 0), segd.ErrFormat},
		{"near 200", replace(mSOS, 9, 200), segd.ErrFormat},
		{"point transform", replace(mSOS, 11, 1), segd.ErrUnsupported},
	}
	for _, tt := range tests {
		if _, err := Decode(dst, tt.b, l); !errors.Is(err, tt.want) {
			t.Errorf("%s: got %v, want %v", tt.name, err, tt.want)
		}
	}
}

var fuzzLayouts = []codec.Layout{
	{Rows: 17, Columns: 19, Samples: 1, BitsAllocated: 8},
	{Rows: 17, Columns: 19, Samples: 1, BitsAllocated: 16},
	{Rows: 17, Columns: 19, Samples: 3, BitsAllocated: 8},
}

func FuzzDecode(f *testing.F) {
	for i, l := range fuzzLayouts {
		for interleaving := byPlane; interleaving <= bySample; interleaving++ {
			e := &encoder{precision: l.BitsAllocated, near: interleaving, interleaving: interleaving, restart: 6 * interleaving}
			f.Add(e.encode(scene(l, l.BitsAllocated, 1), l), uint8(i))
		}
	}
	f.Fuzz(func(t *testing.T, src []byte, which uint8) {
		l := fuzzLayouts[int(which)%len(fuzzLayouts)]
		_, err := Decode(make([]byte, l.Bytes()), src, l)
		if err != nil && !errors.Is(err, segd.ErrFormat) && !errors.Is(err, segd.ErrUnprocessable) && !errors.Is(err, segd.ErrUnsupported) {
			t.Errorf("error of no kind: %v", err)
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	for _, tt := range []struct {
		name    string
		l       codec.Layout
		encoder encoder
	}{
		{"grey8", codec.Layout{Rows: 512, Columns: 512, Samples: 1, BitsAllocated: 8}, encoder{precision: 8}},
		{"grey12", codec.Layout{Rows: 512, Columns: 512, Samples: 1, BitsAllocated: 16}, encoder{precision: 12}},
		{"grey16", codec.Layout{Rows: 512, Columns: 512, Samples: 1, BitsAllocated: 16}, encoder{precision: 16}},
		{"near2", codec.Layout{Rows: 512, Columns: 512, Samples: 1, BitsAllocated: 16}, encoder{precision: 12, near: 2}},
		{"colour/line", codec.Layout{Rows: 512, Columns: 512, Samples: 3, BitsAllocated: 8}, encoder{precision: 8, interleaving: byLine}},
		{"colour/sample", codec.Layout{Rows: 512, Columns: 512, Samples: 3, BitsAllocated: 8}, encoder{precision: 8, interleaving: bySample}},
	} {
		src := tt.encoder.encode(scene(tt.l, tt.encoder.precision, 1), tt.l)
		dst := make([]byte, tt.l.Bytes())
		b.Run(tt.name, func(b *testing.B) {
			b.SetBytes(int64(len(dst)))
			for b.Loop() {
				if _, err := Decode(dst, src, tt.l); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(len(dst))/float64(len(src)), "ratio")
		})
	}
}
