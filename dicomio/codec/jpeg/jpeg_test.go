package jpeg

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"segd"
	"segd/dicomio/codec"
)

// samples returns what a decoded picture should be, by the definition of the
// transform (T.81 A.3.3) in float64; subsampled components are repeated, or
// interpolated where smooth says so.
func (p *picture) samples(smooth bool) []float64 {
	n := len(p.h)
	out := make([]float64, p.l.Rows*p.l.Columns*n)
	half, limit := math.Exp2(float64(p.precision-1)), math.Exp2(float64(p.precision))-1
	for i := range n {
		width, height := ceil(p.l.Columns*p.h[i], p.hmax), ceil(p.l.Rows*p.v[i], p.vmax)
		plane := make([]float64, width*height)
		for y := range height {
			for x := range width {
				c := &p.coef[i][y/8*p.stride[i]+x/8]
				sum := 0.0
				for k, v := range c {
					if v == 0 {
						continue
					}
					fy, fx := float64(zigzag[k]/8), float64(zigzag[k]%8)
					s := float64(v * p.q[k])
					if fy == 0 {
						s /= math.Sqrt2
					}
					if fx == 0 {
						s /= math.Sqrt2
					}
					sum += s / 4 * math.Cos(float64(2*(x%8)+1)*fx*math.Pi/16) * math.Cos(float64(2*(y%8)+1)*fy*math.Pi/16)
				}
				plane[y*width+x] = min(max(math.Round(sum+half), 0), limit)
			}
		}
		// near returns the samples to either side of the centre of x, and how
		// much the second one counts.
		near := func(x, f, fmax, size int) (int, int, float64) {
			if !smooth || fmax != 2*f {
				return x * f / fmax, x * f / fmax, 0
			}
			return x / 2, min(max(x/2-1+x&1*2, 0), size-1), 0.25
		}
		for y := range p.l.Rows {
			for x := range p.l.Columns {
				y0, y1, wy := near(y, p.v[i], p.vmax, height)
				x0, x1, wx := near(x, p.h[i], p.hmax, width)
				at := func(y, x int) float64 { return plane[y*width+x] }
				out[(y*p.l.Columns+x)*n+i] = (1-wy)*((1-wx)*at(y0, x0)+wx*at(y0, x1)) + wy*((1-wx)*at(y1, x0)+wx*at(y1, x1))
			}
		}
	}
	return out
}

// values returns decoded samples as numbers.
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

func decode(t *testing.T, src []byte, l codec.Layout) ([]byte, codec.Info) {
	t.Helper()
	dst := make([]byte, l.Bytes())
	info, err := Decode(dst, src, l)
	if err != nil {
		t.Fatal(err)
	}
	return dst, info
}

// TestLossy holds pictures against the definition of the transform. The
// integer transform may round the other way, so samples may be off by one;
// where interpolation adds two further roundings, by two.
func TestLossy(t *testing.T) {
	t.Parallel()
	tests := []struct {
		h, v   []int
		smooth bool
	}{
		{[]int{1}, []int{1}, false},
		{[]int{2}, []int{2}, false},
		{[]int{1, 1, 1}, []int{1, 1, 1}, false},
		{[]int{2, 1, 1}, []int{1, 1, 1}, true},
		{[]int{2, 1, 1}, []int{2, 1, 1}, true},
		{[]int{1, 1, 1}, []int{2, 1, 1}, false},
		{[]int{4, 1, 1}, []int{1, 1, 1}, false},
		{[]int{2, 2, 1}, []int{1, 1, 1}, true},
		{[]int{3, 1, 2}, []int{1, 1, 1}, false},
	}
	for i, tt := range tests {
		for _, precision := range []int{8, 12} {
			for _, size := range [][2]int{{16, 16}, {1, 1}, {37, 29}} {
				l := codec.Layout{Rows: size[0], Columns: size[1], Samples: len(tt.h), BitsAllocated: 8}
				if precision > 8 {
					l.BitsAllocated = 16
				}
				p := newPicture(l, precision, tt.h, tt.v, uint64(i))
				want := p.samples(tt.smooth && size[0] > 1)
				for _, f := range []form{{}, {restart: 3}, {apart: true}, {apart: true, restart: 2}, {progressive: true}, {progressive: true, restart: 4}} {
					name := fmt.Sprintf("%v×%v, %d bits, %d×%d, %+v", tt.h, tt.v, precision, size[0], size[1], f)
					got, info := decode(t, p.encode(f), l)
					if info.Precision != precision {
						t.Errorf("%s: precision %d", name, info.Precision)
					}
					for j, v := range values(got, l) {
						tolerance := 1.0
						if tt.smooth {
							tolerance = 2
						}
						if d := math.Abs(float64(v) - want[j]); d > tolerance {
							t.Fatalf("%s: sample %d is %d, want %v", name, j, v, want[j])
						}
					}
				}
			}
		}
	}
}

