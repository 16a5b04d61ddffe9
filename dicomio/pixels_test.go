package dicomio_test

import (
	"bytes"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"segd"
	"segd/dicomio"
	"segd/dicomio/dicomtest"
	"segd/dicomio/tag"
)

// TestStoredBits reads the same values in every syntax and depth, with bits
// above and below the stored ones set that must not show.
func TestStoredBits(t *testing.T) {
	tests := []struct {
		name                    string
		allocated, stored, high int
		signed                  bool
		pixels                  []byte
		want                    []float32
	}{
		{"8", 8, 8, 7, false, []byte{0, 1, 127, 128, 255, 9}, []float32{0, 1, 127, 128, 255, 9}},
		{"8 signed", 8, 8, 7, true, []byte{0, 1, 127, 128, 255, 9}, []float32{0, 1, 127, -128, -1, 9}},
		{"6 of 8", 8, 6, 5, false, []byte{0xff, 0xc1, 0x3f, 0x40, 0x80, 9}, []float32{63, 1, 63, 0, 0, 9}},
		{"16", 16, 16, 15, false, words(0, 1, 32767, 32768, 65535, 9), []float32{0, 1, 32767, 32768, 65535, 9}},
		{"16 signed", 16, 16, 15, true, words(0, 1, 32767, 32768, 65535, 9), []float32{0, 1, 32767, -32768, -1, 9}},
		{"12 of 16", 16, 12, 11, false, words(0xf001, 0x0fff, 0xffff, 0x1000, 0x8800, 9), []float32{1, 4095, 4095, 0, 2048, 9}},
		{"12 of 16 signed", 16, 12, 11, true, words(0xf001, 0x0fff, 0xf7ff, 0x1000, 0x0800, 9), []float32{1, -1, 2047, 0, -2048, 9}},
		{"12 of 16, high bit 15", 16, 12, 15, false, words(0x001f, 0xfff0, 0xffff, 0x1000, 0x8000, 0x90), []float32{1, 4095, 4095, 256, 2048, 9}},
		{"12 of 16, high bit 15, signed", 16, 12, 15, true, words(0x001f, 0xfff0, 0x7fff, 0x1000, 0x8000, 0x90), []float32{1, -1, 2047, 256, -2048, 9}},
		{"32", 32, 32, 31, false, words(0, 0, 1, 0, 0, 1, 0, 0x8000, 0, 0xffff, 9, 0), []float32{0, 1, 65536, 1 << 31, 0xffff0000, 9}},
		{"32 signed", 32, 32, 31, true, words(0, 0, 1, 0, 0, 1, 0, 0x8000, 0xffff, 0xffff, 9, 0), []float32{0, 1, 65536, -1 << 31, -1, 9}},
		{"1", 1, 1, 0, false, []byte{0b101101}, []float32{1, 0, 1, 1, 0, 1}},
	}
	for _, tt := range tests {
		for _, syntax := range syntaxes {
			for _, vr := range []string{"OW", "OB"} {
				if vr == "OB" && (tt.allocated > 8 || syntax == dicomtest.ImplicitLE) {
					continue
				}
				t.Run(tt.name+"/"+syntax+"/"+vr, func(t *testing.T) {
					_, img := frame(t, dicomtest.Write(dicomtest.File{
						Syntax: syntax, Rows: 2, Columns: 3, Allocated: tt.allocated, Stored: tt.stored, HighBit: tt.high,
						Signed: tt.signed, Pixels: tt.pixels, PixelVR: vr,
					}), 0)
					if diff := cmp.Diff(tt.want, img.Pix); diff != "" {
						t.Errorf("values (-want +got):\n%s", diff)
					}
				})
			}
		}
	}
}

