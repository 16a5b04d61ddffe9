package study

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"path/filepath"
	"strconv"
)

// tableNames lists the tables that a study may write.
func tableNames() []string {
	return []string{"results.csv", "curves.csv", "gradients.csv", "landscapes.csv", "sweep.csv"}
}

// writeCSV writes the figures of the page as tables.
func (s *study) writeCSV() error {
	tables := map[string][][]string{
		"results.csv": s.resultRows(), "curves.csv": s.curveRows(), "gradients.csv": s.gradientRows(), "landscapes.csv": s.landscapeRows(),
	}
	if s.o.Sweep {
		tables["sweep.csv"] = s.sweepRows()
	}
	for name, rows := range tables {
		var b bytes.Buffer
		w := csv.NewWriter(&b)
		if err := w.WriteAll(rows); err != nil {
			return fmt.Errorf("study: %s: %w", name, err)
		}
		if err := writeFile(filepath.Join(s.o.Out, name), b.Bytes()); err != nil {
			return err
		}
	}
	return nil
}

// g formats a number with five digits.
func g(v float64) string { return strconv.FormatFloat(v, 'g', 5, 64) }

func (s *study) resultRows() [][]string {
	rows := [][]string{{"variant", "seed", "steps", "diverged", "val_dice", "val_group_dice", "loss_end", "gradient_share_start", "gradient_share", "nsd_1px",
		"parameters", "gflop", "step_ms", "infer_ms", "memory_bytes", "seconds"}}
	for i, t := range s.runs {
		if t.Sweep {
			continue
		}
		nsd := ""
		if v, ok := s.detail.outline[t.Variant.Name]; ok && i < len(s.o.Variants) {
			nsd = g(v)
		}
		rows = append(rows, []string{t.Variant.Name, fmt.Sprint(t.Seed), fmt.Sprint(t.Steps), fmt.Sprint(t.Diverged), g(t.Dice), g(t.Group), g(t.lossAt(true)),
			g(t.reach(t.start())), g(t.reach(t.Trace)), nsd, fmt.Sprint(t.Parameters), g(t.GFLOP), g(t.StepMS), g(t.InferMS), fmt.Sprint(t.MemoryBytes), g(t.Seconds)})
	}
	return rows
}

func (s *study) curveRows() [][]string {
	rows := [][]string{{"variant", "seed", "what", "step", "value"}}
	for _, t := range s.runs {
		if t.Sweep {
			continue
		}
		for i, l := range t.Losses {
			rows = append(rows, []string{t.Variant.Name, fmt.Sprint(t.Seed), "loss", fmt.Sprint(i), g(l)})
		}
		for _, r := range t.History {
			rows = append(rows, []string{t.Variant.Name, fmt.Sprint(t.Seed), "val_dice", fmt.Sprint(r.Step), g(r.Dice)},
				[]string{t.Variant.Name, fmt.Sprint(t.Seed), "val_group_dice", fmt.Sprint(r.Step), g(r.Group)})
		}
	}
	return rows
}

func (s *study) gradientRows() [][]string {
	rows := [][]string{{"variant", "seed", "step", "layer", "gradient_norm", "weight_norm"}}
	for _, t := range s.runs {
		if t.Sweep {
			continue
		}
		for _, trace := range t.Trace {
			for _, l := range trace.Layers {
				rows = append(rows, []string{t.Variant.Name, fmt.Sprint(t.Seed), fmt.Sprint(trace.Step), l.Name, g(l.Gradient), g(l.Weight)})
			}
		}
	}
	return rows
}

func (s *study) landscapeRows() [][]string {
	rows := [][]string{{"variant", "seed", "first", "second", "loss"}}
	for _, t := range s.first() {
		if t.Landscape == nil {
			continue
		}
		for y, row := range t.Landscape.Loss {
			for x, v := range row {
				rows = append(rows, []string{t.Variant.Name, fmt.Sprint(t.Seed), g(t.Landscape.At[x]), g(t.Landscape.At[y]), g(v)})
			}
		}
	}
	return rows
}

func (s *study) sweepRows() [][]string {
	rows := [][]string{{"network", "levels", "convolutions", "seed", "loss_start", "loss_end", "val_dice", "trains", "gradient_share_start", "gradient_share", "parameters"}}
	for _, kind := range sweepKinds {
		s.eachSize(func(depth, convs int) {
			for _, t := range s.sweepAt(kind, depth, convs) {
				rows = append(rows, []string{kind, fmt.Sprint(depth), fmt.Sprint(convs), fmt.Sprint(t.Seed), g(t.lossAt(false)), g(t.lossAt(true)), g(t.Dice),
					fmt.Sprint(s.trains(t)), g(t.reach(t.start())), g(t.reach(t.Trace)), fmt.Sprint(t.Parameters)})
			}
		})
	}
	return rows
}
