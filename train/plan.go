package train

import (
	"fmt"
	"hash/fnv"
	"math"
	"math/bits"
	"math/rand/v2"
	"slices"
	"sort"

	"segd"
	"segd/preprocess"
	"segd/unet"
)

// Fingerprint is what the plan needs to know about the data.
type Fingerprint struct {
	Cases        int     `json:"cases"`
	Groups       int     `json:"groups"`
	Channels     int     `json:"channels"`
	Classes      int     `json:"classes"` // background included; 1 of values
	MinWidth     int     `json:"min_width"`
	MedianWidth  int     `json:"median_width"`
	MaxWidth     int     `json:"max_width"`
	MinHeight    int     `json:"min_height"`
	MedianHeight int     `json:"median_height"`
	MaxHeight    int     `json:"max_height"`
	Foreground   float64 `json:"foreground"` // share of all pixels
	Empty        int     `json:"empty"`      // cases without foreground, of classes
	Regions      []int   `json:"regions"`    // by foreground class: the most connected regions of it in one case; 0: many
	Thickness    float64 `json:"thickness"`  // of the structures: median over cases and classes of thickness, in pixels
	Hash         string  `json:"hash"`       // over ids, groups, sizes and label pixels in order
	// SpacingMM are the distances between pixels, where all are known; Window the
	// values of foreground, where they are calibrated.
	SpacingMM *Distances         `json:"spacing_mm,omitempty"`
	Window    *preprocess.Window `json:"window,omitempty"`
}

// Plan is everything that decides what a training does; it is written to
// plan.json and into the checkpoint. Together with the data it determines the
// weights.
type Plan struct {
	Network       unet.Config       `json:"network"`
	Recipe        preprocess.Recipe `json:"recipe"`
	Regions       []int             `json:"regions"` // connected regions that a mask keeps, as in models.Manifest
	PatchHeight   int               `json:"patch_height"`
	PatchWidth    int               `json:"patch_width"`
	Batch         int               `json:"batch"`
	Steps         int               `json:"steps"`
	StepsFrom     string            `json:"steps_from"` // "epochs", "steps" or "time"
	EpochSteps    float64           `json:"epoch_steps"`
	ValidateEvery int               `json:"validate_every"` // steps
	LearnRate     float64           `json:"learning_rate"`  // peak
	Warmup        int               `json:"warmup_steps"`
	WeightDecay   float64           `json:"weight_decay"`
	Solver        string            `json:"solver"`
	Momentum      float64           `json:"momentum,omitempty"`
	Schedule      string            `json:"schedule"`
	Loss          unet.Loss         `json:"loss"`
	Targets       *Targets          `json:"targets,omitempty"` // of a regression: how labels are normalised
	Deep          bool              `json:"deep_supervision,omitempty"`
	From          string            `json:"from,omitempty"` // the model that the weights started from
	FreezeEncoder bool              `json:"freeze_encoder,omitempty"`
	Recompute     bool              `json:"recompute,omitempty"`     // activations in the backward pass, to take less memory
	Repeat        []int             `json:"repeat,omitempty"`        // by data set: how often its images come in an epoch
	Patience      int               `json:"patience,omitempty"`      // validations without a better one that end it
	StoppedEarly  int               `json:"stopped_early,omitempty"` // the step at which they did
	Clip          float64           `json:"gradient_clip"`
	Average       float64           `json:"weight_average"` // decay of the running average of weights
	Foreground    float64           `json:"foreground_share"`
	Augment       Augment           `json:"augment"`
	Seed          uint64            `json:"seed"`
	ValFraction   float64           `json:"val_fraction"`
	Fold          int               `json:"fold"`
	Folds         int               `json:"folds"`
	Kernels       string            `json:"kernels"` // set they ran on: weights are the same to the bit within one set
	Data          Fingerprint       `json:"data"`
	ClassNames    []string          `json:"class_names,omitempty"` // of the foreground classes, index 1 first; none: not known
	Training      []string          `json:"training"`              // case ids
	Validation    []string          `json:"validation"`
}

