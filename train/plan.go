package train

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"math/bits"
	"os"
	"slices"

	"segd"
	"segd/preprocess"
	"segd/train/augment"
	"segd/train/dataset"
	"segd/unet"
)

// Plan holds everything that determines a training. It is written to plan.json and to
// the checkpoint. Together with the data it determines the weights.
type Plan struct {
	Network       unet.Config       `json:"network"`
	Recipe        preprocess.Recipe `json:"recipe"`
	Regions       []int             `json:"regions"` // connected regions kept in a mask, as in models.Manifest
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
	Targets       *Targets          `json:"targets,omitempty"` // for a regression: how labels are normalised
	Deep          bool              `json:"deep_supervision,omitempty"`
	From          string            `json:"from,omitempty"` // the model from which the weights started
	FreezeEncoder bool              `json:"freeze_encoder,omitempty"`
	Recompute     bool              `json:"recompute,omitempty"`     // recompute activations in the backward pass, to save memory
	Repeat        []int             `json:"repeat,omitempty"`        // by data set: how often its images occur in an epoch
	Patience      int               `json:"patience,omitempty"`      // number of validations without improvement that ends it
	StoppedEarly  int               `json:"stopped_early,omitempty"` // the step at which it ended early
	Clip          float64           `json:"gradient_clip"`
	Average       float64           `json:"weight_average"` // decay of the running average of weights
	Foreground    float64           `json:"foreground_share"`
	Augment       augment.Settings  `json:"augment"`
	Seed          uint64            `json:"seed"`
	ValFraction   float64           `json:"val_fraction"`
	Fold          int               `json:"fold"`
	Folds         int               `json:"folds"`
	Kernels       string            `json:"kernels"` // instruction set: weights are bit-identical within one set
	Data          Fingerprint       `json:"data"`
	ClassNames    []string          `json:"class_names,omitempty"` // of the foreground classes, index 1 first; empty: not known
	Training      []string          `json:"training"`              // case ids
	Validation    []string          `json:"validation"`
}

// Limits of the default plan.
const (
	defaultPatch       = 192 // larger than the receptive field of depth 4, small enough for batches on two cores
	defaultWidth       = 16
	defaultValFraction = 0.2
	maxDepth           = 5
	mostRegions        = 2             // of a class with a fixed number of regions: two lungs, one head
	regionCases        = 30            // number that must contain a class before its regions count
	usualDepth         = 4             // deeper networks are at most widestLevel times their width
	widestLevel        = 8             // they need a larger receptive field, not more capacity
	wholePatch         = 320           // of resampled images, which the network sees whole
	thickest           = 80            // pixels: images of thicker structures are resampled down to this thickness
	bottleneck         = 8             // minimum pixels per side at the lowest level
	batchPixels        = 6 * 192 * 192 // of a step
	validateShare      = 0.10          // maximum share of the work of training
	validateMost       = 0.25          // even for a short training
	minValidations     = 6
)

// newPlan fills in what the options leave open. Steps, and what depends on them, stay
// open until settle.
func newPlan(o Options, f Fingerprint, training, validation []string) (Plan, error) {
	p := Plan{
		Recipe: preprocess.Recipe{Channels: f.Channels, Normalise: preprocess.ZScore, ClipLow: 0.5, ClipHigh: 99.5},
		Clip:   5, Foreground: cmp.Or(o.Foreground, 0.4),
		Augment: augment.Default(!o.NoFlip), Seed: o.Seed, ValFraction: o.valFraction(), Fold: o.Fold, Folds: o.Folds,
		Regions: f.Regions, Data: f, Training: training, Validation: validation,
	}
	p.Foreground = max(0, p.Foreground)
	o.target().adapt(&p)
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
		// A cover hides part of a large organ, but would hide a small one altogether.
		p.Augment.Cover = 0.3
	}
	side = cmp.Or(o.Patch, side)
	h, w := min(side, height), min(side, width)
	c.Channels, c.Classes, c.Width = p.Recipe.Channels, f.Classes, cmp.Or(c.Width, defaultWidth)
	c.Depth = cmp.Or(c.Depth, max(1, min(maxDepth, bits.Len(uint(min(h, w)/bottleneck))-1)))
	if c.Depth > usualDepth && o.From == nil {
		c.MaxWidth = cmp.Or(c.MaxWidth, widestLevel*c.Width)
	}
	p.Network = c.WithDefaults()
	if err := p.Network.Validate(); err != nil {
		return Plan{}, err
	}
	stride := p.Network.Stride()
	p.PatchHeight, p.PatchWidth = (h+stride-1)/stride*stride, (w+stride-1)/stride*stride
	// Few images make few steps per epoch, and smaller batches make more. An image
	// much larger than a patch counts as the number of patches that fit into it.
	pixels := p.PatchHeight * p.PatchWidth
	fit := int(math.Round(float64(batchPixels) / float64(pixels)))
	different := len(training) * max(1, height*width/pixels)
	p.Batch = cmp.Or(o.Batch, max(2, min(fit, 16, different/6)))
	p.EpochSteps = float64(len(training)) / float64(p.Batch)
	return p, p.Recipe.Validate()
}

