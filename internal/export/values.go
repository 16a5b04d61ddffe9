package export

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"image"
	"image/color"
	"io"
	"math"
)

// CutWarning is of values that a picture of 16 bits has not.
var CutWarning = fmt.Sprintf("values below 0 or above %d were cut off in the PNG: tiff and nifti hold them as they are", math.MaxUint16)

// ValueImage rounds values, width×height of them, to 16 bits and counts those that
// had to be cut off by more than rounding, NaN among them, which becomes 0.
func ValueImage(values []float32, width, height int) (m *image.Gray16, cut int) {
	m = image.NewGray16(image.Rect(0, 0, width, height))
	for i, v := range values {
		r := math.Round(float64(v))
		if !(r >= 0 && r <= math.MaxUint16) { // NaN too
			cut++
			r = max(0, min(r, math.MaxUint16))
			if r != r {
				r = 0
			}
		}
		m.SetGray16(i%width, i/width, color.Gray16{Y: uint16(r)})
	}
	return m, cut
}

// Fields of a TIFF 6.0 directory.
const (
	tiffShort = 3
	tiffLong  = 4
)

// WriteTIFF writes values, width×height of them, as a grey TIFF of float32 in
// little endian, in one strip and not compressed: what every reader of floating
// point reads. The first value is at byte TIFFHead. Errors are those of w.
func WriteTIFF(w io.Writer, values []float32, width, height int) error {
	le := binary.LittleEndian
	entries := []struct {
		tag, kind uint16
		value     uint32
	}{
		{256, tiffLong, uint32(width)}, {257, tiffLong, uint32(height)},
		{258, tiffShort, 32},                        // BitsPerSample
		{259, tiffShort, 1},                         // Compression: none
		{262, tiffShort, 1},                         // PhotometricInterpretation: black is zero
		{273, tiffLong, TIFFHead},                   // StripOffsets
		{277, tiffShort, 1},                         // SamplesPerPixel
		{278, tiffLong, uint32(height)},             // RowsPerStrip
		{279, tiffLong, uint32(4 * width * height)}, // StripByteCounts
		{339, tiffShort, 3},                         // SampleFormat: floating point
	}
	b := []byte("II*\x00\x08\x00\x00\x00")
	b = le.AppendUint16(b, uint16(len(entries)))
	for _, e := range entries {
		// A SHORT lies in the first bytes of its field, which little endian has anyhow.
		b = le.AppendUint32(le.AppendUint32(le.AppendUint16(le.AppendUint16(b, e.tag), e.kind), 1), e.value)
	}
	b = append(b, make([]byte, TIFFHead-len(b))...) // no further directory
	out := bufio.NewWriter(w)
	_, _ = out.Write(b) // Flush returns what goes wrong
	for _, v := range values {
		b = le.AppendUint32(b[:0], math.Float32bits(v))
		_, _ = out.Write(b)
	}
	return out.Flush()
}

// TIFFHead is how many bytes a file of WriteTIFF has before its values.
const TIFFHead = 136
