package scanio

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"math/bits"
	"slices"
	"strings"
	"testing"
	"time"

	"segd"
	"segd/dicomio/dicomtest"
)

// values are the pixels of frame i.
func values(t *testing.T, s *segd.Scan, i int) []float32 {
	t.Helper()
	m, err := s.Frame(i)
	if err != nil {
		t.Fatal(err)
	}
	return m.Pix
}

// floats are bytes as values of an image.
func floats(b ...byte) (f []float32) {
	for _, v := range b {
		f = append(f, float32(v))
	}
	return f
}

func ascending(n, from int) (b []byte) {
	for i := range n {
		b = append(b, byte(from+3*i))
	}
	return b
}

// Pages are frames of a scan, of labels and of values.
func TestTIFFPages(t *testing.T) {
	small, large := spec(2, 1, []byte{1, 2}, nil), spec(4, 3, ascending(12, 90), nil)
	reduced := spec(4, 3, ascending(12, 7), map[uint16][]uint32{tiffNewSubfile: {subfileReduced}})
	page := func(from int) tiffSpec { return spec(4, 3, ascending(12, from), nil) }
	imageJ := spec(4, 3, slices.Concat(ascending(12, 0), ascending(12, 5), ascending(12, 9)), nil)
	imageJ.text = "ImageJ=1.53k\nimages=3\nslices=3\n"
	for _, tt := range []struct {
		name    string
		b       []byte
		want    []int // what the frames begin with
		warning string
	}{
		{"pages", writeTIFF(page(0), page(5), page(9)), []int{0, 5, 9}, ""},
		{"a thumbnail", writeTIFF(page(0), reduced, page(9)), []int{0, 9}, "1 of the tiff's 3 pages are reduced"},
		{"a thumbnail first", writeTIFF(reduced, page(9)), []int{9}, "reduced"},
		{"another size", writeTIFF(page(0), page(5), small), []int{0, 5}, "1 of the tiff's 3 pages have another size"},
		{"a second page of another size", writeTIFF(large, small), []int{90}, "another size"},
		{"ImageJ's stack of one directory", writeTIFF(imageJ), []int{0, 5, 9}, ""},
	} {
		s, err := Read(tt.b)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		n, err := Frames(tt.b)
		if s.Frames != len(tt.want) || n != len(tt.want) || err != nil {
			t.Errorf("%s: %d frames, %d counted, %v", tt.name, s.Frames, n, err)
			continue
		}
		if got := strings.Join(s.Warnings, "; "); !strings.Contains(got, tt.warning) || tt.warning == "" && got != "" {
			t.Errorf("%s: warnings %q, want %q", tt.name, got, tt.warning)
		}
		for i, from := range tt.want {
			if got, want := values(t, s, i), floats(ascending(12, from)...); !slices.Equal(got, want) {
				t.Errorf("%s: frame %d is %v, want %v", tt.name, i, got, want)
			}
		}
		if _, err := s.Frame(len(tt.want)); !errors.Is(err, segd.ErrNotFound) {
			t.Errorf("%s: a frame too many: %v", tt.name, err)
		}
		labels, err := ReadLabels(tt.b)
		if tt.warning != "" {
			if !errors.Is(err, segd.ErrUnsupported) {
				t.Errorf("%s as labels: %v", tt.name, err)
			}
			continue
		}
		last := len(tt.want) - 1
		if err != nil || labels.Frames != len(tt.want) {
			t.Errorf("%s as labels: %+v, %v", tt.name, labels, err)
		} else if m, err := labels.Mask(last); err != nil || !bytes.Equal(m.Pix, ascending(12, tt.want[last])) {
			t.Errorf("%s, mask %d: %v, %v", tt.name, last, m, err)
		}
		if v, err := ReadValues(tt.b); err != nil || !slices.Equal(values(t, v, last), floats(ascending(12, tt.want[last])...)) {
			t.Errorf("%s as values: %v", tt.name, err)
		}
	}
}