// TestWriteStored writes the values as they are, bits outside the stored ones
// and all.
func TestWriteStored(t *testing.T) {
	tests := []struct {
		name string
		file dicomtest.File
		want []byte
	}{
		{"16", dicomtest.File{Rows: 1, Columns: 2, Stored: 12, Pixels: words(0xf001, 2)}, words(0xf001, 2)},
		{"frames", dicomtest.File{Rows: 1, Columns: 1, Frames: 3, Allocated: 8, Pixels: []byte{1, 2, 3}}, []byte{1, 2, 3}},
		{"1 bit, frames without a gap", dicomtest.File{Rows: 1, Columns: 3, Frames: 2, Allocated: 1, Pixels: []byte{0b110_001}}, []byte{1, 0, 0, 0, 1, 1}},
		{"planes", dicomtest.File{Rows: 1, Columns: 2, Samples: 3, Allocated: 8, Photometric: "RGB", Planar: 1, Pixels: []byte{1, 2, 3, 4, 5, 6}}, []byte{1, 3, 5, 2, 4, 6}},
		{"422", dicomtest.File{Rows: 1, Columns: 2, Samples: 3, Allocated: 8, Photometric: "YBR_FULL_422", Pixels: []byte{10, 20, 30, 40}}, []byte{10, 30, 40, 20, 30, 40}},
	}
	for _, tt := range tests {
		for _, syntax := range syntaxes {
			tt.file.Syntax = syntax
			var got bytes.Buffer
			if err := dicomio.WriteStored(&got, dicomtest.Write(tt.file)); err != nil {
				t.Errorf("%s, %s: %v", tt.name, syntax, err)
			} else if !bytes.Equal(got.Bytes(), tt.want) {
				t.Errorf("%s, %s: got %v, want %v", tt.name, syntax, got.Bytes(), tt.want)
			}
		}
	}
}

func TestRescaleAndTurn(t *testing.T) {
	e := func(id uint32, v string) dicomtest.Element { return dicomtest.Element{Tag: id, VR: "DS", Value: v} }
	tests := []struct {
		name     string
		file     dicomtest.File
		want     []float32
		low, hi  float32
		sigmoid  bool
		elements []dicomtest.Element
	}{
		{
			name: "slope and intercept", file: dicomtest.File{Stored: 12, Pixels: words(0, 1, 4095)},
			elements: []dicomtest.Element{e(tag.RescaleSlope, "2.5"), e(tag.RescaleIntercept, "-1000")},
			want:     []float32{-1000, -997.5, 9237.5},
		},
		{
			name: "linear window", file: dicomtest.File{Stored: 12, Pixels: words(0, 1, 4095)},
			elements: []dicomtest.Element{e(tag.WindowCenter, `40\50`), e(tag.WindowWidth, `400\100`)},
			want:     []float32{0, 1, 4095}, low: -160, hi: 239,
		},
		{
			name: "exact window", file: dicomtest.File{Stored: 12, Pixels: words(0, 1, 4095)},
			elements: []dicomtest.Element{e(tag.WindowCenter, "40"), e(tag.WindowWidth, "400"), {Tag: tag.VOILUTFunction, VR: "CS", Value: "LINEAR_EXACT"}},
			want:     []float32{0, 1, 4095}, low: -160, hi: 240,
		},
		{
			name: "sigmoid window", file: dicomtest.File{Stored: 12, Pixels: words(0, 1, 4095)},
			elements: []dicomtest.Element{e(tag.WindowCenter, "40"), e(tag.WindowWidth, "400"), {Tag: tag.VOILUTFunction, VR: "CS", Value: "SIGMOID"}},
			want:     []float32{0, 1, 4095}, low: -160, hi: 240, sigmoid: true,
		},
		{
			name: "a window without width is none", file: dicomtest.File{Stored: 12, Pixels: words(0, 1, 4095)},
			elements: []dicomtest.Element{e(tag.WindowCenter, "40"), e(tag.WindowWidth, "0")},
			want:     []float32{0, 1, 4095},
		},
		{
			name: "8 bits without a window", file: dicomtest.File{Allocated: 8, Pixels: []byte{0, 1, 255}},
			want: []float32{0, 1, 255}, low: 0, hi: 255,
		},
		{
			// 4095 is the highest value there can be, so v becomes 4095-v, and
			// the window 1000..2000 becomes 2095..3095.
			name: "monochrome1", file: dicomtest.File{Stored: 12, Photometric: "MONOCHROME1", Pixels: words(0, 1, 4095)},
			elements: []dicomtest.Element{e(tag.WindowCenter, "1500"), e(tag.WindowWidth, "1000"), {Tag: tag.VOILUTFunction, VR: "CS", Value: "LINEAR_EXACT"}},
			want:     []float32{4095, 4094, 0}, low: 2095, hi: 3095,
		},
		{
			name: "monochrome1 signed", file: dicomtest.File{Stored: 12, Signed: true, Photometric: "MONOCHROME1", Pixels: words(0, 0x7ff, 0x800)},
			want: []float32{-1, -2048, 2047},
		},
		{
			name: "monochrome1 rescaled", file: dicomtest.File{Stored: 12, Photometric: "MONOCHROME1", Pixels: words(0, 1, 4095)},
			elements: []dicomtest.Element{e(tag.RescaleSlope, "2"), e(tag.RescaleIntercept, "-100")},
			want:     []float32{8090, 8088, -100},
		},
		{
			name: "inverse", file: dicomtest.File{Allocated: 8, Pixels: []byte{0, 1, 255}},
			elements: []dicomtest.Element{{Tag: tag.PresentationLUTShape, VR: "CS", Value: "INVERSE"}},
			want:     []float32{255, 254, 0}, low: 0, hi: 255,
		},
		{
			name: "modality lookup table", file: dicomtest.File{Pixels: words(0, 11, 500)},
			elements: []dicomtest.Element{{Tag: tag.ModalityLUTSequence, VR: "SQ", Value: []dicomtest.Item{{
				{Tag: tag.LUTDescriptor, VR: "US", Value: []int{3, 10, 16}}, {Tag: tag.LUTData, VR: "OW", Value: words(7, 60000, 9)},
			}}}},
			want: []float32{7, 60000, 9},
		},
	}
	for _, tt := range tests {
		for _, syntax := range syntaxes {
			t.Run(tt.name+"/"+syntax, func(t *testing.T) {
				f := tt.file
				f.Syntax, f.Rows, f.Columns, f.Elements = syntax, 1, 3, tt.elements
				if tt.name == "modality lookup table" && syntax == dicomtest.ExplicitBE {
					f.Elements = []dicomtest.Element{{Tag: tag.ModalityLUTSequence, VR: "SQ", Value: []dicomtest.Item{{
						{Tag: tag.LUTDescriptor, VR: "US", Value: []int{3, 10, 16}}, {Tag: tag.LUTData, VR: "US", Value: []int{7, 60000, 9}},
					}}}}
				}
				_, img := frame(t, dicomtest.Write(f), 0)
				if diff := cmp.Diff(tt.want, img.Pix); diff != "" {
					t.Errorf("values (-want +got):\n%s", diff)
				}
				want := segd.Display{Low: tt.low, High: tt.hi, Sigmoid: tt.sigmoid}
				if img.Display != want {
					t.Errorf("display: got %+v, want %+v", img.Display, want)
				}
			})
		}
	}
}