// longSide returns the longer side of the resampled images at which structures become
// thickest pixels thick, or 0 if they are not clearly thicker. A network has a
// limited receptive field, and for a large organ it must see the outline and
// surroundings. The result is rounded coarsely, since its exact value matters little.
func longSide(f Fingerprint) int {
	if f.Thickness < 1.25*thickest {
		return 0
	}
	n := float64(max(f.MedianHeight, f.MedianWidth)) * thickest / f.Thickness
	return 32 * int(max(2, math.Round(n/32)))
}

// settle sets the number of steps and everything that depends on it. valWork is the
// work of one validation, in GFLOP.
func (p *Plan) settle(steps int, from string, valWork float64) {
	p.Steps, p.StepsFrom = max(1, steps), from
	p.Warmup = min(100, p.Steps/10)
	p.Average = math.Min(0.999, math.Max(0.9, 1-20/float64(p.Steps)))
	p.ValidateEvery = p.interval(p.Steps, valWork)
}

// interval returns the number of steps between validations. It is an epoch, or more
// if validation would otherwise exceed validateShare of the work. A short training
// validates more often, to reach minValidations within validateMost of the work. The
// interval depends only on sizes, never on a clock, so that the kept weights don't
// depend on the machine.
func (p *Plan) interval(steps int, valWork float64) int {
	stepWork := 3 * float64(p.Batch) * p.Network.GFLOP(p.PatchHeight, p.PatchWidth)
	n := max(math.Ceil(p.EpochSteps), math.Ceil(valWork/(validateShare*stepWork)))
	n = min(n, max(float64(steps/minValidations), math.Ceil(valWork/(validateMost*stepWork))))
	return int(max(1, min(n, float64(steps))))
}

// valFraction is the share of the groups that validates if there are no folds.
func (o Options) valFraction() float64 {
	if o.All {
		return 0
	}
	return cmp.Or(o.ValFraction, defaultValFraction)
}

// all reports whether every image trains and none validates.
func (p *Plan) all() bool { return len(p.Validation) == 0 }

// Measured memory of a training, excluding images (docs/adr/0015).
const (
	baseMemory  = 192 << 20 // the program, batches ahead, an image being validated
	paramCopies = 6         // weights, their average, gradients, two moments, a backup

	// validationFloats counts a whole image in the network: two of the first level's
	// layers at once, and the skip.
	validationFloats = 4
)

// memory estimates the bytes that a training takes, excluding its images. The bytes
// of a step, which are most of them, are exact.
func (p *Plan) memory() (int64, error) {
	o := unet.TrainerOptions{Loss: p.Loss, Recompute: p.Recompute}
	if p.Deep {
		o.Deep = unet.DeepHeads(p.Network, 0)
	}
	step, err := unet.TrainingBytes(p.Network, p.Batch, p.PatchHeight, p.PatchWidth, o)
	if err != nil {
		return 0, err
	}
	validation := validationFloats * p.Network.Width * p.Data.MaxWidth * p.Data.MaxHeight
	params := paramCopies * unet.NewParams(p.Network, 0).Count()
	return baseMemory + step + 4*int64(validation+params), nil
}

// fit reduces a step to at most two thirds of limit bytes. It first recomputes
// normalised activations, which does not change the results, and then reduces the
// batch unless it is fixed. If a single patch is still too large, the error is
// segd.ErrOption.
func (p *Plan) fit(limit int64, fixed bool) error {
	n, err := p.memory()
	if err != nil {
		return err
	}
	if n > limit/3*2 && p.Network.Norm != unet.NormNone {
		p.Recompute = true
		if n, err = p.memory(); err != nil {
			return err
		}
	}
	for !fixed && p.Batch > 1 && n > limit/3*2 {
		p.EpochSteps *= float64(p.Batch) / float64(p.Batch-1)
		p.Batch--
		if n, err = p.memory(); err != nil {
			return err
		}
	}
	if n > limit {
		return fmt.Errorf("train: %w: a step of %d patches of %d×%d takes about %d MiB, limit %d MiB: allow more memory, or choose a smaller patch, batch or width",
			segd.ErrOption, p.Batch, p.PatchHeight, p.PatchWidth, n>>20, limit>>20)
	}
	return nil
}

// readPlan reads a plan.json. An unknown key is segd.ErrOption, because it would have
// no effect and is probably misspelt.
func readPlan(path string) (*Plan, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("train: plan: %w", err)
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	p := &Plan{ValFraction: defaultValFraction}
	if err := d.Decode(p); err != nil {
		return nil, fmt.Errorf("train: %w: plan %s: %v", segd.ErrOption, path, err)
	}
	return p, nil
}

