package train

import (
	"cmp"
	"context"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"

	"segd"
	"segd/internal/classes"
	"segd/internal/postprocess"
	"segd/internal/report"
	"segd/models"
	"segd/train/augment"
	"segd/train/dataset"
	"segd/train/evaluate"
	"segd/train/internal/page"
	"segd/train/metric"
	"segd/unet"
)

// classTarget is the target of labels that hold a class for each pixel.
type classTarget struct{}

func (classTarget) complete(*Options, unet.Loss) {}
func (classTarget) validate(*Options) error      { return nil }

// name determines the names of the classes of the data, and thus their numbers. They
// come from the options, the checkpoint, the given plan if it has the same classes,
// or the data themselves.
func (classTarget) name(o *Options, data *dataset.Dataset, saved *progress) error {
	planned := classes.List{Whose: "the checkpoint"}
	switch {
	case saved != nil:
		planned.Names = saved.Plan.ClassNames
	case o.PlanFile != "":
		p, err := readPlan(o.PlanFile)
		if err != nil {
			return err
		}
		planned = classes.List{Whose: "plan " + o.PlanFile, Names: p.ClassNames}
	}
	err := data.Agree(planned.Whose, planned.Names)
	if len(o.ClassNames) > 0 {
		_, err = classes.Match(classes.List{Whose: "the list given", Names: o.ClassNames}, planned)
	}
	switch {
	case err != nil && saved != nil:
		return fmt.Errorf("train: %w; train without resume", err)
	case err != nil || len(planned.Names) == 0: // a plan with other classes
	case len(o.ClassNames) == 0:
		o.ClassNames = planned.Names
	case !slices.EqualFunc(planned.Names, o.ClassNames, strings.EqualFold):
		return fmt.Errorf("train: %w: classes %q, but %s has them in the order %q", segd.ErrOption, o.ClassNames, planned.Whose, planned.Names)
	}
	if err := data.Rename(o.ClassNames); err != nil {
		return err
	}
	o.ClassNames = data.Classes
	return nil
}

func (classTarget) read(c *dataset.Case) (dataset.Sample, error) { return c.ReadClasses() }

func (classTarget) note(f *facts, c *dataset.Case, s dataset.Sample) {
	n := 0
	for _, v := range s.Mask.Pix {
		f.counts[v]++
		if v != 0 {
			n++
		}
	}
	f.seen = c.See(s.Mask)
	f.thickness, f.regions = thicknesses(s.Mask), postprocess.Regions(s.Mask)
	h := fnv.New64a()
	_, _ = h.Write(s.Mask.Pix) // writing to a hash never fails
	f.hash = h.Sum64()
	if f.calibrated {
		seen, want := 0, min(n, valuesPerCase)
		for i, v := range s.Mask.Pix {
			if v == 0 {
				continue
			}
			if seen*want/n != (seen-1)*want/n || seen == 0 {
				f.foreground = append(f.foreground, s.Image.Pix[i])
			}
			seen++
		}
	}
}

// survey determines the classes of the labels. If neither options nor data name them,
// they get the names of the model to start from.
func (classTarget) survey(o *Options, cases []dataset.Case, list []facts) (meant dataset.Meaning, outputs int, err error) {
	known := 0
	if len(o.ClassNames) > 0 {
		known = len(o.ClassNames) + 1
	}
	seen := make([]dataset.Seen, len(list))
	for i := range list {
		seen[i] = list[i].seen
	}
	if meant, err = dataset.Survey(cases, seen, known); err != nil {
		return meant, 0, err
	}
	outputs = cmp.Or(known, meant.Max+1)
	if o.From != nil && known == 0 {
		outputs = max(outputs, len(o.From.Classes))
		o.ClassNames = tunedNames(o.From, outputs)
	}
	if outputs < 2 {
		return meant, 0, fmt.Errorf("train: %w: every label is background", segd.ErrUnprocessable)
	}
	return meant, outputs, nil
}

func (classTarget) adapt(*Plan) {}

func (classTarget) measure([]dataset.Case, []facts, []string) (*Targets, error) { return nil, nil }

func (classTarget) label(n *normaliser, e *example, s dataset.Sample) error {
	n.meant.Apply(s.Mask)
	labels, err := e.place.Labels(s.Mask)
	if err != nil {
		return err
	}
	e.Y, e.Spots, e.truth = labels.Pix, augment.Spots(labels.Pix, n.classes), s.Mask
	return nil
}

func (classTarget) room(b *unet.Batch, n int) { b.Y = make([]uint8, n) }

func (classTarget) patch(s *augment.Patch, b *unet.Batch, from, to int) { s.Y = b.Y[from:to] }

