package nifti

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"segd"
)

// pair parts a file into its header and its values, as .hdr and .img have them.
func (s sample) pair() (header, values []byte) {
	header = s.bytes()
	if s.version == 2 {
		copy(header[4:], "ni2\x00")
		s.order.PutUint64(header[168:], 0)
		return header[:size2], s.values
	}
	copy(header[344:], "ni1\x00")
	s.order.PutUint32(header[108:], 0)
	return header[:size1], s.values
}

// analyze is pair of ANALYZE 7.5.
func (s sample) analyze() (header, values []byte) {
	header, values = s.pair()
	copy(header[344:], "\x00\x00\x00\x00")
	return header, values
}

// A pair holds what the one file of both does.
func TestReadPair(t *testing.T) {
	t.Parallel()
	for _, version := range []int{1, 2} {
		for _, order := range []appender{binary.LittleEndian, binary.BigEndian} {
			s := small(version, order)
			s.sform, s.srow = 1, [3][4]float64{{-0.5, 0, 0, 3}, {0, 0.75, 0, 4}, {0, 0, 2, 5}}
			want := read(t, s.bytes())
			header, values := s.pair()
			for name, files := range map[string][2][]byte{
				"plain": {header, values}, "packed": {zip(t, header), zip(t, values)}, "packed values": {header, zip(t, values)},
				"padded": {header, append(append([]byte{}, zip(t, values)...), 0, 0, 0)},
			} {
				if !Is(files[0]) {
					t.Errorf("%s: not told", name)
				}
				v, err := ReadPair(files[0], files[1])
				if err != nil {
					t.Fatal(name, err)
				}
				if !v.Pair || v.Analyze || !bytes.Equal(v.data, want.data) || v.Affine != want.Affine || v.From != "sform" || v.Form() != want.Form() {
					t.Errorf("%s: %+v", name, v.Header)
				}
			}
			shifted := bytes.Clone(header)
			if version == 2 {
				order.PutUint64(shifted[168:], 16)
			} else {
				order.PutUint32(shifted[108:], math.Float32bits(16))
			}
			v, err := ReadPair(shifted, append(make([]byte, 16), values...))
			if err != nil || !bytes.Equal(v.data, want.data) {
				t.Errorf("from byte 16 on: %v", err)
			}
			// What is made of it is one file.
			w := LikeWriter(&v.Header, Masks)
			for range v.Planes() {
				if err := w.Add(segd.NewMask(2, 3)); err != nil {
					t.Fatal(err)
				}
			}
			var out bytes.Buffer
			if err := w.Write(&out); err != nil {
				t.Fatal(err)
			}
			if back := read(t, out.Bytes()); back.Pair || back.Affine != want.Affine {
				t.Errorf("written: %+v", back.Header)
			}
		}
	}
}

// ANALYZE 7.5 says sizes, types and distances, and not where the patient is.
func TestAnalyze(t *testing.T) {
	t.Parallel()
	for _, order := range []appender{binary.LittleEndian, binary.BigEndian} {
		s := small(1, order)
		s.dim = []int{2, 3, 2, 0}
		s.pixdim[1], s.pixdim[0] = -0.5, 77
		s.qform, s.sform, s.slope, s.inter = 258, 770, 2, 99 // of other fields; a scale, and nothing
		header, values := s.analyze()
		v, err := ReadPair(header, values)
		if err != nil {
			t.Fatal(err)
		}
		if !v.Analyze || v.Form() != "ANALYZE 7.5" || v.Placed() || v.Spacing().RowMM != 0.75 || v.Spacing().ColMM != 0.5 || v.Depth != 2 || v.Times != 1 {
			t.Errorf("%+v", v.Header)
		}
		plane := make([]float32, 6)
		if v.Plane(1, plane); !slices.Equal(plane, []float32{12, 14, 16, 18, 20, 22}) {
			t.Errorf("scaled values %v", plane)
		}
		if w := v.Warnings(); len(w) != 1 || !strings.Contains(w[0], "which side") {
			t.Errorf("warnings %q", w)
		}
		// Bytes that begin with the size of a header are not any header.
		for at, n := range map[int]uint16{40: 9, 42: 0, 44: 0xffff, 46: 0, 70: 3, 72: 7} {
			other := bytes.Clone(header)
			if order.PutUint16(other[at:], n); Is(other) {
				t.Errorf("%d at byte %d: still taken for a header", n, at)
			}
		}
	}
}

