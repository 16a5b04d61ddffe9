package dicomio_test

import (
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"segd"
	"segd/dicomio"
	"segd/dicomio/dicomtest"
	"segd/dicomio/tag"
)

// floats returns values of 32 or 64 bits in a byte order.
func floats(o binary.AppendByteOrder, bits int, values ...float64) []byte {
	var out []byte
	for _, v := range values {
		if bits == 64 {
			out = o.AppendUint64(out, math.Float64bits(v))
		} else {
			out = o.AppendUint32(out, math.Float32bits(float32(v)))
		}
	}
	return out
}

// TestFloat reads pixels of floating point, of which some are no numbers, some
// too large and some padding.
func TestFloat(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(-1)
	for _, bits := range []int{32, 64} {
		id, vr, padding, limit, paddingVR := uint32(tag.FloatPixelData), "OF", uint32(tag.FloatPixelPaddingValue), uint32(tag.FloatPixelPaddingRangeLimit), "FL"
		if bits == 64 {
			id, vr, padding, limit, paddingVR = tag.DoubleFloatPixelData, "OD", tag.DoubleFloatPixelPaddingValue, tag.DoubleFloatPixelPaddingRangeLimit, "FD"
		}
		for _, syntax := range syntaxes {
			values := []float64{0.5, -1.25, nan, 1e6, inf, -100, 1, 2, 3, 4, 5, 6}
			if bits == 64 {
				values[2] = 1e300
			}
			order := binary.AppendByteOrder(binary.LittleEndian)
			if syntax == dicomtest.ExplicitBE {
				order = binary.BigEndian
			}
			f := dicomtest.File{
				Syntax: syntax, Rows: 2, Columns: 3, Frames: 2, NoPixels: true, Allocated: bits,
				Elements: []dicomtest.Element{
					{Tag: id, VR: vr, Value: floats(order, bits, values...)},
					{Tag: tag.BitsStored}, {Tag: tag.HighBit}, {Tag: tag.PixelRepresentation},
					{Tag: padding, VR: paddingVR, Value: -120.0}, {Tag: limit, VR: paddingVR, Value: -90.0},
					{Tag: tag.RescaleSlope, VR: "DS", Value: "2"}, {Tag: tag.RescaleIntercept, VR: "DS", Value: "1"},
				},
			}
			s, a := frame(t, dicomtest.Write(f), 0)
			_, b := frame(t, dicomtest.Write(f), 1)
			if diff := cmp.Diff([]float32{2, -1.5, -1.5, 2e6 + 1, -1.5, -199}, a.Pix); diff != "" {
				t.Errorf("%d bits, %s (-want +got):\n%s", bits, syntax, diff)
			}
			if diff := cmp.Diff([]bool{false, false, true, false, true, true}, a.Padding); diff != "" {
				t.Errorf("%d bits, %s: padding (-want +got):\n%s", bits, syntax, diff)
			}
			if diff := cmp.Diff([]float32{3, 5, 7, 9, 11, 13}, b.Pix); diff != "" || b.Padding != nil {
				t.Errorf("%d bits, %s: second frame (-want +got):\n%s%v", bits, syntax, diff, b.Padding)
			}
			if steps := strings.Join(s.Steps, "; "); !strings.Contains(steps, "floating point") {
				t.Errorf("steps %q", steps)
			}
			f.Photometric = "MONOCHROME1"
			if _, a := frame(t, dicomtest.Write(f), 0); a.Pix[0] != -2 || a.Pix[1] != 1.5 {
				t.Errorf("%d bits, %s: turned to %v", bits, syntax, a.Pix)
			}
		}
	}
}

func TestYBR(t *testing.T) {
	tests := []struct {
		name string
		file dicomtest.File
		want []float32
	}{
		// Black, white and the two ends of the range of ITU-R BT.601.
		{"partial 422", dicomtest.File{Columns: 4, Allocated: 8, Photometric: "YBR_PARTIAL_422", Pixels: []byte{16, 235, 128, 128, 0, 255, 128, 128}}, []float32{0, 0, 0, 255, 255, 255, 0, 0, 0, 255, 255, 255}},
		// 0.2568·255 + 16, −0.1482·255 + 128, 0.4392·255 + 128: pure red.
		{"partial 422, red", dicomtest.File{Columns: 2, Allocated: 8, Photometric: "YBR_PARTIAL_422", Pixels: []byte{81, 81, 90, 240}}, []float32{254, 0, 0, 254, 0, 0}},
		{"full, 16 bits", dicomtest.File{Columns: 2, Photometric: "YBR_FULL", Pixels: words(1000, 32768, 32768, 65535, 32768, 32768)}, []float32{1000, 1000, 1000, 65535, 65535, 65535}},
		{"full, 12 bits by plane", dicomtest.File{Columns: 2, Stored: 12, Planar: 1, Photometric: "YBR_FULL", Pixels: words(100, 4095, 2048, 2048, 2148, 2048)}, []float32{240, 29, 100, 4095, 4095, 4095}},
	}
	for _, tt := range tests {
		for _, syntax := range syntaxes {
			tt.file.Syntax, tt.file.Rows, tt.file.Samples = syntax, 1, 3
			_, img := frame(t, dicomtest.Write(tt.file), 0)
			if diff := cmp.Diff(tt.want, img.Pix); diff != "" {
				t.Errorf("%s, %s (-want +got):\n%s", tt.name, syntax, diff)
			}
		}
	}
}

