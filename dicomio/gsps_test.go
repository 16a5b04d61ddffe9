package dicomio

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"os/exec"
	"testing"

	"segd"
	"segd/dicomio/dicomtest"
	"segd/dicomio/tag"
)

// coloured makes f an image in colour.
func coloured(f dicomtest.File) dicomtest.File {
	n := f.Rows * f.Columns * max(1, f.Frames)
	f.Photometric, f.Samples, f.Allocated, f.Stored, f.Pixels = "RGB", 3, 8, 8, make([]byte, 3*n)
	return f
}

// TestPresentationStates has images in grey and in colour get the class of
// presentation state that is theirs, with the modules that it has to have.
func TestPresentationStates(t *testing.T) {
	own := bytes.Clone(sRGB())
	own[64]++ // another rendering intent
	us := coloured(images()["US"])
	profile := func(f dicomtest.File, b []byte) dicomtest.File {
		f.Elements = append(f.Elements[:len(f.Elements):len(f.Elements)], dicomtest.Element{Tag: tag.ICCProfile, VR: "OB", Value: b})
		return f
	}
	microscope := us
	microscope.Elements = append(us.Elements[:len(us.Elements):len(us.Elements)], sequence(tag.OpticalPathSequence, dicomtest.Item{{Tag: tag.ICCProfile, VR: "OB", Value: own}}))
	display := bytes.Clone(own)
	copy(display[12:], "mntr")
	indexed := images()["US"]
	indexed.Photometric = "PALETTE COLOR"
	inverted := images()["CR"]
	inverted.Photometric = "MONOCHROME1"
	for _, tt := range []struct {
		name    string
		file    dicomtest.File
		profile []byte // nil: grey
	}{
		{"grey", images()["CT"], nil}, {"inverted", inverted, nil}, {"RGB", us, sRGB()}, {"palette", indexed, sRGB()},
		{"own profile", profile(us, own), own}, {"microscope", microscope, own},
		{"profile of a display", profile(us, display), sRGB()}, {"no profile", profile(us, []byte("none")), sRGB()}, {"cut profile", profile(us, own[:200]), sRGB()},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := openSource(t, tt.file)
			g, err := NewGSPS(origin(s))
			if err != nil {
				t.Fatal(err)
			}
			if err := g.AddMask(0, 0, drawn(s, 0)); err != nil {
				t.Fatal(err)
			}
			var b bytes.Buffer
			if err := g.Write(&b); err != nil {
				t.Fatal(err)
			}
			d := parse(t, b.Bytes())
			class := "1.2.840.10008.5.1.4.1.1.11.1"
			if tt.profile != nil {
				class = "1.2.840.10008.5.1.4.1.1.11.2"
			}
			if got := d.text(tag.SOPClassUID); got != class {
				t.Errorf("SOP class %s, want %s", got, class)
			}
			if got := d[tag.ICCProfile].b; !bytes.Equal(got, tt.profile) {
				t.Errorf("another profile, of %d bytes", len(got))
			}
			if got := d.text(tag.ColorSpace) == "SRGB"; got != bytes.Equal(tt.profile, sRGB()) {
				t.Errorf("named sRGB: %t", got)
			}
			if d.has(tag.PresentationLUTShape) != (tt.profile == nil) {
				t.Error("PresentationLUTShape is of grey states alone")
			}
			if !d.has(tag.GraphicAnnotationSequence) || !d.has(tag.DisplayedAreaSelectionSequence) || !d.has(tag.ReferencedSeriesSequence) {
				t.Error("outlines, area or references are missing")
			}
		})
	}
}

// TestPresentationStateErrors gives images that no one state can be of.
func TestPresentationStateErrors(t *testing.T) {
	odd := images()["CT"]
	odd.Photometric = "HSV"
	grey, colour := images()["US"], coloured(images()["US"])
	for name, o := range map[string]Origin{
		"neither": origin(openSource(t, odd)),
		"both":    origin(openSource(t, grey), openSource(t, colour)),
	} {
		if _, err := NewGSPS(o); !errors.Is(err, segd.ErrUnprocessable) {
			t.Errorf("%s: %v", name, err)
		}
	}
	a, err1 := NewGSPS(origin(openSource(t, grey)))
	b, err2 := NewGSPS(origin(openSource(t, colour)))
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	if err := a.Merge(b); !errors.Is(err, segd.ErrUnprocessable) {
		t.Errorf("merged: %v", err)
	}
}

// TestSRGB has the profile take white to the white of the connection space, and
// where littleCMS is at hand (Pillow) agree with its own sRGB.
func TestSRGB(t *testing.T) {
	b := sRGB()
	if !isInputProfile(b) || len(b)%2 != 0 {
		t.Fatalf("no profile of an input device, %d bytes", len(b))
	}
	var sum [3]float64
	for i := range int(binary.BigEndian.Uint32(b[128:])) {
		entry := b[132+12*i:]
		offset, size := binary.BigEndian.Uint32(entry[4:]), binary.BigEndian.Uint32(entry[8:])
		if int(offset+size) > len(b) || offset%4 != 0 {
			t.Fatalf("tag %q at %d of %d bytes", entry[:4], offset, size)
		}
		if string(entry[1:4]) != "XYZ" {
			continue
		}
		for j := range sum {
			sum[j] += float64(int32(binary.BigEndian.Uint32(b[offset+8+4*uint32(j):]))) / 65536
		}
	}
	for j, want := range []float64{0.9642, 1, 0.8249} { // D50, to the digits that primaries are given with
		if math.Abs(sum[j]-want) > 1e-3 {
			t.Errorf("white has %v of component %d, want %v", sum[j], j, want)
		}
	}
	p := python(t, "PIL.ImageCms")
	cmd := exec.Command(p, "-c", `
import sys, io
from PIL import Image, ImageCms
ours = ImageCms.ImageCmsProfile(io.BytesIO(sys.stdin.buffer.read()))
im = Image.new("RGB", (4096, 1))
im.putdata([((i // 256) * 17, (i // 16 % 16) * 17, (i % 16) * 17) for i in range(4096)])
out = ImageCms.profileToProfile(im, ours, ImageCms.createProfile("sRGB"))
sys.stdout.write(str(max(abs(a - b) for p, q in zip(im.getdata(), out.getdata()) for a, b in zip(p, q))))
`)
	cmd.Stdin = bytes.NewReader(b)
	out, err := cmd.Output()
	if err != nil || (string(out) != "0" && string(out) != "1") { // 1: roundings of two tables
		t.Errorf("littleCMS takes colours elsewhere, by up to %s: %v", out, err)
	}
}
