package jpeg2000

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/csv"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"segd"
	"segd/dicomio/codec"
)

// A testStream is a line of testdata/streams.csv.
type testStream struct {
	name      string
	src       []byte
	layout    codec.Layout
	precision int
	signed    bool
	sum       string // SHA-256 of what OpenJPEG decodes it to
}

// testStreams returns the streams of testdata.
func testStreams(t testing.TB) []testStream {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", "streams.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var streams []testStream
	for _, row := range rows[1:] {
		number := func(i int) int { n, _ := strconv.Atoi(row[i]); return n }
		src, err := os.ReadFile(filepath.Join("testdata", row[0]))
		if err != nil {
			t.Fatal(err)
		}
		streams = append(streams, testStream{
			name: row[0], src: src,
			layout: codec.Layout{
				Rows: number(1), Columns: number(2), Samples: number(3), BitsAllocated: (number(4) + 7) / 8 * 8,
			},
			precision: number(4), signed: row[5] == "true", sum: row[7],
		})
	}
	return streams
}

// stream returns the stream of the given name.
func stream(t testing.TB, name string) testStream {
	t.Helper()
	for _, s := range testStreams(t) {
		if s.name == name {
			return s
		}
	}
	t.Fatalf("no stream %s", name)
	return testStream{}
}

func sum(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:])
}

// TestStreams holds every stream against the bits of the reference decoder.
func TestStreams(t *testing.T) {
	for _, s := range testStreams(t) {
		t.Run(s.name, func(t *testing.T) {
			dst := make([]byte, s.layout.Bytes())
			info, err := Decode(dst, s.src, s.layout)
			if err != nil {
				t.Fatal(err)
			}
			want := codec.Info{Precision: s.precision, Signed: s.signed}
			if s.layout.Samples >= 3 && info.Colour != codec.ColourUnknown {
				want.Colour = codec.ColourRGB
			}
			if diff := cmp.Diff(want, info); diff != "" {
				t.Error(diff)
			}
			if got := sum(dst); got != s.sum {
				t.Errorf("SHA-256 %s, want %s", got, s.sum)
			}
		})
	}
}

// TestColour: a component transform leaves RGB behind, whatever else the stream
// says; without one only a JP2 wrapper names a colour space.
func TestColour(t *testing.T) {
	for name, want := range map[string]codec.Colour{
		"rgb8-rct.j2k": codec.ColourRGB, "rgb8-ict.j2k": codec.ColourRGB,
		"rgb8-53.j2k": codec.ColourUnknown, "u8-53.j2k": codec.ColourUnknown,
		"wrapped.jp2": codec.ColourRGB, "ht-rgb8.j2c": codec.ColourRGB,
	} {
		s := stream(t, name)
		info, err := Decode(make([]byte, s.layout.Bytes()), s.src, s.layout)
		if err != nil || info.Colour != want {
			t.Errorf("%s: colour %d, %v, want %d", name, info.Colour, err, want)
		}
	}
}

// TestWide decodes into more bits than the stream has; signs go all the way up.
func TestWide(t *testing.T) {
	for _, name := range []string{"u8-53.j2k", "s8-53.j2k", "s12-97.j2k", "rgb8-ict.j2k"} {
		s := stream(t, name)
		narrow := make([]byte, s.layout.Bytes())
		if _, err := Decode(narrow, s.src, s.layout); err != nil {
			t.Fatal(err)
		}
		for _, bits := range []int{16, 32} {
			l := s.layout
			if l.BitsAllocated = bits; bits <= s.layout.BitsAllocated {
				continue
			}
			wide := make([]byte, l.Bytes())
			if _, err := Decode(wide, s.src, l); err != nil {
				t.Fatal(err)
			}
			from, to := s.layout.BitsAllocated/8, bits/8
			for i := range len(narrow) / from {
				want, got := value(narrow[i*from:][:from], s.signed), value(wide[i*to:][:to], s.signed)
				if got != want {
					t.Fatalf("%s in %d bits: sample %d is %d, want %d", name, bits, i, got, want)
				}
			}
		}
	}
}

func value(b []byte, signed bool) int {
	switch {
	case len(b) == 1 && signed:
		return int(int8(b[0]))
	case len(b) == 1:
		return int(b[0])
	case len(b) == 2 && signed:
		return int(int16(binary.LittleEndian.Uint16(b)))
	case len(b) == 2:
		return int(binary.LittleEndian.Uint16(b))
	case signed:
		return int(int32(binary.LittleEndian.Uint32(b)))
	default:
		return int(binary.LittleEndian.Uint32(b))
	}
}

// TestContradictions: the stream is held against the layout.
func TestContradictions(t *testing.T) {
	s := stream(t, "rgb12-rct.j2k")
	for name, l := range map[string]codec.Layout{
		"rows":    {Rows: s.layout.Rows + 1, Columns: s.layout.Columns, Samples: 3, BitsAllocated: 16},
		"columns": {Rows: s.layout.Rows, Columns: s.layout.Columns - 1, Samples: 3, BitsAllocated: 16},
		"samples": {Rows: s.layout.Rows, Columns: s.layout.Columns, Samples: 1, BitsAllocated: 16},
		"bits":    {Rows: s.layout.Rows, Columns: s.layout.Columns, Samples: 3, BitsAllocated: 8},
	} {
		if _, err := Decode(make([]byte, l.Bytes()), s.src, l); !errors.Is(err, segd.ErrUnprocessable) {
			t.Errorf("%s: %v, want %v", name, err, segd.ErrUnprocessable)
		}
	}
	if _, err := Decode(make([]byte, 5), s.src, s.layout); !errors.Is(err, segd.ErrUnprocessable) {
		t.Errorf("short dst: %v", err)
	}
}

// TestTruncated cuts streams at every byte: an error with a kind, or, where the
// cut is behind the last packet, the whole picture.
func TestTruncated(t *testing.T) {
	for _, name := range []string{"u8-97.j2k", "poc.j2k", "tile-parts.j2k", "ht-u8.j2c", "wrapped.jp2"} {
		s := stream(t, name)
		dst := make([]byte, s.layout.Bytes())
		for n := range s.src {
			clear(dst)
			_, err := Decode(dst, s.src[:n], s.layout)
			switch {
			case err == nil && sum(dst) != s.sum:
				t.Errorf("%s: %d of %d bytes decode to something else", name, n, len(s.src))
			case err != nil && kind(err) == nil:
				t.Errorf("%s: %d bytes: error without a kind: %v", name, n, err)
			}
		}
	}
}

// kind returns the kind of err that package codec allows, or nil.
func kind(err error) error {
	for _, k := range []error{segd.ErrFormat, segd.ErrUnprocessable, segd.ErrUnsupported} {
		if errors.Is(err, k) && strings.HasPrefix(err.Error(), "jpeg2000: ") {
			return k
		}
	}
	return nil
}

func ExampleDecode() {
	src, err := os.ReadFile("testdata/ht-u12.j2c")
	if err != nil {
		panic(err)
	}
	l := codec.Layout{Rows: 43, Columns: 59, Samples: 1, BitsAllocated: 16}
	dst := make([]byte, l.Bytes())
	info, err := Decode(dst, src, l)
	if err != nil {
		panic(err)
	}
	fmt.Println(info.Precision, info.Signed)
	// Output: 12 false
}
