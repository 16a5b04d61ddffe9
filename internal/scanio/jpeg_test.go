package scanio

import (
	"bytes"
	"errors"
	"image"
	"testing"

	"segd"
)

// A JPEG of many scans costs the time of many images and is refused; what only
// looks like scans, inside of a segment, does not count.
func TestJPEGScans(t *testing.T) {
	b := encodeJPEG(t, image.NewGray(image.Rect(0, 0, 40, 40)))
	sos := bytes.Index(b, []byte{0xff, 0xda})
	scan := b[sos : len(b)-2]
	if n := jpegScans(b); n != 1 {
		t.Errorf("%d scans, want 1", n)
	}
	many := append(bytes.Clone(b[:len(b)-2]), bytes.Repeat(scan, maxScans)...)
	if n := jpegScans(append(many, 0xff, 0xd9)); n != maxScans+1 {
		t.Errorf("%d scans, want %d", n, maxScans+1)
	}
	if _, err := Read(append(many, 0xff, 0xd9)); !errors.Is(err, segd.ErrTooLarge) {
		t.Errorf("got %v, want ErrTooLarge", err)
	}
	comment := append([]byte{0xff, 0xfe, 1, 0xca}, bytes.Repeat([]byte{0xff, 0xda}, 228)...) // 2 + 456 bytes
	with := append(append(bytes.Clone(b[:2]), comment...), b[2:]...)
	if n := jpegScans(with); n != 1 {
		t.Errorf("%d scans with a comment that looks like some, want 1", n)
	}
	if _, err := Read(with); err != nil {
		t.Error(err)
	}
}
