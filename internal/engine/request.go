package engine

import (
	"fmt"
	"slices"
	"strings"

	"segd"
	"segd/internal/export"
	"segd/internal/nearest"
	"segd/internal/segment"
	"segd/models"
	"segd/unet"
)

// Request says what is to be made of each input.
type Request struct {
	Model *models.Model // nil: by each scan, as Catalogue.Auto has it
	// Outputs are names of kinds (package export).
	Outputs []string
	// Default says that the edge chose Outputs. Of a model of values they are then the
	// picture of the values, where the model does not make them.
	Default bool
	segment.Options
	Alpha      float64 // opacity of overlays, 0 to 1
	Frame      int     // the only one that is wanted, from 1; 0: all
	Deidentify bool    // DICOM objects
	// Orient is Stored, or Upright: all outputs of a picture that is stored turned are
	// upright, not only its overlay. "": Stored.
	Orient string

	// OneFile says that the edge can take one file of a kind of an input only.
	OneFile bool
	// Times puts the time in the network into the JSON, on one line. Without it, the
	// JSON of two runs is the same.
	Times bool
}

// Values of Request.Orient.
const (
	Stored  = "stored"
	Upright = "upright"
)

// OptionError is a segd.ErrOption of a request.
type OptionError struct {
	Options []string // in snake_case: output, min_size
	Reason  string   // what follows the options' names in a sentence
}

func (e *OptionError) Error() string {
	return "engine: " + segd.ErrOption.Error() + ": " + strings.Join(e.Options, " and ") + " " + e.Reason
}

// Unwrap returns segd.ErrOption.
func (e *OptionError) Unwrap() error { return segd.ErrOption }

func badOption(option, format string, a ...any) error {
	return &OptionError{[]string{option}, fmt.Sprintf(format, a...)}
}

// Validate checks what can be checked without a model, against the kinds that an edge
// offers. The error is an *OptionError.
func (r *Request) Validate(offered []export.Kind) error {
	names := export.Names(offered)
	for _, o := range r.Outputs {
		if !slices.Contains(names, o) {
			return badOption("output", "%.40s does not exist: %swant one of %s", o, nearest.Hint(o, names), strings.Join(names, ", "))
		}
	}
	switch {
	case len(r.Outputs) == 0:
		return badOption("output", "is empty")
	case !(r.Alpha >= 0 && r.Alpha <= 1):
		return badOption("alpha", "%v, want 0 to 1", r.Alpha)
	case !(r.Threshold >= 0 && r.Threshold <= 1):
		return badOption("threshold", "%v, want 0 to 1", r.Threshold)
	case r.Orient != "" && r.Orient != Stored && r.Orient != Upright:
		return badOption("orient", "%.40s, want %s or %s", r.Orient, Stored, Upright)
	case r.MinSize < 0:
		return badOption("min_size", "%d, want 0 or more", r.MinSize)
	}
	for _, o := range r.Outputs {
		if k, _ := export.KindOf(o); k.Volume && r.Frame > 0 {
			return badOption("output", "%s is the whole volume: it has no frame %d of its own", o, r.Frame)
		}
	}
	return nil
}

// settle returns the kinds that are to be made, in the order of their table. Where
// the outputs are a default that the model does not make, they become those it does.
func (r *Request) settle(offered []export.Kind) ([]export.Kind, error) {
	if err := r.Validate(offered); err != nil {
		return nil, err
	}
	head := unet.HeadClasses // of every model that auto chooses
	if m := r.Model; m != nil {
		head = m.Network.Head
		if list := segment.Unused(m, r.Options); len(list) > 0 {
			return nil, &OptionError{list, fmt.Sprintf("apply to classes, but model %s predicts %s", m.Name, segment.Predicts(head))}
		}
	}
	made := export.Kinds(func(k export.Kind) bool { return k.Of(head) })
	names := export.Names(made)
	unmade := slices.IndexFunc(r.Outputs, func(o string) bool { return !slices.Contains(names, o) })
	if unmade >= 0 && !r.Default {
		return nil, r.misfit(r.Outputs[unmade], head, offered)
	}
	if unmade >= 0 {
		plain := slices.IndexFunc(made, func(k export.Kind) bool { return k.Scope == export.Frame && !k.Pixels })
		r.Outputs = names[plain : plain+1]
	}
	bundle := slices.Contains(r.Outputs, export.Zip)
	return slices.DeleteFunc(made, func(k export.Kind) bool {
		return k.Name == export.Zip || !slices.Contains(r.Outputs, k.Name) && !(bundle && k.Bundled)
	}), nil
}

// misfit is the error of an output that cannot be made of what the head gives.
func (r *Request) misfit(output string, head unet.Head, offered []export.Kind) error {
	k, _ := export.KindOf(output) // Validate has seen it
	needs := segment.Predicts(k.Heads[0])
	if r.Model == nil {
		return badOption("output", "%s needs a model that predicts %s, which auto never chooses: name one", output, needs)
	}
	fit := slices.DeleteFunc(slices.Clone(offered), func(k export.Kind) bool { return !k.Of(head) })
	return badOption("output", "%s needs %s, but model %s predicts %s: choose from %s",
		output, needs, r.Model.Name, segment.Predicts(head), strings.Join(export.Names(fit), ", "))
}

// wants reports whether a kind is to be made.
func (j *Job) wants(name string) bool {
	return slices.ContainsFunc(j.kinds, func(k export.Kind) bool { return k.Name == name })
}

// some reports whether a kind that is to be made is like that.
func (j *Job) some(like func(export.Kind) bool) bool { return slices.ContainsFunc(j.kinds, like) }
