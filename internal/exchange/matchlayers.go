package exchange

import (
	"fmt"
	"slices"

	"segd/unet"
)

// conv matches a convolution, with its sources in any order.
func (m *matcher) conv(l unet.Layer, i int, v *value) (*fit, error) {
	if v.op != "Conv" {
		return nil, other(l, v)
	}
	want := m.shapes[l.Params[0]]
	single := i == len(m.layers)-1 && heads[m.config.Head].double(want[0], v.in[1].shape[0])
	if got := v.in[1].shape; !slices.Equal(got[1:], want[1:]) || got[0] != want[0] && !single {
		return nil, refuse("%s has weights of shape %v, want %[4]v for %[3]s", v.label, got, l.Params[0], want)
	}
	parts := []*value{v.in[0]}
	if len(l.In) > 1 {
		parts = m.sources(v.in[0], len(l.In))
	}
	f, err := m.assign(l, parts, v)
	if err != nil {
		return nil, err
	}
	order := f.below // layers in the network's order, with the values they are
	f.take = func(p *unet.Params) error {
		w, err := v.in[1].data.Floats()
		if err != nil {
			return fmt.Errorf("exchange: %s: %w", v.label, err)
		}
		into := params(p, l.Params[0])
		if single {
			into = into[len(into)/2:] // the first of two logits is zero
			clear(params(p, l.Params[0])[:len(into)])
		}
		permute(into, w, want, parts, order)
		return m.bias(p, l, v, single)
	}
	return f, nil
}

func params(p *unet.Params, name string) []float32 {
	t, _ := p.Get(name)
	return t.Data().([]float32)
}

// bias takes the bias of a convolution. A bias before a normalisation is left
// to the normalisation.
func (m *matcher) bias(p *unet.Params, l unet.Layer, v *value, single bool) error {
	if len(l.Params) < 2 {
		return nil
	}
	into := params(p, l.Params[1])
	clear(into)
	if single {
		into = into[1:]
	}
	b, err := biasOf(v)
	if err == nil && b != nil {
		copy(into, b)
	}
	return err
}

// biasOf returns the bias of a convolution, or nil.
func biasOf(v *value) ([]float32, error) {
	if len(v.in) < 3 || v.in[2] == nil {
		return nil, nil
	}
	b, err := v.in[2].data.Floats()
	if err != nil {
		return nil, fmt.Errorf("exchange: %s: %w", v.label, err)
	}
	return b, nil
}

// sources splits concatenations, including nested ones, into n values.
func (m *matcher) sources(v *value, n int) []*value {
	parts := []*value{v}
	for len(parts) < n {
		k := slices.IndexFunc(parts, func(v *value) bool { return v.op == "Concat" })
		if k < 0 || len(parts)+len(parts[k].in)-1 > n {
			break
		}
		parts = slices.Replace(parts, k, k+1, parts[k].in...)
	}
	return parts
}

// permute copies weights (out, in, k, k), whose inputs are those of parts in
// sequence, to the order of order.
func permute(into, w []float32, shape []int, parts []*value, order []pair) {
	taps := shape[2] * shape[3]
	row := shape[1] * taps
	to := 0
	for _, o := range order {
		from := 0
		for _, part := range parts {
			if part == o.value {
				break
			}
			from += part.shape[1]
		}
		n := o.value.shape[1] * taps
		for r := 0; r < len(w); r += row {
			copy(into[r+to:][:n], w[r+from*taps:][:n])
		}
		to += n
	}
}

// assign pairs each source of a layer with one value: a maximum matching by
// augmenting paths (Kuhn 1955), which tries the given order first.
func (m *matcher) assign(l unet.Layer, parts []*value, v *value) (*fit, error) {
	if len(parts) != len(l.In) {
		return nil, refuse("%s has %d inputs, want %[4]d for the layer at level %[3]d", v.label, len(parts), l.Level, len(l.In))
	}
	var why error
	owner := make([]int, len(parts)) // of parts, by index in l.In; -1: free
	for k := range owner {
		owner[k] = -1
	}
	var place func(i int, tried []bool) bool
	place = func(i int, tried []bool) bool {
		for d := range parts {
			k := (i + d) % len(parts)
			if tried[k] || m.layers[l.In[i]].Width != parts[k].shape[1] {
				continue
			}
			if f := m.fit(l.In[i], parts[k]); f.err != nil {
				if d == 0 || why == nil {
					why = f.err
				}
				continue
			}
			if tried[k] = true; owner[k] < 0 || place(owner[k], tried) {
				owner[k] = i
				return true
			}
		}
		return false
	}
	for i := range l.In {
		if !place(i, make([]bool, len(parts))) {
			if why == nil {
				why = refuse("%s reads %s, which does not belong to the network at level %d", v.label, parts[min(i, len(parts)-1)].label, l.Level)
			}
			return nil, why
		}
	}
	f := &fit{below: make([]pair, len(parts))}
	for k, i := range owner {
		f.below[i] = pair{l.In[i], parts[k]}
	}
	return f, nil
}

