package orient

import (
	"fmt"
	"image"

	"segd"
)

// uprights are the turns from upright pictures to stored ones, by the number of the
// orientation: which stored axis the rows and the columns run along, and which way; and
// what is done to a stored picture to show it.
var uprights = [9]struct {
	swap, right, down bool // of the axes; against the stored axis, from left to right and downwards
	words             string
}{
	2: {right: true, words: "mirrored from left to right"},
	3: {right: true, down: true, words: "turned by 180°"},
	4: {down: true, words: "mirrored from top to bottom"},
	5: {swap: true, words: "with rows and columns exchanged"},
	6: {swap: true, right: true, words: "turned by 90° clockwise"},
	7: {swap: true, right: true, down: true, words: "with rows and columns exchanged, and turned by 180°"},
	8: {swap: true, down: true, words: "turned by 90° anticlockwise"},
}

// IsTurned reports whether pictures of an orientation, as segd.Scan numbers it, are not
// upright as they are stored.
func IsTurned(orientation int) bool { return orientation > 1 && orientation < len(uprights) }

// Words says what is done to a stored picture of an orientation to show it upright, as in
// "turned by 90° clockwise"; empty where nothing is.
func Words(orientation int) string {
	if !IsTurned(orientation) {
		return ""
	}
	return uprights[orientation].words
}

// Upright returns the turn that leads from the upright picture to a stored one of an
// orientation: the identity where the stored one is upright.
func Upright(orientation, width, height int) Turn {
	t := Keep([3]int{width, height, 1})
	if IsTurned(orientation) {
		u := uprights[orientation]
		t.Flip = [3]bool{u.right, u.down, false}
		if u.swap {
			t.Axis = [3]int{1, 0, 2}
		}
	}
	return t
}

// Spacing is that of a turned frame, where the stored one has s. The turn must be InPlane.
func (t Turn) Spacing(s segd.Spacing) segd.Spacing {
	if t.Axis[0] == 1 {
		s.RowMM, s.ColMM = s.ColMM, s.RowMM
	}
	return s
}

// UprightScan returns scan with its frames upright, or scan itself where they are.
func UprightScan(scan *segd.Scan) *segd.Scan {
	if !IsTurned(scan.Orientation) {
		return scan
	}
	turn := Upright(scan.Orientation, scan.Width, scan.Height)
	size := turn.Size()
	s := *scan
	s.Width, s.Height, s.Orientation = size[0], size[1], 1
	if scan.Aspect > 0 && turn.Axis[0] == 1 {
		s.Aspect = 1 / scan.Aspect
	}
	s.Steps = append(append([]string{}, scan.Steps...), fmt.Sprintf("%s, and so is all that is made of it", Words(scan.Orientation)))
	s.Frame = func(i int) (*segd.Image, error) {
		img, err := scan.Frame(i)
		if err != nil {
			return nil, err
		}
		return UprightImage(scan.Orientation, img)
	}
	return &s
}

// UprightImage returns a frame of a scan of that orientation upright. The frame is not
// changed.
func UprightImage(orientation int, img *segd.Image) (*segd.Image, error) {
	turn := Upright(orientation, img.Width, img.Height)
	size := turn.Size()
	out := *img
	out.Width, out.Height, out.Spacing = size[0], size[1], turn.Spacing(img.Spacing)
	var err error
	if out.Pix, err = plane(turn, img.Channels, img.Pix); err != nil || img.Padding == nil {
		return &out, err
	}
	out.Padding, err = plane(turn, 1, img.Padding)
	return &out, err
}

// UprightMask returns a mask of a frame of that orientation upright, and StoredMask one
// that is upright as the frame is stored. The mask is not changed.
func UprightMask(orientation int, m *segd.Mask) (*segd.Mask, error) {
	return maskBy(Upright(orientation, m.Width, m.Height), m)
}

// StoredMask undoes UprightMask.
func StoredMask(orientation int, m *segd.Mask) (*segd.Mask, error) {
	width, height := m.Width, m.Height
	if IsTurned(orientation) && uprights[orientation].swap {
		width, height = height, width
	}
	return maskBy(Upright(orientation, width, height).Inverse(), m)
}

func maskBy(turn Turn, m *segd.Mask) (*segd.Mask, error) {
	size := turn.Size()
	pix, err := plane(turn, 1, m.Pix)
	return &segd.Mask{Width: size[0], Height: size[1], Pix: pix}, err
}

// UprightPicture returns a picture of a frame of that orientation upright; m itself where
// it is.
func UprightPicture(orientation int, m *image.NRGBA) (*image.NRGBA, error) {
	if !IsTurned(orientation) {
		return m, nil
	}
	turn := Upright(orientation, m.Rect.Dx(), m.Rect.Dy())
	size := turn.Size()
	pix, err := plane(turn, 4, m.Pix)
	return &image.NRGBA{Pix: pix, Stride: 4 * size[0], Rect: image.Rect(0, 0, size[0], size[1])}, err
}

// plane turns one plane.
func plane[T any](turn Turn, channels int, pix []T) ([]T, error) {
	planes, err := Reslice(turn, 0, 1, channels, func(int) ([]T, error) { return pix, nil })
	if err != nil {
		return nil, err
	}
	return planes[0], nil
}
