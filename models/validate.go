package models

import (
	"cmp"
	"fmt"
	"math"
	"strings"

	"segd"
	"segd/unet"
)

// Validate returns an error that names the first invalid field: segd.ErrFormat,
// or segd.ErrUnsupported for a later format. It checks only the form of
// WeightsSHA256.
func (m *Manifest) Validate() error {
	bad := func(format string, a ...any) error {
		return fmt.Errorf("models: %w: manifest: %s", segd.ErrFormat, fmt.Sprintf(format, a...))
	}
	switch {
	case m.FormatVersion > Format:
		return fmt.Errorf("models: %w: manifest has format %d, this version reads up to %d", segd.ErrUnsupported, m.FormatVersion, Format)
	case m.FormatVersion != Format:
		return bad("segd_format is %d, want %d", m.FormatVersion, Format)
	case !ValidName(m.Name):
		return bad("name %.80q, want 1 to 64 letters, digits, dots, underscores and hyphens, and not auto", m.Name)
	case m.Version == "" || len(m.Version) > 64 || strings.ContainsFunc(m.Version, isControl):
		return bad("version %.80q, want 1 to 64 printable characters", m.Version)
	case m.Use == "":
		return bad("intended_use is empty")
	case !validSum(m.WeightsSHA256):
		return bad("weights_sha256 %.80q, want 64 lower-case hexadecimal digits", m.WeightsSHA256)
	}
	if err := m.Network.WithDefaults().Validate(); err != nil {
		return bad("%v", err)
	}
	if err := m.Recipe.Validate(); err != nil {
		return bad("%v", err)
	}
	if m.Recipe.Channels != m.Network.Channels {
		return bad("preprocessing gives %d channels, the network takes %d", m.Recipe.Channels, m.Network.Channels)
	}
	if err := cmp.Or(m.checkMembers(), m.Planes.validate()); err != nil {
		return bad("%v", err)
	}
	if n := len(m.Channels); n == 1 || n > 1 && n != m.Network.Channels {
		return bad("channels names %d, the network takes %d: name all of several, or none where the model takes one image", n, m.Network.Channels)
	}
	for i, name := range m.Channels {
		if name == "" || len(name) > 64 || strings.ContainsFunc(name, isControl) {
			return bad("name %.80q of channel %d, want 1 to 64 printable characters", name, i)
		}
	}
	if err := m.checkClasses(); err != nil {
		return bad("%v", err)
	}
	for i, v := range m.Metrics {
		if math.IsNaN(v.Value) || math.IsInf(v.Value, 0) {
			return bad("metric %d is not finite", i)
		}
	}
	if f := m.NetworkDataFormat; f != nil {
		in, out := f.Inputs["image"].NumChannels, f.Outputs["pred"].NumChannels
		if in != m.Network.Channels || out != m.Network.Classes {
			return bad("network_data_format has %d channels in and %d out, the network %d and %d", in, out, m.Network.Channels, m.Network.Classes)
		}
	}
	return nil
}

// validSum reports whether s is a SHA-256 in lower-case hexadecimal digits.
func validSum(s string) bool { return len(s) == 64 && strings.Trim(s, "0123456789abcdef") == "" }

// MakesMasks returns nil if the model predicts classes, and a segd.ErrOption if
// it predicts values, which give no mask.
func (m *Manifest) MakesMasks() error {
	if m.Values == nil {
		return nil
	}
	return fmt.Errorf("models: %w: model %s predicts values, which give no mask; it needs classes", segd.ErrOption, m.Name)
}

// CheckChannels returns nil if the model takes an image with this number of
// separate channels; 0 means a single image, grey or colour. The error,
// segd.ErrUnprocessable, says what the model takes.
func (m *Manifest) CheckChannels(separate int) error {
	switch want := len(m.Channels); {
	case want == separate:
		return nil
	case want == 0:
		return fmt.Errorf("models: %w: %d separate channels for model %s, which takes a single image", segd.ErrUnprocessable, separate, m.Name)
	case separate == 0:
		return fmt.Errorf("models: %w: a single image for model %s, which takes %d channels in separate files: %s; name the files CASE_0000, CASE_0001 and so on, or over HTTP the form fields file_0000, file_0001",
			segd.ErrUnprocessable, m.Name, want, strings.Join(m.Channels, ", "))
	default:
		return fmt.Errorf("models: %w: %d channels for model %s, which takes %d: %s", segd.ErrUnprocessable, separate, m.Name, want, strings.Join(m.Channels, ", "))
	}
}

func (m *Manifest) checkClasses() error {
	if m.Network.Head == unet.HeadRegression {
		return m.checkValues()
	}
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

// checkValues checks the output of a regression network.
func (m *Manifest) checkValues() error {
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

// validCode reports whether c is empty or can be used in a DICOM object (PS3.3
// 8.8).
func validCode(c segd.Code) bool {
	if c == (segd.Code{}) {
		return true
	}
	for _, text := range []struct {
		s     string
		limit int
	}{{c.Value, 64}, {c.Scheme, 16}, {c.Meaning, 64}} {
		if text.s == "" || len(text.s) > text.limit || strings.ContainsFunc(text.s, isControl) || strings.Contains(text.s, `\`) {
			return false
		}
	}
	return true
}

func isControl(r rune) bool { return r < 0x20 || r == 0x7f }