// fingerprint sums up the facts of the cases. Label values are meant as l says.
func fingerprint(cases []Case, list []facts, l values, classes int) Fingerprint {
	f := Fingerprint{Cases: len(cases), Channels: 1, Classes: classes}
	var widths, heights []int
	var thick []float64
	most, holds := make([]int, classes-1), make([]int, classes-1)
	groups := map[string]bool{}
	var pixels, foreground int
	h := fnv.New64a()
	for i := range list {
		k := &list[i]
		f.Channels = max(f.Channels, k.channels)
		widths, heights = append(widths, k.width), append(heights, k.height)
		groups[cases[i].subject] = true
		n := 0
		for c := 1; c < classes; c++ {
			v := c
			if l.scaled && c == 1 {
				v = 255
			}
			n += k.counts[v]
			if k.thickness[v] > 0 {
				thick = append(thick, k.thickness[v])
			}
			if r := k.regions[v]; r > 0 {
				most[c-1], holds[c-1] = max(most[c-1], r), holds[c-1]+1
			}
		}
		if n == 0 && classes > 1 {
			f.Empty++
		}
		pixels, foreground = pixels+k.width*k.height, foreground+n
		_, _ = fmt.Fprintf(h, "%s\x00%s\x00%d\x00%d\x00%x\x00", cases[i].ID, cases[i].Group, k.width, k.height, k.hash) // a hash never fails
	}
	f.Groups, f.Foreground = len(groups), float64(foreground)/float64(max(1, pixels))
	f.MinWidth, f.MedianWidth, f.MaxWidth = spread(widths)
	f.MinHeight, f.MedianHeight, f.MaxHeight = spread(heights)
	for c := range most {
		if holds[c] < regionCases || most[c] > mostRegions {
			most[c] = 0
		}
	}
	f.Regions = most
	if slices.Sort(thick); len(thick) > 0 {
		f.Thickness = thick[len(thick)/2]
	}
	f.measureValues(list)
	f.Hash = fmt.Sprintf("%016x", h.Sum64())
	return f
}

func spread(v []int) (lowest, median, highest int) {
	s := append([]int(nil), v...)
	sort.Ints(s)
	return s[0], s[len(s)/2], s[len(s)-1]
}

// thicknesses returns the thickness of each value that occurs in m, 0 of others:
// four times its area through its perimeter, which is the diameter of a disc
// and twice the width of a long vessel. The perimeter counts edges of pixels,
// π/4 of each as on average over all directions.
func thicknesses(m *segd.Mask) (t [256]float64) {
	area, edges := make([]int, 256), make([]int, 256)
	between := func(a, b uint8) {
		if a != b {
			edges[a]++
			edges[b]++
		}
	}
	for i, v := range m.Pix {
		area[v]++
		if i%m.Width > 0 {
			between(v, m.Pix[i-1])
		}
		if i >= m.Width {
			between(v, m.Pix[i-m.Width])
		}
	}
	for v := range t {
		if edges[v] > 0 {
			t[v] = 4 * float64(area[v]) / (float64(edges[v]) * math.Pi / 4)
		}
	}
	return t
}

// Bounds of the default plan.
const (
	defaultPatch       = 192 // larger than the receptive field of depth 4, small enough for batches on two cores
	defaultWidth       = 16
	defaultValFraction = 0.2
	maxDepth           = 5
	mostRegions        = 2             // of a class that has a number of its own: two lungs, one head
	regionCases        = 30            // that must hold a class before their number of regions counts
	usualDepth         = 4             // deeper networks are no wider than widestLevel times their width
	widestLevel        = 8             // they have to see further, not to know more
	wholePatch         = 320           // of images that are resampled: they are seen whole
	thickest           = 80            // pixels: images of thicker structures are resampled until theirs are that
	bottleneck         = 8             // pixels a side that the lowest level keeps at least
	batchPixels        = 6 * 192 * 192 // of a step
	validateShare      = 0.10          // of the work of training, at most
	validateMost       = 0.25          // even of a short one
	minValidations     = 6
)

