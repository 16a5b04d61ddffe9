package handlers

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"image"
	"testing"
)

// orient=upright turns the mask of a picture that is stored turned; without it the mask
// keeps the stored pixels, with a warning, and the overlay is upright all the same.
func TestSegmentOrientation(t *testing.T) {
	url := start(t, newServer(t, nil)) + "/v1/segment?model=bright&output="
	m := image.NewGray(image.Rect(0, 0, 40, 28))
	for i := range m.Pix {
		if i%40 < 18 && i/40 < 9 {
			m.Pix[i] = 220
		}
	}
	plain := encodePNG(t, m)
	body := []byte("eXIfMM\x00*\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00\x06\x00\x00\x00\x00\x00\x00")
	chunk := append(binary.BigEndian.AppendUint32(nil, uint32(len(body)-4)), body...)
	turned := bytes.Join([][]byte{plain[:33], binary.BigEndian.AppendUint32(chunk, crc32.ChecksumIEEE(body)), plain[33:]}, nil)
	for _, tt := range []struct {
		output        string
		width, height int
	}{{"mask", 40, 28}, {"mask&orient=stored", 40, 28}, {"mask&orient=upright", 28, 40}, {"overlay", 28, 40}, {"overlay&orient=upright", 28, 40}} {
		a := post(t, url+tt.output, turned)
		wantOK(t, a, "image/png")
		if size := decodePNG(t, a.body).Bounds().Size(); size != image.Pt(tt.width, tt.height) {
			t.Errorf("%s: %v, want %d×%d", tt.output, size, tt.width, tt.height)
		}
	}
	if a := post(t, url+"json", turned); !bytes.Contains(a.body, []byte("masks keep the pixels as they are stored")) {
		t.Errorf("not warned of: %s", a.body)
	}
	if a := post(t, url+"json&orient=upright", turned); bytes.Contains(a.body, []byte("as they are stored")) || !bytes.Contains(a.body, []byte(`"width":28`)) {
		t.Errorf("upright: %s", a.body)
	}
	wantProblem(t, post(t, url+"mask&orient=down", turned), 400, "orient down, want stored or upright")
}