// TestIndirectSegments expands palettes that say some segments over again, in
// entries of 16 and of 8 bits.
func TestIndirectSegments(t *testing.T) {
	// 0, 65535; a line to 0 of two; both over again, as the entry at byte 0.
	wide := words(0, 2, 0, 65535, 1, 2, 0, 2, 2, 0, 0)
	narrow := []byte{0, 2, 0, 255, 1, 2, 1, 2, 2, 0, 0, 0, 0, 0}
	tests := []struct {
		name string
		bits int
		data []byte
		want []float32
	}{
		{"16", 16, wide, []float32{0, 255, 127.5, 0, 0, 255, 127.5, 0}},
		{"8", 8, narrow[:13:13], []float32{0, 255, 128, 1, 0, 255, 128, 1}},
	}
	for _, tt := range tests {
		data := tt.data
		if len(data)%2 == 1 {
			data = append(data, 0)
		}
		var elements []dicomtest.Element
		for c := range uint32(3) {
			elements = append(elements,
				dicomtest.Element{Tag: tag.RedPaletteColorLookupTableDescriptor + c, VR: "US", Value: []int{8, 0, tt.bits}},
				dicomtest.Element{Tag: tag.SegmentedRedPaletteColorLookupTableData + c, VR: "OW", Value: data})
		}
		f := dicomtest.File{Rows: 1, Columns: 8, Allocated: 8, Photometric: "PALETTE COLOR", Pixels: []byte{0, 1, 2, 3, 4, 5, 6, 7}, Elements: elements}
		_, img := frame(t, dicomtest.Write(f), 0)
		f.Syntax = dicomtest.ExplicitBE
		swapped := slices.Clone(elements)
		for i := range swapped {
			if b, ok := swapped[i].Value.([]byte); ok {
				swapped[i].Value = swap(b)
			}
		}
		f.Elements = swapped
		if _, big := frame(t, dicomtest.Write(f), 0); !slices.Equal(big.Pix, img.Pix) {
			t.Errorf("%s bits, in big endian: %v, want %v", tt.name, big.Pix, img.Pix)
		}
		f.Syntax, f.Elements = "", elements
		for i, w := range tt.want {
			if math.Abs(float64(img.Pix[3*i]-w)) > 0.01 {
				t.Errorf("%s bits, entry %d: got %v, want %v", tt.name, i, img.Pix[3*i], w)
			}
		}
		// An offset that is not that of a segment before.
		bad := slices.Clone(data)
		bad[len(data)-4] = 200
		for i := range elements {
			if elements[i].VR == "OW" {
				elements[i].Value = bad
			}
		}
		if _, err := dicomio.Read(dicomtest.Write(f)); !errors.Is(err, segd.ErrUnprocessable) {
			t.Errorf("%s bits, offset beyond: got %v, want segd.ErrUnprocessable", tt.name, err)
		}
	}
}

// swap returns b with the bytes of each word swapped.
func swap(b []byte) []byte {
	b = slices.Clone(b)
	for i := 0; i+1 < len(b); i += 2 {
		b[i], b[i+1] = b[i+1], b[i]
	}
	return b
}

