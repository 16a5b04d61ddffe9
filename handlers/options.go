package handlers

import (
	"fmt"
	"math"
	"mime"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"segd"
	"segd/internal/export"
	"segd/internal/nearest"
	"segd/internal/overlay"
	"segd/internal/segment"
	"segd/models"
)

// Outputs of POST /v1/segment.
const (
	outputOverlay = "overlay"
	outputMask    = "mask"
	outputJSON    = "json"
	outputZip     = "zip" // all pictures and the measurements
)

// outputs are those, a volume, the kinds that values have, and the kinds of DICOM
// object.
var outputs = append([]string{outputOverlay, outputMask, outputJSON, outputZip, export.NIfTI, export.Value, export.TIFF}, export.Kinds()...)

// valueOutputs are those of a model of values.
var valueOutputs = append([]string{outputJSON, outputZip}, export.ValueKinds()...)

// object reports whether a DICOM object is asked for.
func (o options) object() bool { return slices.Contains(export.Kinds(), o.output) }

// whole reports whether one answer holds all frames.
func (o options) whole() bool {
	return o.output == outputJSON || o.output == export.NIfTI || o.object() && o.output != export.SC
}

// options are what a client may ask of POST /v1/segment.
type options struct {
	segment.Options
	model  string // "auto": by the scan
	output string
	chosen bool // output is named, and not by the Accept header
	alpha  float64
	frame  int // from 1; 0: all

	deidentify bool // DICOM objects
}

var optionNames = []string{"alpha", "deidentify", "frame", "min_size", "model", "output", "threshold", "tta"}

// parseOptions reads the options out of the query. A name that is not known is
// refused: an option that is silently left out gives a wrong result. Without
// output, the Accept header chooses.
func parseOptions(query url.Values, accept []string) (options, error) {
	o := options{model: "auto", alpha: overlay.DefaultAlpha}
	for name, values := range query {
		if !slices.Contains(optionNames, name) {
			return o, fmt.Errorf("handlers: %w: there is no option %.40q; %sthere are %s", segd.ErrOption, name, nearest.Hint(name, optionNames), strings.Join(optionNames, ", "))
		}
		if len(values) > 1 {
			return o, fmt.Errorf("handlers: %w: %s is given %d times", segd.ErrOption, name, len(values))
		}
		if values[0] == "" {
			return o, fmt.Errorf("handlers: %w: %s has no value: give it one, or leave it out", segd.ErrOption, name)
		}
	}
	if v := query.Get("model"); v != "" {
		o.model = v
	}
	var err error
	o.chosen = query.Get("output") != ""
	if o.output, err = parseOutput(query.Get("output"), accept); err != nil {
		return o, err
	}
	if o.alpha, err = parseNumber(query, "alpha", o.alpha); err != nil {
		return o, err
	}
	if !(o.alpha >= 0 && o.alpha <= 1) {
		return o, fmt.Errorf("handlers: %w: alpha %v, want 0 to 1", segd.ErrOption, o.alpha)
	}
	if o.Threshold, err = parseNumber(query, "threshold", 0); err != nil {
		return o, err
	}
	if o.MinSize, err = parseCount(query, "min_size", 0); err != nil {
		return o, err
	}
	if o.TTA, err = parseSwitch(query, "tta"); err != nil {
		return o, err
	}
	if o.frame, err = parseCount(query, "frame", 1); err != nil {
		return o, err
	}
	if o.valuesAlone() && o.model == "auto" {
		return o, fmt.Errorf("handlers: %w: output %s is of a model that gives values, which auto never takes: name one", segd.ErrOption, o.output)
	}
	if o.output == export.NIfTI && o.frame > 0 {
		return o, fmt.Errorf("handlers: %w: output nifti is the whole volume, and has no frame %d of its own", segd.ErrOption, o.frame)
	}
	switch v := query.Get("deidentify"); v {
	case "", "0", "false":
	case "1", "true":
		o.deidentify = true
	default:
		return o, fmt.Errorf("handlers: %w: deidentify %.40q, want 0 or 1", segd.ErrOption, v)
	}
	return o, o.Validate()
}

