package nifti

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"segd"
	"segd/internal/gunzip"
)

// sample describes a file for tests, written out element by element as the
// headers of the format have it.
type sample struct {
	version      int
	order        binary.ByteOrder
	dim          []int // from dim[1] on
	code, bits   int
	pixdim       [4]float64 // qfac, then distances
	slope, inter float64
	qform, sform int
	quatern      [6]float64 // b, c, d, offsets
	srow         [3][4]float64
	units        byte
	extension    int // bytes between header and values
	values       []byte
}

func (s sample) bytes() []byte {
	o := s.order
	b := make([]byte, size1)
	f := func(at1, at2, i int, v float64) {
		if s.version == 2 {
			o.PutUint64(b[at2+8*i:], math.Float64bits(v))
		} else {
			o.PutUint32(b[at1+4*i:], math.Float32bits(float32(v)))
		}
	}
	if s.version == 2 {
		b = make([]byte, size2)
		o.PutUint32(b, size2)
		copy(b[4:], "n+2\x00\r\n\x1a\n")
		o.PutUint64(b[16:], uint64(len(s.dim)))
		for i, n := range s.dim {
			o.PutUint64(b[24+8*i:], uint64(n))
		}
		o.PutUint16(b[12:], uint16(s.code))
		o.PutUint16(b[14:], uint16(s.bits))
		o.PutUint64(b[168:], uint64(size2+4+s.extension))
		o.PutUint32(b[344:], uint32(s.qform))
		o.PutUint32(b[348:], uint32(s.sform))
		o.PutUint32(b[500:], uint32(s.units))
		copy(b[240:], "a description")
	} else {
		o.PutUint32(b, size1)
		copy(b[344:], "n+1\x00")
		o.PutUint16(b[40:], uint16(len(s.dim)))
		for i, n := range s.dim {
			o.PutUint16(b[42+2*i:], uint16(n))
		}
		o.PutUint16(b[70:], uint16(s.code))
		o.PutUint16(b[72:], uint16(s.bits))
		f(108, 0, 0, float64(size1+4+s.extension))
		o.PutUint16(b[252:], uint16(s.qform))
		o.PutUint16(b[254:], uint16(s.sform))
		b[123] = s.units
		copy(b[148:], "a description")
	}
	for i, v := range s.pixdim {
		f(76, 104, i, v)
	}
	f(112, 176, 0, s.slope)
	f(116, 184, 0, s.inter)
	for i, v := range s.quatern {
		if i < 3 {
			f(256, 352, i, v)
		} else {
			f(268, 376, i-3, v)
		}
	}
	for r := range 3 {
		for c := range 4 {
			f(280+16*r, 400+32*r, c, s.srow[r][c])
		}
	}
	b = append(b, make([]byte, 4+s.extension)...)
	return append(b, s.values...)
}

// small is a volume of 2×3×2 voxels of int16, 0 to 11.
func small(version int, order appender) sample {
	s := sample{version: version, order: order, dim: []int{2, 3, 2}, code: 4, bits: 16, pixdim: [4]float64{1, 0.5, 0.75, 2}, units: 2}
	for i := range 12 {
		s.values = order.AppendUint16(s.values, uint16(i))
	}
	return s
}

type appender interface {
	binary.ByteOrder
	binary.AppendByteOrder
}

func (s sample) zipped(t testing.TB) []byte {
	t.Helper()
	return zip(t, s.bytes())
}

