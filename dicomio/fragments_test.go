package dicomio_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"image"
	"image/color"
	"image/jpeg"
	"math"
	"strings"
	"testing"

	"segd"
	"segd/dicomio"
	"segd/dicomio/dicomtest"
	"segd/dicomio/tag"
)

const (
	encapsulatedLE = "1.2.840.10008.1.2.1.98"
	rleLossless    = "1.2.840.10008.1.2.5"
	deflatedFrames = "1.2.840.10008.1.2.8.1"
	jpegBaseline   = "1.2.840.10008.1.2.4.50"
	jpegLossless   = "1.2.840.10008.1.2.4.70"
	jpegLS         = "1.2.840.10008.1.2.4.80"
)

// offsets returns an offset table of 32 or 64 bits an entry.
func offsets(bits int, values ...int) []byte {
	var out []byte
	for _, v := range values {
		if bits == 64 {
			out = binary.LittleEndian.AppendUint64(out, uint64(v))
		} else {
			out = binary.LittleEndian.AppendUint32(out, uint32(v))
		}
	}
	return out
}

// example is the stream of T.87 H.3, 4×4 samples, and their values.
func example() (stream, values []byte) {
	return []byte("\xff\xd8\xff\xf7\x00\x0b\x08\x00\x04\x00\x04\x01\x01\x11\x00\xff\xda\x00\x08\x01\x01\x00\x00\x00\x00" +
			"\xc0\x00\x00\x6c\x80\x20\x8e\x01\xc0\x00\x00\x57\x40\x00\x00\x6e\xe6\x00\x00\x01\xbc\x18\x00\x00\x05\xd8\x00\x00\x91\x60\xff\xd9"),
		[]byte{0, 0, 90, 74, 68, 50, 43, 205, 64, 145, 145, 145, 100, 145, 145, 145}
}

// TestFragments assembles three frames of four bytes from fragments in every
// way that the standard has, and some that it does not.
func TestFragments(t *testing.T) {
	a, b, c := []byte{1, 2, 3, 4}, []byte{5, 6, 7, 8}, []byte{9, 10, 11, 12}
	want := bytes.Join([][]byte{a, b, c}, nil)
	none := []byte{}
	extended := func(v ...int) []dicomtest.Element {
		return []dicomtest.Element{
			{Tag: tag.ExtendedOffsetTable, VR: "OV", Value: offsets(64, v...)},
			{Tag: tag.ExtendedOffsetTableLengths, VR: "OV", Value: offsets(64, 4, 4, 4)},
		}
	}
	tests := []struct {
		name     string
		items    [][]byte
		elements []dicomtest.Element
		warning  string
	}{
		{"no table", [][]byte{none, a, b, c}, nil, ""},
		{"table", [][]byte{offsets(32, 0, 12, 24), a, b, c}, nil, ""},
		{"table, many fragments", [][]byte{offsets(32, 0, 20, 32), a[:2], a[2:], b, c[:2], c[2:]}, nil, ""},
		{"extended table", [][]byte{none, a, b, c}, extended(0, 12, 24), ""},
		{"extended table, many fragments", [][]byte{none, a[:2], a[2:], b, c}, extended(0, 20, 32), ""},
		{"both tables", [][]byte{offsets(32, 0, 12, 24), a, b, c}, extended(0, 12, 24), ""},
		{"empty fragments", [][]byte{none, none, a, none, b, none, c, none}, nil, ""},
		{"table, empty fragments", [][]byte{offsets(32, 0, 20, 32), a, none, b, c, none}, nil, ""},
		{"table out of range", [][]byte{offsets(32, 0, 12, 2400), a, b, c}, nil, "offset table"},
		{"table in disorder", [][]byte{offsets(32, 0, 24, 12), a, b, c}, nil, "offset table"},
		{"table of one frame", [][]byte{offsets(32, 0), a, b, c}, nil, "offset table"},
		{"table between fragments", [][]byte{offsets(32, 0, 13, 24), a, b, c}, nil, "offset table"},
		{"table of the first frame over and over", [][]byte{offsets(32, 0, 0, 0), a, b, c}, nil, "offset table"},
		{"extended table of 16 EiB", [][]byte{none, a, b, c}, extended(0, -1, -1), "offset table"},
		{"extended table that does not begin at 0", [][]byte{none, a, b, c}, extended(12, 24, 36), "offset table"},
	}
	for _, tt := range tests {
		file := dicomtest.Write(dicomtest.File{
			Syntax: encapsulatedLE, Rows: 2, Columns: 2, Frames: 3, Allocated: 8, Encapsulated: tt.items, Elements: tt.elements,
		})
		var got bytes.Buffer
		if err := dicomio.WriteStored(&got, file); err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if !bytes.Equal(got.Bytes(), want) {
			t.Errorf("%s: got %v, want %v", tt.name, got.Bytes(), want)
		}
		s, _ := frame(t, file, 2)
		if told := strings.Join(s.Warnings, "; "); (tt.warning == "") != (told == "") || !strings.Contains(told, tt.warning) {
			t.Errorf("%s: warnings %q, want %q", tt.name, told, tt.warning)
		}
	}
}

