package scanio

import (
	"fmt"
	"image"
	"image/color"
	"slices"

	"golang.org/x/image/tiff"

	"segd"
)

// tiffFrames counts the frames of a TIFF by its directories alone.
func tiffFrames(b []byte) (int, error) {
	t, err := openTIFF(b)
	if err != nil {
		return 0, err
	}
	return t.count(), nil
}

// readTIFF reads a TIFF of 1, 8 or 16 bits a sample, grey, RGB or paletted, or of
// grey floating point; the lowest value of grey is black, whichever way it was
// stored. Its pages are frames (see openTIFF), each decoded when it is asked for.
func readTIFF(b []byte) (*segd.Scan, error) {
	t, err := openTIFF(b)
	if err != nil {
		return nil, err
	}
	return t.scan(ifd.scan)
}

// scan returns the frames, as read reads each.
func (t *tiffFile) scan(read func(ifd) (*segd.Scan, error)) (*segd.Scan, error) {
	first, err := t.page(0)
	if err != nil {
		return nil, err
	}
	s, err := read(first)
	if err != nil {
		return nil, err
	}
	s.Warnings = append(s.Warnings, t.warnings...)
	if t.count() == 1 {
		return s, nil
	}
	s.Frames = t.count()
	s.Steps = append(s.Steps, fmt.Sprintf("%d pages, each a frame", s.Frames))
	s.Frame = func(i int) (*segd.Image, error) {
		page, err := t.page(i)
		if err != nil {
			return nil, err
		}
		one, err := read(page)
		if err != nil {
			return nil, fmt.Errorf("%w (page %d)", err, i+1)
		}
		return one.Frame(0)
	}
	return s, nil
}

// scan reads the page of a directory.
func (d ifd) scan() (*segd.Scan, error) {
	var s *segd.Scan
	if d.value(tiffSampleFormat, tiffUnsigned) == tiffFloat {
		var err error
		if s, err = readFloatTIFF(d); err != nil {
			return nil, err
		}
	} else {
		m, err := decodeTIFF(d)
		if err != nil {
			return nil, err
		}
		s = newScan("tiff", m, fmt.Sprintf("tiff, %d bits a sample", d.value(tiffBitsPerSample, 1)))
	}
	if kind, _, _ := d.entry(tiffPhotometric); kind == 0 {
		s.Warnings = append(s.Warnings, "the tiff does not say what its samples show (tag 262); they are taken as they are, 0 being dark")
	}
	if o := d.value(tiffOrientation, 1); o > 1 {
		s.Warnings = append(s.Warnings, fmt.Sprintf("the tiff asks to be turned for display (orientation %d); the pixels are used as they are stored", o))
	}
	return s, nil
}

// decodeTIFF decodes the page of a directory, of unsigned integers.
func decodeTIFF(d ifd) (image.Image, error) {
	if err := d.checkTags(); err != nil {
		return nil, err
	}
	if d.value(tiffSampleFormat, tiffUnsigned) == tiffFloat {
		return nil, refuse(tiffSampleFormat, "SampleFormat", "3, floating point, want 1, unsigned integers")
	}
	if err := d.checkIntegers(); err != nil {
		return nil, err
	}
	if err := checkSize("tiff", d.number(tiffWidth), d.number(tiffHeight), d.pixelsPerByte(), len(d.file)); err != nil {
		return nil, err
	}
	blocks, err := d.blocks()
	if err != nil {
		return nil, err
	}
	samples := d.value(tiffSamples, 1)
	if d.fax() && d.photometric() == blackIsZero {
		// Runs that fax calls white are zeros, whatever zeros show; the decoder
		// takes them for white.
		m, err := d.decode(blocks, whiteIsZero, 1)
		if err != nil {
			return nil, err
		}
		pix := samplesOf(m)
		for i := range pix {
			pix[i] = ^pix[i]
		}
		return m, nil
	}
	if samples == 1 || d.value(tiffPlanar, 1) != planarSeparate {
		return d.decode(blocks, d.photometric(), samples)
	}
	planes := make([]image.Image, samples)
	for i := range planes {
		if planes[i], err = d.decode(blocks.plane(i, samples), blackIsZero, 1); err != nil {
			return nil, err
		}
	}
	return joinPlanes(planes, d.number(tiffExtraSamples) == alphaAssociated), nil
}