func zip(t testing.TB, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	if _, err := z.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func read(t *testing.T, b []byte) *Volume {
	t.Helper()
	v, err := Read(b)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestRead(t *testing.T) {
	t.Parallel()
	for _, order := range []appender{binary.LittleEndian, binary.BigEndian} {
		for _, version := range []int{1, 2} {
			for _, packed := range []bool{false, true} {
				s := sample{version: version, order: order, dim: []int{2, 3, 2}, code: 4, bits: 16, pixdim: [4]float64{1, 0.5, 0.75, 2}, units: 2, extension: 32}
				for i := range 12 {
					s.values = order.AppendUint16(s.values, uint16(int16(i-3)))
				}
				b := s.bytes()
				if packed {
					b = s.zipped(t)
				}
				if !Is(b) {
					t.Errorf("version %d, %v: not recognised", version, order)
				}
				v := read(t, b)
				if v.Version != version || v.Width != 2 || v.Height != 3 || v.Planes() != 2 || v.Channels != 1 || v.Type() != "int16" {
					t.Errorf("version %d, %v: %+v", version, order, v.Header)
				}
				got := make([]float32, 6)
				v.Plane(1, got)
				if diff := cmp.Diff([]float32{3, 4, 5, 6, 7, 8}, got); diff != "" {
					t.Errorf("version %d, %v, plane 1 (-want +got):\n%s", version, order, diff)
				}
				if want := (segd.Spacing{RowMM: 0.75, ColMM: 0.5, Source: "pixdim"}); v.Spacing() != want {
					t.Errorf("spacing %+v, want %+v", v.Spacing(), want)
				}
			}
		}
	}
}

// TestTypes reads the same whole numbers in every type.
func TestTypes(t *testing.T) {
	t.Parallel()
	put := map[int]func(appender, []byte, float64) []byte{
		2:    func(_ appender, b []byte, v float64) []byte { return append(b, uint8(v)) },
		4:    func(o appender, b []byte, v float64) []byte { return o.AppendUint16(b, uint16(int16(v))) },
		8:    func(o appender, b []byte, v float64) []byte { return o.AppendUint32(b, uint32(int32(v))) },
		16:   func(o appender, b []byte, v float64) []byte { return o.AppendUint32(b, math.Float32bits(float32(v))) },
		64:   func(o appender, b []byte, v float64) []byte { return o.AppendUint64(b, math.Float64bits(v)) },
		256:  func(_ appender, b []byte, v float64) []byte { return append(b, uint8(int8(v))) },
		512:  func(o appender, b []byte, v float64) []byte { return o.AppendUint16(b, uint16(v)) },
		768:  func(o appender, b []byte, v float64) []byte { return o.AppendUint32(b, uint32(v)) },
		1024: func(o appender, b []byte, v float64) []byte { return o.AppendUint64(b, uint64(int64(v))) },
		1280: func(o appender, b []byte, v float64) []byte { return o.AppendUint64(b, uint64(v)) },
	}
	signed := map[int]bool{4: true, 8: true, 16: true, 64: true, 256: true, 1024: true}
	for code, add := range put {
		for _, order := range []appender{binary.LittleEndian, binary.BigEndian} {
			values := []float32{0, 1, 2, 100}
			if signed[code] {
				values[3] = -100
			}
			s := sample{version: 1, order: order, dim: []int{2, 2}, code: code, pixdim: [4]float64{1, 1, 1, 1}}
			for _, v := range values {
				s.values = add(order, s.values, float64(v))
			}
			v := read(t, s.bytes())
			got := make([]float32, 4)
			v.Plane(0, got)
			if diff := cmp.Diff(values, got); diff != "" {
				t.Errorf("type %d, %v (-want +got):\n%s", code, order, diff)
			}
			s.slope, s.inter = 2, -1
			v = read(t, s.bytes())
			v.Plane(0, got)
			for i := range values {
				if want := 2*values[i] - 1; got[i] != want {
					t.Errorf("type %d scaled: got %g, want %g", code, got[i], want)
				}
			}
		}
	}
	for code, channels := range map[int]int{128: 3, 2304: 4} {
		s := sample{version: 1, order: binary.LittleEndian, dim: []int{2, 1, 1}, code: code}
		for i := range 2 * channels {
			s.values = append(s.values, byte(10*i))
		}
		v := read(t, s.bytes())
		got := make([]float32, 6)
		v.Plane(0, got)
		second := float32(10 * channels)
		if diff := cmp.Diff([]float32{0, 10, 20, second, second + 10, second + 20}, got); v.Channels != 3 || diff != "" {
			t.Errorf("type %d, %d channels (-want +got):\n%s", code, v.Channels, diff)
		}
		if _, err := v.Labels(0); !errors.Is(err, segd.ErrUnprocessable) {
			t.Errorf("labels in colour: %v", err)
		}
	}
}

func TestLabels(t *testing.T) {
	t.Parallel()
	s := sample{version: 1, order: binary.LittleEndian, dim: []int{3, 1}, code: 16}
	put := func(values ...float32) []byte {
		s.values = nil
		for _, v := range values {
			s.values = binary.LittleEndian.AppendUint32(s.values, math.Float32bits(v))
		}
		return s.bytes()
	}
	m, err := read(t, put(0, 2, 255)).Labels(0)
	if diff := cmp.Diff(&segd.Mask{Width: 3, Height: 1, Pix: []uint8{0, 2, 255}}, m); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
	m, err = read(t, put(0.9999, 2.0005, -0.0005)).Labels(0)
	if err != nil || !slices.Equal(m.Pix, []uint8{1, 2, 0}) {
		t.Errorf("nearly whole numbers: %v, %v", m, err)
	}
	for _, bad := range []float32{0.5, 0.99, -1, 256, float32(math.NaN()), float32(math.Inf(1))} {
		if _, err := read(t, put(0, bad, 1)).Labels(0); !errors.Is(err, segd.ErrUnprocessable) {
			t.Errorf("label %g: got %v", bad, err)
		}
	}
}

func near(a, b [3][4]float64, tolerance float64) bool {
	for r := range 3 {
		for c := range 4 {
			if math.Abs(a[r][c]-b[r][c]) > tolerance {
				return false
			}
		}
	}
	return true
}

func TestAffine(t *testing.T) {
	t.Parallel()
	s := small(1, binary.LittleEndian)
	s.sform, s.srow = 1, [3][4]float64{{-0.5, 0, 0, 10}, {0, 0.75, 0, -20}, {0, 0, 2, 5}}
	if v := read(t, s.bytes()); v.Affine != s.srow || v.From != "sform" {
		t.Errorf("sform: %v %s", v.Affine, v.From)
	}
	// Half a turn about the third axis: x and y change sign.
	s.sform, s.qform, s.quatern = 0, 1, [6]float64{0, 0, 1, 10, 20, 30}
	want := [3][4]float64{{-0.5, 0, 0, 10}, {0, -0.75, 0, 20}, {0, 0, 2, 30}}
	if v := read(t, s.bytes()); !near(v.Affine, want, 1e-6) || v.From != "qform" {
		t.Errorf("qform: %v %s", v.Affine, v.From)
	}
	s.pixdim[0] = -1
	want[2][2] = -2
	if v := read(t, s.bytes()); !near(v.Affine, want, 1e-6) {
		t.Errorf("qform with qfac -1: %v", v.Affine)
	}
	s.qform, s.units = 0, 3
	if got := read(t, s.bytes()).Spacing(); math.Abs(got.ColMM-0.0005) > 1e-9 {
		t.Errorf("micrometres: %+v", got)
	}
	s.sform, s.srow[1][2] = 1, math.NaN()
	if got := read(t, s.bytes()).Spacing(); got.Known() {
		t.Errorf("an affine that is not a number gives %+v", got)
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	le := binary.LittleEndian
	whole := small(1, le).bytes()
	change := func(f func(s *sample)) []byte {
		s := small(1, le)
		f(&s)
		return s.bytes()
	}
	patch := func(at int, v ...byte) []byte {
		b := bytes.Clone(whole)
		copy(b[at:], v)
		return b
	}
	packed := zip(t, whole)
	damaged := bytes.Clone(packed)
	damaged[len(damaged)-6] ^= 1 // of the checksum
	huge := small(2, le)
	huge.dim, huge.values = []int{1 << 40, 1 << 40, 2}, nil
	bomb := small(1, le)
	bomb.dim, bomb.values = []int{1000, 1000, 100}, nil
	for name, tt := range map[string]struct {
		b    []byte
		want error
	}{
		"empty":             {nil, segd.ErrFormat},
		"truncated header":  {whole[:200], segd.ErrFormat},
		"truncated values":  {whole[:len(whole)-1], segd.ErrFormat},
		"truncated gzip":    {packed[:len(packed)-20], segd.ErrFormat},
		"damaged gzip":      {damaged, segd.ErrFormat},
		"no axes":           {change(func(s *sample) { s.dim = nil }), segd.ErrFormat},
		"empty axis":        {change(func(s *sample) { s.dim = []int{2, 0, 2} }), segd.ErrFormat},
		"five axes":         {change(func(s *sample) { s.dim = []int{1, 1, 1, 1, 2} }), segd.ErrUnsupported},
		"complex":           {change(func(s *sample) { s.code = 32 }), segd.ErrUnsupported},
		"binary":            {change(func(s *sample) { s.code = 1 }), segd.ErrUnsupported},
		"no type":           {change(func(s *sample) { s.code = 0 }), segd.ErrUnsupported},
		"pair":              {patch(344, []byte("ni1\x00")...), segd.ErrUnsupported},
		"analyze":           {patch(344, 0, 0, 0, 0), segd.ErrUnsupported},
		"offset in header":  {patch(108, 0, 0, 0x80, 0x3f), segd.ErrFormat},
		"offset not finite": {patch(108, 0, 0, 0xc0, 0x7f), segd.ErrFormat},
		"huge":              {huge.bytes(), segd.ErrTooLarge},
		"many planes":       {change(func(s *sample) { s.dim = []int{1, 1, 30000} }), segd.ErrTooLarge},
		"much":              {change(func(s *sample) { s.dim = []int{10000, 1000, 200} }), segd.ErrTooLarge},
		"promises too much": {bomb.zipped(t), segd.ErrFormat},
	} {
		if _, err := Read(tt.b); !errors.Is(err, tt.want) {
			t.Errorf("%s: got %v, want %v", name, err, tt.want)
		}
	}
}

// FuzzRead reads anything: no panic, and no more than what the limits allow.
func FuzzRead(f *testing.F) {
	for _, version := range []int{1, 2} {
		s := small(version, binary.LittleEndian)
		f.Add(s.bytes())
		f.Add(s.zipped(f))
		s = small(version, binary.LittleEndian)
		s.order = binary.BigEndian
		f.Add(s.bytes())
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		v, err := Read(b)
		if err != nil {
			for _, kind := range []error{segd.ErrFormat, segd.ErrTooLarge, segd.ErrUnsupported} {
				if errors.Is(err, kind) {
					return
				}
			}
			t.Fatalf("an error of no kind: %v", err)
		}
		if len(v.data) > gunzip.Ratio*len(b) {
			t.Fatalf("%d bytes out of %d", len(v.data), len(b))
		}
		n := v.Width * v.Height * v.Channels
		v.Plane(v.Planes()-1, make([]float32, n))
		if _, err := v.Labels(0); err != nil && !errors.Is(err, segd.ErrUnprocessable) {
			t.Fatal(err)
		}
	})
}

// TestLabelsAt looks at a volume from images that lie in it in several ways.
func TestLabelsAt(t *testing.T) {
	t.Parallel()
	s := small(1, binary.LittleEndian) // 2×3×2, values 0 to 11
	s.sform, s.srow = 1, [3][4]float64{{-0.5, 0, 0, 10}, {0, 0.75, 0, -20}, {0, 0, 2, 5}}
	v := read(t, s.bytes())
	for name, tt := range map[string]struct {
		w, h                int
		origin, right, down [3]float64
		want                []uint8
		beyond              float64
	}{
		"as stored":    {2, 3, [3]float64{10, -20, 7}, [3]float64{-0.5, 0, 0}, [3]float64{0, 0.75, 0}, []uint8{6, 7, 8, 9, 10, 11}, 0},
		"upside down":  {2, 3, [3]float64{10, -18.5, 7}, [3]float64{-0.5, 0, 0}, [3]float64{0, -0.75, 0}, []uint8{10, 11, 8, 9, 6, 7}, 0},
		"another axis": {2, 2, [3]float64{10, -19.25, 5}, [3]float64{-0.5, 0, 0}, [3]float64{0, 0, 2}, []uint8{2, 3, 8, 9}, 0},
		"finer":        {4, 1, [3]float64{10.1, -20, 5.5}, [3]float64{-0.25, 0, 0}, [3]float64{0, 1, 0}, []uint8{0, 0, 1, 1}, 0},
		"outside":      {3, 1, [3]float64{10.5, -20, 5}, [3]float64{-0.5, 0, 0}, [3]float64{0, 1, 0}, []uint8{0, 0, 1}, 0.25},
	} {
		m, err := v.LabelsAt(tt.w, tt.h, tt.origin, tt.right, tt.down)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(tt.want, m.Pix); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if d := v.Beyond(tt.w, tt.h, tt.origin, tt.right, tt.down); math.Abs(d-tt.beyond) > 1e-9 {
			t.Errorf("%s: %g mm beyond, want %g", name, d, tt.beyond)
		}
	}
	v = read(t, small(1, binary.LittleEndian).bytes())
	if _, err := v.LabelsAt(1, 1, [3]float64{}, [3]float64{}, [3]float64{}); !errors.Is(err, segd.ErrUnprocessable) {
		t.Errorf("not placed: %v", err)
	}
}
