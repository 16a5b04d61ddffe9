package study

import (
	"bytes"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"segd/internal/report"
	"segd/unet"
)

// PageName is the name of the page in the study's folder.
const PageName = "report.html"

// write writes the page and the CSV files.
func (s *study) write() error {
	if err := s.writeCSV(); err != nil {
		return err
	}
	var b bytes.Buffer
	if err := s.page().Write(&b); err != nil {
		return err
	}
	return writeFile(filepath.Join(s.o.Out, PageName), b.Bytes())
}

// page lays out the results.
func (s *study) page() *report.Page {
	t := s.runs[0]
	p := &report.Page{
		Title: "The effect of skip connections",
		Lead: fmt.Sprintf("%d variants of the U-Net, each trained with %d seeds for %s on %s: %d images, %d input channels, %d classes.",
			len(s.o.Variants), s.o.Repeats, s.budget(), strings.Join(Names(s.o.Datasets), ", "), t.Plan.Data.Cases, t.Plan.Data.Channels, t.Plan.Data.Classes),
		Foot: "segd is research software, not a medical device. Do not use it for diagnosis, treatment or any other clinical decision.",
	}
	p.Add(report.Section{Title: "Findings", Text: s.diceFindings()})
	p.Add(s.choices())
	p.Add(s.results())
	p.Add(s.curves())
	p.Add(s.gradients())
	if s.o.Sweep {
		p.Add(s.sweep())
	}
	if l := s.landscapes(); len(l.Reliefs) > 0 {
		p.Add(l)
	}
	p.Add(s.fineDetail())
	p.Add(s.method())
	return p
}

// Names consist of the folder and its parent, without the full path, as on the page.
func Names(dirs []string) []string {
	var list []string
	for _, d := range dirs {
		list = append(list, filepath.Base(filepath.Dir(filepath.Clean(d)))+"/"+filepath.Base(filepath.Clean(d)))
	}
	return list
}

func (s *study) budget() string {
	switch {
	case s.o.Epochs > 0:
		return fmt.Sprintf("%d epochs", s.o.Epochs)
	case s.o.Time > 0:
		return s.o.Time.String()
	}
	return fmt.Sprintf("%d steps", s.o.Steps)
}

// choices names every kind of block and long skip, whether trained or not.
func (s *study) choices() report.Section {
	blocks, skips := map[string]bool{}, map[string]bool{}
	for _, v := range s.o.Variants {
		c := v.Network.WithDefaults()
		blocks[string(c.Block)], skips[string(c.Skip)] = true, true
	}
	t := report.Table{Head: []string{"name", "description", "source", "trained here"}}
	add := func(list []kind, trained map[string]bool) {
		for _, k := range list {
			here := "no"
			if trained[k.name] {
				here = "yes"
			}
			t.Rows = append(t.Rows, []string{k.name, k.what, k.source, here})
		}
	}
	add(blockKinds, blocks)
	add(skipKinds, skips)
	return report.Section{Title: "Variants", Table: t,
		Text: []string{"A variant is named after its kind of block and its kind of long skip. convs6 has 6 convolutions per block instead of 2 (dense: 3), depth6 has 6 pooling steps, and nonorm has no normalisation."}}
}

// results adds the table of the variants.
func (s *study) results() report.Section {
	t := report.Table{Head: []string{"variant", "Dice", "difference to " + reference, "by group", "loss at the end", "parameters", "GFLOP", "step ms", "image ms", "memory MiB"}}
	ref, known := s.reference()
	for _, v := range s.o.Variants {
		list := s.of(v)
		row := []string{v.Name, "diverged"}
		if len(list) > 0 {
			difference := "–"
			if d, ok := s.against(v, ref); ok && known {
				difference = d.text("%+.3f")
			}
			r := list[0]
			row = []string{v.Name, over(list, dice).text("%.3f"), difference, over(list, func(t *training) float64 { return t.Group }).text("%.3f"),
				over(list, func(t *training) float64 { return t.lossAt(true) }).text("%.3f"), fmt.Sprint(r.Parameters), fmt.Sprintf("%.3f", r.GFLOP),
				over(list, func(t *training) float64 { return t.StepMS }).low1("%.0f"), over(list, func(t *training) float64 { return t.InferMS }).low1("%.1f"),
				fmt.Sprintf("%.0f", float64(r.MemoryBytes)/(1<<20))}
		}
		t.Rows = append(t.Rows, row)
	}
	p := &s.runs[0].Plan
	return report.Section{Title: "Results and cost", Table: t, Text: []string{
		fmt.Sprintf("Dice: on the validation images, with the best weights%s. Difference: to %s with the same seed, and therefore the same split, patches and steps. By group: with the pixels of each group pooled.", s.rangeOf(), reference),
		fmt.Sprintf("GFLOP and image ms: one image of %d×%d through the trained network. Step ms and memory: a training step of %d patches of %d×%d, with activations, gradients, weights and the solver's moments. Times are minima of %d on %s.",
			costSize, costSize, p.Batch, p.PatchHeight, p.PatchWidth, costRuns*s.o.Repeats, s.timedOn()),
	}}
}