// Tags that change what the bytes mean are heeded.
func TestTIFFTags(t *testing.T) {
	pix := ascending(12, 1)
	reversed := slices.Clone(pix)
	for i, v := range reversed {
		reversed[i] = bits.Reverse8(v)
	}
	red, green, blue := ascending(12, 1), ascending(12, 40), ascending(12, 80)
	var colour []byte
	for i := range red {
		colour = append(colour, red[i], green[i], blue[i])
	}
	rgb := map[uint16][]uint32{tiffPhotometric: {photoRGB}, tiffSamples: {3}, tiffBitsPerSample: {8, 8, 8}}
	planar := map[uint16][]uint32{tiffPlanar: {planarSeparate}}
	for tag, v := range rgb {
		planar[tag] = v
	}
	strips := spec(4, 3, nil, planar)
	strips.blocks = [][]byte{red, green, blue}
	// Tiles of 16×16, one for each plane.
	tiles := spec(4, 3, nil, planar)
	tiles.tiled, tiles.blocks = true, nil
	tiles.tags[tiffTileWidth], tiles.tags[tiffTileHeight] = []uint32{16}, []uint32{16}
	for _, plane := range [][]byte{red, green, blue} {
		tile := make([]byte, 256)
		for y := range 3 {
			copy(tile[16*y:], plane[4*y:][:4])
		}
		tiles.blocks = append(tiles.blocks, tile)
	}
	one := maps(rgb, map[uint16][]uint32{tiffBitsPerSample: {8}}) // stands for all three
	fax := map[uint16][]uint32{tiffBitsPerSample: {1}, tiffCompression: {compressionGroup4}}
	// Two rows of white, as far as fax is concerned, then the end of the page.
	white := []byte{0b11000000, 0b00000100, 0b00000000, 0b01000000}
	for name, tt := range map[string]struct {
		page tiffSpec
		want []float32
	}{
		"FillOrder 2":                     {spec(4, 3, reversed, map[uint16][]uint32{tiffFillOrder: {2}}), floats(pix...)},
		"FillOrder 2, 16 bits":            {spec(2, 3, reversed, map[uint16][]uint32{tiffFillOrder: {2}, tiffBitsPerSample: {16}}), words(pix)},
		"FillOrder 2, 1 bit":              {spec(8, 1, []byte{0b00000101}, map[uint16][]uint32{tiffFillOrder: {2}, tiffBitsPerSample: {1}}), floats(255, 0, 255, 0, 0, 0, 0, 0)},
		"no photometric interpretation":   {spec(4, 3, pix, map[uint16][]uint32{tiffPhotometric: nil}), floats(pix...)},
		"white is 0":                      {spec(4, 3, inverted(pix), map[uint16][]uint32{tiffPhotometric: {whiteIsZero}}), floats(pix...)},
		"a sample format that is open":    {spec(4, 3, pix, map[uint16][]uint32{tiffSampleFormat: {tiffOpaque}}), floats(pix...)},
		"RGB":                             {spec(4, 3, colour, rgb), floats(colour...)},
		"RGB whose bits are stated once":  {spec(4, 3, colour, one), floats(colour...)},
		"planes in strips":                {strips, floats(colour...)},
		"planes in tiles":                 {tiles, floats(colour...)},
		"fax, white is 0":                 {spec(4, 2, white, maps(fax, map[uint16][]uint32{tiffPhotometric: {whiteIsZero}})), slices.Repeat([]float32{255}, 8)},
		"fax, black is 0":                 {spec(4, 2, white, fax), slices.Repeat([]float32{0}, 8)},
		"premultiplied alpha, half of 80": {spec(1, 1, []byte{40, 20, 10, 127}, maps(rgb, map[uint16][]uint32{tiffSamples: {4}, tiffBitsPerSample: {8, 8, 8, 8}, tiffExtraSamples: {1}})), []float32{80, 40, 20}},
	} {
		s, err := Read(writeTIFF(tt.page))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if got := values(t, s, 0); !slices.Equal(got, tt.want) {
			t.Errorf("%s: got %v, want %v", name, got, tt.want)
		}
	}
}

func words(b []byte) (f []float32) {
	for i := 0; i < len(b); i += 2 {
		f = append(f, float32(binary.LittleEndian.Uint16(b[i:])))
	}
	return f
}

func inverted(b []byte) []byte {
	b = slices.Clone(b)
	for i := range b {
		b[i] = ^b[i]
	}
	return b
}

func maps(list ...map[uint16][]uint32) map[uint16][]uint32 {
	all := map[uint16][]uint32{}
	for _, m := range list {
		for k, v := range m {
			all[k] = v
		}
	}
	return all
}

