package models

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// WriteText writes the model's card as text, one line per entry.
func (m *Model) WriteText(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	line := func(key, format string, args ...any) {
		if text := fmt.Sprintf(format, args...); text != "" {
			_, _ = fmt.Fprintf(t, "%s\t%s\n", key, text) // Flush returns the error
		}
	}
	line("name", "%s %s (%s)", m.Name, m.Version, m.Origin)
	line("title", "%s", m.Title)
	line("description", "%s", m.Description)
	line("use", "%s", m.Use)
	line("licence", "%s", m.Licence)
	line("classes", "%s", m.Outputs())
	if v := m.Values; v != nil {
		line("values", "training labels with mean %.4g and standard deviation %.4g", v.Mean, v.Deviation)
	}
	if p := m.Planes; p != nil && p.Wants != nil {
		line("planes", "%s: volumes are reoriented to them", *p.Wants)
	}
	if len(m.Channels) > 0 {
		line("channels", "%s, each in a separate file", strings.Join(m.Channels, ", "))
	}
	line("network", "U-Net, %d channels, %s", m.Network.Channels, m.Network)
	for _, d := range m.Data {
		about := []string{d.Name}
		for _, text := range []string{d.Licence, d.Citation} {
			if text != "" {
				about = append(about, text)
			}
		}
		line("data", "%s", strings.Join(about, ", "))
	}
	for _, v := range m.Metrics {
		of := ""
		if v.Class != "" {
			of = " of " + v.Class
		}
		line("figure", "%s%s %.4f%s on %s %s, %d cases", v.Name, of, v.Value, v.Unit, v.Data, v.Split, v.Cases)
	}
	if tr := m.Training; tr != nil {
		line("training", "%d steps, %.0f s, seed %d", tr.Steps, tr.Seconds, tr.Seed)
	}
	line("weights", "SHA-256 %s", m.WeightsSHA256)
	return t.Flush()
}