// fit refuses what the model cannot make. A picture that the client left to the
// server is of values where the model gives them.
func (o *options) fit(m *models.Model) error {
	if m.Values == nil {
		if o.valuesAlone() {
			return fmt.Errorf("handlers: %w: output %s is of a model that gives values, %s gives classes", segd.ErrOption, o.output, m.Name)
		}
		return nil
	}
	if o.output == outputOverlay && !o.chosen {
		o.output = export.Value
	}
	switch {
	case !slices.Contains(valueOutputs, o.output):
		return fmt.Errorf("handlers: %w: output %s is made of classes, model %s gives values: there are %s", segd.ErrOption, o.output, m.Name, strings.Join(valueOutputs, ", "))
	case o.Threshold != 0 || o.MinSize != 0:
		return fmt.Errorf("handlers: %w: threshold and min_size are about classes, model %s gives values", segd.ErrOption, m.Name)
	}
	return nil
}

// valuesAlone reports whether only a model of values makes the output.
func (o *options) valuesAlone() bool { return o.output == export.Value || o.output == export.TIFF }

func parseOutput(v string, accept []string) (string, error) {
	switch {
	case v == "":
		return negotiate(accept)
	case !slices.Contains(outputs, v):
		return "", fmt.Errorf("handlers: %w: there is no output %.40q; %sthere are %s", segd.ErrOption, v, nearest.Hint(v, outputs), strings.Join(outputs, ", "))
	}
	return v, nil
}

func parseNumber(query url.Values, name string, fallback float64) (float64, error) {
	text := query.Get(name)
	if text == "" {
		return fallback, nil
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
		return 0, fmt.Errorf("handlers: %w: %s %.40q is no number", segd.ErrOption, name, text)
	}
	return v, nil
}

// parseSwitch returns false where the option is not given.
func parseSwitch(query url.Values, name string) (bool, error) {
	text := query.Get(name)
	if text == "" {
		return false, nil
	}
	v, err := strconv.ParseBool(text)
	if err != nil {
		return false, fmt.Errorf("handlers: %w: %s %.40q, want 1 or 0", segd.ErrOption, name, text)
	}
	return v, nil
}

// parseCount returns 0 where the option is not given.
func parseCount(query url.Values, name string, low int) (int, error) {
	text := query.Get(name)
	if text == "" {
		return 0, nil
	}
	v, err := strconv.Atoi(text)
	if err != nil || v < low || v > math.MaxInt32 {
		return 0, fmt.Errorf("handlers: %w: %s %.40q, want a whole number from %d to %d", segd.ErrOption, name, text, low, math.MaxInt32)
	}
	return v, nil
}

// offers are the media types that an output may come in, the first one
// preferred where a client likes several equally well (RFC 9110, 12.5.1).
var offers = []struct{ media, output string }{
	{"image/png", outputOverlay},
	{"application/zip", outputOverlay},
	{"application/json", outputJSON},
	{dicomMedia, export.SEG},
}

// negotiate chooses the output by the Accept header; without one, the overlay.
func negotiate(accept []string) (string, error) {
	list := strings.Join(accept, ",")
	if strings.TrimSpace(list) == "" {
		return outputOverlay, nil
	}
	best, output := 0.0, ""
	for _, offer := range offers {
		if q := quality(list, offer.media); q > best {
			best, output = q, offer.output
		}
	}
	if output == "" {
		return "", fmt.Errorf("handlers: %w: there is image/png, application/zip, application/json and application/dicom", errNotAcceptable)
	}
	return output, nil
}

// quality is the weight of a media type in an Accept header: that of the range
// that names it most closely.
func quality(accept, media string) float64 {
	q, closest := 0.0, 0
	group, _, _ := strings.Cut(media, "/")
	for item := range strings.SplitSeq(accept, ",") {
		name, params, err := mime.ParseMediaType(item)
		if err != nil {
			continue
		}
		fit := map[string]int{"*/*": 1, group + "/*": 2, media: 3}[name]
		if fit == 0 || fit < closest {
			continue
		}
		weight := 1.0
		if v, ok := params["q"]; ok {
			if weight, err = strconv.ParseFloat(v, 64); err != nil || !(weight >= 0 && weight <= 1) {
				continue
			}
		}
		q, closest = weight, fit
	}
	return q
}
