package scanio

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
	"strings"

	"segd"
)

// tiffFile is a TIFF: its directories, and which of them are frames.
type tiffFile struct {
	frames   []ifd
	planes   int // of a single directory, as ImageJ writes stacks; 1: none but its own
	warnings []string
}

// maxPages bounds the directories of a file.
const maxPages = 65535

// ifd is a directory of a TIFF, which describes a page.
type ifd struct {
	file    []byte
	order   binary.ByteOrder
	entries []byte // 12 bytes each
	next    uint32 // offset of the next directory, 0: none
}

// openTIFF walks the directories of a TIFF. Frames are the pages that agree with
// the first in size and kind of samples; reduced copies, transparency masks and
// pages of another size or kind are skipped with a warning. A file whose
// directories overlap or lead back to each other is segd.ErrFormat.
func openTIFF(b []byte) (*tiffFile, error) {
	pages, err := readPages(b)
	if err != nil {
		return nil, err
	}
	t := &tiffFile{planes: 1}
	reduced, other := 0, 0
	for _, d := range pages {
		switch {
		case d.number(tiffNewSubfile)&(subfileReduced|subfileMask) != 0 || d.number(tiffSubfile) == 2:
			reduced++
		case len(t.frames) > 0 && d.kind() != t.frames[0].kind():
			other++
		default:
			t.frames = append(t.frames, d)
		}
	}
	if len(t.frames) == 0 {
		return nil, fmt.Errorf("scanio: %w: tiff of %d pages, all of them reduced copies or transparency masks (tag %d, NewSubfileType)", segd.ErrUnsupported, len(pages), tiffNewSubfile)
	}
	if reduced > 0 {
		t.warnings = append(t.warnings, fmt.Sprintf("%d of the tiff's %d pages are reduced copies or transparency masks and are skipped", reduced, len(pages)))
	}
	if other > 0 {
		t.warnings = append(t.warnings, fmt.Sprintf("%d of the tiff's %d pages have another size or other samples than the first and are skipped", other, len(pages)))
	}
	return t, t.imageJ()
}

// readPages reads the directories of a TIFF, in the order of the file. They may
// not overlap, so the time for them is that of the file's length.
func readPages(b []byte) ([]ifd, error) {
	d, err := readIFD(b)
	if err != nil {
		return nil, err
	}
	pages := []ifd{d}
	seen, taken := map[uint32]bool{d.order.Uint32(b[4:]): true}, len(d.entries)
	for d.next != 0 {
		at := d.next
		switch {
		case seen[at]:
			return nil, fmt.Errorf("scanio: %w: tiff whose directory %d leads back to one before it", segd.ErrFormat, len(pages))
		case len(pages) == maxPages:
			return nil, fmt.Errorf("scanio: %w: tiff of more than %d pages", segd.ErrTooLarge, maxPages)
		}
		seen[at] = true
		if d, err = readIFDAt(b, d.order, at); err != nil {
			return nil, fmt.Errorf("%w: that of page %d", err, len(pages)+1)
		}
		if taken += len(d.entries); taken > len(b) {
			return nil, fmt.Errorf("scanio: %w: tiff with directories that overlap", segd.ErrFormat)
		}
		pages = append(pages, d)
	}
	return pages, nil
}

// readIFD reads the first directory.
func readIFD(b []byte) (ifd, error) {
	if len(b) < 8 {
		return ifd{}, errDirectory
	}
	var order binary.ByteOrder = binary.LittleEndian
	if b[0] == 'M' {
		order = binary.BigEndian
	}
	return readIFDAt(b, order, order.Uint32(b[4:]))
}

var errDirectory = fmt.Errorf("scanio: %w: tiff without a whole directory", segd.ErrFormat)

func readIFDAt(b []byte, order binary.ByteOrder, offset uint32) (ifd, error) {
	at := int64(offset)
	if at+2 > int64(len(b)) {
		return ifd{}, errDirectory
	}
	end := at + 2 + 12*int64(order.Uint16(b[at:]))
	if end > int64(len(b)) || end == at+2 {
		return ifd{}, errDirectory
	}
	d := ifd{file: b, order: order, entries: b[at+2 : end]}
	if end+4 <= int64(len(b)) {
		d.next = order.Uint32(b[end:])
	}
	return d, nil
}

// pageKind is what the frames of a file agree in.
type pageKind struct{ width, height, bits, samples, format, photometric int }

func (d ifd) kind() pageKind {
	return pageKind{
		d.number(tiffWidth), d.number(tiffHeight), d.value(tiffBitsPerSample, 1), d.value(tiffSamples, 1),
		d.value(tiffSampleFormat, 1), d.value(tiffPhotometric, -1),
	}
}

// count is the number of frames.
func (t *tiffFile) count() int { return len(t.frames) * t.planes }

// page returns frame i, counted from 0.
func (t *tiffFile) page(i int) (ifd, error) {
	switch {
	case i < 0 || i >= t.count():
		return ifd{}, fmt.Errorf("scanio: %w: frame %d of %d", segd.ErrNotFound, i+1, t.count())
	case t.planes > 1:
		return t.frames[0].plane(i), nil
	}
	return t.frames[i], nil
}