func TestPadding(t *testing.T) {
	tests := []struct {
		name     string
		signed   bool
		elements []dicomtest.Element
		want     []bool
	}{
		{"none", false, nil, nil},
		{"value", false, []dicomtest.Element{{Tag: tag.PixelPaddingValue, VR: "US", Value: 7}}, []bool{false, true, false, false}},
		{"value that is not there", false, []dicomtest.Element{{Tag: tag.PixelPaddingValue, VR: "US", Value: 77}}, nil},
		{"range", false, []dicomtest.Element{{Tag: tag.PixelPaddingValue, VR: "US", Value: 7}, {Tag: tag.PixelPaddingRangeLimit, VR: "US", Value: 9}}, []bool{false, true, true, false}},
		{"range backwards", false, []dicomtest.Element{{Tag: tag.PixelPaddingValue, VR: "US", Value: 9}, {Tag: tag.PixelPaddingRangeLimit, VR: "US", Value: 7}}, []bool{false, true, true, false}},
		{"signed", true, []dicomtest.Element{{Tag: tag.PixelPaddingValue, VR: "SS", Value: -2}}, []bool{false, false, false, true}},
		{"signed, written unsigned", true, []dicomtest.Element{{Tag: tag.PixelPaddingValue, VR: "US", Value: 65534}}, []bool{false, false, false, true}},
	}
	for _, tt := range tests {
		for _, syntax := range syntaxes {
			_, img := frame(t, dicomtest.Write(dicomtest.File{
				Syntax: syntax, Rows: 1, Columns: 4, Signed: tt.signed, Elements: tt.elements, Pixels: words(0, 7, 8, -2),
			}), 0)
			if diff := cmp.Diff(tt.want, img.Padding); diff != "" {
				t.Errorf("%s, %s: padding (-want +got):\n%s", tt.name, syntax, diff)
			}
		}
	}
}

