package train

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sync/atomic"

	"segd"
	"segd/internal/postprocess"
	"segd/preprocess"
	"segd/train/augment"
	"segd/train/dataset"
	"segd/train/internal/parallel"
	"segd/train/metric"
	"segd/unet"
)

// example is a case in memory: the network's input and its labels.
type example struct {
	*dataset.Case
	augment.Sample
	place preprocess.Placement
	truth *segd.Mask // on the image's own pixels, for figures; nil with targets

	// values of a regression, on the image's own pixels and in the unit of the
	// labels; NaN: not known.
	values []float32

	// record is set if the pixels are in a file. Then whole returns them, and only
	// Case and place are set here.
	record *record
}

// readUpright reads a case as the network sees it in service: upright.
func readUpright(t target, c *dataset.Case) (dataset.Sample, error) {
	s, err := t.read(c)
	if err != nil {
		return s, err
	}
	return c.Upright(s)
}

// load reads all cases, and keeps the pixels of as many as fit into limit bytes.
// normalise reads the others again.
func load(ctx context.Context, cases []dataset.Case, t target, limit int64) ([]dataset.Sample, []facts, error) {
	raws, list := make([]dataset.Sample, len(cases)), make([]facts, len(cases))
	var used atomic.Int64
	err := parallel.Do(ctx, len(cases), func(i int) error {
		r, err := readUpright(t, &cases[i])
		if err != nil {
			return err
		}
		list[i] = factsOf(t, &cases[i], r)
		n := int64(4*len(r.Image.Pix) + 4*len(r.Values))
		if r.Mask != nil {
			n += int64(len(r.Mask.Pix))
		}
		if used.Add(n) <= limit {
			raws[i] = r
		} else {
			used.Add(-n)
		}
		return nil
	})
	return raws, list, err
}

// predict returns the mask that q predicts, on the image's own pixels, with at most
// the number of regions in the plan.
func (e *example) predict(ctx context.Context, q *unet.Predictor, regions []int) (*segd.Mask, error) {
	p, err := q.Predict(ctx, e.X)
	if err != nil {
		return nil, err
	}
	if p, err = e.place.ToImage(p); err != nil {
		return nil, err
	}
	mask := postprocess.Labels(p, 0)
	postprocess.KeepLargest(mask, regions)
	return mask, nil
}

// normaliser turns cases into examples.
type normaliser struct {
	recipe  preprocess.Recipe
	meant   dataset.Meaning
	classes int
	loss    *unet.Loss // whose border map is made; nil: none
	held    []string   // ids of the cases that don't need it
	target  target
	targets *Targets // how values are normalised
	store   *store
}

// run makes an example of each case. It uses the pixels kept in raws, if any, and
// then releases them.
func (n *normaliser) run(ctx context.Context, cases []dataset.Case, raws []dataset.Sample) ([]example, error) {
	examples := make([]example, len(cases))
	err := parallel.Do(ctx, len(cases), func(i int) error {
		r := raws[i]
		raws[i] = dataset.Sample{}
		if r.Image == nil {
			var err error
			if r, err = readUpright(n.target, &cases[i]); err != nil {
				return err
			}
		}
		x, place, err := n.recipe.Apply(r.Image)
		if err != nil {
			return fmt.Errorf("train: image %s: %w", cases[i].Where(cases[i].Image), err)
		}
		e := &examples[i]
		*e = example{Case: &cases[i], Sample: augment.Sample{X: x}, place: place}
		if err := n.target.label(n, e, r); err != nil {
			return fmt.Errorf("train: label %s: %w", e.Where(e.Label), err)
		}
		if n.loss != nil && n.loss.Weighted() && !slices.Contains(n.held, e.ID) {
			if err := e.weigh(*n.loss); err != nil {
				return err
			}
		}
		return n.store.keep(e)
	})
	for i := range cases {
		cases[i].Close()
	}
	return examples, err
}

// weigh sets the weight of each pixel of an example.
func (e *example) weigh(l unet.Loss) error {
	id, err := e.objects()
	if err != nil {
		return err
	}
	e.Weights = borderMap(id, e.X.W, e.X.H, l.BorderWeight, l.BorderSigma)
	return nil
}

// objects numbers the objects of an example's labels, starting at 1. The objects are
// its instances, or else the connected parts of each class.
func (e *example) objects() ([]int32, error) {
	if e.Instances == "" {
		m := &segd.Mask{Width: e.X.W, Height: e.X.H, Pix: append([]uint8(nil), e.Y...)}
		for i, v := range m.Pix {
			if v == metric.Ignore {
				m.Pix[i] = 0
			}
		}
		id, _ := postprocess.Components(m)
		return id, nil
	}
	img, err := (&dataset.Case{Image: e.Instances}).ReadImage()
	if err != nil {
		return nil, err
	}
	if img.Width != e.place.Width || img.Height != e.place.Height || img.Channels != 1 {
		return nil, fmt.Errorf("train: instances %s: %w: %d×%d pixels in %d channels, the image has %d×%d",
			e.Instances, segd.ErrFormat, img.Width, img.Height, img.Channels, e.place.Width, e.place.Height)
	}
	// Placement maps masks with one byte per pixel; a number takes two.
	id := make([]int32, e.X.W*e.X.H)
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

// borderMap computes U-Net's weight map (Ronneberger et al. 2015, equation 2) without
// class weights. A background pixel has the weight
//
//	w = 1 + w0·exp(-(d1+d2)²/2σ²)
//
// where d1 and d2 are its distances in pixels to the nearest and second-nearest
// object (id > 0). The weight is 1 inside objects, and if there are fewer than two.
// Objects are searched up to 4σ away, beyond which w differs from 1 by at most 3e-4
// of w0.
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
			// The order of the objects does not matter.
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

// box is a rectangle of pixels, with both ends inclusive.
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
