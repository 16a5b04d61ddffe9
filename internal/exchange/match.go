package exchange

import (
	"fmt"

	"segd/internal/onnx"
	"segd/unet"
)

// sizes are the image sizes at which a foreign graph is evaluated: multiples of
// every possible stride. There are two, so that dependence on the size shows.
var sizes = [2][2]int{{192, 128}, {128, 320}}

// foreign reads the network of a graph from another program.
func foreign(m *onnx.Model, head unet.Head) (*Net, error) {
	var out, image *value
	for i := len(sizes) - 1; i >= 0; i-- {
		var err error
		if out, image, err = simplify(m, sizes[i][0], sizes[i][1]); err != nil {
			return nil, err
		}
	}
	if len(out.shape) != 4 {
		return nil, refuse("output with %d axes, want batch, classes, height and width", len(out.shape))
	}
	out, err := heads[head].toLogits(out)
	if err != nil {
		return nil, err
	}
	f, told, err := factsOfGraph(out, image, head)
	if err != nil {
		return nil, err
	}
	var best *matcher
	var why error
	list := f.candidates(told)
	for _, c := range list {
		match, err := newMatcher(c)
		if err != nil {
			return nil, err
		}
		fit := match.fit(len(match.layers)-1, out)
		if fit.err == nil {
			return match.net(out, m)
		}
		if best == nil || match.right > best.right {
			best, why = match, fit.err
		}
	}
	if best == nil {
		return nil, refuse("a U-Net with levels of %v channels and blocks of %d convolutions, which segd does not support", f.widths, f.convs)
	}
	return nil, fmt.Errorf("%w (the closest supported network has %s blocks and skip %s)", why, best.config.Block, best.config.Skip)
}

// matcher compares a graph with the layers of one network, from the logits to
// the image. Whether a value can be a layer depends only on the two, so each
// pair is examined once, whatever the number of paths to it. When the weights
// are taken, it turns out whether every layer is exactly one value.
type matcher struct {
	config unet.Config
	layers []unet.Layer
	shapes map[string][]int
	known  map[pair]*fit
	right  int // pairs that fit
}

// pair is a layer and a candidate value for it.
type pair struct {
	layer int
	value *value
}

// fit says that a value is a layer, if its inputs are the inputs of the layer,
// and how to take its weights; or why it is not.
type fit struct {
	err   error
	below []pair
	take  func(p *unet.Params) error
}

func newMatcher(c unet.Config) (*matcher, error) {
	layers, err := c.Layers()
	if err != nil {
		return nil, fmt.Errorf("exchange: %w", err)
	}
	m := &matcher{config: c, layers: layers, shapes: map[string][]int{}, known: map[pair]*fit{}}
	for _, t := range c.Tensors() {
		m.shapes[t.Name] = t.Shape
	}
	return m, nil
}

// net takes the weights of a matching graph with the logits out.
func (m *matcher) net(out *value, file *onnx.Model) (*Net, error) {
	bound, pending := map[int]*value{}, []pair{{len(m.layers) - 1, out}}
	p := unet.NewParams(m.config, 0)
	for len(pending) > 0 {
		next := pending[len(pending)-1]
		pending = pending[:len(pending)-1]
		if old, ok := bound[next.layer]; ok {
			if old != next.value {
				return nil, refuse("%s and %s match the same layer of the network", old.label, next.value.label)
			}
			continue
		}
		bound[next.layer] = next.value
		f := m.fit(next.layer, next.value)
		if f.take != nil {
			if err := f.take(p); err != nil {
				return nil, err
			}
		}
		pending = append(pending, f.below...)
	}
	source := "ONNX file"
	if file.Producer != "" {
		source = fmt.Sprintf("ONNX file of %.80q %.40q", file.Producer, file.ProducerVersion)
	}
	return &Net{Params: p, Source: source}, nil
}

// fit examines a pair once.
func (m *matcher) fit(i int, v *value) *fit {
	key := pair{i, v}
	if f, ok := m.known[key]; ok {
		return f
	}
	f, err := m.try(m.layers[i], i, v)
	if err == nil {
		for _, b := range f.below {
			if err = m.fit(b.layer, b.value).err; err != nil {
				break
			}
		}
	}
	if err != nil {
		f = &fit{err: err}
	} else {
		m.right++
	}
	m.known[key] = f
	return f
}

// other returns the error for a value that is not the expected layer.
func other(l unet.Layer, v *value) error {
	name := string(l.Kind)
	if len(l.Params) > 0 {
		name += " " + l.Params[0]
	}
	return refuse("%s found, want %s at level %d of the network", v.label, name, l.Level)
}

func (m *matcher) try(l unet.Layer, i int, v *value) (*fit, error) {
	if l.Kind == unet.KindReLU || l.ReLU {
		if v.op != "Relu" {
			return nil, other(unet.Layer{Kind: unet.KindReLU, Level: l.Level}, v)
		}
		if v = v.in[0]; l.Kind == unet.KindReLU {
			return &fit{below: []pair{{l.In[0], v}}}, nil
		}
	}
	switch l.Kind {
	case unet.KindImage:
		if v.op == "image" {
			return &fit{}, nil
		}
	case unet.KindConv:
		return m.conv(l, i, v)
	case unet.KindTransp:
		return m.transposed(l, v)
	case unet.KindNorm:
		return m.norm(l, v)
	case unet.KindMaxPool:
		if v.op == "MaxPool" {
			return &fit{below: []pair{{l.In[0], v.in[0]}}}, nil
		}
	case unet.KindBilinear:
		return m.bilinear(l, v)
	case unet.KindAdd:
		if v.op == "Add" && v.in[1].op != "constant" {
			return m.assign(l, v.in, v)
		}
	case unet.KindAttention:
		for k := range v.in {
			if gate := v.in[k]; v.op == "Mul" && gate.op == "Sigmoid" {
				return &fit{below: []pair{{l.In[0], v.in[1-k]}, {l.In[1], gate.in[0]}}}, nil
			}
		}
	}
	return nil, other(l, v)
}
