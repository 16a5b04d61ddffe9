package nrrd

import (
	"bytes"
	"errors"
	"io"
	"math"
	"strings"
	"testing"

	"segd"
	"segd/internal/nifti"
)

// What is written reads back as the same voxels at the same place.
func TestWrite(t *testing.T) {
	t.Parallel()
	tilted := &segd.Affine{{0, -0.3, 2.4, -12.25}, {0.5, 0, 0, 31.5}, {0, 0.4, 1.8, 7.125}}
	for _, tt := range []struct {
		name   string
		layout nifti.Layout
	}{
		{"masks", nifti.Layout{Grid: nifti.Grid{Width: 5, Height: 4, Depth: 3, Affine: tilted}, Type: "uint8"}},
		{"a plane", nifti.Layout{Grid: nifti.Grid{Width: 5, Height: 4, Depth: 1, Affine: tilted}, Type: "uint8"}},
		{"times", nifti.Layout{Grid: nifti.Grid{Width: 5, Height: 4, Depth: 3, Times: 2, Affine: tilted}, Type: "uint8"}},
		{"values", nifti.Layout{Grid: nifti.Grid{Width: 5, Height: 4, Depth: 3, Affine: tilted}, Type: "float32"}},
		{"big-endian values", nifti.Layout{Grid: nifti.Grid{Width: 5, Height: 4, Depth: 3, Affine: tilted}, Type: "float32", BigEndian: true}},
		{"nowhere", nifti.Layout{Grid: nifti.Grid{Width: 5, Height: 4, Depth: 3, Spacing: segd.Spacing{ColMM: 0.5, RowMM: 0.75}}, Type: "uint8"}},
	} {
		l := tt.layout
		n := l.Width * l.Height * l.Depth * max(1, l.Times)
		data := make([]byte, n)
		for i := range data {
			data[i] = byte(i * 7)
		}
		if l.Type == "float32" {
			data = nil
			for i := range n {
				b := math.Float32bits(float32(i) / 4)
				word := []byte{byte(b), byte(b >> 8), byte(b >> 16), byte(b >> 24)}
				if l.BigEndian {
					word[0], word[1], word[2], word[3] = word[3], word[2], word[1], word[0]
				}
				data = append(data, word...)
			}
		}
		var b bytes.Buffer
		if err := Write(&b, l, bytes.NewReader(data)); err != nil {
			t.Fatal(tt.name, err)
		}
		v, err := Read(b.Bytes())
		if err != nil || !Is(b.Bytes()) {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if v.Width != l.Width || v.Height != l.Height || v.Depth != l.Depth || v.Times != max(1, l.Times) {
			t.Errorf("%s: %d×%d×%d at %d times", tt.name, v.Width, v.Height, v.Depth, v.Times)
		}
		i := 0
		for k := range v.Planes() {
			plane := make([]float32, v.Width*v.Height)
			v.Plane(k, plane)
			for _, got := range plane {
				want := float32(byte(i * 7))
				if l.Type == "float32" {
					want = float32(i) / 4
				}
				if got != want {
					t.Fatalf("%s: voxel %d is %g, want %g", tt.name, i, got, want)
				}
				i++
			}
		}
		if l.Affine == nil {
			if p := v.Spacing(); p.ColMM != 0.5 || p.RowMM != 0.75 {
				t.Errorf("%s: spacing %v", tt.name, p)
			}
			continue
		}
		g, ok := v.Grid()
		for r := range 3 {
			for c := range 4 {
				if !ok || math.Abs(g.Affine[r][c]-l.Affine[r][c]) > 1e-12 {
					t.Fatalf("%s: lies at %v, want %v", tt.name, g.Affine, *l.Affine)
				}
			}
		}
	}
}

// Errors of either side are passed on.
func TestWriteErrors(t *testing.T) {
	t.Parallel()
	l := nifti.Layout{Grid: nifti.Grid{Width: 2, Height: 2, Depth: 2}, Type: "uint8"}
	broken := io.MultiReader(strings.NewReader("ab"), &failing{})
	if err := Write(io.Discard, l, broken); !errors.Is(err, errBroken) {
		t.Errorf("a source that fails: %v", err)
	}
	if err := Write(&failing{}, l, strings.NewReader("12345678")); !errors.Is(err, errBroken) {
		t.Errorf("a full disk: %v", err)
	}
}

var errBroken = errors.New("broken")

type failing struct{}

func (failing) Read([]byte) (int, error)  { return 0, errBroken }
func (failing) Write([]byte) (int, error) { return 0, errBroken }