// TestFormsAgree decodes one picture from every form of stream to the very
// same samples.
func TestFormsAgree(t *testing.T) {
	t.Parallel()
	l := codec.Layout{Rows: 100, Columns: 75, Samples: 3, BitsAllocated: 8}
	p := newPicture(l, 8, []int{2, 1, 1}, []int{2, 1, 1}, 5)
	want, _ := decode(t, p.encode(form{}), l)
	for _, f := range []form{{restart: 1}, {apart: true}, {progressive: true}, {progressive: true, restart: 5}} {
		if got, _ := decode(t, p.encode(f), l); !bytes.Equal(got, want) {
			t.Errorf("%+v: other samples than in one scan", f)
		}
	}
}

// noise returns samples of some bits that are smooth in places.
func noise(l codec.Layout, precision int, seed uint64) []int {
	r := rand.New(rand.NewPCG(seed, 3))
	out := make([]int, l.Rows*l.Columns*l.Samples)
	v := 0
	for i := range out {
		switch r.IntN(8) {
		case 0:
			v = r.IntN(1 << precision)
		default:
			v += r.IntN(5) - 2
		}
		v &= 1<<precision - 1
		out[i] = v
	}
	return out
}

func TestLossless(t *testing.T) {
	t.Parallel()
	for precision := 2; precision <= 16; precision++ {
		for predictor := 1; predictor <= 7; predictor++ {
			for _, l := range []codec.Layout{
				{Rows: 19, Columns: 23, Samples: 1, BitsAllocated: 16},
				{Rows: 11, Columns: 7, Samples: 3, BitsAllocated: 16},
				{Rows: 5, Columns: 1, Samples: 1, BitsAllocated: 32},
				{Rows: 9, Columns: 8, Samples: 3, BitsAllocated: 8},
			} {
				if precision > l.BitsAllocated {
					continue
				}
				samples := noise(l, precision, uint64(precision))
				for _, f := range []lossless{{}, {pt: 1}, {restart: 2}, {apart: true}, {apart: true, restart: 3}} {
					f.precision, f.predictor = precision, predictor
					got, info := decode(t, f.encode(samples, l), l)
					if info != (codec.Info{Precision: precision}) {
						t.Errorf("%+v, %+v: info %+v", f, l, info)
					}
					for i, v := range values(got, l) {
						if want := samples[i] >> f.pt << f.pt; v != want {
							t.Fatalf("%+v, %+v: sample %d is %d, want %d", f, l, i, v, want)
						}
					}
				}
			}
		}
	}
}

func TestColour(t *testing.T) {
	t.Parallel()
	l := codec.Layout{Rows: 8, Columns: 8, Samples: 3, BitsAllocated: 8}
	p := newPicture(l, 8, []int{1, 1, 1}, []int{1, 1, 1}, 1)
	app := func(m byte, s string) []byte {
		w := &writer{}
		w.segment(m, []byte(s)...)
		return w.out
	}
	jfif := app(mAPP0, "JFIF\x00\x01\x02\x00\x00\x01\x00\x01\x00\x00")
	adobe := func(transform string) []byte { return app(mAPP14, "Adobe\x00\x64\x00\x00\x00\x00"+transform) }
	tests := []struct {
		name    string
		markers []byte
		want    codec.Colour
	}{
		{"none", nil, codec.ColourUnknown},
		{"jfif", jfif, codec.ColourYCbCr},
		{"adobe rgb", adobe("\x00"), codec.ColourRGB},
		{"adobe ycc", adobe("\x01"), codec.ColourYCbCr},
		{"both", append(bytes.Clone(jfif), adobe("\x00")...), codec.ColourRGB},
	}
	for _, tt := range tests {
		if _, info := decode(t, p.encode(form{markers: tt.markers}), l); info.Colour != tt.want {
			t.Errorf("%s: colour %d, want %d", tt.name, info.Colour, tt.want)
		}
	}
	f := lossless{precision: 8, predictor: 1, markers: jfif}
	if _, info := decode(t, f.encode(noise(l, 8, 1), l), l); info.Colour != codec.ColourUnknown {
		t.Errorf("lossless with jfif: colour %d, want none", info.Colour)
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()
	l := codec.Layout{Rows: 24, Columns: 40, Samples: 3, BitsAllocated: 8}
	p := newPicture(l, 8, []int{2, 1, 1}, []int{1, 1, 1}, 9)
	f := lossless{precision: 8, predictor: 4}
	dst := make([]byte, l.Bytes())
	for name, whole := range map[string][]byte{
		"sequential":  p.encode(form{restart: 2}),
		"progressive": p.encode(form{progressive: true}),
		"lossless":    f.encode(noise(l, 8, 2), l),
	} {
		for n := range len(whole) - 2 {
			if _, err := Decode(dst, whole[:n:n], l); !errors.Is(err, segd.ErrFormat) {
				t.Fatalf("%s cut to %d of %d bytes: got %v, want segd.ErrFormat", name, n, len(whole), err)
			}
		}
		for _, other := range []codec.Layout{
			{Rows: 23, Columns: 40, Samples: 3, BitsAllocated: 8}, {Rows: 24, Columns: 16384, Samples: 3, BitsAllocated: 8},
			{Rows: 24, Columns: 40, Samples: 1, BitsAllocated: 8},
		} {
			if _, err := Decode(make([]byte, other.Bytes()), whole, other); !errors.Is(err, segd.ErrUnprocessable) {
				t.Errorf("%s as %+v: got %v, want segd.ErrUnprocessable", name, other, err)
			}
		}
	}
	whole := p.encode(form{})
	// replace writes v at some bytes behind marker m.
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
		{"giant", replace(mSOF0, 3, 0xff, 0xff, 0xff, 0xff), segd.ErrUnprocessable},
		{"no columns", replace(mSOF0, 5, 0, 0), segd.ErrUnprocessable},
		{"no sampling", replace(mSOF0, 9, 0), segd.ErrFormat},
		{"sampling 5", replace(mSOF0, 9, 0x51), segd.ErrFormat},
		{"12 bits baseline", replace(mSOF0, 2, 12), segd.ErrFormat},
		{"quantisation table 4", replace(mSOF0, 10, 4), segd.ErrFormat},
		{"arithmetic", replace(mSOF0, -1, 0xc9), segd.ErrUnsupported},
		{"hierarchical", replace(mSOF0, -1, 0xc5), segd.ErrUnsupported},
		{"too many codes", replace(mDHT, 3, 3), segd.ErrFormat},
		{"many symbols", replace(mDHT, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff), segd.ErrFormat},
		{"no codes", replace(mDHT, 3, make([]byte, 16)...), segd.ErrFormat},
		{"component that is not there", replace(mSOS, 3, 9), segd.ErrFormat},
		{"Huffman table that is not there", replace(mSOS, 4, 0x33), segd.ErrFormat},
		{"one component twice", replace(mSOS, 5, 1), segd.ErrFormat},
		{"no end", replace(mSOS, -2, 0, 0), segd.ErrFormat},
	}
	for _, tt := range tests {
		if _, err := Decode(dst, tt.b, l); !errors.Is(err, tt.want) {
			t.Errorf("%s: got %v, want %v", tt.name, err, tt.want)
		}
	}
}

