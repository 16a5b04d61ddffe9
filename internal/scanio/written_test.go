package scanio

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"strings"
	"testing"

	"segd"
	"segd/internal/metaimage"
	"segd/internal/nifti"
	"segd/internal/nrrd"
)

// written are the formats of volumes that have a writer of their own.
var written = map[string]struct {
	write func(w io.Writer, l nifti.Layout, voxels io.Reader) error
	read  func(b []byte) (*nifti.Volume, error)
	is    func(head []byte) bool
}{
	"NRRD":      {nrrd.Write, nrrd.Read, nrrd.Is},
	"MetaImage": {metaimage.Write, metaimage.Read, metaimage.Is},
}

// TestWrittenVolumes reads back what is written: the same voxels at the same place.
func TestWrittenVolumes(t *testing.T) {
	t.Parallel()
	tilted := &segd.Affine{{0, -0.3, 2.4, -12.25}, {0.5, 0, 0, 31.5}, {0, 0.4, 1.8, 7.125}}
	grid := nifti.Grid{Width: 5, Height: 4, Depth: 3, Affine: tilted}
	plane, times, nowhere := grid, grid, grid
	plane.Depth, times.Times = 1, 2
	nowhere.Affine, nowhere.Spacing = nil, segd.Spacing{ColMM: 0.5, RowMM: 0.75}
	for name, l := range map[string]nifti.Layout{
		"masks": {Grid: grid, Type: "uint8"}, "a plane": {Grid: plane, Type: "uint8"}, "times": {Grid: times, Type: "uint8"},
		"values": {Grid: grid, Type: "float32"}, "big-endian values": {Grid: grid, Type: "float32", BigEndian: true},
		"nowhere": {Grid: nowhere, Type: "uint8"},
	} {
		for format, f := range written {
			t.Run(format+" "+name, func(t *testing.T) {
				t.Parallel()
				var b bytes.Buffer
				data, want := voxelsOf(l)
				if err := f.write(&b, l, bytes.NewReader(data)); err != nil {
					t.Fatal(err)
				}
				v, err := f.read(b.Bytes())
				if err != nil || !f.is(b.Bytes()) {
					t.Fatal(err)
				}
				wantVolume(t, v, l, want)
			})
		}
	}
}

// voxelsOf makes up voxels, as stored and as values.
func voxelsOf(l nifti.Layout) (stored []byte, values []float32) {
	var order binary.AppendByteOrder = binary.LittleEndian
	if l.BigEndian {
		order = binary.BigEndian
	}
	for i := range l.Width * l.Height * l.Depth * max(1, l.Times) {
		if l.Type == "float32" {
			v := float32(i) / 4
			stored, values = order.AppendUint32(stored, math.Float32bits(v)), append(values, v)
		} else {
			stored, values = append(stored, byte(i*7)), append(values, float32(byte(i*7)))
		}
	}
	return stored, values
}

func wantVolume(t *testing.T, v *nifti.Volume, l nifti.Layout, want []float32) {
	t.Helper()
	if v.Width != l.Width || v.Height != l.Height || v.Depth != l.Depth || v.Times != max(1, l.Times) {
		t.Fatalf("%d×%d×%d at %d times", v.Width, v.Height, v.Depth, v.Times)
	}
	n := v.Width * v.Height
	plane := make([]float32, n)
	for k := range v.Planes() {
		v.Plane(k, plane)
		for i, got := range plane {
			if got != want[k*n+i] {
				t.Fatalf("plane %d, pixel %d is %g, want %g", k, i, got, want[k*n+i])
			}
		}
	}
	if l.Affine == nil {
		if p := v.Spacing(); p.ColMM != l.Spacing.ColMM || p.RowMM != l.Spacing.RowMM {
			t.Errorf("spacing %v, want %v", p, l.Spacing)
		}
		return
	}
	g, ok := v.Grid()
	for r := range 3 {
		for c := range 4 {
			if !ok || math.Abs(g.Affine[r][c]-l.Affine[r][c]) > 1e-12 {
				t.Fatalf("lies at %v, want %v", g.Affine, *l.Affine)
			}
		}
	}
}

// TestWrittenVolumesErrors expects errors of either side to be passed on.
func TestWrittenVolumesErrors(t *testing.T) {
	t.Parallel()
	l := nifti.Layout{Grid: nifti.Grid{Width: 2, Height: 2, Depth: 2}, Type: "uint8"}
	for format, f := range written {
		if err := f.write(io.Discard, l, io.MultiReader(strings.NewReader("ab"), failing{})); !errors.Is(err, errBroken) {
			t.Errorf("%s: a source that fails: %v", format, err)
		}
		if err := f.write(failing{}, l, strings.NewReader("12345678")); !errors.Is(err, errBroken) {
			t.Errorf("%s: a full disk: %v", format, err)
		}
	}
}

var errBroken = errors.New("broken")

type failing struct{}

func (failing) Read([]byte) (int, error)  { return 0, errBroken }
func (failing) Write([]byte) (int, error) { return 0, errBroken }