// Tags that are not heeded are refused by name, as an image and as a label.
func TestTIFFRefused(t *testing.T) {
	set := func(tag uint16, v ...uint32) map[uint16][]uint32 { return map[uint16][]uint32{tag: v} }
	for name, tt := range map[string]struct {
		tags map[uint16][]uint32
		want string
	}{
		"volumes":             {set(tiffImageDepth, 3), "ImageDepth (tag 32997) 3"},
		"tiles of volumes":    {set(tiffTileDepth, 2), "TileDepth (tag 32998) 2"},
		"4 bits":              {set(tiffBitsPerSample, 4), "BitsPerSample (tag 258) 4"},
		"12 bits":             {set(tiffBitsPerSample, 12), "BitsPerSample (tag 258) 12"},
		"32 bits":             {set(tiffBitsPerSample, 32), "BitsPerSample (tag 258) 32"},
		"unlike bits":         {maps(set(tiffBitsPerSample, 5, 6, 5), set(tiffSamples, 3), set(tiffPhotometric, 2)), "BitsPerSample"},
		"8 and 16 bits":       {maps(set(tiffBitsPerSample, 8, 16, 8), set(tiffSamples, 3), set(tiffPhotometric, 2)), "8 and 16"},
		"signed":              {set(tiffSampleFormat, 2), "SampleFormat (tag 339) 2"},
		"complex":             {set(tiffSampleFormat, 6), "SampleFormat (tag 339) 6"},
		"JPEG":                {set(tiffCompression, 7), "Compression (tag 259) 7"},
		"byte-aligned fax":    {maps(set(tiffCompression, 2), set(tiffBitsPerSample, 1)), "Compression (tag 259) 2"},
		"fax of 8 bits":       {set(tiffCompression, 4), "Compression (tag 259) 4"},
		"fax of two lines":    {maps(set(tiffCompression, 3), set(tiffBitsPerSample, 1), set(tiffT4Options, 1)), "T4Options (tag 292) 1"},
		"fax, not compressed": {maps(set(tiffCompression, 4), set(tiffBitsPerSample, 1), set(tiffT6Options, 2)), "T6Options (tag 293) 2"},
		"CMYK":                {maps(set(tiffPhotometric, 5), set(tiffSamples, 4)), "PhotometricInterpretation (tag 262) 5"},
		"YCbCr":               {maps(set(tiffPhotometric, 6), set(tiffSamples, 3)), "PhotometricInterpretation (tag 262) 6"},
		"a mask":              {set(tiffPhotometric, 4), "PhotometricInterpretation (tag 262) 4"},
		"grey and alpha":      {set(tiffSamples, 2), "SamplesPerPixel (tag 277) 2"},
		"three grey samples":  {maps(set(tiffSamples, 3), set(tiffBitsPerSample, 8, 8, 8)), "SamplesPerPixel (tag 277) 3"},
		"a fourth of unknown": {maps(set(tiffPhotometric, 2), set(tiffSamples, 4), set(tiffBitsPerSample, 8, 8, 8, 8), set(tiffExtraSamples, 0)), "ExtraSamples (tag 338)"},
		"fill order 3":        {set(tiffFillOrder, 3), "FillOrder (tag 266) 3"},
		"predictor 3":         {maps(set(tiffPredictor, 3), set(tiffCompression, 8)), "Predictor (tag 317) 3"},
		"predictor, packed":   {maps(set(tiffPredictor, 2), set(tiffCompression, compressionPackBits)), "Predictor (tag 317) 2"},
		"predictor, none":     {set(tiffPredictor, 2), "Predictor (tag 317) 2"},
		"indexed":             {set(tiffIndexed, 1), "Indexed (tag 346) 1"},
		"decoded":             {set(tiffDecode, 0, 1), "Decode (tag 433)"},
		"planes, an unknown":  {set(tiffPlanar, 3), "PlanarConfiguration (tag 284) 3"},
		"palette of 16 bits":  {maps(set(tiffPhotometric, 3), set(tiffBitsPerSample, 16)), "BitsPerSample (tag 258) 16"},
		"a short palette":     {maps(set(tiffPhotometric, 3), set(tiffColorMap, 1, 2, 3)), "ColorMap (tag 320) of 3 values, want 768"},
		"LZW of old":          {set(tiffCompression, 5), "old order of bits"},
	} {
		b := writeTIFF(spec(4, 3, append([]byte{0, 1}, make([]byte, 46)...), tt.tags))
		for what, read := range map[string]func([]byte) error{
			"image": func(b []byte) error { _, err := Read(b); return err }, "label": func(b []byte) error { _, err := ReadLabels(b); return err },
			"values": func(b []byte) error { _, err := ReadValues(b); return err },
		} {
			if err := read(b); !errors.Is(err, segd.ErrUnsupported) && !errors.Is(err, segd.ErrFormat) || !strings.Contains(fmt.Sprint(err), tt.want) {
				t.Errorf("%s as %s: %v, want %q", name, what, err, tt.want)
			}
		}
	}
	for name, tags := range map[string]map[uint16][]uint32{"white is 0": set(tiffPhotometric, whiteIsZero), "to be turned": set(tiffOrientation, 6)} {
		b := writeTIFF(spec(4, 3, make([]byte, 12), tags))
		if _, err := Read(b); err != nil {
			t.Errorf("%s as image: %v", name, err)
		}
		if _, err := ReadLabels(b); !errors.Is(err, segd.ErrUnsupported) {
			t.Errorf("%s as label: %v", name, err)
		}
	}
}