// TestIncompleteTable meets a code that a table leaves over.
func TestIncompleteTable(t *testing.T) {
	t.Parallel()
	l := codec.Layout{Rows: 8, Columns: 8, Samples: 1, BitsAllocated: 8}
	b := newPicture(l, 8, []int{1}, []int{1}, 1).encode(form{})
	i := bytes.Index(b, []byte{0xff, mSOS}) + 10
	for k := i; k < len(b)-2; k++ {
		b[k] = 0x7e // 0111 1110: not all ones, and long
	}
	copy(b[i:], []byte{0xff, 0, 0xff, 0, 0xff, 0})
	if _, err := Decode(make([]byte, 64), b, l); !errors.Is(err, segd.ErrFormat) {
		t.Errorf("got %v, want segd.ErrFormat", err)
	}
}

// TestScanBomb sends the same small scan over and over.
func TestScanBomb(t *testing.T) {
	t.Parallel()
	l := codec.Layout{Rows: 64, Columns: 64, Samples: 1, BitsAllocated: 8}
	p := newPicture(l, 8, []int{1}, []int{1}, 1)
	w := &writer{out: p.encode(form{progressive: true})}
	w.out = w.out[:len(w.out)-2]
	for range 100 {
		w.scan(p, form{progressive: true}, []int{0}, 1, 63, 1, 0)
	}
	if _, err := Decode(make([]byte, l.Bytes()), append(w.out, 0xff, mEOI), l); !errors.Is(err, segd.ErrFormat) {
		t.Errorf("got %v, want segd.ErrFormat", err)
	}
}

var fuzzLayouts = []codec.Layout{
	{Rows: 17, Columns: 19, Samples: 1, BitsAllocated: 8},
	{Rows: 17, Columns: 19, Samples: 1, BitsAllocated: 16},
	{Rows: 17, Columns: 19, Samples: 3, BitsAllocated: 8},
}

func FuzzDecode(f *testing.F) {
	for i, l := range fuzzLayouts {
		h := [][]int{{1}, {2, 1, 1}}[l.Samples/3]
		p := newPicture(l, min(12, l.BitsAllocated), h, h, 1)
		f.Add(p.encode(form{restart: 3}), uint8(i))
		f.Add(p.encode(form{progressive: true}), uint8(i))
		f.Add(lossless{precision: l.BitsAllocated, predictor: 7, restart: 5}.encode(noise(l, l.BitsAllocated, 1), l), uint8(i))
	}
	f.Fuzz(func(t *testing.T, src []byte, which uint8) {
		l := fuzzLayouts[int(which)%len(fuzzLayouts)]
		_, err := Decode(make([]byte, l.Bytes()), src, l)
		if err != nil && !errors.Is(err, segd.ErrFormat) && !errors.Is(err, segd.ErrUnprocessable) && !errors.Is(err, segd.ErrUnsupported) {
			t.Errorf("error of no kind: %v", err)
		}
	})
}
