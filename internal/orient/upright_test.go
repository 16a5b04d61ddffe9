package orient

import (
	"image"
	"slices"
	"testing"

	"segd"
)

// shown is what Exif 2.32 (4.6.4) shows of the stored picture
//
//	1 2 3
//	4 5 6
//
// by orientation, row by row.
var shown = map[int][]float32{
	0: {1, 2, 3, 4, 5, 6}, 1: {1, 2, 3, 4, 5, 6}, 2: {3, 2, 1, 6, 5, 4}, 3: {6, 5, 4, 3, 2, 1}, 4: {4, 5, 6, 1, 2, 3},
	5: {1, 4, 2, 5, 3, 6}, 6: {4, 1, 5, 2, 6, 3}, 7: {6, 3, 5, 2, 4, 1}, 8: {3, 6, 2, 5, 1, 4}, 9: {1, 2, 3, 4, 5, 6}, -1: {1, 2, 3, 4, 5, 6},
}

func TestUpright(t *testing.T) {
	t.Parallel()
	for o, want := range shown {
		scan := &segd.Scan{Width: 3, Height: 2, Frames: 1, Orientation: o, Aspect: 2, Frame: func(int) (*segd.Image, error) {
			return &segd.Image{Width: 3, Height: 2, Channels: 1, Pix: []float32{1, 2, 3, 4, 5, 6}, Padding: []bool{true, false, false, false, false, false}, Spacing: segd.Spacing{RowMM: 2, ColMM: 3}}, nil
		}}
		up := UprightScan(scan)
		if IsTurned(o) == (up == scan) || IsTurned(o) != (Words(o) != "") || IsTurned(up.Orientation) {
			t.Errorf("orientation %d: turned %v, %q", o, IsTurned(o), Words(o))
		}
		img, err := up.Frame(0)
		if err != nil {
			t.Fatal(err)
		}
		width, height, spacing, aspect := 3, 2, segd.Spacing{RowMM: 2, ColMM: 3}, 2.0
		if o >= 5 && o <= 8 {
			width, height, spacing, aspect = 2, 3, segd.Spacing{RowMM: 3, ColMM: 2}, 0.5
		}
		if img.Width != width || img.Height != height || up.Width != width || up.Height != height || img.Spacing != spacing || up.Aspect != aspect || !slices.Equal(img.Pix, want) {
			t.Errorf("orientation %d: %+v, aspect %g, want %v", o, img, up.Aspect, want)
		}
		if at := slices.Index(img.Padding, true); img.Pix[at] != 1 {
			t.Errorf("orientation %d: padding at %d", o, at)
		}
		m := &segd.Mask{Width: 3, Height: 2, Pix: []uint8{1, 2, 3, 4, 5, 6}}
		there, err := UprightMask(o, m)
		if err != nil || there.Width != width || float32(there.Pix[1]) != want[1] {
			t.Errorf("orientation %d: mask %+v, %v", o, there, err)
		}
		if back, err := StoredMask(o, there); err != nil || back.Width != 3 || !slices.Equal(back.Pix, m.Pix) {
			t.Errorf("orientation %d: turned and turned back %+v, %v", o, back, err)
		}
		picture := image.NewNRGBA(image.Rect(0, 0, 3, 2))
		for i := range picture.Pix {
			picture.Pix[i] = uint8(10*(i/4+1) + i%4)
		}
		p, err := UprightPicture(o, picture)
		if err != nil || p.Rect.Dx() != width {
			t.Fatal(o, err)
		}
		for i, v := range want {
			if p.Pix[4*i] != uint8(10*v) || p.Pix[4*i+3] != uint8(10*v)+3 {
				t.Errorf("orientation %d: picture %v", o, p.Pix)
				break
			}
		}
	}
}
