package train

import (
	"fmt"
	"math"
	"os"
	"path/filepath"

	"segd"
	"segd/internal/postprocess"
	"segd/train/metric"
	"segd/unet"
)

// instancesOf is the file that numbers the objects of a case, a 16-bit PNG in
// instances/ beside the folder of its image; empty where there is none.
func instancesOf(dir, stem string) string {
	path := filepath.Join(dir, "instances", filepath.FromSlash(stem)+".png")
	if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
		return ""
	}
	return path
}

// weigh gives an example the weight of each pixel.
func (e *example) weigh(l unet.Loss) error {
	id, err := e.objects()
	if err != nil {
		return err
	}
	e.weights = borderMap(id, e.x.W, e.x.H, l.BorderWeight, l.BorderSigma)
	return nil
}

// objects numbers the objects of an example's labels from 1 on: those of its
// instances, else the connected parts of each class.
func (e *example) objects() ([]int32, error) {
	if e.Instances == "" {
		m := &segd.Mask{Width: e.x.W, Height: e.x.H, Pix: append([]uint8(nil), e.y...)}
		for i, v := range m.Pix {
			if v == metric.Ignore {
				m.Pix[i] = 0
			}
		}
		id, _ := postprocess.Components(m)
		return id, nil
	}
	img, err := (&Case{Image: e.Instances}).image()
	if err != nil {
		return nil, err
	}
	if img.Width != e.place.Width || img.Height != e.place.Height || img.Channels != 1 {
		return nil, fmt.Errorf("train: instances %s: %w: %d×%d pixels in %d channels, the image has %d×%d",
			e.Instances, segd.ErrFormat, img.Width, img.Height, img.Channels, e.place.Width, e.place.Height)
	}
	// Placement maps masks, of a byte a pixel: a number has two.
	id := make([]int32, e.x.W*e.x.H)
	for shift := 0; shift <= 8; shift += 8 {
		part := segd.NewMask(img.Width, img.Height)
		for i, v := range img.Pix {
			part.Pix[i] = uint8(int(v) >> shift)
		}
		if part, err = e.place.Labels(part); err != nil {
			return nil, fmt.Errorf("train: instances %s: %w", e.Instances, err)
		}
		for i, v := range part.Pix {
			id[i] |= int32(v) << shift
		}
	}
	return id, nil
}

// borderMap is U-Net's weight map (Ronneberger et al. 2015, equation 2) with
// the weights of classes left out: of a background pixel
//
//	w = 1 + w0·exp(-(d1+d2)²/2σ²)
//
// where d1 and d2 are its distances to the nearest and the second nearest
// object, id > 0, in pixels; 1 within objects and where there are not two.
// Objects are looked for up to 4σ away, from where on w is 1 to 3e-4 of w0.
func borderMap(id []int32, width, height int, w0, sigma float64) []float32 {
	weights := make([]float32, len(id))
	for i := range weights {
		weights[i] = 1
	}
	reach := int(math.Ceil(4 * sigma))
	near := make([][2]float64, len(id))
	for i := range near {
		near[i] = [2]float64{math.Inf(1), math.Inf(1)}
	}
	for k, b := range boxes(id, width) {
		b = box{max(0, b.y0-reach), max(0, b.x0-reach), min(height-1, b.y1+reach), min(width-1, b.x1+reach)}
		w, h := b.x1-b.x0+1, b.y1-b.y0+1
		inside := make([]bool, w*h)
		for i := range inside {
			inside[i] = id[(b.y0+i/w)*width+b.x0+i%w] == k
		}
		for i, d := range metric.Distances(inside, w, h) {
			n := &near[(b.y0+i/w)*width+b.x0+i%w]
			// Which of the objects comes first does not matter.
			n[0], n[1] = min(n[0], d), min(n[1], max(n[0], d))
		}
	}
	for i, n := range near {
		if id[i] == 0 && !math.IsInf(n[1], 1) {
			d := n[0] + n[1]
			weights[i] = float32(1 + w0*math.Exp(-d*d/(2*sigma*sigma)))
		}
	}
	return weights
}

// box is a rectangle of pixels, both ends within.
type box struct{ y0, x0, y1, x1 int }

// boxes returns the bounding box of each object.
func boxes(id []int32, width int) map[int32]box {
	m := map[int32]box{}
	for i, k := range id {
		if k == 0 {
			continue
		}
		y, x := i/width, i%width
		b, ok := m[k]
		if !ok {
			b = box{y, x, y, x}
		}
		m[k] = box{min(b.y0, y), min(b.x0, x), max(b.y1, y), max(b.x1, x)}
	}
	return m
}