// tiffBlocks are the strips or tiles of a page, in its own order.
type tiffBlocks struct {
	wide, high, across int
	offsets, counts    []uint32
}

var errCutOff = fmt.Errorf("scanio: %w: tiff with a block that is cut off", segd.ErrFormat)

// blocks lists the strips or tiles of a page, of all of its planes.
func (d ifd) blocks() (tiffBlocks, error) {
	width, height := d.number(tiffWidth), d.number(tiffHeight)
	b := tiffBlocks{wide: width, high: height} // without rows a strip, or with more than there are, it is one strip
	if rows := d.number(tiffRowsPerStrip); rows > 0 {
		b.high = min(b.high, rows)
	}
	b.offsets, b.counts = d.numbers(tiffStripOffsets, maxBlocks), d.numbers(tiffStripByteCounts, maxBlocks)
	if d.number(tiffTileWidth) > 0 {
		b.wide, b.high = d.number(tiffTileWidth), d.number(tiffTileHeight)
		b.offsets, b.counts = d.numbers(tiffTileOffsets, maxBlocks), d.numbers(tiffTileByteCounts, maxBlocks)
		if b.wide > maxTileSide || b.high > maxTileSide {
			return b, fmt.Errorf("scanio: %w: tiff with tiles of %d×%d pixels, limit %d a side", segd.ErrTooLarge, b.wide, b.high, maxTileSide)
		}
	}
	if b.wide < 1 || b.high < 1 {
		return b, fmt.Errorf("scanio: %w: tiff with blocks of %d×%d pixels", segd.ErrFormat, b.wide, b.high)
	}
	b.across = (width + b.wide - 1) / b.wide
	n := b.across * ((height + b.high - 1) / b.high)
	if d.value(tiffPlanar, 1) == planarSeparate {
		n *= d.value(tiffSamples, 1)
	}
	if len(b.offsets) < n || len(b.counts) < n {
		return b, fmt.Errorf("scanio: %w: tiff of %d blocks, %d offsets and %d lengths", segd.ErrFormat, n, len(b.offsets), len(b.counts))
	}
	b.offsets, b.counts = b.offsets[:n], b.counts[:n]
	lzw := d.value(tiffCompression, compressionNone) == compressionLZW
	for i, at := range b.offsets {
		if int64(at)+int64(b.counts[i]) > int64(len(d.file)) {
			return b, errCutOff
		}
		// libtiff's LZWPreDecode tells the codes of libraries before 5.0 alike.
		if lzw && b.counts[i] > 1 && d.file[at] == 0 && d.file[at+1]&1 == 1 {
			return b, refuse(tiffCompression, "Compression", "5, LZW, in the old order of bits")
		}
	}
	return b, nil
}

// plane returns the blocks of plane i of n.
func (b tiffBlocks) plane(i, n int) tiffBlocks {
	k := len(b.offsets) / n
	b.offsets, b.counts = b.offsets[i*k:][:k], b.counts[i*k:][:k]
	return b
}

