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

// maxTileSide bounds the sides of a tile; one at a time is in memory.
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
// or tiles, uncompressed or compressed by LZW or deflate, with or without the
// predictor of floating point. Numbers that float32 has not become infinite.
func readFloatTIFF(dir ifd) (*segd.Scan, error) {
	bad := func(format string, a ...any) error {
		return fmt.Errorf("scanio: %w: tiff of floating point: %s", segd.ErrUnsupported, fmt.Sprintf(format, a...))
	}
	if err := dir.checkTags(); err != nil {
		return nil, err
	}
	f := &floatTIFF{dir: dir, width: dir.number(tiffWidth), height: dir.number(tiffHeight), bytes: dir.value(tiffBitsPerSample, 1) / 8}
	switch samples, meaning := dir.value(tiffSamples, 1), dir.photometric(); {
	case f.bytes != 4 && f.bytes != 8:
		return nil, bad("%d bits a sample, want 32 or 64", dir.value(tiffBitsPerSample, 1))
	case samples != 1:
		return nil, bad("%d samples a pixel, want 1", samples)
	case dir.value(tiffFillOrder, 1) != 1:
		return nil, refuse(tiffFillOrder, "FillOrder", "2 of floating point")
	case meaning != blackIsZero:
		return nil, bad("photometric interpretation %d, want 1", meaning)
	}
	perByte := 1
	switch c := dir.value(tiffCompression, compressionNone); c {
	case 0, compressionNone:
	case compressionLZW:
		perByte = 3000
	case compressionDeflate, compressionDeflate0:
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
	b, err := f.dir.blocks()
	if err != nil {
		return err
	}
	row, whole := make([]byte, b.wide*f.bytes), make([]byte, b.wide*f.bytes)
	for i := range b.offsets {
		r, err := f.open(b.offsets[i], b.counts[i])
		if err != nil {
			return err
		}
		x, y := i%b.across*b.wide, i/b.across*b.high
		for k := range b.high {
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

// open returns a reader of the bytes that a block unpacks to.
func (f *floatTIFF) open(offset, count uint32) (io.Reader, error) {
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