// newPlan fills in what the options leave open. Steps, and what hangs on
// them, stay open until settle.
func newPlan(o Options, f Fingerprint, training, validation []string) (Plan, error) {
	p := Plan{
		Recipe: preprocess.Recipe{Channels: f.Channels, Normalise: preprocess.ZScore, ClipLow: 0.5, ClipHigh: 99.5},
		Clip:   5, Foreground: or(o.Foreground, 0.4),
		Augment: defaultAugment(!o.NoFlip), Seed: o.Seed, ValFraction: o.valFraction(), Fold: o.Fold, Folds: o.Folds,
		Regions: f.Regions, Data: f, Training: training, Validation: validation,
	}
	p.Foreground = max(0, p.Foreground)
	if o.Network.Head == unet.HeadRegression {
		p.Foreground = 0
		// A length would not be what its label says at another magnification.
		p.Augment.Scale, p.Augment.Elastic = 0, 0
	}
	p.takeRecipe(o)
	c := o.Network
	if o.From != nil {
		var err error
		if c, p.Recipe, err = tuned(o, f); err != nil {
			return Plan{}, err
		}
	} else {
		p.Recipe.LongSide = longSide(f)
		p.adapt(f)
	}
	height, width, side := f.MedianHeight, f.MedianWidth, defaultPatch
	if p.Recipe.LongSide > 0 {
		scale := float64(p.Recipe.LongSide) / float64(max(height, width))
		height, width = int(math.Round(float64(height)*scale)), int(math.Round(float64(width)*scale))
		side = wholePatch
		// Of a large organ a part may be hidden; a small one then is.
		p.Augment.Cover = 0.3
	}
	side = or(o.Patch, side)
	h, w := min(side, height), min(side, width)
	c.Channels, c.Classes, c.Width = p.Recipe.Channels, f.Classes, or(c.Width, defaultWidth)
	c.Depth = or(c.Depth, max(1, min(maxDepth, bits.Len(uint(min(h, w)/bottleneck))-1)))
	if c.Depth > usualDepth && o.From == nil {
		c.MaxWidth = or(c.MaxWidth, widestLevel*c.Width)
	}
	p.Network = c.WithDefaults()
	if err := p.Network.Validate(); err != nil {
		return Plan{}, err
	}
	stride := p.Network.Stride()
	p.PatchHeight, p.PatchWidth = (h+stride-1)/stride*stride, (w+stride-1)/stride*stride
	// Few images make few steps an epoch; small batches give them more. An image
	// much larger than a patch counts for as many as it has room for.
	pixels := p.PatchHeight * p.PatchWidth
	fit := int(math.Round(float64(batchPixels) / float64(pixels)))
	different := len(training) * max(1, height*width/pixels)
	p.Batch = or(o.Batch, max(2, min(fit, 16, different/6)))
	p.EpochSteps = float64(len(training)) / float64(p.Batch)
	return p, p.Recipe.Validate()
}

// longSide is the longer side of the images that makes the structures thickest
// pixels thick, where they are clearly thicker, else 0. A network sees so far
// and no further, and what it has to see of a large organ is its outline and
// its surroundings. The step is coarse: the number means little.
func longSide(f Fingerprint) int {
	if f.Thickness < 1.25*thickest {
		return 0
	}
	n := float64(max(f.MedianHeight, f.MedianWidth)) * thickest / f.Thickness
	return 32 * int(max(2, math.Round(n/32)))
}

func or[T comparable](given, fallback T) T {
	var zero T
	if given == zero {
		return fallback
	}
	return given
}