func (m *matcher) transposed(l unet.Layer, v *value) (*fit, error) {
	if v.op != "ConvTranspose" {
		return nil, other(l, v)
	}
	if got, want := v.in[1].shape, m.shapes[l.Params[0]]; !slices.Equal(got, want) {
		return nil, refuse("%s has weights of shape %v, want %[4]v for %[3]s", v.label, got, l.Params[0], want)
	}
	return &fit{below: []pair{{l.In[0], v.in[0]}}, take: func(p *unet.Params) error {
		w, err := v.in[1].data.Floats()
		if err != nil {
			return fmt.Errorf("exchange: %s: %w", v.label, err)
		}
		copy(params(p, l.Params[0]), w)
		return m.bias(p, l, v, false)
	}}, nil
}

// bilinear matches interpolation. The 1×1 convolution, which segd runs before
// it, may also follow it.
func (m *matcher) bilinear(l unet.Layer, v *value) (*fit, error) {
	if v.op == "Resize" {
		return &fit{below: []pair{{l.In[0], v.in[0]}}}, nil
	}
	inner := m.layers[l.In[0]]
	if v.op != "Conv" || v.in[0].op != "Resize" || inner.Kind != unet.KindConv {
		return nil, other(l, v)
	}
	// The convolution as it would be before the interpolation.
	before := *v
	before.in = slices.Clone(v.in)
	before.in[0] = v.in[0].in[0]
	return m.conv(inner, l.In[0], &before)
}

// norm matches a normalisation and its input.
func (m *matcher) norm(l unet.Layer, v *value) (*fit, error) {
	conv := m.layers[l.In[0]]
	bare := conv.Kind == unet.KindConv && len(conv.Params) == 1
	if m.config.Norm == unet.NormBatch && bare && v.op == "Conv" {
		return m.folded(l, v), nil
	}
	want := map[unet.Norm]string{unet.NormBatch: "BatchNormalization", unet.NormInstance: "InstanceNormalization", unet.NormGroup: "GroupNormalization"}[m.config.Norm]
	if v.op != want || v.shape[1] != l.Width {
		return nil, other(l, v)
	}
	if v.op == "GroupNormalization" && v.groups != m.config.Groups {
		return nil, refuse("%s has %d groups, but other layers have %d", v.label, v.groups, m.config.Groups)
	}
	if v.op != "BatchNormalization" && v.eps != unet.NormEps {
		return nil, refuse("%s has epsilon %v, want %v: instance and group normalisation cannot be converted to another", v.label, v.eps, unet.NormEps)
	}
	f := &fit{below: []pair{{l.In[0], v.in[0]}}}
	f.take = func(p *unet.Params) error { return m.takeNorm(p, l, v, bare) }
	return f, nil
}

// takeNorm takes the tensors of a normalisation, and a bias before it.
func (m *matcher) takeNorm(p *unet.Params, l unet.Layer, v *value, bare bool) error {
	for k, name := range l.Params {
		values, err := v.in[1+k].data.Floats()
		if err != nil {
			return fmt.Errorf("exchange: %s: %w", v.label, err)
		}
		copy(params(p, name), values)
	}
	var bias []float32
	if conv := v.in[0]; bare && conv.op == "Conv" {
		var err error
		if bias, err = biasOf(conv); err != nil {
			return err
		}
	}
	switch m.config.Norm {
	case unet.NormBatch:
		n := batchNorm{params(p, l.Params[0]), params(p, l.Params[1]), params(p, l.Params[2]), params(p, l.Params[3])}
		if err := n.normalise(v.eps, bias); err != nil {
			return refuse("%s: %v", v.label, err)
		}
	case unet.NormGroup:
		// Subtracting the mean of one channel removes its bias, but subtracting that
		// of several does not.
		if slices.ContainsFunc(bias, func(b float32) bool { return b != 0 }) {
			return refuse("%s follows a convolution with a bias, want none before group normalisation", v.label)
		}
	}
	return nil
}

// folded matches a convolution into which the exporter has folded the following
// batch normalisation, whose shift remains as the bias.
func (m *matcher) folded(l unet.Layer, v *value) *fit {
	return &fit{below: []pair{{l.In[0], v}}, take: func(p *unet.Params) error {
		b, err := biasOf(v)
		if err != nil {
			return err
		}
		gamma, beta, mean, variance := params(p, l.Params[0]), params(p, l.Params[1]), params(p, l.Params[2]), params(p, l.Params[3])
		clear(beta)
		copy(beta, b)
		for i := range gamma {
			gamma[i], mean[i], variance[i] = 1, 0, 1-unet.NormEps
		}
		return nil
	}}
}
