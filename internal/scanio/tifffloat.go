package scanio

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"fmt"
	"io"
	"math"

	"golang.org/x/image/tiff/lzw"

	"segd"
)

// Further tags of TIFF 6.0 and of its technical note 3.
const (
	tiffWidth           = 256
	tiffHeight          = 257
	tiffPhotometric     = 262 // 1 is grey, black being 0
	tiffStripOffsets    = 273
	tiffRowsPerStrip    = 278
	tiffStripByteCounts = 279
	tiffPredictor       = 317
	tiffTileWidth       = 322
	tiffTileHeight      = 323
	tiffTileOffsets     = 324
	tiffTileByteCounts  = 325
)

// tiffFloat is the sample format of floating point.
const tiffFloat = 3

// maxTileSide bounds the sides of a tile, of which one at a time is in memory.
const maxTileSide = 4096

// floatTIFF is a page of grey floating point samples, which golang.org/x/image
// does not read.
type floatTIFF struct {
	dir           ifd
	width, height int
	bytes         int // of a sample, 4 or 8
	pix           []float32
}

// readFloatTIFF reads a page of one sample of 32 or 64 bits a pixel, in strips
// or tiles, as it is or compressed by LZW or deflate, with or without the
// predictor of floating point. Numbers that float32 has not become infinite.
func readFloatTIFF(dir ifd) (*segd.Scan, error) {
	bad := func(format string, a ...any) error {
		return fmt.Errorf("scanio: %w: tiff of floating point: %s", segd.ErrUnsupported, fmt.Sprintf(format, a...))
	}
	f := &floatTIFF{dir: dir, width: dir.number(tiffWidth), height: dir.number(tiffHeight), bytes: dir.value(tiffBitsPerSample, 1) / 8}
	switch samples, meaning := dir.value(tiffSamples, 1), dir.value(tiffPhotometric, -1); {
	case f.bytes != 4 && f.bytes != 8:
		return nil, bad("%d bits a sample, want 32 or 64", dir.value(tiffBitsPerSample, 1))
	case samples != 1:
		return nil, bad("%d samples a pixel, want 1", samples)
	case meaning != 1:
		return nil, bad("photometric interpretation %d, want 1", meaning)
	}
	perByte := 1
	switch c := dir.value(tiffCompression, 1); c {
	case 1:
	case 5:
		perByte = 3000
	case 8, 32946:
		perByte = 1032
	default:
		return nil, bad("compression %d, want none, LZW or deflate", c)
	}
	if p := dir.value(tiffPredictor, 1); p != 1 && p != tiffFloat {
		return nil, bad("predictor %d, want none or that of floating point", p)
	}
	if err := checkSize("tiff", f.width, f.height, max(1, perByte/f.bytes), len(dir.file)); err != nil {
		return nil, err
	}
	f.pix = make([]float32, f.width*f.height)
	if err := f.blocks(); err != nil {
		return nil, err
	}
	return f.scan(), nil
}

// blocks reads the strips or tiles.
func (f *floatTIFF) blocks() error {
	wide, high := f.width, f.height // without rows a strip, or with more than there are, it is one strip
	if rows := f.dir.number(tiffRowsPerStrip); rows > 0 {
		high = min(high, rows)
	}
	offsets, counts := f.dir.numbers(tiffStripOffsets), f.dir.numbers(tiffStripByteCounts)
	if f.dir.number(tiffTileWidth) > 0 {
		wide, high = f.dir.number(tiffTileWidth), f.dir.number(tiffTileHeight)
		offsets, counts = f.dir.numbers(tiffTileOffsets), f.dir.numbers(tiffTileByteCounts)
		if wide > maxTileSide || high > maxTileSide {
			return fmt.Errorf("scanio: %w: tiff with tiles of %d×%d pixels, limit %d a side", segd.ErrTooLarge, wide, high, maxTileSide)
		}
	}
	if wide < 1 || high < 1 {
		return fmt.Errorf("scanio: %w: tiff with blocks of %d×%d pixels", segd.ErrFormat, wide, high)
	}
	across, down := (f.width+wide-1)/wide, (f.height+high-1)/high
	if len(offsets) != across*down || len(counts) != len(offsets) {
		return fmt.Errorf("scanio: %w: tiff of %d blocks, %d offsets and %d lengths", segd.ErrFormat, across*down, len(offsets), len(counts))
	}
	row, whole := make([]byte, wide*f.bytes), make([]byte, wide*f.bytes)
	for i := range offsets {
		r, err := f.open(offsets[i], counts[i])
		if err != nil {
			return err
		}
		x, y := i%across*wide, i/across*high
		for k := range high {
			if y+k == f.height { // strips end here, tiles are filled up
				break
			}
			if _, err := io.ReadFull(r, row); err != nil {
				return errCutOff
			}
			f.place(row, whole, x, y+k)
		}
	}
	return nil
}