// timedOn names the processors and kernels with which times were measured. Trainings
// from several commands may have used different ones.
func (s *study) timedOn() string {
	var list []string
	for _, t := range s.runs {
		threads := "one thread"
		if t.Threads != 1 {
			threads = fmt.Sprintf("%d threads", t.Threads)
		}
		if on := fmt.Sprintf("%s (%s kernels)", threads, t.Kernel); !t.Sweep && !slices.Contains(list, on) {
			list = append(list, on)
		}
	}
	return strings.Join(list, " and ")
}

// low1 formats the minimum of a spread, which is how times are stated.
func (s spread) low1(verb string) string { return fmt.Sprintf(verb, s.low) }

// family holds the variants drawn in one chart.
type family struct {
	title string
	list  []Variant
}

// families divides the variants into charts: blocks for each kind of long skip, long
// skips of plain networks, and the rest. A variant that is the only one of its kind
// goes to the rest.
func (s *study) families() []family {
	ref, err := ParseVariant(reference)
	if err != nil {
		panic(err) // a mistake in its name
	}
	r := ref.Network.WithDefaults()
	// ordinary networks differ from the reference only in block and long skip.
	ordinary := func(v Variant) bool {
		c := v.Network.WithDefaults()
		if c.Block == unet.BlockDense { // has its own number of convolutions, and growth
			d := unet.Config{Block: unet.BlockDense}.WithDefaults()
			c.Convs, c.Growth = c.Convs-d.Convs+r.Convs, c.Growth-d.Growth+r.Growth
		}
		c.Block, c.Skip = r.Block, r.Skip
		return c == r
	}
	of := func(title string, is func(c unet.Config) bool) family {
		f := family{title: title}
		for _, v := range s.o.Variants {
			if ordinary(v) && is(v.Network.WithDefaults()) {
				f.list = append(f.list, v)
			}
		}
		return f
	}
	candidates := []family{
		of("blocks", func(c unet.Config) bool { return c.Skip == r.Skip }),
		of("long skips", func(c unet.Config) bool { return c.Block == r.Block }),
	}
	for _, k := range skipKinds {
		if skip := unet.Skip(k.name); skip != r.Skip {
			candidates = append(candidates, of("blocks, long skips "+k.name, func(c unet.Config) bool { return c.Skip == skip }))
		}
	}
	drawn := map[string]bool{}
	var list []family
	for _, f := range candidates {
		if len(f.list) < 2 {
			continue
		}
		list = append(list, f)
		for _, v := range f.list {
			drawn[v.Name] = true
		}
	}
	rest := family{title: "others"}
	for _, v := range s.o.Variants {
		if !drawn[v.Name] {
			rest.list = append(rest.list, v)
		}
	}
	if len(rest.list) > 0 {
		list = append(list, rest)
	}
	return list
}

// curves draws loss and Dice over the steps.
func (s *study) curves() report.Section {
	sec := report.Section{Title: "Curves", Text: []string{"Lines are means over the seeds, and bands span the lowest to the highest. Loss: cross-entropy and soft Dice on training patches, averaged over a twentieth of the training. Dice: of the averaged weights on the validation images, with one line per seed, because seeds with different splits validate at different steps."}}
	for _, f := range s.families() {
		loss := report.Chart{Title: "Loss, " + f.title, X: "step", Y: "loss"}
		score := report.Chart{Title: "Validation Dice, " + f.title, X: "step", Y: "Dice", YMin: 1, YMax: 1}
		for i, v := range f.list {
			list := s.of(v)
			loss.Series = append(loss.Series, band(v.Name, list, lossCurve))
			for k, t := range list {
				line := report.Series{Color: report.Color(i)}
				if line.X, line.Y = diceCurve(t); k == 0 {
					line.Name = v.Name
				}
				line.Dots = len(line.X) == 1 // breaks the line
				score.Series = append(score.Series, line)
			}
		}
		sec.Charts = append(sec.Charts, loss, score)
	}
	return sec
}

// lossCurve returns the loss in windows of a twentieth of the training.
func lossCurve(t *training) (x, y []float64) {
	n := max(1, len(t.Losses)/20)
	for i := 0; i+n <= len(t.Losses); i += n {
		sum := 0.0
		for _, l := range t.Losses[i : i+n] {
			sum += l
		}
		x, y = append(x, float64(i)+float64(n)/2), append(y, sum/float64(n))
	}
	return x, y
}

func diceCurve(t *training) (x, y []float64) {
	for _, r := range t.History {
		x, y = append(x, float64(r.Step)), append(y, r.Dice)
	}
	return x, y
}

// band returns the mean curve of several trainings and their spread, at the points of
// the first curve. With a time budget, other curves may end earlier.
func band(name string, list []*training, f func(t *training) (x, y []float64)) report.Series {
	s := report.Series{Name: name}
	if len(list) == 0 {
		return s
	}
	var all [][]float64
	for i, t := range list {
		x, y := f(t)
		if i == 0 {
			s.X = x
		}
		s.X = s.X[:min(len(s.X), len(y))]
		all = append(all, y)
	}
	for i := range s.X {
		var values []float64
		for _, y := range all {
			values = append(values, y[i])
		}
		v := spreadOf(values)
		s.Y, s.Low, s.High = append(s.Y, v.mean), append(s.Low, v.low), append(s.High, v.high)
	}
	s.Dots = len(s.X) == 1 // breaks the line
	if len(list) == 1 || s.Dots {
		s.Low, s.High = nil, nil
	}
	return s
}
