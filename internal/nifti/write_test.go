package nifti

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"testing"

	"segd"
)

func TestLikeWriter(t *testing.T) {
	t.Parallel()
	for _, order := range []appender{binary.LittleEndian, binary.BigEndian} {
		for _, version := range []int{1, 2} {
			s := sample{version: version, order: order, dim: []int{2, 3, 2}, code: 4, bits: 16, pixdim: [4]float64{-1, 0.5, 0.75, 2}, units: 2,
				slope: 3, inter: 7, qform: 1, quatern: [6]float64{0.1, 0.2, 0.3, 4, 5, 6}, values: make([]byte, 24)}
			h, err := ReadHeader(s.zipped(t))
			if err != nil {
				t.Fatal(err)
			}
			w := LikeWriter(h, Masks)
			planes := [][]uint8{{0, 1, 2, 3, 4, 5}, {6, 7, 8, 9, 10, 255}}
			for _, p := range planes {
				if err := w.Add(&segd.Mask{Width: 2, Height: 3, Pix: p}); err != nil {
					t.Fatal(err)
				}
			}
			if err := w.Add(segd.NewMask(2, 3)); !errors.Is(err, segd.ErrUnprocessable) {
				t.Errorf("one plane too many: %v", err)
			}
			var out bytes.Buffer
			if err := w.Write(&out); err != nil {
				t.Fatal(err)
			}
			v := read(t, out.Bytes())
			if v.Affine != h.Affine || v.From != "qform" || v.Type() != "uint8" || v.Slope != 1 || v.Version != version {
				t.Errorf("version %d, %v: %+v", version, order, v.Header)
			}
			if bytes.Contains(v.raw, []byte("description")) {
				t.Error("the text of the header is kept")
			}
			for k, want := range planes {
				if got, err := v.Labels(k); err != nil || !bytes.Equal(got.Pix, want) {
					t.Errorf("plane %d: %v %v", k, got, err)
				}
			}
		}
	}
}

// TestNewWriter writes affines of any orientation and handedness, and reads
// them back from the sform and from the qform.
func TestNewWriter(t *testing.T) {
	t.Parallel()
	sin, cos := math.Sincos(0.7)
	sin2, cos2 := math.Sincos(-2.5)
	for i, m := range [][3][4]float64{
		{{0.5, 0, 0, 1}, {0, 0.75, 0, 2}, {0, 0, 3, 4}},
		{{-0.5, 0, 0, 1}, {0, -0.75, 0, 2}, {0, 0, 3, 4}},
		{{0.5, 0, 0, 1}, {0, 0.75, 0, 2}, {0, 0, -3, 4}},
		{{0, 0, 3, 1}, {0.5, 0, 0, 2}, {0, -0.75, 0, 4}},
		{{-0.5, 0, 0, 1}, {0, 0.75, 0, 2}, {0, 0, -3, 4}},
		{{0.5, 0, 0, 1}, {0, -0.75, 0, 2}, {0, 0, -3, 4}},
		{{0.5 * cos, -0.75 * sin, 0, 1}, {0.5 * sin, 0.75 * cos, 0, 2}, {0, 0, 3, 4}},
		{{0.5 * cos, 0, 3 * sin, 1}, {0, -0.75, 0, 2}, {0.5 * sin, 0, -3 * cos, 4}},
		{{0.5 * cos2, -0.75 * sin2, 0, 1}, {0.5 * sin2, 0.75 * cos2, 0, 2}, {0, 0, -3, 4}},
	} {
		lps := segd.Affine(m).RAS()
		w, err := NewWriter(Grid{Width: 2, Height: 1, Depth: 1, Affine: &lps}, Masks)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Add(segd.NewMask(2, 1)); err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		if err := w.Write(&out); err != nil {
			t.Fatal(err)
		}
		v := read(t, out.Bytes())
		if !near(v.Affine, m, 1e-6) || v.From != "sform" {
			t.Errorf("affine %d: sform %v, want %v", i, v.Affine, m)
		}
		b := bytes.Clone(v.raw)
		b[254] = 0 // no sform
		h, err := parse(b)
		if err != nil || !near(h.Affine, m, 1e-5) || h.From != "qform" {
			t.Errorf("affine %d: qform %v, want %v (%v)", i, h.Affine, m, err)
		}
	}
	w, err := NewWriter(Grid{Width: 2, Height: 1, Depth: 2, Spacing: segd.Spacing{RowMM: 2, ColMM: 3}}, Masks)
	if err != nil {
		t.Fatal(err)
	}
	_ = w.Add(segd.NewMask(2, 1))
	var out bytes.Buffer
	if err := w.Write(&out); !errors.Is(err, segd.ErrUnprocessable) {
		t.Errorf("a plane is missing: %v", err)
	}
	_ = w.Add(segd.NewMask(2, 1))
	if err := w.Write(&out); err != nil {
		t.Fatal(err)
	}
	if v := read(t, out.Bytes()); v.Spacing() != (segd.Spacing{RowMM: 2, ColMM: 3, Source: "pixdim"}) {
		t.Errorf("spacing %+v", v.Spacing())
	}
}
