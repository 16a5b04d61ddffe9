package exchange

import (
	"fmt"

	"segd"
	"segd/models"
	"segd/unet"
)

// A head says what the output of a network means, and what follows for files of other
// programs.
type head interface {
	// toLogits skips the operator that converts logits to probabilities.
	toLogits(out *value) (*value, error)
	// channels returns the output channels of segd's network for those of the file.
	channels(outputs int) int
	// double reports whether the head of the file has one logit where segd's has two.
	double(want, got int) bool
	// absorb converts the head of a state dict to segd's form.
	absorb(dict map[string]weight) error
	// output names the output of an ONNX file.
	output() string
	// describe describes the output in a manifest. names lists the foreground
	// classes, if known.
	describe(man *models.Manifest, c unet.Config, names []string) error
}

var heads = map[unet.Head]head{unet.HeadClasses: classHead{}, unet.HeadRegression: valueHead{}}

// classHead outputs a logit for each class. A single logit is an input for the
// logistic function, and becomes the second of two.
type classHead struct{}

func (classHead) toLogits(out *value) (*value, error) {
	switch {
	case out.op == "Softmax":
		return out.in[0], nil
	case out.op == "Sigmoid" && out.shape[1] == 1:
		return out.in[0], nil
	case out.op == "Sigmoid":
		return nil, refuse("%s: %d independent outputs, want mutually exclusive classes", out.label, out.shape[1])
	}
	return out, nil
}

func (classHead) channels(outputs int) int { return max(2, outputs) }

func (classHead) double(want, got int) bool { return want == 2 && got == 1 }

func (classHead) absorb(dict map[string]weight) error {
	w, b := dict["head.weight"], dict["head.bias"]
	if len(w.shape) == 4 && w.shape[0] == 1 && len(b.data) == 1 {
		w.data, b.data = append(make([]float32, len(w.data)), w.data...), []float32{0, b.data[0]}
		w.shape, b.shape = append([]int{2}, w.shape[1:]...), []int{2}
		dict["head.weight"], dict["head.bias"] = w, b
	}
	return nil
}

func (classHead) output() string { return "logits" }

func (classHead) describe(man *models.Manifest, c unet.Config, names []string) error {
	switch {
	case len(names) > 0:
		if len(names) != c.Classes-1 {
			return fmt.Errorf("exchange: %w: names for %d classes, want %d: the network's classes without background", segd.ErrOption, len(names), c.Classes-1)
		}
	case man.Classes != nil:
		return nil
	default:
		for i := 1; i < c.Classes; i++ {
			names = append(names, fmt.Sprint("class ", i))
		}
	}
	man.Classes = models.ClassList(names...)
	return nil
}

// valueHead outputs a value for each pixel.
type valueHead struct{}

func (valueHead) toLogits(out *value) (*value, error) {
	switch {
	case out.shape[1] != 1:
		return nil, refuse("%s: %d outputs, want 1 for regression", out.label, out.shape[1])
	case out.op == "Softmax" || out.op == "Sigmoid":
		return nil, refuse("%s: a regression network must end with a convolution", out.label)
	}
	return out, nil
}

func (valueHead) channels(outputs int) int { return outputs }

func (valueHead) double(int, int) bool { return false }

func (valueHead) absorb(dict map[string]weight) error {
	if w := dict["head.weight"]; len(w.shape) != 4 || w.shape[0] != 1 {
		return refuse("tensor %.80q has shape %v, want 1 output for regression", w.from, w.shape)
	}
	return nil
}

func (valueHead) output() string { return "values" }

func (valueHead) describe(man *models.Manifest, _ unet.Config, names []string) error {
	if len(names) > 0 {
		return fmt.Errorf("exchange: %w: class names for a network that predicts values", segd.ErrOption)
	}
	if man.Values == nil {
		man.Values = &models.Values{Deviation: 1} // for unknown labels
	}
	return nil
}
