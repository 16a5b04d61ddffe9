package train

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"segd"
	"segd/internal/metric"
	"segd/internal/postprocess"
	"segd/preprocess"
	"segd/unet"
)

// maxClass is the highest class index taken for one. Beyond it a label image
// is more likely a scaled or an antialiased mask than one of that many
// classes.
const maxClass = 63

// spotsPerClass bounds the foreground positions kept of each class and image.
const spotsPerClass = 256

// example is a case in memory: the network's input and its labels.
type example struct {
	*Case
	x *segd.Tensor // [1, C, H, W], normalised, on the network's grid
	y []uint8      // H×W; metric.Ignore where left open; nil with targets
	// weights of the pixels in the loss, H×W; nil: all alike
	weights []float32
	spots   [][]int32 // by class, background empty: evenly spaced pixels of it
	place   preprocess.Placement
	truth   *segd.Mask // on the image's own pixels, which figures are of; nil with targets

	// Of a regression: targets, H×W, normalised, and values on the image's own
	// pixels in the unit of the labels; NaN where not known.
	targets, values []float32

	// record is set where the pixels lie in a file: whole returns them, and only
	// Case and place are set here.
	record *record
}

// raw is a case as its files hold it.
type raw struct {
	image  *segd.Image
	mask   *segd.Mask
	values []float32 // in place of mask where the labels are values
}