func TestReadPairRefused(t *testing.T) {
	t.Parallel()
	s := small(1, binary.LittleEndian)
	header, values := s.pair()
	bomb := small(1, binary.LittleEndian)
	bomb.dim = []int{1000, 1000, 100}
	big, _ := bomb.pair()
	for name, tt := range map[string]struct {
		header, values []byte
		want           error
	}{
		"one file":          {s.bytes(), values, segd.ErrFormat},
		"cut header":        {header[:200], values, segd.ErrFormat},
		"no values":         {header, nil, segd.ErrFormat},
		"cut values":        {header, values[:23], segd.ErrFormat},
		"cut compression":   {header, zip(t, values)[:20], segd.ErrFormat},
		"no compression":    {header, []byte("\x1f\x8b nothing"), segd.ErrFormat},
		"few packed values": {header, zip(t, values[:23]), segd.ErrFormat},
		"promises too much": {big, zip(t, values), segd.ErrFormat},
		"no header":         {values, values, segd.ErrFormat},
	} {
		if _, err := ReadPair(tt.header, tt.values); !errors.Is(err, tt.want) {
			t.Errorf("%s: got %v, want %v", name, err, tt.want)
		}
	}
	if _, err := Read(header); !errors.Is(err, segd.ErrUnsupported) {
		t.Errorf("a header alone: %v", err)
	}
}

// What a header says twice and differently is warned of, and what its values lack.
func TestWarnings(t *testing.T) {
	t.Parallel()
	form := [3][4]float64{{-0.5, 0, 0, 3}, {0, 0.75, 0, 4}, {0, 0, 2, 5}}
	floats := func(values ...float64) func(*sample) {
		return func(s *sample) {
			s.code, s.bits, s.values = 64, 64, nil
			for _, v := range values {
				s.values = binary.LittleEndian.AppendUint64(s.values, math.Float64bits(v))
			}
		}
	}
	numbers := []float64{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}
	some := slices.Clone(numbers)
	some[1], some[5], some[11] = math.NaN(), math.Inf(1), math.Inf(-1)
	for name, tt := range map[string]struct {
		change func(s *sample)
		want   []string
	}{
		"agree":           {func(*sample) {}, nil},
		"rounded":         {func(s *sample) { s.pixdim[3] = 2.05 }, nil},
		"turned":          {func(s *sample) { s.pixdim = [4]float64{1, 0.75, 0.5, 2} }, []string{"0.5×0.75×2 mm by the sform of the file and 0.75×0.5×2 mm by its pixdim"}},
		"ninefold":        {func(s *sample) { s.pixdim[3] = 18 }, []string{"0.5×0.75×2 mm by the sform of the file and 0.5×0.75×18 mm by its pixdim: the sform is used"}},
		"none":            {func(s *sample) { s.pixdim[3] = 0 }, nil},
		"no sform":        {func(s *sample) { s.sform, s.qform, s.pixdim[3] = 0, 1, 18 }, nil},
		"other unit":      {func(s *sample) { s.units = 3; s.pixdim[3] = 18 }, []string{"mm by its pixdim"}},
		"all numbers":     {floats(numbers...), nil},
		"not all of them": {floats(some...), []string{"3 of 12 values are no numbers (NaN or infinite)"}},
	} {
		s := small(1, binary.LittleEndian)
		s.sform, s.srow = 1, form
		tt.change(&s)
		got := read(t, s.bytes()).Warnings()
		if len(got) != len(tt.want) {
			t.Errorf("%s: %q", name, got)
			continue
		}
		for i, w := range tt.want {
			if !strings.Contains(got[i], w) {
				t.Errorf("%s: %q, want %q", name, got[i], w)
			}
		}
	}
}

// FuzzPair reads any two files as a pair.
func FuzzPair(f *testing.F) {
	for _, version := range []int{1, 2} {
		header, values := small(version, binary.LittleEndian).pair()
		f.Add(header, values)
	}
	header, values := small(1, binary.BigEndian).analyze()
	f.Add(header, values)
	f.Fuzz(func(t *testing.T, header, values []byte) {
		v, err := ReadPair(header, values)
		if err == nil {
			v.Plane(v.Planes()-1, make([]float32, v.Width*v.Height*v.Channels))
			_ = v.Warnings()
			return
		}
		for _, kind := range []error{segd.ErrFormat, segd.ErrTooLarge, segd.ErrUnsupported} {
			if errors.Is(err, kind) {
				return
			}
		}
		t.Fatalf("an error of no kind: %v", err)
	})
}