// imageJ heeds what ImageJ's description says of a stack (ij.io.TiffEncoder): a
// single directory may stand for all planes, which follow each other, not
// compressed; channels are planes of their own.
func (t *tiffFile) imageJ() error {
	d := t.frames[0]
	text, ok := bytes.CutPrefix(d.text(tiffDescription), []byte("ImageJ="))
	if !ok {
		return nil
	}
	images, channels := 1, 1
	for line := range strings.Lines(string(text)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		n, err := strconv.Atoi(value)
		switch {
		case err != nil || n < 1:
		case key == "images":
			images = n
		case key == "channels":
			channels = n
		}
	}
	if channels > 1 {
		t.warnings = append(t.warnings, fmt.Sprintf("the ImageJ stack has %d channels: each channel is a frame of its own", channels))
	}
	if images == 1 || len(t.frames) > 1 {
		return nil
	}
	first, size := d.number(tiffStripOffsets), d.planeBytes()
	switch {
	case images > maxPages:
		return fmt.Errorf("scanio: %w: tiff of %d images, limit %d", segd.ErrTooLarge, images, maxPages)
	case d.value(tiffCompression, 1) > 1 || first == 0 || size == 0:
		return fmt.Errorf("scanio: %w: ImageJ stack of %d images in one compressed page, want a page for each or uncompressed strips", segd.ErrUnsupported, images)
	case int64(first)+int64(images)*size > int64(len(d.file)):
		return fmt.Errorf("scanio: %w: tiff is truncated: ImageJ stack of %d images of %d bytes", segd.ErrFormat, images, size)
	}
	t.planes = images
	return nil
}

// planeBytes is what an uncompressed page of whole bytes takes; 0: not known.
func (d ifd) planeBytes() int64 {
	k := d.kind()
	if k.bits%8 != 0 || k.width > segd.MaxSide || k.height > segd.MaxSide || d.number(tiffTileWidth) > 0 {
		return 0
	}
	return int64(k.width) * int64(k.height) * int64(k.bits/8) * int64(k.samples)
}

// plane returns the directory of plane i of a stack of one directory.
func (d ifd) plane(i int) ifd {
	size := d.planeBytes()
	first := int64(d.number(tiffStripOffsets))
	replaced := map[uint16]uint32{
		tiffStripOffsets: uint32(first + int64(i)*size), tiffStripByteCounts: uint32(size), tiffRowsPerStrip: uint32(d.number(tiffHeight)),
	}
	entries := bytes.Clone(d.entries)
	for e := entries; len(e) >= 12; e = e[12:] {
		if v, ok := replaced[d.order.Uint16(e)]; ok {
			d.order.PutUint16(e[2:], typeLong)
			d.order.PutUint32(e[4:], 1)
			d.order.PutUint32(e[8:], v)
		}
	}
	d.entries = entries
	return d
}

// Types of entries.
const (
	typeByte  = 1
	typeASCII = 2
	typeShort = 3
	typeLong  = 4
)

// value is number with a default, for tags that all samples have alike.
func (d ifd) value(tag uint16, fallback int) int {
	if v := d.numbers(tag, 1); len(v) > 0 {
		return int(min(v[0], math.MaxInt32))
	}
	return fallback
}

// number is the first value of an entry, 0 where there is none.
func (d ifd) number(tag uint16) int { return d.value(tag, 0) }

// maxBlocks is as many as the smallest tiles of the largest page are, and strips
// of a row each.
const maxBlocks = 1 << 20

// numbers are up to most values of an entry of bytes, shorts or longs; nil where
// there is none and where it is cut off. Of two entries of one tag the first
// counts.
func (d ifd) numbers(tag uint16, most int) []uint32 {
	kind, n, b := d.entry(tag)
	size := map[uint16]int64{typeByte: 1, typeShort: 2, typeLong: 4}[kind]
	if size == 0 || int64(len(b)) < n*size {
		return nil
	}
	v := make([]uint32, min(n, int64(most)))
	for i := range v {
		switch size {
		case 1:
			v[i] = uint32(b[i])
		case 2:
			v[i] = uint32(d.order.Uint16(b[2*i:]))
		default:
			v[i] = d.order.Uint32(b[4*i:])
		}
	}
	return v
}

// text is the value of an entry of text, its beginning where it is long.
func (d ifd) text(tag uint16) []byte {
	const most = 4096
	kind, n, b := d.entry(tag)
	if kind != typeASCII || int64(len(b)) < n {
		return nil
	}
	return b[:min(n, most)]
}

// entry returns type and count of an entry and the bytes from its values on.
func (d ifd) entry(tag uint16) (kind uint16, n int64, b []byte) {
	for e := d.entries; len(e) >= 12; e = e[12:] {
		if d.order.Uint16(e) != tag {
			continue
		}
		kind, n = d.order.Uint16(e[2:]), int64(d.order.Uint32(e[4:]))
		size := map[uint16]int64{typeByte: 1, typeASCII: 1, typeShort: 2, typeLong: 4}[kind]
		if n*size <= 4 {
			return kind, n, e[8:12]
		}
		return kind, n, d.file[min(int64(len(d.file)), int64(d.order.Uint32(e[8:]))):]
	}
	return 0, 0, nil
}
