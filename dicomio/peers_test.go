package dicomio_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"segd/dicomio"
	"segd/dicomio/dicomtest"
)

// peerImages are what other programs compress: each kind of pixel that they
// take.
func peerImages() map[string]dicomtest.File {
	r := rand.New(rand.NewPCG(2, 2))
	grey := func(bits, frames int, signed bool) dicomtest.File {
		f := dicomtest.Disc(96)
		f.Columns = 77
		f.Stored, f.Signed, f.Elements = bits, signed, nil
		f.Allocated = 16
		if bits <= 8 {
			f.Allocated = 8
		}
		if frames > 1 {
			f.Frames = frames
		}
		f.Pixels = nil
		for range frames {
			c := r.IntN(40)
			for y := range f.Rows {
				for x := range f.Columns {
					v := (x*5+y*2+c)<<bits>>10 + r.IntN(1+1<<bits>>6)
					if (y-40)*(y-40)+(x-30-c)*(x-30-c) < 400 {
						v += 1 << bits >> 1
					}
					v = min(v, 1<<bits-1)
					if signed {
						v -= 1 << bits >> 1
					}
					if bits <= 8 {
						f.Pixels = append(f.Pixels, byte(v))
					} else {
						f.Pixels = binary.LittleEndian.AppendUint16(f.Pixels, uint16(v))
					}
				}
			}
		}
		return f
	}
	colour := func(frames int) dicomtest.File {
		f := grey(8, frames, false)
		f.Samples, f.Photometric = 3, "RGB"
		var pix []byte
		for i, v := range f.Pixels {
			pix = append(pix, v, byte(i/7), 255-v/2)
		}
		f.Pixels = pix
		return f
	}
	return map[string]dicomtest.File{
		"8": grey(8, 1, false), "12": grey(12, 1, false), "16": grey(16, 1, false),
		"16s": grey(16, 1, true), "8x3": grey(8, 3, false), "12x3": grey(12, 3, false), "16x3": grey(16, 3, true),
		"rgb": colour(1), "rgbx3": colour(3),
	}
}

// stored returns the stored values of a file.
func stored(t *testing.T, file string) []byte {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := dicomio.WriteStored(&out, b); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// TestPeers has dcmtk and gdcm compress images in every way they know, and
// reads what comes out: without loss the image itself, with loss what they
// decode themselves, to the bit.
func TestPeers(t *testing.T) {
	if testing.Short() {
		t.Skip("runs many programs")
	}
	for _, tool := range []string{"dcmcjpeg", "dcmdjpeg", "dcmcjpls", "dcmdjpls", "dcmcrle", "gdcmconv"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not installed", tool)
		}
	}
	const (
		all     = "8 12 16 16s 8x3 12x3 16x3 rgb rgbx3"
		some    = "8 12 16s rgb"
		several = "8x3 12x3 rgbx3"
	)
	tests := []struct{ command, undo, images string }{
		{"dcmcjpeg +e1", "", all},
		{"dcmcjpeg +el +sv 2", "", some}, {"dcmcjpeg +el +sv 3", "", some}, {"dcmcjpeg +el +sv 4", "", some},
		{"dcmcjpeg +el +sv 5", "", some}, {"dcmcjpeg +el +sv 6", "", some}, {"dcmcjpeg +el +sv 7", "", some},
		{"dcmcjpeg +e1 +fs 1 -ot", "", several}, {"dcmcjpeg +e1 +fs 1 +ot", "", several}, {"dcmcjpeg +e1 -ot", "", "8x3 rgbx3"},
		{"dcmcrle", "", all}, {"dcmcrle -ot", "", several}, {"dcmcrle +fs 1", "", several},
		{"dcmcjpls +el +il", "", all}, {"dcmcjpls +el +is", "", "rgb rgbx3"}, {"dcmcjpls +el +in", "", "rgb rgbx3"}, {"dcmcjpls +el +pc", "", some},
		{"dcmcjpls +el +fs 1 -ot", "", several}, {"dcmcjpls +el +t1 5 +t2 10 +t3 30 +rs 32", "", "8 rgb"},
		{"dcmcjpls +en +il", "dcmdjpls", "8 12 16 rgb"}, {"dcmcjpls +en +is +md 4", "dcmdjpls", "12x3 rgb"}, {"dcmcjpls +en +in +md 1", "dcmdjpls", "16 rgb"},
		{"gdcmconv -L", "", some}, {"gdcmconv -R", "", some}, {"gdcmconv -J", "", some},
		{"gdcmconv -L -Y -e 3", "gdcmconv -w", "8 12 16"}, {"gdcmconv -J -Y", "gdcmconv -w", "8 8x3"},
		{"dcmcjpeg +eb", "dcmdjpeg +cn", "8 8x3 rgb rgbx3"}, {"dcmcjpeg +eb +q 20", "dcmdjpeg +cn", "8 rgb"}, {"dcmcjpeg +eb -ho", "dcmdjpeg +cn", "rgb"},
		{"dcmcjpeg +eb +s4", "dcmdjpeg +cn", "rgb"}, {"dcmcjpeg +eb +n1", "dcmdjpeg +cn", "rgb"}, {"dcmcjpeg +eb +n2", "dcmdjpeg +cn", "rgb"},
		{"dcmcjpeg +eb +np", "dcmdjpeg +cn", "rgb"}, {"dcmcjpeg +eb +cr", "dcmdjpeg +cn", "rgb"}, {"dcmcjpeg +eb +fs 1 -ot", "dcmdjpeg +cn", "8x3 rgbx3"},
		{"dcmcjpeg +ee", "dcmdjpeg +cn", "8 12 12x3 rgb"}, {"dcmcjpeg +ee +q 30", "dcmdjpeg +cn", "12"},
		{"dcmcjpeg +es", "dcmdjpeg +cn", "8 12 rgb"}, {"dcmcjpeg +ep", "dcmdjpeg +cn", "8 12x3 rgb"}, {"dcmcjpeg +ep +n1", "dcmdjpeg +cn", "rgb"},
	}
	dir := t.TempDir()
	plain := map[string]string{}
	for name, f := range peerImages() {
		plain[name] = filepath.Join(dir, name+".dcm")
		if err := os.WriteFile(plain[name], dicomtest.Write(f), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	run := func(t *testing.T, command, from, to string) {
		t.Helper()
		words := strings.Fields(command)
		out, err := exec.Command(words[0], append(words[1:], from, to)...).CombinedOutput()
		if err != nil {
			t.Skipf("%s: %v %s", command, err, out)
		}
	}
	done := 0
	for i, tt := range tests {
		for _, name := range strings.Fields(tt.images) {
			t.Run(tt.command+"/"+name, func(t *testing.T) {
				packed := filepath.Join(dir, fmt.Sprintf("%d-%s.dcm", i, name))
				run(t, tt.command, plain[name], packed)
				reference := plain[name]
				if tt.undo != "" {
					reference = packed + ".undone"
					run(t, tt.undo, packed, reference)
				}
				got, want := stored(t, packed), stored(t, reference)
				if !bytes.Equal(got, want) {
					most, n := 0, 0
					for i := range min(len(got), len(want)) {
						if d := int(got[i]) - int(want[i]); d != 0 {
							n++
							most = max(most, max(d, -d))
						}
					}
					t.Errorf("%d of %d bytes differ (%d wanted), by up to %d", n, len(got), len(want), most)
				}
				done++
			})
		}
	}
	t.Logf("%d files compressed by other programs are read as they read them", done)
	if done < 100 {
		t.Errorf("only %d files were compared", done)
	}
}
