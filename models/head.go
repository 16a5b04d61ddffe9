package models

import (
	"fmt"
	"math"
	"strings"

	"segd"
	"segd/unet"
)

// A head is what the output of a network means to a model card.
type head interface {
	// task names what the network does, in MONAI's words.
	task() string
	// check checks the part of a manifest that describes the output.
	check(m *Manifest) error
	// describe fills in the network's output in MONAI's terms.
	describe(t *TensorFormat, m *Manifest)
	// masks returns nil if the output gives masks.
	masks(m *Manifest) error
	// outputs describes what the network distinguishes.
	outputs(m *Manifest) string
}

var heads = map[unet.Head]head{unet.HeadClasses: classHead{}, unet.HeadRegression: valueHead{}}

// head is known: Validate checks the network first.
func (m *Manifest) head() head { return heads[m.Network.Head] }

// MakesMasks returns nil if the model predicts classes, and a segd.ErrOption if
// it predicts values, which give no mask.
func (m *Manifest) MakesMasks() error { return m.head().masks(m) }

// Outputs describes what the model distinguishes: the names of its foreground
// classes, or that it predicts values.
func (m *Manifest) Outputs() string { return m.head().outputs(m) }

// classHead is the head of a network that predicts classes.
type classHead struct{}

func (classHead) task() string { return "2-D semantic segmentation" }

func (classHead) masks(*Manifest) error { return nil }

func (classHead) outputs(m *Manifest) string { return strings.Join(m.ForegroundNames(), ", ") }

func (classHead) describe(t *TensorFormat, m *Manifest) {
	t.Format, t.ValueRange, t.ChannelDef = "segmentation", []float64{0, 1}, map[string]string{}
	for _, c := range m.Classes {
		t.ChannelDef[fmt.Sprint(c.Index)] = c.Name
	}
}

func (classHead) check(m *Manifest) error {
	if m.Values != nil {
		return fmt.Errorf("values given, but the network predicts classes")
	}
	if len(m.Classes) != m.Network.Classes {
		return fmt.Errorf("%d classes, the network has %d", len(m.Classes), m.Network.Classes)
	}
	if len(m.Regions) >= len(m.Classes) {
		return fmt.Errorf("regions for %d classes, the network has %d foreground classes", len(m.Regions), len(m.Classes)-1)
	}
	seen := map[string]bool{}
	for i, c := range m.Classes {
		switch {
		case i < len(m.Regions) && m.Regions[i] < 0:
			return fmt.Errorf("%d regions for class %d, want 0 or more", m.Regions[i], i+1)
		case c.Index != i:
			return fmt.Errorf("class %d has index %d", i, c.Index)
		case c.Name == "" || len(c.Name) > 64 || strings.ContainsFunc(c.Name, isControl):
			return fmt.Errorf("class %d is named %.80q, want 1 to 64 printable characters", i, c.Name)
		case seen[c.Name]:
			return fmt.Errorf("two classes are named %q", c.Name)
		case (c.Category == segd.Code{}) != (c.Type == segd.Code{}):
			return fmt.Errorf("class %d has one of category and type, want both or neither", i)
		case !validCode(c.Category) || !validCode(c.Type):
			return fmt.Errorf("class %d has an invalid code, want value, scheme and meaning, each short and printable", i)
		}
		seen[c.Name] = true
	}
	return nil
}

// valueHead is the head of a network that predicts values.
type valueHead struct{}

func (valueHead) task() string { return "2-D regression" }

func (valueHead) masks(m *Manifest) error {
	return fmt.Errorf("models: %w: model %s predicts values, which give no mask; it needs classes", segd.ErrOption, m.Name)
}

func (valueHead) outputs(*Manifest) string { return "none: values" }

func (valueHead) describe(t *TensorFormat, _ *Manifest) {
	t.Format, t.ValueRange, t.ChannelDef = "magnitude", []float64{}, map[string]string{"0": "value"}
}

func (valueHead) check(m *Manifest) error {
	finite := func(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }
	switch v := m.Values; {
	case m.Network.Classes != 1:
		return fmt.Errorf("%d values per pixel, want 1", m.Network.Classes)
	case len(m.Classes) > 0 || len(m.Regions) > 0:
		return fmt.Errorf("%d classes and %d regions, but a regression network has none", len(m.Classes), len(m.Regions))
	case v == nil:
		return fmt.Errorf("a regression network needs values: mean and deviation of its labels")
	case !finite(v.Mean) || !finite(v.Deviation) || v.Deviation <= 0:
		return fmt.Errorf("values with mean %v and deviation %v, want finite numbers and a deviation above 0", v.Mean, v.Deviation)
	}
	return nil
}