// TestVOILUT shows an image by a lookup table, which goes before its window.
func TestVOILUT(t *testing.T) {
	lut := func(descriptor ...int) dicomtest.Element {
		return dicomtest.Element{Tag: tag.VOILUTSequence, VR: "SQ", Value: []dicomtest.Item{{
			{Tag: tag.LUTDescriptor, VR: "SS", Value: descriptor}, {Tag: tag.LUTData, VR: "US", Value: []int{0, 1023, 4095}},
		}}}
	}
	window := []dicomtest.Element{{Tag: tag.WindowCenter, VR: "DS", Value: "40"}, {Tag: tag.WindowWidth, VR: "DS", Value: "400"}}
	rescale := dicomtest.Element{Tag: tag.RescaleIntercept, VR: "DS", Value: "-1000"}
	f := dicomtest.File{Rows: 1, Columns: 3, Stored: 12, Pixels: words(0, 1000, 4095), Elements: append(window, lut(3, -1, 12), rescale)}
	curve := []float32{0, 1023. / 4095, 1}
	for _, syntax := range syntaxes {
		f.Syntax = syntax
		f.Photometric = ""
		_, img := frame(t, dicomtest.Write(f), 0)
		want := segd.Display{Low: -1, High: 1, Curve: &segd.Curve{Levels: curve}}
		if diff := cmp.Diff(want, img.Display); diff != "" {
			t.Errorf("%s (-want +got):\n%s", syntax, diff)
		}
		// Turned, v is (−1000 + 3095) − v.
		f.Photometric = "MONOCHROME1"
		_, img = frame(t, dicomtest.Write(f), 0)
		want = segd.Display{Low: 2094, High: 2096, Curve: &segd.Curve{Levels: []float32{0, 1 - curve[1], 1}}}
		if diff := cmp.Diff(want, img.Display); diff != "" {
			t.Errorf("%s, turned (-want +got):\n%s", syntax, diff)
		}
	}
	f.Elements = append(window, lut(2000, 0, 12))
	s, img := frame(t, dicomtest.Write(f), 0)
	if img.Display.Curve != nil || img.Display.Low == img.Display.High || !strings.Contains(strings.Join(s.Warnings, ";"), "(0028,3010)") {
		t.Errorf("damaged table: display %+v, warnings %q", img.Display, s.Warnings)
	}
}

// TestFrameVOI shows each frame of an enhanced image as its functional groups
// say: by a table or a window of its own, else by the shared one.
func TestFrameVOI(t *testing.T) {
	lut := func(first, middle int) dicomtest.Item {
		return dicomtest.Item{{Tag: tag.VOILUTSequence, VR: "SQ", Value: []dicomtest.Item{{
			{Tag: tag.LUTDescriptor, VR: "US", Value: []int{3, first, 8}}, {Tag: tag.LUTData, VR: "US", Value: []int{0, middle, 255}},
		}}}}
	}
	window := dicomtest.Item{{Tag: tag.WindowCenter, VR: "DS", Value: "40"}, {Tag: tag.WindowWidth, VR: "DS", Value: "401"}}
	group := func(voi ...dicomtest.Item) dicomtest.Item {
		if voi == nil {
			return dicomtest.Item{}
		}
		return dicomtest.Item{{Tag: tag.FrameVOILUTSequence, VR: "SQ", Value: voi}}
	}
	f := dicomtest.File{Rows: 1, Columns: 3, Frames: 4, Stored: 12, Pixels: words(0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2), Elements: []dicomtest.Element{
		{Tag: tag.SharedFunctionalGroupsSequence, VR: "SQ", Value: []dicomtest.Item{group(lut(7, 51))}},
		{Tag: tag.PerFrameFunctionalGroupsSequence, VR: "SQ", Value: []dicomtest.Item{group(lut(5, 102)), group(window), group(), group(lut(9000, 1)[:0:0])}},
	}}
	curve := func(low float32, middle float32) segd.Display {
		return segd.Display{Low: low, High: low + 2, Curve: &segd.Curve{Levels: []float32{0, middle, 1}}}
	}
	want := []segd.Display{curve(5, 0.4), {Low: -160.5, High: 239.5}, curve(7, 0.2), curve(7, 0.2)}
	for _, syntax := range syntaxes {
		f.Syntax = syntax
		for i, w := range want {
			_, img := frame(t, dicomtest.Write(f), i)
			if diff := cmp.Diff(w, img.Display); diff != "" {
				t.Errorf("%s, frame %d (-want +got):\n%s", syntax, i+1, diff)
			}
		}
	}
	// A table that does not hold what it says is not used, and that is told.
	f.Elements[1].Value = []dicomtest.Item{group(dicomtest.Item{{Tag: tag.VOILUTSequence, VR: "SQ", Value: []dicomtest.Item{{
		{Tag: tag.LUTDescriptor, VR: "US", Value: []int{2000, 0, 8}}, {Tag: tag.LUTData, VR: "US", Value: []int{0, 1}}}}}}), group(), group(), group()}
	s, img := frame(t, dicomtest.Write(f), 0)
	if img.Display.Curve != nil || !strings.Contains(strings.Join(s.Warnings, ";"), "(0028,3010)") {
		t.Errorf("damaged table: display %+v, warnings %q", img.Display, s.Warnings)
	}
}