// settle fixes the number of steps and all that hangs on it. valWork is the
// work of one validation, in GFLOP.
func (p *Plan) settle(steps int, from string, valWork float64) {
	p.Steps, p.StepsFrom = max(1, steps), from
	p.Warmup = min(100, p.Steps/10)
	p.Average = math.Min(0.999, math.Max(0.9, 1-20/float64(p.Steps)))
	p.ValidateEvery = p.interval(p.Steps, valWork)
}

// interval is the number of steps between validations: an epoch, or more
// where that would spend more than validateShare of the work on validation;
// for a short training fewer, to have minValidations, within validateMost of
// the work. It hangs on sizes only, never on a clock, so that the weights that
// are kept don't hang on the machine.
func (p *Plan) interval(steps int, valWork float64) int {
	stepWork := 3 * float64(p.Batch) * p.Network.GFLOP(p.PatchHeight, p.PatchWidth)
	n := max(math.Ceil(p.EpochSteps), math.Ceil(valWork/(validateShare*stepWork)))
	n = min(n, max(float64(steps/minValidations), math.Ceil(valWork/(validateMost*stepWork))))
	return int(max(1, min(n, float64(steps))))
}

// valFraction is the share of the groups that validates where there are no folds.
func (o Options) valFraction() float64 {
	if o.All {
		return 0
	}
	return or(o.ValFraction, defaultValFraction)
}

// all reports whether every image trains and none validates.
func (p *Plan) all() bool { return len(p.Validation) == 0 }

// split divides the cases by subject: fold number fold of folds validates,
// or, with folds 0, the given fraction of the groups; with a fraction of 0 all
// cases train. The order of the groups is drawn with the seed. A single group is
// split by study, file or image, with a warning. Returned are indices of cases, rising.
func split(cases []Case, seed uint64, fraction float64, fold, folds int) (training, validation []int, warning string, err error) {
	if folds == 0 && fraction == 0 {
		for i := range cases {
			training = append(training, i)
		}
		return training, nil, "", nil
	}
	if len(cases) < 2 {
		return nil, nil, "", fmt.Errorf("train: %w: %d labelled image, need at least 2 to train and validate", segd.ErrUnprocessable, len(cases))
	}
	key := func(c Case) string { return c.subject }
	groups := groupNames(cases, key)
	for _, part := range parts {
		if len(groups) > 1 {
			break
		}
		warning = fmt.Sprintf("all images are of one group: validation is on other %s of it, so val_dice says little about new subjects; ids.csv may say which images belong together", part.what)
		key = part.key
		groups = groupNames(cases, key)
	}
	rng := rand.New(rand.NewPCG(seed, 0x5eed5b117))
	rng.Shuffle(len(groups), func(i, j int) { groups[i], groups[j] = groups[j], groups[i] })
	lo, hi := 0, max(1, min(len(groups)-1, int(math.Round(fraction*float64(len(groups))))))
	if folds > 0 {
		if folds > len(groups) {
			return nil, nil, "", fmt.Errorf("train: %w: %d folds of %d groups", segd.ErrOption, folds, len(groups))
		}
		lo, hi = fold*len(groups)/folds, (fold+1)*len(groups)/folds
	}
	held := map[string]bool{}
	for _, g := range groups[lo:hi] {
		held[g] = true
	}
	for i, c := range cases {
		if held[key(c)] {
			validation = append(validation, i)
		} else {
			training = append(training, i)
		}
	}
	return training, validation, warning, nil
}

// parts are what a single group is split into, the first that gives several.
var parts = []struct {
	what string
	key  func(Case) string
}{
	{"studies", func(c Case) string { return or(c.who.Study, c.setName+"/"+c.stem) }},
	{"files", func(c Case) string { return c.setName + "/" + c.stem }},
	{"images", func(c Case) string { return c.ID }},
}

// groupNames lists the distinct keys in the order of the cases.
func groupNames(cases []Case, key func(Case) string) []string {
	var names []string
	seen := map[string]bool{}
	for _, c := range cases {
		if k := key(c); !seen[k] {
			seen[k] = true
			names = append(names, k)
		}
	}
	return names
}