func TestColour(t *testing.T) {
	lut := func(descriptor []int, r, g, b []byte) []dicomtest.Element {
		var out []dicomtest.Element
		for c, v := range [][]byte{r, g, b} {
			out = append(out,
				dicomtest.Element{Tag: tag.RedPaletteColorLookupTableDescriptor + uint32(c), VR: "US", Value: descriptor},
				dicomtest.Element{Tag: tag.RedPaletteColorLookupTableData + uint32(c), VR: "OW", Value: v})
		}
		return out
	}
	tests := []struct {
		name string
		file dicomtest.File
		want []float32
	}{
		{"rgb", dicomtest.File{Samples: 3, Allocated: 8, Photometric: "RGB", Pixels: []byte{1, 2, 3, 4, 5, 6}}, []float32{1, 2, 3, 4, 5, 6}},
		{"rgb by plane", dicomtest.File{Samples: 3, Allocated: 8, Photometric: "RGB", Planar: 1, Pixels: []byte{1, 2, 3, 4, 5, 6}}, []float32{1, 3, 5, 2, 4, 6}},
		{"rgb of 16 bits", dicomtest.File{Samples: 3, Photometric: "RGB", Pixels: words(1, 2, 300, 4, 5, 60000)}, []float32{1, 2, 300, 4, 5, 60000}},
		{"rgb of 16 bits by plane", dicomtest.File{Samples: 3, Photometric: "RGB", Planar: 1, Pixels: words(1, 2, 300, 4, 5, 60000)}, []float32{1, 300, 5, 2, 4, 60000}},
		// PS3.3 C.7.6.3.1.2: pure red, and grey.
		{"ybr", dicomtest.File{Samples: 3, Allocated: 8, Photometric: "YBR_FULL", Pixels: []byte{76, 85, 255, 200, 128, 128}}, []float32{254, 0, 0, 200, 200, 200}},
		{"ybr 422", dicomtest.File{Samples: 3, Allocated: 8, Photometric: "YBR_FULL_422", Pixels: []byte{10, 200, 128, 128}}, []float32{10, 10, 10, 200, 200, 200}},
		{"palette of 16 bits", dicomtest.File{
			Allocated: 8, Photometric: "PALETTE COLOR", Pixels: []byte{5, 200},
			Elements: lut([]int{2, 5, 16}, words(0, 65535), words(257, 514), words(25700, 0)),
		}, []float32{0, 1, 100, 255, 2, 0}},
		{"palette of 8 bits, packed", dicomtest.File{
			Allocated: 8, Photometric: "PALETTE COLOR", Pixels: []byte{1, 0},
			Elements: lut([]int{2, 0, 8}, []byte{10, 20}, []byte{30, 40}, []byte{50, 60}),
		}, []float32{20, 40, 60, 10, 30, 50}},
	}
	for _, tt := range tests {
		for _, syntax := range syntaxes {
			if strings.HasPrefix(tt.name, "palette") && syntax == dicomtest.ExplicitBE {
				continue // the writer does not turn the bytes of further elements
			}
			t.Run(tt.name+"/"+syntax, func(t *testing.T) {
				tt.file.Syntax, tt.file.Rows, tt.file.Columns = syntax, 1, 2
				_, img := frame(t, dicomtest.Write(tt.file), 0)
				if img.Channels != 3 {
					t.Fatalf("%d channels, want 3", img.Channels)
				}
				for i, v := range img.Pix {
					if math.Abs(float64(v-tt.want[i])) > 1e-4 {
						t.Fatalf("got %v, want %v", img.Pix, tt.want)
					}
				}
			})
		}
	}
}

// TestSegmentedPalette expands discrete and linear segments.
func TestSegmentedPalette(t *testing.T) {
	segments := words(0, 1, 0, 1, 2, 65535, 0, 1, 257) // 0, 32767.5, 65535, 257
	var elements []dicomtest.Element
	for c := range uint32(3) {
		elements = append(elements,
			dicomtest.Element{Tag: tag.RedPaletteColorLookupTableDescriptor + c, VR: "US", Value: []int{4, 0, 16}},
			dicomtest.Element{Tag: tag.SegmentedRedPaletteColorLookupTableData + c, VR: "OW", Value: segments})
	}
	f := dicomtest.File{Rows: 1, Columns: 4, Allocated: 8, Photometric: "PALETTE COLOR", Pixels: []byte{0, 1, 2, 3}, Elements: elements}
	_, img := frame(t, dicomtest.Write(f), 0)
	want := []float32{0, 127.5, 255, 1}
	for i, w := range want {
		if math.Abs(float64(img.Pix[3*i]-w)) > 0.01 {
			t.Errorf("entry %d: got %v, want %v", i, img.Pix[3*i], w)
		}
	}
}
