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
	"segd/internal/engine"
	"segd/internal/export"
	"segd/internal/nearest"
	"segd/internal/overlay"
)

// autoModel asks for a model by the scan.
const autoModel = "auto"

// outputs are the kinds of output that are offered.
var outputs = export.Kinds(export.HTTP)

var optionNames = []string{"alpha", "deidentify", "frame", "min_size", "model", "orient", "output", "threshold", "tta"}

// parseOptions reads a request out of the query, without its model, which is named.
// An option that is not known is refused: one that is silently left out gives a wrong
// result. Without output, the Accept header chooses.
func parseOptions(query url.Values, accept []string) (r engine.Request, model string, err error) {
	if err := checkOptions(query); err != nil {
		return r, "", err
	}
	r = engine.Request{Alpha: overlay.DefaultAlpha, OneFile: true, Times: true, Orient: query.Get("orient")}
	if model = query.Get("model"); model == "" {
		model = autoModel
	}
	output := query.Get("output")
	if r.Default = output == ""; r.Default {
		if output, err = negotiate(accept); err != nil {
			return r, "", err
		}
	}
	r.Outputs = []string{output}
	if r.Alpha, err = parseNumber(query, "alpha", r.Alpha); err != nil {
		return r, "", err
	}
	if r.Threshold, err = parseNumber(query, "threshold", 0); err != nil {
		return r, "", err
	}
	if r.MinSize, err = parseCount(query, "min_size", 0); err != nil {
		return r, "", err
	}
	if r.TTA, err = parseSwitch(query, "tta"); err != nil {
		return r, "", err
	}
	if r.Frame, err = parseCount(query, "frame", 1); err != nil {
		return r, "", err
	}
	switch v := query.Get("deidentify"); v {
	case "", "0", "false":
	case "1", "true":
		r.Deidentify = true
	default:
		return r, "", fmt.Errorf("handlers: %w: deidentify %.40q, want 0 or 1", segd.ErrOption, v)
	}
	return r, model, r.Validate(outputs)
}

// checkOptions refuses options that do not exist, come twice or have no value.
func checkOptions(query url.Values) error {
	for name, values := range query {
		switch {
		case !slices.Contains(optionNames, name):
			return fmt.Errorf("handlers: %w: there is no option %.40q: %s", segd.ErrOption, name, nearest.Among(name, optionNames))
		case len(values) > 1:
			return fmt.Errorf("handlers: %w: %s is given %d times", segd.ErrOption, name, len(values))
		case values[0] == "":
			return fmt.Errorf("handlers: %w: %s has no value: give it one, or leave it out", segd.ErrOption, name)
		}
	}
	return nil
}

func parseNumber(query url.Values, name string, fallback float64) (float64, error) {
	text := query.Get(name)
	if text == "" {
		return fallback, nil
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
		return 0, fmt.Errorf("handlers: %w: %s %.40q is not a number", segd.ErrOption, name, text)
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

// negotiate chooses the output by the Accept header, the first kind preferred where a
// client likes several equally well (RFC 9110, 12.5.1); without one, the overlay.
func negotiate(accept []string) (string, error) {
	list := strings.Join(accept, ",")
	if strings.TrimSpace(list) == "" {
		return export.Overlay, nil
	}
	best, output := 0.0, ""
	var offers []string
	for _, k := range outputs {
		for _, media := range k.Accept {
			offers = append(offers, media)
			if q := quality(list, media); q > best {
				best, output = q, k.Name
			}
		}
	}
	if output == "" {
		return "", fmt.Errorf("handlers: %w: there is %s", errNotAcceptable, strings.Join(offers, ", "))
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
