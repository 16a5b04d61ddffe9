package scanio

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"math"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"segd"
	"segd/dicomio/dicomtest"
)

// pngHead returns the first chunk of a PNG.
func pngHead(width, height uint32, depth, colorType uint8) []byte {
	chunk := []byte("IHDR")
	chunk = binary.BigEndian.AppendUint32(chunk, width)
	chunk = binary.BigEndian.AppendUint32(chunk, height)
	chunk = append(chunk, depth, colorType, 0, 0, 0)
	b := append([]byte(pngHeader), 0, 0, 0, 13)
	b = append(b, chunk...)
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(chunk))
}

// tiffHead returns a TIFF of the given SHORT or LONG entries and nothing else.
func tiffHead(entries ...[2]uint32) []byte {
	b := []byte("II*\x00\x08\x00\x00\x00")
	b = binary.LittleEndian.AppendUint16(b, uint16(len(entries)))
	for _, e := range entries {
		b = binary.LittleEndian.AppendUint16(b, uint16(e[0]))
		kind := uint16(3)
		if e[1] > 65535 {
			kind = 4
		}
		b = binary.LittleEndian.AppendUint16(b, kind)
		b = binary.LittleEndian.AppendUint32(b, 1)
		b = binary.LittleEndian.AppendUint32(b, e[1])
	}
	return append(b, 0, 0, 0, 0)
}

// jpegHead returns a JPEG of the given size up to its frame header.
func jpegHead(t testing.TB, width, height uint16) []byte {
	b := encodeJPEG(t, image.NewGray(image.Rect(0, 0, 8, 8)))
	at := bytes.Index(b, []byte{0xff, 0xc0})
	if at < 0 {
		t.Fatal("no frame header")
	}
	binary.BigEndian.PutUint16(b[at+5:], height)
	binary.BigEndian.PutUint16(b[at+7:], width)
	return b
}

func TestErrors(t *testing.T) {
	whole := encodePNG(t, image.NewGray16(image.Rect(0, 0, 50, 50)))
	colour := encodeJPEG(t, image.NewRGBA(image.Rect(0, 0, 50, 50)))
	page := encodeTIFF(t, image.NewGray(image.Rect(0, 0, 50, 50)))
	corrupt := bytes.Clone(whole)
	corrupt[len(corrupt)-20] ^= 0x55
	tests := []struct {
		name string
		b    []byte
		want error
		text string
	}{
		{"nothing", nil, segd.ErrFormat, "empty"},
		{"text", []byte(strings.Repeat("hello, world ", 8)), segd.ErrUnsupported, "not DICOM, NIfTI, NRRD, MetaImage, MGH, PNG, JPEG, TIFF, JPEG 2000, BMP, GIF, WebP or PNM"},
		{"zeros", make([]byte, 1000), segd.ErrUnsupported, "not DICOM, NIfTI, NRRD, MetaImage, MGH, PNG, JPEG, TIFF, JPEG 2000, BMP, GIF, WebP or PNM"},
		{"photoshop", []byte("8BPS\x00\x01\x00\x00\x00\x00\x00\x00"), segd.ErrUnsupported, "not DICOM, NIfTI, NRRD, MetaImage, MGH, PNG, JPEG, TIFF, JPEG 2000, BMP, GIF, WebP or PNM"},
		{"zip", []byte("PK\x03\x04 and more"), segd.ErrUnsupported, "not DICOM, NIfTI, NRRD, MetaImage, MGH, PNG, JPEG, TIFF, JPEG 2000, BMP, GIF, WebP or PNM"},
		{"png of 20000", pngHead(20000, 20000, 8, 0), segd.ErrTooLarge, "20000×20000 pixels, limit 16384"},
		{"png of 64 Mpixel and more", pngHead(16384, 8192, 8, 0), segd.ErrTooLarge, "67108864"},
		{"png of 4 Gpixel a side", pngHead(math.MaxUint32, 1, 8, 0), segd.ErrFormat, "4294967295"},
		{"png header alone", pngHead(10, 10, 8, 0), segd.ErrFormat, ""},
		{"png of 64 Mpixel in 33 bytes", pngHead(8192, 8192, 16, 6), segd.ErrFormat, "truncated"},
		{"png without a header", []byte(pngHeader), segd.ErrFormat, "header"},
		{"png of no kind", pngHead(10, 10, 8, 5), segd.ErrFormat, "colour type 5"},
		{"png of no size", pngHead(0, 10, 8, 0), segd.ErrFormat, "0×10"},
		{"png cut short", whole[:len(whole)/2], segd.ErrFormat, "png"},
		{"png damaged", corrupt, segd.ErrFormat, "png"},
		{"jpeg cut short", colour[:len(colour)/2], segd.ErrFormat, ""},
		{"jpeg head", colour[:4], segd.ErrFormat, ""},
		{"jpeg of 20000", jpegHead(t, 20000, 20000), segd.ErrTooLarge, "20000×20000"},
		{"jpeg of 8192 in few bytes", jpegHead(t, 8192, 8192), segd.ErrFormat, "truncated"},
		{"tiff cut short", page[:len(page)-30], segd.ErrFormat, ""},
		{"tiff head", []byte("II*\x00\xff\xff\xff\x7f"), segd.ErrFormat, "directory"},
		{"tiff of 20000", tiffHead([2]uint32{256, 20000}, [2]uint32{257, 20000}, [2]uint32{258, 8}, [2]uint32{262, 1}), segd.ErrTooLarge, "20000×20000"},
		{"tiff of 4 Gpixel a side", tiffHead([2]uint32{256, math.MaxUint32}, [2]uint32{257, 1}, [2]uint32{258, 8}, [2]uint32{262, 1}), segd.ErrTooLarge, ""},
		{"tiff of 8192 in few bytes", tiffHead([2]uint32{256, 8192}, [2]uint32{257, 8192}, [2]uint32{258, 16}, [2]uint32{262, 1}), segd.ErrFormat, "truncated"},
		{"tiff, signed", tiffHead([2]uint32{256, 8}, [2]uint32{257, 8}, [2]uint32{258, 16}, [2]uint32{262, 1}, [2]uint32{339, 2}), segd.ErrUnsupported, "SampleFormat (tag 339) 2"},
		{"tiff of 32 bits", tiffHead([2]uint32{256, 8}, [2]uint32{257, 8}, [2]uint32{258, 32}, [2]uint32{262, 1}), segd.ErrUnsupported, ""},
		{"dicom, video", dicomtest.Write(dicomtest.File{Syntax: "1.2.840.10008.1.2.4.102"}), segd.ErrUnsupported, "1.2.840.10008.1.2.4.102"},
		{"dicom without pixels", dicomtest.Write(dicomtest.File{NoPixels: true}), segd.ErrUnprocessable, "(7FE0,0010)"},
		{"300 MB", make([]byte, 300<<20), segd.ErrTooLarge, "268435456"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			start := time.Now()
			s, err := Read(tt.b)
			took := time.Since(start)
			runtime.ReadMemStats(&after)
			if !errors.Is(err, tt.want) || !strings.Contains(fmt.Sprint(err), tt.text) || s != nil {
				t.Errorf("got %v, want %v with %q", err, tt.want, tt.text)
			}
			if n := after.TotalAlloc - before.TotalAlloc; n > 1<<20 {
				t.Errorf("allocated %d KiB", n>>10)
			}
			if took > dicomtest.Hung {
				t.Errorf("took %v", took)
			}
		})
	}
}

