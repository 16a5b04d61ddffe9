package main

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"image"
	"path/filepath"
	"strings"
	"testing"

	"segd/internal/orient"
	"segd/train/dataset/datasettest"
)

// turnedPNG is a PNG that is to be shown with an orientation, by its chunk eXIf.
func turnedPNG(t *testing.T, m image.Image, orientation byte) []byte {
	t.Helper()
	png := datasettest.Encode(t, m)
	data := []byte("II*\x00\x08\x00\x00\x00\x01\x00\x12\x01\x03\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00")
	data[18] = orientation
	body := append([]byte("eXIf"), data...)
	chunk := binary.BigEndian.AppendUint32(nil, uint32(len(data)))
	chunk = binary.BigEndian.AppendUint32(append(chunk, body...), crc32.ChecksumIEEE(body))
	return bytes.Join([][]byte{png[:33], chunk, png[33:]}, nil)
}

// A picture that is stored turned is segmented upright: its mask keeps the stored pixels,
// unless they are asked for upright, and its overlay is upright.
func TestSegmentOrientation(t *testing.T) {
	t.Parallel()
	model, in := brightModel(t), t.TempDir()
	upright := image.NewGray(image.Rect(0, 0, 40, 28)) // bright in a corner
	for i := range upright.Pix {
		upright.Pix[i] = 20
		if x, y := i%40, i/40; x < 18 && y < 9 {
			upright.Pix[i] = 220
		}
	}
	write(t, filepath.Join(in, "upright.png"), datasettest.Encode(t, upright))
	for o := byte(2); o <= 8; o++ {
		turn := orient.Upright(int(o), 40, 28)
		if o >= 5 {
			turn = orient.Upright(int(o), 28, 40)
		}
		stored, err := orient.Reslice(turn.Inverse(), 0, 1, 1, func(int) ([]uint8, error) { return upright.Pix, nil })
		if err != nil {
			t.Fatal(err)
		}
		m := &image.Gray{Pix: stored[0], Stride: turn.Stored[0], Rect: image.Rect(0, 0, turn.Stored[0], turn.Stored[1])}
		write(t, filepath.Join(in, string(rune('0'+o))+".png"), turnedPNG(t, m, o))
	}
	out, all := t.TempDir(), t.TempDir()
	code, _, stderr := command(t, "segment", "-i", in, "-o", out, "-m", model, "--output", "mask,overlay,json", "--progress", "none")
	if code != 0 || !strings.Contains(stderr, "masks keep the pixels as they are stored; --orient upright") {
		t.Errorf("exit %d: %s", code, stderr)
	}
	code, _, stderr = command(t, "segment", "-i", in, "-o", all, "-m", model, "--output", "mask,overlay", "--orient", "upright", "--progress", "none")
	if code != 0 || strings.Contains(stderr, "as they are stored") {
		t.Errorf("upright: exit %d: %s", code, stderr)
	}
	files, turned := tree(t, out), tree(t, all)
	want := readPNG(t, filepath.Join(out, "mask", "upright.png")).(*image.Paletted)
	for o := 2; o <= 8; o++ {
		name := string(rune('0'+o)) + ".png"
		stored := readPNG(t, filepath.Join(out, "mask", name)).(*image.Paletted)
		turn := orient.Upright(o, stored.Rect.Dx(), stored.Rect.Dy())
		pix, err := orient.Reslice(turn, 0, 1, 1, func(int) ([]uint8, error) { return stored.Pix, nil })
		if err != nil || turn.Size() != [3]int{40, 28, 1} || !bytes.Equal(pix[0], want.Pix) {
			t.Errorf("orientation %d: the mask is not that of the upright picture, turned (%v)", o, err)
		}
		if files["overlay/"+name] != files["overlay/upright.png"] || turned["overlay/"+name] != files["overlay/upright.png"] {
			t.Errorf("orientation %d: the overlay is not upright", o)
		}
		if turned["mask/"+name] != files["mask/upright.png"] {
			t.Errorf("orientation %d: --orient upright gives another mask", o)
		}
		if text := files["json/"+strings.TrimSuffix(name, "png")+"json"]; !strings.Contains(text, "for the model, as the file is to be shown") {
			t.Errorf("orientation %d: %s", o, text)
		}
	}
	if code, _, stderr := command(t, "segment", "-i", in, "-o", t.TempDir(), "-m", model, "--orient", "down"); code != exitUsage || !strings.Contains(stderr, "--orient down, want stored or upright") {
		t.Errorf("exit %d: %s", code, stderr)
	}
	text := done(t, "inspect", "-m", model, filepath.Join(in, "6.png"))
	for _, want := range []string{"the file is to be shown turned by 90° clockwise (orientation 6)", "turned back onto the frame", "warning: the file is to be shown"} {
		if !strings.Contains(text, want) {
			t.Errorf("inspect: no %q in %s", want, text)
		}
	}
}