// TestFragmentsByStart tells frames apart by what they begin with, where no
// table does.
func TestFragmentsByStart(t *testing.T) {
	stream, values := example()
	f := dicomtest.File{
		Syntax: jpegLS, Rows: 4, Columns: 4, Frames: 2, Allocated: 8,
		Encapsulated: [][]byte{{}, stream[:20], stream[20:30], stream[30:], stream[:40], stream[40:]},
	}
	var got bytes.Buffer
	if err := dicomio.WriteStored(&got, dicomtest.Write(f)); err != nil || !bytes.Equal(got.Bytes(), append(bytes.Clone(values), values...)) {
		t.Errorf("got %v, %v", got.Bytes(), err)
	}
	f.Frames = 1
	f.Encapsulated = [][]byte{offsets(32, 0), stream[:20], stream[20:30], stream[30:]}
	got.Reset()
	if err := dicomio.WriteStored(&got, dicomtest.Write(f)); err != nil || !bytes.Equal(got.Bytes(), values) {
		t.Errorf("one frame: got %v, %v", got.Bytes(), err)
	}
	s, _ := frame(t, dicomtest.Write(f), 0)
	if steps := strings.Join(s.Steps, "; "); !strings.Contains(steps, "transfer syntax "+jpegLS) || !strings.Contains(steps, "decoded from JPEG-LS") {
		t.Errorf("steps %q", steps)
	}
	f.Frames, f.Encapsulated = 3, [][]byte{{}, stream[:20], stream[20:30], stream[30:], stream[:40], stream[40:]}
	if _, err := dicomio.Read(dicomtest.Write(f)); !errors.Is(err, segd.ErrUnprocessable) {
		t.Errorf("two frames for three: got %v, want segd.ErrUnprocessable", err)
	}
}

// TestNativeInFragments reads frames that lie in fragments as they would lie
// uncompressed: in planes, 422, of one bit each from a byte of its own.
func TestNativeInFragments(t *testing.T) {
	tests := []struct {
		name   string
		file   dicomtest.File
		frames [][]byte
		want   []byte
	}{
		{"planes", dicomtest.File{Columns: 2, Samples: 3, Allocated: 8, Photometric: "RGB", Planar: 1}, [][]byte{{1, 2, 3, 4, 5, 6}, {7, 8, 9, 10, 11, 12}}, []byte{1, 3, 5, 2, 4, 6, 7, 9, 11, 8, 10, 12}},
		{"422", dicomtest.File{Columns: 2, Samples: 3, Allocated: 8, Photometric: "YBR_FULL_422"}, [][]byte{{10, 20, 30, 40}, {1, 2, 3, 4}}, []byte{10, 30, 40, 20, 30, 40, 1, 3, 4, 2, 3, 4}},
		{"1 bit", dicomtest.File{Columns: 9, Allocated: 1}, [][]byte{{0b1, 1}, {0b10, 0}}, []byte{1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0}},
		{"16 bits", dicomtest.File{Columns: 2}, [][]byte{words(1, 2), words(300, 4)}, words(1, 2, 300, 4)},
	}
	for _, tt := range tests {
		tt.file.Rows, tt.file.Frames = 1, 2
		for _, syntax := range []string{encapsulatedLE, deflatedFrames} {
			items := [][]byte{{}}
			for _, b := range tt.frames {
				if syntax == deflatedFrames {
					b = dicomtest.Deflate(b)
				}
				items = append(items, b)
			}
			tt.file.Syntax, tt.file.Encapsulated = syntax, items
			var got bytes.Buffer
			if err := dicomio.WriteStored(&got, dicomtest.Write(tt.file)); err != nil || !bytes.Equal(got.Bytes(), tt.want) {
				t.Errorf("%s, %s: got %v, %v, want %v", tt.name, syntax, got.Bytes(), err, tt.want)
			}
		}
	}
}

// runs is a stream of run lengths: n bytes 0 in each of some segments.
func runs(segments, n int) []byte {
	out := make([]byte, 64)
	binary.LittleEndian.PutUint32(out, uint32(segments))
	for i := range segments {
		binary.LittleEndian.PutUint32(out[4+4*i:], uint32(len(out)))
		out = append(out, bytes.Repeat([]byte{0x81, 0}, (n+127)/128)...)
	}
	return out
}