// takePlan adopts an existing plan. Fingerprint and kernels come from the data and
// the machine. So does the split, drawn as the plan says, unless the plan names
// exactly these cases.
func (r *run) takePlan(cases []dataset.Case, f Fingerprint, warn func(...string)) error {
	p, err := readPlan(r.o.PlanFile)
	if err != nil {
		return err
	}
	if err := p.check(f, r.o.Network.Head); err != nil {
		return fmt.Errorf("train: plan %s: %w", r.o.PlanFile, err)
	}
	p.Data, p.Kernels, p.StoppedEarly, p.ClassNames = f, r.o.Pool.Kernels().Name(), 0, r.o.ClassNames
	if r.o.All {
		p.ValFraction, p.Fold, p.Folds, p.Patience = 0, 0, 0, 0
	}
	if !p.names(cases) {
		training, validation, warning, err := dataset.Split(cases, p.Seed, p.ValFraction, p.Fold, p.Folds)
		if err != nil {
			return err
		}
		if !r.o.All {
			warn("the plan names other cases than the data have: the data are split again")
		}
		if warning != "" {
			warn(warning)
		}
		p.Training, p.Validation = nil, nil
		for _, k := range training {
			p.Training = append(p.Training, cases[k].ID)
		}
		for _, k := range validation {
			p.Validation = append(p.Validation, cases[k].ID)
		}
	}
	p.EpochSteps = float64(len(p.Training)) / float64(p.Batch)
	r.Plan = *p
	if r.o.Epochs == 0 && r.o.Steps == 0 && r.o.Time == 0 {
		r.o.Steps = p.Steps // 0 if the plan leaves it open and the clock decides
	}
	return r.Plan.fit(r.o.Memory(), true)
}

// check refuses values that are invalid in a plan, or do not fit the data.
func (p *Plan) check(f Fingerprint, head unet.Head) error {
	bad := func(key string, v any, want string) error {
		return fmt.Errorf("%w: %s %v, want %s", segd.ErrOption, key, v, want)
	}
	if err := p.Network.Validate(); err != nil {
		return err
	}
	stride := p.Network.Stride()
	switch {
	case p.Network.Head != head:
		return bad("network.head", fmt.Sprintf("%q", p.Network.Head), "the requested head")
	case p.Network.Classes != f.Classes:
		return bad("network.classes", p.Network.Classes, fmt.Sprintf("%d, as the data have", f.Classes))
	case p.Recipe.Channels != p.Network.Channels:
		return bad("recipe.channels", p.Recipe.Channels, fmt.Sprintf("%d, as the network has", p.Network.Channels))
	case p.PatchHeight < stride || p.PatchHeight > 2048 || p.PatchHeight%stride != 0:
		return bad("patch_height", p.PatchHeight, fmt.Sprintf("a multiple of %d up to 2048", stride))
	case p.PatchWidth < stride || p.PatchWidth > 2048 || p.PatchWidth%stride != 0:
		return bad("patch_width", p.PatchWidth, fmt.Sprintf("a multiple of %d up to 2048", stride))
	case p.Batch < 1 || p.Batch > 256:
		return bad("batch", p.Batch, "1 to 256")
	case len(p.Regions) >= f.Classes || slices.ContainsFunc(p.Regions, func(n int) bool { return n < 0 }):
		return bad("regions", p.Regions, fmt.Sprintf("at most %d numbers, 0 or more", f.Classes-1))
	case p.Steps < 0 || p.Steps > 1e9:
		return bad("steps", p.Steps, "0 to 1000000000")
	case !(p.LearnRate > 0 && p.LearnRate <= 1):
		return bad("learning_rate", p.LearnRate, "above 0, at most 1")
	case !(p.WeightDecay >= 0 && p.WeightDecay <= 1):
		return bad("weight_decay", p.WeightDecay, "0 to 1")
	case !(p.Clip >= 0):
		return bad("gradient_clip", p.Clip, "0 or more")
	case !(p.Foreground >= 0 && p.Foreground <= 1):
		return bad("foreground_share", p.Foreground, "0 to 1")
	case !(p.ValFraction >= 0 && p.ValFraction < 1) || p.Folds < 0 || p.Folds == 1 || p.Fold < 0 || p.Folds > 0 && p.Fold >= p.Folds:
		return bad("val_fraction, fold and folds", fmt.Sprint(p.ValFraction, p.Fold, p.Folds), "0 to 1, and a fold of at least two")
	}
	return p.Recipe.Validate()
}

// names reports whether the plan's split covers exactly these cases, with no group on
// both sides and neither side empty. The validation side may be empty if no case of
// the plan validates.
func (p *Plan) names(cases []dataset.Case) bool {
	sides := map[string]int{}
	for _, c := range cases {
		switch side := slices.Contains(p.Validation, c.ID); {
		case !side && !slices.Contains(p.Training, c.ID):
			return false
		case side:
			sides[c.Subject()] |= 1
		default:
			sides[c.Subject()] |= 2
		}
	}
	none := p.ValFraction == 0 && p.Folds == 0
	if len(p.Training) == 0 || none != (len(p.Validation) == 0) || len(p.Training)+len(p.Validation) != len(cases) {
		return false
	}
	for _, s := range sides {
		if s == 3 && len(sides) > 1 {
			return false
		}
	}
	return true
}
