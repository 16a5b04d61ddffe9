package segment

import (
	"context"
	"fmt"

	"segd"
	"segd/internal/postprocess"
	"segd/internal/turns"
	"segd/models"
	"segd/unet"
)

// head is what the output of a network means, and everything that depends on it: how
// a Result is made of the output, in words and in figures.
type head interface {
	// predicts names the output in the plural: classes.
	predicts() string
	// unused names the options that are given and that the head has no use for.
	unused(o Options) []string
	// decode makes the output of r from t, [1, K, H, W] on the image's pixels.
	decode(ctx context.Context, r *Result, t *segd.Tensor, m *models.Model, o Options) error
	// finish says what is known of the output of a whole frame.
	finish(r *Result)
	// gather makes the output of r from those of turned planes, with cut.
	gather(r *Result, planes []*Result, cut cut) error
	// noun names the output of the network, before it is decoded.
	noun() string
	// steps says how decode goes about it.
	steps(m *models.Model, o Options) []string
	measure(r *Result, classes []segd.Class) Measured
}

// heads are those that networks have.
var heads = map[unet.Head]head{unet.HeadClasses: classes{}, unet.HeadRegression: values{}}

func headOf(m *models.Model) head { return heads[m.Network.Head] }

// Predicts names what networks with that head give: classes or values.
func Predicts(h unet.Head) string { return heads[h].predicts() }

// Unused names the options that say nothing of what m gives, if one of them is given.
func Unused(m *models.Model, o Options) []string { return headOf(m).unused(o) }

// cut reslices planes of float32 or of uint8 to those of a frame.
type cut struct {
	floats func(plane func(k int) []float32) ([]float32, error)
	bytes  func(plane func(k int) []uint8) ([]uint8, error)
}

// Measured is what is measured in a Result: Classes of a model of classes, else
// Values.
type Measured struct {
	Classes []postprocess.Measurement `json:"classes,omitzero"`
	Values  *postprocess.ValueRange   `json:"values,omitempty"` // nil where no value is finite, too
}

// Measure measures what m gave.
func (r *Result) Measure(m *models.Model) Measured { return headOf(m).measure(r, m.Classes) }

// classes is the head whose output is a probability for each class.
type classes struct{}

func (classes) predicts() string { return "classes" }

func (classes) unused(Options) []string { return nil }

func (classes) decode(ctx context.Context, r *Result, t *segd.Tensor, m *models.Model, o Options) error {
	r.Probabilities = t
	for _, stage := range []func(){
		func() { r.Mask = postprocess.Labels(r.Probabilities, o.Threshold) },
		func() { postprocess.KeepLargest(r.Mask, m.Regions) },
		func() {
			if o.MinSize > 1 {
				postprocess.RemoveSmall(r.Mask, o.MinSize)
			}
		},
	} {
		if err := turns.Next(ctx); err != nil {
			return fmt.Errorf("segment: %w", err)
		}
		stage()
	}
	return nil
}

// finish fills in Confidence, and warns of an empty mask.
func (classes) finish(r *Result) {
	r.Confidence = confidence(r.Mask, r.Probabilities)
	if r.Confidence == nil {
		r.Warnings = append(r.Warnings, "nothing was found: the mask is all background")
	}
}

func (classes) gather(r *Result, planes []*Result, cut cut) error {
	pix, err := cut.bytes(func(k int) []uint8 { return planes[k].Mask.Pix })
	if err != nil {
		return err
	}
	r.Mask = &segd.Mask{Width: r.Image.Width, Height: r.Image.Height, Pix: pix}
	r.Probabilities = segd.NewTensor(1, planes[0].Probabilities.C, r.Image.Height, r.Image.Width)
	for c := range r.Probabilities.C {
		plane, err := cut.floats(func(k int) []float32 { return planes[k].Probabilities.Plane(0, c) })
		if err != nil {
			return err
		}
		copy(r.Probabilities.Plane(0, c), plane)
	}
	return nil
}

func (classes) noun() string { return "probabilities" }

func (classes) steps(m *models.Model, o Options) []string {
	list := []string{"most likely class of each pixel"}
	if o.Threshold > 0 {
		list[0] = fmt.Sprintf("foreground from probability %g on", o.Threshold)
	}
	for i, n := range m.Regions {
		if n > 0 {
			list = append(list, fmt.Sprintf("of %s the largest connected regions kept, at most %d", m.Classes[i+1].Name, n))
		}
	}
	if o.MinSize > 1 {
		list = append(list, fmt.Sprintf("components of fewer than %d pixels removed", o.MinSize))
	}
	return list
}

func (classes) measure(r *Result, list []segd.Class) Measured {
	return Measured{Classes: postprocess.Measure(r.Mask, r.Probabilities, list, r.Image.Spacing)}
}

// values is the head whose output is a value for each pixel.
type values struct{}

func (values) predicts() string { return "values" }

func (values) unused(o Options) []string {
	if o.Threshold == 0 && o.MinSize == 0 {
		return nil
	}
	return []string{"threshold", "min_size"}
}

func (values) decode(_ context.Context, r *Result, t *segd.Tensor, _ *models.Model, _ Options) error {
	r.Values = t.Data
	return nil
}

func (values) finish(*Result) {}

func (values) gather(r *Result, planes []*Result, cut cut) (err error) {
	r.Values, err = cut.floats(func(k int) []float32 { return planes[k].Values })
	return err
}

func (values) noun() string { return "values" }

func (values) steps(*models.Model, Options) []string {
	return []string{"values in the unit of the training labels"}
}

func (values) measure(r *Result, _ []segd.Class) Measured {
	return Measured{Values: postprocess.MeasureValues(r.Values)}
}

// confidence is the mean probability of the class that each foreground pixel
// was given.
func confidence(m *segd.Mask, p *segd.Tensor) *float64 {
	planes := make([][]float32, p.C)
	for k := range planes {
		planes[k] = p.Plane(0, k)
	}
	sum, n := 0.0, 0
	for i, k := range m.Pix {
		if k != 0 {
			sum += float64(planes[k][i])
			n++
		}
	}
	if n == 0 {
		return nil
	}
	mean := sum / float64(n)
	return &mean
}