// A stack whose later page cannot be read says so for that page.
func TestTIFFBrokenPage(t *testing.T) {
	s, err := Read(writeTIFF(spec(4, 3, ascending(12, 0), nil), spec(4, 3, ascending(5, 0), nil)))
	if err != nil || s.Frames != 2 {
		t.Fatal(err)
	}
	if _, err := s.Frame(1); !errors.Is(err, segd.ErrFormat) || !strings.Contains(err.Error(), "page 2") {
		t.Errorf("%v", err)
	}
}

// hostile are files whose directories lead astray.
func hostile() map[string][]byte {
	loop := writeTIFF(spec(4, 3, ascending(12, 0), nil), spec(4, 3, ascending(12, 0), nil))
	copy(loop[len(loop)-4:], loop[4:8])
	self := writeTIFF(spec(4, 3, ascending(12, 0), nil))
	copy(self[len(self)-4:], self[4:8])
	// Directories of 4096 entries each, a byte behind each other.
	overlap := make([]byte, 1<<17)
	copy(overlap, "II*\x00\x08\x00\x00\x00")
	for at := 8; at+2+12*4096+4 < len(overlap); at += 2 {
		overlap[at], overlap[at+1] = 0, 16
		binary.LittleEndian.PutUint32(overlap[at+2+12*4096:], uint32(at+2))
	}
	many := []byte("II*\x00\x08\x00\x00\x00")
	for range maxPages + 2 {
		many = append(many, 1, 0)
		many = append(many, make([]byte, 12)...)
		many = binary.LittleEndian.AppendUint32(many, uint32(len(many)+4))
	}
	promises := spec(4, 3, ascending(12, 0), nil)
	promises.text = "ImageJ=1\nimages=60000\n"
	count := writeTIFF(spec(4, 3, ascending(12, 0), nil))
	for i := binary.LittleEndian.Uint32(count[4:]) + 2; int(i)+12 <= len(count); i += 12 {
		binary.LittleEndian.PutUint32(count[i+4:], 1<<32-1)
	}
	return map[string][]byte{
		"a loop": loop, "a loop to itself": self, "directories that overlap": overlap, "too many pages": many,
		"an ImageJ stack that isn't there": writeTIFF(promises), "counts of 4 G": count,
	}
}

func TestTIFFHostile(t *testing.T) {
	for name, b := range hostile() {
		start := time.Now()
		for _, read := range []func() error{
			func() error { _, err := Read(b); return err }, func() error { _, err := ReadLabels(b); return err }, func() error { _, err := Frames(b); return err },
		} {
			if err := read(); !errors.Is(err, segd.ErrFormat) && !errors.Is(err, segd.ErrTooLarge) && name != "counts of 4 G" {
				t.Errorf("%s: %v", name, err)
			}
		}
		if _, err := Read(b); err == nil {
			t.Errorf("%s is read", name)
		}
		if d := time.Since(start); d > dicomtest.Hung {
			t.Errorf("%s: took %v", name, d)
		}
	}
}

// TestTIFFWarnings warns of an orientation that is not heeded, and of samples that
// are said to show nothing.
func TestTIFFWarnings(t *testing.T) {
	for tag, want := range map[uint16]string{tiffOrientation: "orientation 6", tiffPhotometric: "tag 262"} {
		tags := map[uint16][]uint32{tag: {6}}
		if tag == tiffPhotometric {
			tags[tag] = nil
		}
		s, err := Read(writeTIFF(spec(5, 5, make([]byte, 25), tags)))
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(s.Warnings, "; "); !strings.Contains(got, want) {
			t.Errorf("warnings %q, want %q", got, want)
		}
	}
	if _, err := Read(encodeTIFF(t, image.NewGray(image.Rect(0, 0, 5, 5)))); err != nil {
		t.Fatal(err)
	}
}
