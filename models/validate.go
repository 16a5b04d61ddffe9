package models

import (
	"cmp"
	"fmt"
	"math"
	"strings"

	"segd"
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
		return bad("channels has %d names, but the network takes %d channels: name all of them, or none if the model takes a single image", n, m.Network.Channels)
	}
	for i, name := range m.Channels {
		if name == "" || len(name) > 64 || strings.ContainsFunc(name, isControl) {
			return bad("name %.80q of channel %d, want 1 to 64 printable characters", name, i)
		}
	}
	if err := m.head().check(m); err != nil {
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