var errCutOff = fmt.Errorf("scanio: %w: tiff with a block that is cut off", segd.ErrFormat)

// open returns a reader of the bytes that a block unpacks to.
func (f *floatTIFF) open(offset, count uint32) (io.Reader, error) {
	if int64(offset)+int64(count) > int64(len(f.dir.file)) {
		return nil, errCutOff
	}
	r := bytes.NewReader(f.dir.file[offset:][:count])
	switch f.dir.value(tiffCompression, 1) {
	case 5:
		return lzw.NewReader(r, lzw.MSB, 8), nil // holds memory alone, as zlib's does
	case 8, 32946:
		z, err := zlib.NewReader(r)
		if err != nil {
			return nil, fmt.Errorf("scanio: %w: tiff: %v", segd.ErrFormat, err)
		}
		return z, nil
	}
	return r, nil
}

// place writes a row of a block, which it changes, to column x of row y, as far as
// it lies in the image; whole is as long.
func (f *floatTIFF) place(row, whole []byte, x, y int) {
	order := f.dir.order
	if f.dir.value(tiffPredictor, 1) == tiffFloat {
		row, order = joinBytes(whole, row, f.bytes), binary.BigEndian
	}
	dst := f.pix[y*f.width+x : y*f.width+min(f.width, x+len(row)/f.bytes)]
	for i := range dst {
		if f.bytes == 4 {
			dst[i] = math.Float32frombits(order.Uint32(row[4*i:]))
		} else {
			dst[i] = float32(math.Float64frombits(order.Uint64(row[8*i:])))
		}
	}
}

// joinBytes undoes the predictor of floating point on a row, which it changes:
// each byte is the difference to the one before, and the high bytes of all
// numbers come first (Adobe Photoshop TIFF technical note 3).
func joinBytes(dst, row []byte, size int) []byte {
	for i := 1; i < len(row); i++ {
		row[i] += row[i-1]
	}
	n := len(row) / size
	for i := range n {
		for k := range size {
			dst[size*i+k] = row[k*n+i]
		}
	}
	return dst
}

// scan returns the page as a scan, whose window for display is left open.
func (f *floatTIFF) scan() *segd.Scan {
	s := &segd.Scan{Format: "tiff", Width: f.width, Height: f.height, Frames: 1, Steps: []string{fmt.Sprintf("tiff, floating point of %d bits", 8*f.bytes)}}
	s.Frame = func(i int) (*segd.Image, error) {
		if i != 0 {
			return nil, fmt.Errorf("scanio: %w: frame %d of 1", segd.ErrNotFound, i+1)
		}
		return &segd.Image{Width: f.width, Height: f.height, Channels: 1, Pix: append([]float32(nil), f.pix...)}, nil
	}
	return s
}

// number is the first value of a SHORT or LONG entry, 0 where there is none.
func (d ifd) number(tag uint16) int {
	if v := d.numbers(tag); len(v) > 0 && v[0] <= math.MaxInt32 {
		return int(v[0])
	}
	return 0
}

// maxBlocks is as many as the smallest tiles of the largest page are, and strips
// of a row each.
const maxBlocks = 1 << 20

// numbers are the values of a SHORT or LONG entry; nil where there is none, where
// it is cut off, and where they are more than maxBlocks.
func (d ifd) numbers(tag uint16) []uint32 {
	for e := d.entries; len(e) >= 12; e = e[12:] {
		size := map[uint16]int64{3: 2, 4: 4}[d.order.Uint16(e[2:])]
		if d.order.Uint16(e) != tag || size == 0 {
			continue
		}
		n := int64(d.order.Uint32(e[4:]))
		b := e[8:12]
		if n > maxBlocks {
			return nil
		}
		if n*size > 4 {
			at := int64(d.order.Uint32(e[8:]))
			if at+n*size > int64(len(d.file)) {
				return nil
			}
			b = d.file[at:]
		}
		v := make([]uint32, n)
		for i := range v {
			if size == 2 {
				v[i] = uint32(d.order.Uint16(b[2*i:]))
			} else {
				v[i] = d.order.Uint32(b[4*i:])
			}
		}
		return v
	}
	return nil
}