// TestHostileFrames reads compressed frames that were made to harm.
func TestHostileFrames(t *testing.T) {
	stream, _ := example()
	file := func(syntax string, rows, cols int, items ...[]byte) dicomtest.File {
		return dicomtest.File{Syntax: syntax, Rows: rows, Columns: cols, Allocated: 8, Encapsulated: append([][]byte{{}}, items...)}
	}
	ls := func(rows, cols int, items ...[]byte) dicomtest.File { return file(jpegLS, rows, cols, items...) }
	frames := func(f dicomtest.File, n int) dicomtest.File { f.Frames = n; return f }
	deep := func(f dicomtest.File, allocated, samples int) dicomtest.File {
		f.Allocated, f.Samples = allocated, samples
		if samples == 3 {
			f.Photometric = "RGB"
		}
		return f
	}
	baseline := func(rows, cols int) []byte {
		return []byte{0xff, 0xd8, 0xff, 0xc0, 0, 11, 8, byte(rows >> 8), byte(rows), byte(cols >> 8), byte(cols), 1, 1, 0x11, 0}
	}
	tests := []struct {
		name   string
		file   dicomtest.File
		want   error
		memory uint64 // MiB
	}{
		{"truncated", ls(4, 4, stream[:40]), segd.ErrFormat, 1},
		{"other rows", ls(5, 4, stream), segd.ErrUnprocessable, 1},
		{"other columns", ls(4, 16384, stream), segd.ErrUnprocessable, 1},
		{"other samples", deep(ls(4, 4, stream), 8, 3), segd.ErrUnprocessable, 1},
		{"giant header", file(jpegBaseline, 8, 8, baseline(65535, 65535)), segd.ErrUnprocessable, 1},
		{"giant and empty", file(jpegBaseline, 8192, 8192, baseline(8192, 8192)), segd.ErrTooLarge, 1},
		{"large and empty", file(jpegBaseline, 4096, 4096, []byte{0xff, 0xd8}), segd.ErrFormat, 20},
		{"progressive, large and empty", file(jpegBaseline, 4096, 4096, bytes.Replace(baseline(4096, 4096), []byte{0xc0}, []byte{0xc2}, 1)), segd.ErrFormat, 60},
		{"run length bomb", file(rleLossless, 8192, 8192, runs(1, 8192*8192)), segd.ErrTooLarge, 1},
		{"run length bomb in colour", deep(file(rleLossless, 5000, 5000, runs(6, 5000*5000)), 16, 3), segd.ErrTooLarge, 1},
		{"deflate bomb", file(deflatedFrames, 8192, 8192, dicomtest.Deflate(make([]byte, 8192*8192))), segd.ErrTooLarge, 1},
		{"short run lengths", file(rleLossless, 100, 100, runs(1, 5000)), segd.ErrFormat, 1},
		{"short deflated frame", file(deflatedFrames, 100, 100, dicomtest.Deflate(make([]byte, 5000))), segd.ErrFormat, 1},
		{"many empty fragments", ls(4, 4, make([][]byte, 190_000)...), segd.ErrFormat, 24},
		{"many empty fragments, many frames", frames(ls(4, 4, make([][]byte, 190_000)...), 2000), segd.ErrUnprocessable, 24},
		{"more fragments than are read", ls(4, 4, make([][]byte, 300_000)...), segd.ErrTooLarge, 1},
		{"no fragments", ls(4, 4), segd.ErrUnprocessable, 1},
		{"more frames than fragments", frames(ls(4, 4, stream), 2000), segd.ErrUnprocessable, 1},
		{"a stream far longer than its pixels", ls(4, 4, stream, make([]byte, 8<<20)), segd.ErrTooLarge, 1},
		{"uncompressed instead", dicomtest.File{Syntax: jpegLS, Rows: 4, Columns: 4, Pixels: make([]byte, 40)}, segd.ErrFormat, 1},
		{"signed colour", dicomtest.File{Syntax: jpegLS, Rows: 4, Columns: 4, Samples: 3, Photometric: "RGB", Signed: true, Encapsulated: [][]byte{{}, stream}}, segd.ErrUnprocessable, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if err := bounds(t, dicomtest.Write(tt.file), tt.memory<<20); !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
	if testing.Short() {
		return
	}
	// What just goes through stays within the bounds of memory and time.
	for _, f := range []dicomtest.File{
		file(rleLossless, 6600, 6600, runs(1, 6600*6600)),
		deep(file(rleLossless, 4200, 4200, runs(3, 4200*4200)), 8, 3),
		file(deflatedFrames, 6600, 6600, dicomtest.Deflate(make([]byte, 6600*6600))),
	} {
		if err := bounds(t, dicomtest.Write(f), 256<<20); err != nil {
			t.Errorf("%s, %d×%d: %v", f.Syntax, f.Rows, f.Columns, err)
		}
	}
}

// TestCompressedDamaged changes bytes of a compressed file at random.
func TestCompressedDamaged(t *testing.T) {
	stream, _ := example()
	rounds := 20000
	if testing.Short() {
		rounds = 2000
	}
	whole := dicomtest.Write(dicomtest.File{Syntax: jpegLS, Rows: 4, Columns: 4, Frames: 2, Allocated: 8, Encapsulated: [][]byte{offsets(32, 0, 78), stream[:20], stream[20:], stream}})
	damage(t, whole, rounds, 132)
}

// TestNotCompressed reads pixels that are there as they are, whatever the
// transfer syntax says.
func TestNotCompressed(t *testing.T) {
	s, img := frame(t, dicomtest.Write(dicomtest.File{Syntax: jpegLossless, Rows: 1, Columns: 3, Pixels: words(7, 8, 9)}), 0)
	if img.Pix[2] != 9 || !strings.Contains(strings.Join(s.Warnings, ";"), "not compressed") {
		t.Errorf("got %v, warnings %q", img.Pix, s.Warnings)
	}
}

// TestVideo is refused by name, and so are syntaxes that no decoder is for.
func TestVideo(t *testing.T) {
	for _, uid := range []string{
		"1.2.840.10008.1.2.4.100", "1.2.840.10008.1.2.4.101", "1.2.840.10008.1.2.4.102", "1.2.840.10008.1.2.4.103",
		"1.2.840.10008.1.2.4.104", "1.2.840.10008.1.2.4.105", "1.2.840.10008.1.2.4.106", "1.2.840.10008.1.2.4.107",
		"1.2.840.10008.1.2.4.108", "1.2.840.10008.1.2.4.52", "1.2.840.10008.1.2.4.94", "1.2.840.10008.1.2.4.110",
	} {
		_, err := dicomio.Read(dicomtest.Write(dicomtest.File{Syntax: uid, Rows: 2, Columns: 2, Encapsulated: [][]byte{{}, {1, 2}}}))
		if !errors.Is(err, segd.ErrUnsupported) || !strings.Contains(err.Error(), uid) {
			t.Errorf("%s: got %v, want segd.ErrUnsupported with the UID", uid, err)
		}
	}
}

// TestJPEGColour decodes a colour image that the standard library compressed,
// as YCbCr with halved chroma and without a marker that says so, under several
// photometric interpretations, and with markers that go before them.
func TestJPEGColour(t *testing.T) {
	const rows, cols = 33, 17
	m := image.NewRGBA(image.Rect(0, 0, cols, rows))
	for y := range rows {
		for x := range cols {
			m.SetRGBA(x, y, color.RGBA{uint8(100 + 4*y), uint8(200 - 5*x), uint8(50 + 2*x + 2*y), 255})
		}
	}
	var buf bytes.Buffer
	if err := jpeg.Encode(&buf, m, &jpeg.Options{Quality: 95}); err != nil {
		t.Fatal(err)
	}
	bare := buf.Bytes()
	marked := func(segment string) []byte { return append([]byte("\xff\xd8"+segment), bare[2:]...) }
	const (
		jfif  = "\xff\xe0\x00\x10JFIF\x00\x01\x02\x00\x00\x01\x00\x01\x00\x00"
		adobe = "\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00"
	)
	tests := []struct {
		name, photometric string
		stream            []byte
		rgb               bool // what comes out is the image, not its Y, CB and CR
	}{
		{"ybr", "YBR_FULL_422", bare, true},
		{"ybr full", "YBR_FULL", bare, true},
		{"rgb", "RGB", bare, false},
		{"rgb, but jfif", "RGB", marked(jfif), true},
		{"rgb, but adobe", "RGB", marked(adobe + "\x01"), true},
		{"ybr, but adobe", "YBR_FULL_422", marked(adobe + "\x00"), false},
	}
	for _, tt := range tests {
		_, img := frame(t, dicomtest.Write(dicomtest.File{
			Syntax: jpegBaseline, Rows: rows, Columns: cols, Samples: 3, Allocated: 8, Photometric: tt.photometric,
			Encapsulated: [][]byte{{}, tt.stream},
		}), 0)
		off := 0.0
		for y := range rows {
			for x := range cols {
				c := m.RGBAAt(x, y)
				want := [3]uint8{c.R, c.G, c.B}
				if !tt.rgb {
					want[0], want[1], want[2] = color.RGBToYCbCr(c.R, c.G, c.B)
				}
				for i, v := range want {
					off = max(off, math.Abs(float64(img.At(y, x, i))-float64(v)))
				}
			}
		}
		// A slope in each colour survives quality 95 and halved chroma within
		// some levels; the other colour space is a hundred off.
		if off > 12 {
			t.Errorf("%s: off by up to %v", tt.name, off)
		}
	}
}
