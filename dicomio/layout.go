package dicomio

import (
	"fmt"

	"segd"
	"segd/dicomio/tag"
)

// layout is the image pixel module (PS3.3 C.7.6.3) after checks: how the values
// of a frame are stored.
type layout struct {
	rows, cols, frames int
	samples            int // 1 or 3
	allocated, stored  int // bits
	high               int // bit
	signed             bool
	planar             bool // colour by plane
	subsampled         bool // YBR_FULL_422: two pixels share their colour
	compressed         bool // by a codec that leaves colour interleaved
	float              bool // 32 or 64 bits of floating point
	photometric        string
}

// readLayout reads and checks the image pixel module of a file. syntax is its
// transfer syntax, pixels the tag of its pixel data.
func readLayout(a attributes, syntax string, pixels uint32) (*layout, error) {
	return readLayoutUpTo(maxFrames, a, syntax, pixels)
}

// readLayoutUpTo is readLayout with another limit on the number of frames.
func readLayoutUpTo(limit int, a attributes, syntax string, pixels uint32) (*layout, error) {
	var err error
	get := func(t uint32, fallback int) int {
		v, e := a.integer(t, fallback)
		if err == nil && e != nil {
			err = e
		}
		return v
	}
	l := &layout{
		rows: get(tag.Rows, 0), cols: get(tag.Columns, 0), frames: get(tag.NumberOfFrames, 1),
		samples: get(tag.SamplesPerPixel, 1), allocated: get(tag.BitsAllocated, 0),
		photometric: a.text(tag.PhotometricInterpretation),
	}
	l.stored = get(tag.BitsStored, l.allocated)
	l.high = get(tag.HighBit, l.stored-1)
	signed, planar := get(tag.PixelRepresentation, 0), get(tag.PlanarConfiguration, 0)
	if err != nil {
		return nil, err
	}
	if signed < 0 || signed > 1 || planar < 0 || planar > 1 {
		return nil, unprocessable("pixel representation %d and planar configuration %d, want 0 or 1", signed, planar)
	}
	l.signed, l.planar = signed == 1, planar == 1 && l.samples > 1
	c, encapsulated := encapsulations[syntax]
	l.compressed = encapsulated && c.form != native
	l.float = pixels != tag.PixelData
	if err := l.checkSize(limit); err != nil {
		return nil, err
	}
	if l.float {
		return l, l.checkFloat(pixels)
	}
	return l, l.checkBits()
}

func (l *layout) checkSize(limit int) error {
	switch {
	case l.rows < 1 || l.cols < 1:
		return unprocessable("%d rows and %d columns, want at least 1", l.rows, l.cols)
	case l.rows > segd.MaxSide || l.cols > segd.MaxSide:
		return fmt.Errorf("dicomio: %w: %d×%d pixels, limit %d a side", segd.ErrTooLarge, l.rows, l.cols, segd.MaxSide)
	case l.rows*l.cols > segd.MaxPixels:
		return fmt.Errorf("dicomio: %w: %d×%d pixels, limit %d a frame", segd.ErrTooLarge, l.rows, l.cols, segd.MaxPixels)
	case l.frames < 1:
		return unprocessable("%d frames, want at least 1", l.frames)
	case l.frames > limit:
		return fmt.Errorf("dicomio: %w: %d frames, limit %d", segd.ErrTooLarge, l.frames, limit)
	}
	return nil
}

func (l *layout) checkBits() error {
	switch l.allocated {
	case 1, 8, 16, 32:
	default:
		return unprocessable("%d bits allocated, want 1, 8, 16 or 32", l.allocated)
	}
	if l.stored < 1 || l.stored > l.allocated || l.high < l.stored-1 || l.high >= l.allocated {
		return unprocessable("%d bits allocated, %d stored, high bit %d", l.allocated, l.stored, l.high)
	}
	colour := l.samples == 3 && !l.signed && l.allocated >= 8
	ok := false
	switch l.photometric {
	case "MONOCHROME1", "MONOCHROME2":
		ok = l.samples == 1
	case "PALETTE COLOR":
		ok = l.samples == 1 && !l.signed && (l.allocated == 8 || l.allocated == 16)
	case "RGB":
		ok = colour
	case "YBR_FULL":
		ok = colour && l.allocated <= 16
	case "YBR_FULL_422", "YBR_PARTIAL_422":
		ok = colour && l.allocated == 8 && (l.compressed || l.cols%2 == 0 && !l.planar)
		l.subsampled = !l.compressed
	case "YBR_RCT", "YBR_ICT":
		ok = colour && l.compressed
	default:
		// The value is not quoted: it may be any text.
		return unprocessable("photometric interpretation %s is not supported: want MONOCHROME1, MONOCHROME2, PALETTE COLOR, RGB, YBR_FULL, YBR_FULL_422, YBR_PARTIAL_422, YBR_RCT or YBR_ICT", name(tag.PhotometricInterpretation))
	}
	if !ok {
		return unprocessable("%s with %d samples of %d bits, signed %t", l.photometric, l.samples, l.allocated, l.signed)
	}
	return l.checkDecoded()
}

// checkFloat checks floating-point pixels, which must be grey (PS3.3 C.7.6.24
// and C.7.6.25). Bits stored and the like do not apply to them.
func (l *layout) checkFloat(pixels uint32) error {
	want := 32
	if pixels == tag.DoubleFloatPixelData {
		want = 64
	}
	if l.allocated != want || l.samples != 1 || !l.grey() {
		return unprocessable("%s with %d samples of %d bits, want 1 of %d, MONOCHROME1 or MONOCHROME2", name(pixels), l.samples, l.allocated, want)
	}
	l.stored, l.high, l.signed = want, want-1, false
	return l.checkDecoded()
}

func (l *layout) checkDecoded() error {
	n := l.frames * l.frameBytes()
	if l.allocated == 1 { // bits are unpacked to bytes frame by frame
		n = l.frames * l.storedBits() / 8
	}
	if n > maxDecoded {
		return fmt.Errorf("dicomio: %w: %d bytes of pixels, limit %d", segd.ErrTooLarge, n, maxDecoded)
	}
	return nil
}

// grey reports whether the frames are grey.
func (l *layout) grey() bool {
	return l.photometric == "MONOCHROME1" || l.photometric == "MONOCHROME2"
}

// rgb reports whether the samples are red, green and blue. The decoder of JPEG
// 2000 undoes its colour transforms (PS3.5 8.2.4).
func (l *layout) rgb() bool {
	return l.photometric == "RGB" || l.photometric == "YBR_RCT" || l.photometric == "YBR_ICT"
}

// sampleBytes is the size of one decoded stored value: 1, 2, 4 or, for doubles,
// 8.
func (l *layout) sampleBytes() int { return max(1, l.allocated/8) }

// frameBytes is the size of one decoded frame of stored values.
func (l *layout) frameBytes() int { return l.rows * l.cols * l.samples * l.sampleBytes() }

// storedBits is the size in bits of one frame as stored in the file.
func (l *layout) storedBits() int {
	if l.subsampled {
		return l.rows * l.cols * 2 * 8
	}
	return l.rows * l.cols * l.samples * l.allocated
}