// TestTruncated cuts each format everywhere: what is read is whole, or an
// error of kind ErrFormat, or not recognised.
func TestTruncated(t *testing.T) {
	m := painted(image.NewNRGBA(image.Rect(0, 0, 20, 20)), func(x, y int) color.Color { return color.NRGBA{uint8(x * 12), uint8(y * 12), 9, 255} })
	for name, b := range map[string][]byte{"png": encodePNG(t, m), "jpeg": encodeJPEG(t, m), "tiff": encodeTIFF(t, m)} {
		whole, err := Read(b)
		if err != nil {
			t.Fatal(err)
		}
		want, err := whole.Frame(0)
		if err != nil {
			t.Fatal(err)
		}
		for n := range b {
			s, err := Read(b[:n:n])
			switch {
			case err == nil:
				img, err := s.Frame(0)
				if err != nil || cmp.Diff(img.Pix, want.Pix) != "" {
					t.Errorf("%s cut to %d of %d bytes is read, but differs: %v", name, n, len(b), err)
				}
			case !errors.Is(err, segd.ErrFormat) && !(n < 8 && errors.Is(err, segd.ErrUnsupported)):
				t.Errorf("%s cut to %d of %d bytes: got %v", name, n, len(b), err)
			}
		}
	}
}

func FuzzRead(f *testing.F) {
	m := painted(image.NewNRGBA(image.Rect(0, 0, 6, 5)), func(x, y int) color.Color { return color.NRGBA{uint8(x * 40), uint8(y * 40), 9, 200} })
	f.Add(encodePNG(f, m))
	f.Add(encodePNG(f, image.NewGray16(m.Rect)))
	f.Add(greyPNG(f, 2, 4))
	f.Add(encodeJPEG(f, m))
	f.Add(encodeTIFF(f, m))
	f.Add(encodeTIFF(f, image.NewGray16(m.Rect)))
	f.Add(dicomtest.Write(dicomtest.Disc(4)))
	page := floatPage{width: 6, height: 5, order: binary.LittleEndian, bytes: 4, high: 2, values: make([]float32, 30)}
	f.Add(page.write(f))
	page.wide, page.high, page.bytes, page.deflate, page.order = 4, 4, 8, true, binary.BigEndian
	f.Add(page.write(f))
	for _, text := range pillow {
		b, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add(writeTIFF(spec(4, 3, ascending(12, 0), nil), spec(4, 3, ascending(12, 5), nil), spec(2, 1, []byte{1, 2}, map[uint16][]uint32{tiffNewSubfile: {1}})))
	planes := spec(4, 3, nil, map[uint16][]uint32{tiffPhotometric: {photoRGB}, tiffSamples: {3}, tiffBitsPerSample: {8, 8, 8}, tiffPlanar: {planarSeparate}, tiffFillOrder: {2}})
	planes.blocks = [][]byte{ascending(12, 0), ascending(12, 1), ascending(12, 2)}
	f.Add(writeTIFF(planes))
	for _, b := range hostile() {
		if len(b) < 1<<16 {
			f.Add(b)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		check := func(err error) {
			for _, kind := range []error{segd.ErrFormat, segd.ErrTooLarge, segd.ErrUnsupported, segd.ErrUnprocessable} {
				if errors.Is(err, kind) {
					return
				}
			}
			t.Errorf("error of no kind: %v", err)
		}
		if _, err := ReadMask(b); err != nil {
			check(err)
		}
		if _, err := ReadValues(b); err != nil {
			check(err)
		}
		if _, err := ReadLabels(b); err != nil {
			check(err)
		}
		s, err := Read(b)
		if err != nil {
			check(err)
			return
		}
		img, err := s.Frame(s.Frames - 1)
		if err != nil {
			check(err)
		} else if len(img.Pix) != s.Width*s.Height*img.Channels {
			t.Errorf("%d values for %d×%d×%d", len(img.Pix), s.Height, s.Width, img.Channels)
		}
	})
}