// started keeps the weights of background and of the classes that the old model knows
// by name. Other classes start from scratch, with a warning.
func (classTarget) started(r *run, old *unet.Params) (*unet.Params, error) {
	from, fresh := []int{0}, []string(nil)
	for _, name := range r.classNames() {
		i := slices.IndexFunc(r.o.From.Classes[1:], func(c segd.Class) bool { return strings.EqualFold(c.Name, name) })
		if i < 0 {
			fresh = append(fresh, name)
			from = append(from, -1)
			continue
		}
		from = append(from, i+1)
	}
	if len(fresh) > 0 {
		r.report(Event{Kind: EventWarning, Message: fmt.Sprintf("model %s does not know %s: training it from scratch", r.o.From.Name, strings.Join(fresh, ", "))})
	}
	return old.Adapt(r.Plan.Network, from, r.Plan.Seed)
}

func (classTarget) kept(_ *Plan, average *unet.Params) *unet.Params { return average }

func (classTarget) evaluate(ctx context.Context, p *Plan, q *unet.Predictor, examples []example, names []string) (validation, error) {
	a := metric.Accumulator{Names: append([]string{"background"}, names...)}
	for i := range examples {
		e, err := examples[i].whole()
		if err != nil {
			return validation{}, err
		}
		mask, err := e.predict(ctx, q, p.Regions)
		if err != nil {
			return validation{}, err
		}
		counts, err := metric.Count(e.truth, mask, p.Network.Classes)
		if err != nil {
			return validation{}, err
		}
		a.Add(metric.Case{ID: e.ID, Group: e.Group, Counts: counts})
	}
	r := a.Report()
	return validation{image: r.Mean.Dice(), group: r.GroupMean.Dice(), report: evaluate.MaskReport{Report: &r, ClassNames: names}}, nil
}

func (classTarget) score(v validation) float64 { return v.mean() }
func (classTarget) figure() string             { return "dice" }
func (classTarget) text(v float64) string      { return fmt.Sprintf("%.4f", v) }
func (classTarget) column(v float64) string    { return fmt.Sprintf("%.6f", v) }

func (classTarget) ofRow(r *Row) (image, group *float64)       { return &r.Dice, &r.Group }
func (classTarget) ofResult(r *Result) (image, group *float64) { return &r.ValDice, &r.ValGroup }
func (classTarget) ofEvent(e *Event) (image, group, best **float64) {
	return &e.ValDice, &e.ValGroup, &e.BestDice
}

func (classTarget) output(p *Plan) string { return fmt.Sprintf("%d classes", p.Network.Classes) }

func (classTarget) card(m *models.Manifest, p *Plan, names []string) {
	m.Classes, m.Regions = models.ClassList(names...), p.Regions
}

func (classTarget) charts(_, figure *report.Chart) {
	figure.Title, figure.Y, figure.YMax, figure.YMin = "Validation Dice", "Dice", 1, 1
}

// show adds the figures, and the images whose masks agree least.
func (classTarget) show(ctx context.Context, r *run, p *report.Page) error {
	masks := r.best.report.(evaluate.MaskReport).Report
	p.Add(page.Figures(masks))
	p.Add(report.Section{Title: "Validation images", Charts: page.DiceCharts(masks)})
	m, err := models.Open(r.o.Out)
	if err != nil {
		return err
	}
	var ids []string
	for _, e := range masks.Worst(shownCases) {
		ids = append(ids, e.ID)
	}
	shown, err := evaluate.Show(ctx, evaluate.Options{Datasets: r.o.Datasets, Model: m, Pool: r.o.Pool, ClassNames: r.o.ClassNames}, ids)
	if err != nil {
		return err
	}
	var pictures []page.Picture
	for i := range shown {
		pictures = append(pictures, page.Picture{ID: shown[i].ID, Image: shown[i].Picture()})
	}
	if len(pictures) > 0 {
		p.Add(page.Pictures("Validation images with the lowest Dice", masks, pictures))
	}
	p.Add(page.CaseTable(masks))
	return nil
}

func (classTarget) byHeart() byHeart {
	return byHeart{
		foreground: 0.5,
		known:      func(r *OverfitResult) bool { return r.Dice >= knownDice },
		enough:     func(r *OverfitResult) bool { return r.Dice >= enoughDice },
		record:     func(r *OverfitResult, v validation) { r.Dice = max(r.Dice, heldDice(v.report.(evaluate.MaskReport))) },
		text:       func(r *OverfitResult) string { return fmt.Sprintf("a Dice of %.2f", r.Dice) },
	}
}

// heldDice returns the mean Dice over cases and the classes that each contains.
func heldDice(r evaluate.MaskReport) float64 {
	sum, n := 0.0, 0
	for _, c := range r.Cases {
		for _, k := range c.Classes {
			if k.TruthPixels > 0 {
				sum += k.Dice
				n++
			}
		}
	}
	return sum / float64(max(1, n))
}
