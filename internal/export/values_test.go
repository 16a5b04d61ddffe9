package export

import (
	"bytes"
	"math"
	"testing"

	"segd/internal/scanio"
)

// What lies beyond 16 bits is cut off and counted.
func TestValueImage(t *testing.T) {
	m, cut := ValueImage([]float32{-0.4, -3, 1.5, 65535.4, 70000, float32(math.NaN())}, 3, 2)
	var got []uint16
	for i := range 6 {
		got = append(got, m.Gray16At(i%3, i/3).Y)
	}
	want := []uint16{0, 0, 2, 65535, 65535, 0}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("%v, want %v", got, want)
			break
		}
	}
	if cut != 3 {
		t.Errorf("%d cut off, want 3", cut)
	}
}

// A TIFF holds values bit for bit, and can be a label again.
func TestWriteTIFF(t *testing.T) {
	want := []float32{-1.5, float32(math.NaN()), 1e-30, 70000.25, float32(math.Inf(-1)), 0}
	var b bytes.Buffer
	if err := WriteTIFF(&b, want, 3, 2); err != nil {
		t.Fatal(err)
	}
	if b.Len() != TIFFHead+4*len(want) {
		t.Errorf("%d bytes", b.Len())
	}
	scan, err := scanio.ReadValues(b.Bytes())
	if err != nil || scan.Width != 3 || scan.Height != 2 {
		t.Fatalf("%+v, %v", scan, err)
	}
	img, err := scan.Frame(0)
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range img.Pix {
		if math.Float32bits(v) != math.Float32bits(want[i]) {
			t.Errorf("value %d is %g, want %g", i, v, want[i])
		}
	}
}