// forEach calls f for 0..n-1 from a few goroutines and returns the error of
// the lowest index that failed.
func forEach(ctx context.Context, n int, f func(i int) error) error {
	errs := make([]error, n)
	var next, failed atomic.Int64
	var wg sync.WaitGroup
	for range min(n, runtime.GOMAXPROCS(0)) {
		wg.Go(func() {
			for failed.Load() == 0 {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				err := ctx.Err()
				if err == nil {
					err = f(i)
				}
				if err != nil {
					errs[i] = err
					failed.Store(1)
				}
			}
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// readCase reads both files of a case, the label as that of head, and checks that
// their sizes agree.
func readCase(c *Case, head unet.Head) (raw, error) {
	img, err := c.image()
	if err != nil {
		return raw{}, err
	}
	if head == unet.HeadRegression {
		values, err := c.values(img.Width, img.Height)
		return raw{image: img, values: values}, err
	}
	mask, err := c.mask()
	if errors.Is(err, segd.ErrUnprocessable) {
		return raw{}, fmt.Errorf("%w; segd check names all such labels, and tells values, which --head regression is for, from spoilt masks", err)
	}
	if err != nil {
		return raw{}, err
	}
	if img.Width != mask.Width || img.Height != mask.Height {
		return raw{}, fmt.Errorf("train: label %s: %w: %d×%d pixels, its image %s has %d×%d",
			c.where(c.Label), segd.ErrFormat, mask.Width, mask.Height, c.Image, img.Width, img.Height)
	}
	return raw{image: img, mask: mask}, nil
}

// load looks at all cases, and keeps the pixels of those that limit bytes have
// room for; the others are read again by normalise.
func load(ctx context.Context, cases []Case, head unet.Head, limit int64) ([]raw, []facts, error) {
	raws, list := make([]raw, len(cases)), make([]facts, len(cases))
	var used atomic.Int64
	err := forEach(ctx, len(cases), func(i int) error {
		r, err := readCase(&cases[i], head)
		if err != nil {
			return err
		}
		list[i] = factsOf(&cases[i], r)
		n := int64(4*len(r.image.Pix) + 4*len(r.values))
		if r.mask != nil {
			n += int64(len(r.mask.Pix))
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

// valueSet says which values a mask holds.
type valueSet [256]bool

func valuesOf(m *segd.Mask) valueSet {
	var s valueSet
	for _, v := range m.Pix {
		s[v] = true
	}
	return s
}

// values says how the values of a data set's masks are meant.
type values struct {
	scaled   bool // 0 and 255: 255 means class 1
	max      int  // highest class index
	warnings []string
}

// survey tells class indices from 0/255 masks. A value of 255 beside other
// classes means "left open", as metric.Ignore does. paths names the file of
// each mask; known is the number of classes with background, 0 if not known.
func survey(masks []valueSet, paths []string, known int) (values, error) {
	var present valueSet
	for i := range masks {
		for v := range masks[i] {
			present[v] = present[v] || masks[i][v]
		}
	}
	var l values
	for v := 254; v > 0 && l.max == 0; v-- {
		if present[v] {
			l.max = v
		}
	}
	limit := maxClass
	if known > 0 {
		limit = known - 1
	}
	if l.max > limit {
		for i := range masks {
			if masks[i][l.max] {
				return l, fmt.Errorf("train: mask %s: %w: value %d, highest class index %d; %s", paths[i], segd.ErrFormat, l.max, limit,
					"a mask holds class indices 0, 1, 2 …: scaled or antialiased ones must be turned into indices first")
			}
		}
	}
	if len(masks) > 0 && !present[0] {
		l.warnings = append(l.warnings, "no pixel of any mask is background, index 0: classes should begin at 1 beside it; segd check says more")
	}
	if present[255] && l.max == 0 {
		l.scaled, l.max = true, 1
		l.warnings = append(l.warnings, "the masks hold 0 and 255 only: 255 is read as class 1")
	} else if present[255] {
		l.warnings = append(l.warnings, "mask value 255 beside class indices: such pixels are left out of training and of every count")
	}
	for v := 1; v < l.max; v++ {
		if !present[v] {
			l.warnings = append(l.warnings, fmt.Sprintf("no pixel of any mask has class %d, though class %d occurs", v, l.max))
		}
	}
	return l, nil
}

// surveyFacts is survey over the masks of cases, whose palettes must agree too.
func surveyFacts(cases []Case, list []facts, known int) (values, error) {
	sets, paths, colours := make([]valueSet, len(list)), make([]string, len(list)), make([]shown, len(list))
	for i := range list {
		sets[i], paths[i], colours[i] = list[i].values, cases[i].where(cases[i].Label), list[i].shown
	}
	if err := samePalettes(cases, colours); err != nil {
		return values{}, err
	}
	return survey(sets, paths, known)
}

// apply turns 255 into class 1 in a mask of 0 and 255.
func (l *values) apply(m *segd.Mask) {
	if !l.scaled {
		return
	}
	for i, v := range m.Pix {
		if v == 255 {
			m.Pix[i] = 1
		}
	}
}

// predict is the mask that q finds, on the image's own pixels, with as many
// regions as the plan's data have.
func (e *example) predict(ctx context.Context, q *unet.Predictor, regions []int) (*segd.Mask, error) {
	p, err := q.Predict(ctx, e.x)
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
	meant   values
	classes int
	loss    *unet.Loss // whose map of weights is made; nil: none
	held    []string   // ids of the cases that don't need it
	targets *Targets   // how values are normalised; nil: labels are classes
	store   *store
}

// run makes an example of each case, from raws where it was kept, which is let
// go of.
func (n *normaliser) run(ctx context.Context, cases []Case, raws []raw) ([]example, error) {
	examples := make([]example, len(cases))
	err := forEach(ctx, len(cases), func(i int) error {
		r := raws[i]
		raws[i] = raw{}
		if r.image == nil {
			var err error
			if r, err = readCase(&cases[i], n.head()); err != nil {
				return err
			}
		}
		x, place, err := n.recipe.Apply(r.image)
		if err != nil {
			return fmt.Errorf("train: image %s: %w", cases[i].where(cases[i].Image), err)
		}
		e := &examples[i]
		*e = example{Case: &cases[i], x: x, place: place}
		if err := n.label(e, r); err != nil {
			return fmt.Errorf("train: label %s: %w", e.where(e.Label), err)
		}
		if n.loss != nil && n.loss.Weighted() && !slices.Contains(n.held, e.ID) {
			if err := e.weigh(*n.loss); err != nil {
				return err
			}
		}
		return n.store.keep(e)
	})
	for i := range cases {
		cases[i].opener().close()
	}
	return examples, err
}

func (n *normaliser) head() unet.Head {
	if n.targets != nil {
		return unet.HeadRegression
	}
	return unet.HeadClasses
}

// label gives an example its labels.
func (n *normaliser) label(e *example, r raw) error {
	if n.targets != nil {
		e.values = r.values
		t, err := e.place.ToGrid(&segd.Tensor{N: 1, C: 1, H: r.image.Height, W: r.image.Width, Data: r.values})
		if err != nil {
			return err
		}
		e.targets = n.targets.normalise(t.Data)
		return nil
	}
	n.meant.apply(r.mask)
	labels, err := e.place.Labels(r.mask)
	if err != nil {
		return err
	}
	e.y, e.spots, e.truth = labels.Pix, spots(labels.Pix, n.classes), r.mask
	return nil
}

// spots picks up to spotsPerClass evenly spaced pixels of each class.
func spots(y []uint8, classes int) [][]int32 {
	var count [256]int
	for _, v := range y {
		count[v]++
	}
	s := make([][]int32, classes)
	var seen [256]int
	for i, v := range y {
		c := int(v)
		if c == 0 || c >= classes || c == metric.Ignore {
			continue
		}
		// Pixel number k of n is taken when k·want/n steps to a new whole number.
		k, n, want := seen[c], count[c], min(count[c], spotsPerClass)
		seen[c]++
		if k == 0 || k*want/n != (k-1)*want/n {
			s[c] = append(s[c], int32(i))
		}
	}
	return s
}
