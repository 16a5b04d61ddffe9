package main

import (
	"encoding/csv"
	"io"
	"strconv"
)

// csvHeader names the columns of segd.csv. frame counts from 1; an unknown
// area and the mean probability of no pixel are empty.
var csvHeader = []string{"file", "frame", "class", "name", "pixels", "area_mm2", "components", "mean_probability", "model"}

// writeCSV writes a row for each foreground class of each frame, in the order
// of the inputs; inputs that failed have none.
func (b *batch) writeCSV(results []*result) error {
	return b.write(b.csvPath(), func(w io.Writer) error {
		c := csv.NewWriter(w)
		if err := c.Write(csvHeader); err != nil {
			return err
		}
		for _, r := range results {
			if r == nil {
				continue
			}
			for _, f := range r.Frames {
				for _, k := range f.Classes {
					row := []string{r.File, strconv.Itoa(f.Frame), strconv.Itoa(k.Index), k.Name, strconv.Itoa(k.Pixels),
						optional(k.AreaMM2), strconv.Itoa(k.Components), optional(k.MeanProbability), r.Model + "@" + r.Version}
					if err := c.Write(row); err != nil {
						return err
					}
				}
			}
		}
		c.Flush()
		return c.Error()
	})
}

// optional formats a figure that may be unknown.
func optional(v *float64) string {
	if v == nil {
		return ""
	}
	return strconv.FormatFloat(*v, 'g', 6, 64)
}