// decode has golang.org/x/image/tiff decode blocks by a directory that holds what
// it heeds and nothing else, behind the file.
func (d ifd) decode(blocks tiffBlocks, photometric, samples int) (image.Image, error) {
	w := &pageFile{file: d.file, order: d.order, reverse: d.value(tiffFillOrder, 1) == 2}
	bits := slices.Repeat([]uint32{uint32(d.value(tiffBitsPerSample, 1))}, samples)
	entries := []tiffEntry{
		{tiffWidth, []uint32{uint32(d.number(tiffWidth))}},
		{tiffHeight, []uint32{uint32(d.number(tiffHeight))}},
		{tiffBitsPerSample, bits},
		{tiffCompression, []uint32{uint32(d.value(tiffCompression, compressionNone))}},
		{tiffPhotometric, []uint32{uint32(photometric)}},
	}
	add := func(tag uint16, values []uint32) {
		if len(values) > 0 {
			entries = append(entries, tiffEntry{tag, values})
		}
	}
	tiled := d.number(tiffTileWidth) > 0
	if !tiled {
		add(tiffStripOffsets, blocks.offsets)
		add(tiffRowsPerStrip, d.numbers(tiffRowsPerStrip, 1))
		add(tiffStripByteCounts, blocks.counts)
	}
	add(tiffPredictor, d.numbers(tiffPredictor, 1))
	if photometric == photoColors {
		add(tiffColorMap, d.numbers(tiffColorMap, 3<<bits[0]))
	}
	if tiled {
		add(tiffTileWidth, d.numbers(tiffTileWidth, 1))
		add(tiffTileHeight, d.numbers(tiffTileHeight, 1))
		add(tiffTileOffsets, blocks.offsets)
		add(tiffTileByteCounts, blocks.counts)
	}
	if samples == 4 {
		add(tiffExtraSamples, d.numbers(tiffExtraSamples, 1))
	}
	m, err := tiff.Decode(w.open(entries))
	if err != nil {
		return nil, decodeError(err)
	}
	return m, nil
}

// readTIFFLabels reads the class indices of a TIFF, as ReadMask does of a PNG, a
// mask a page.
func readTIFFLabels(b []byte) (*Labels, error) {
	t, err := openTIFF(b)
	if err != nil {
		return nil, err
	}
	if len(t.warnings) > 0 {
		return nil, fmt.Errorf("scanio: %w: label: %s, want pages that are masks of one image", segd.ErrUnsupported, t.warnings[0])
	}
	page := func(i int) (*segd.Mask, []color.NRGBA, error) {
		d, err := t.page(i)
		if err != nil {
			return nil, nil, err
		}
		m, err := d.labels()
		if err != nil {
			return nil, nil, err
		}
		mask, err := maskOf(m, uint8(d.value(tiffBitsPerSample, 1)))
		return mask, paletteOf(m), err
	}
	first, palette, err := page(0)
	if err != nil {
		return nil, err
	}
	l := oneMask("tiff", first)
	if l.Palette = palette; t.count() > 1 {
		l.Frames, l.Mask = t.count(), func(i int) (*segd.Mask, error) {
			m, _, err := page(i)
			return m, err
		}
	}
	return l, nil
}

// labels decodes a page whose samples are used as they are stored; what would turn
// or invert them is refused.
func (d ifd) labels() (image.Image, error) {
	if d.photometric() == whiteIsZero {
		return nil, refuse(tiffPhotometric, "PhotometricInterpretation", "0, white is zero: whether 0 is background is not certain, want 1, black is zero")
	}
	if o := d.value(tiffOrientation, 1); o > 1 {
		return nil, refuse(tiffOrientation, "Orientation", "%d, want a label that is stored upright", o)
	}
	return decodeTIFF(d)
}

// pixelsPerByte is how many pixels a byte of the file can hold at the most.
func (d ifd) pixelsPerByte() int {
	ratio := 1
	switch d.value(tiffCompression, compressionNone) {
	case 0, compressionNone:
	case compressionLZW:
		ratio = 3000 // a code of 12 bits stands for 4093 bytes at most
	case compressionDeflate, compressionDeflate0:
		ratio = 1032
	case compressionPackBits:
		ratio = 64
	default:
		// Fax: pages of one bit, which take one byte a pixel of memory. The
		// limit of pixels is bound enough.
		return segd.MaxPixels
	}
	return max(1, ratio*8/max(1, d.value(tiffBitsPerSample, 1)*d.value(tiffSamples, 1)))
}
