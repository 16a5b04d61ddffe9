package exchange

import (
	"fmt"
	"slices"

	"segd/internal/onnx"
	"segd/unet"
)

// sizes are the images at which a foreign graph is looked at: multiples of every
// stride that a network may have, two of them, so that what depends on the size
// is seen.
var sizes = [2][2]int{{192, 128}, {128, 320}}

// foreign reads the network of a graph that another program wrote.
func foreign(m *onnx.Model) (*Net, error) {
	var out, image *value
	for i := len(sizes) - 1; i >= 0; i-- {
		var err error
		if out, image, err = simplify(m, sizes[i][0], sizes[i][1]); err != nil {
			return nil, err
		}
	}
	out, err := toLogits(out)
	if err != nil {
		return nil, err
	}
	f, told, err := factsOfGraph(out, image)
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
		return nil, refuse("a U-Net with levels of %v channels and blocks of %d convolutions is none that segd has", f.widths, f.convs)
	}
	return nil, fmt.Errorf("%w (of the networks that segd has, one with %s blocks and skip %s comes nearest)", why, best.config.Block, best.config.Skip)
}

// toLogits leaves out what makes probabilities of logits.
func toLogits(out *value) (*value, error) {
	if len(out.shape) != 4 {
		return nil, refuse("an output of %d axes, want batch, classes, height and width", len(out.shape))
	}
	switch {
	case out.op == "Softmax":
		return out.in[0], nil
	case out.op == "Sigmoid" && out.shape[1] == 1:
		return out.in[0], nil
	case out.op == "Sigmoid":
		return nil, refuse("%s: %d outputs that do not exclude each other, segd's classes do", out.label, out.shape[1])
	}
	return out, nil
}

// factsOfGraph reads the sizes off a graph: widths off what is pooled, the
// number of convolutions off those before the first pooling.
func factsOfGraph(out, image *value) (facts, unet.Config, error) {
	f := facts{channels: image.shape[1], classes: max(2, out.shape[1]), attention: []bool{false}}
	var told unet.Config
	all := below(out)
	var first, ups *value
	pooled, doubled := map[int]int{}, 0 // width by height; number of ways up
	for _, v := range all {
		switch v.op {
		case "MaxPool":
			if pooled[v.in[0].shape[2]] = v.in[0].shape[1]; v.in[0].shape[2] == image.shape[2] {
				first = v.in[0]
			}
		case "Sigmoid":
			f.attention = []bool{true}
		case "ConvTranspose", "Resize":
			doubled++
			told.Up = map[string]unet.Up{"ConvTranspose": unet.UpTransposed, "Resize": unet.UpBilinear}[v.op]
			if ups == nil || v.in[0].shape[2] < ups.in[0].shape[2] {
				ups = v
			}
		case "BatchNormalization":
			told.Norm = unet.NormBatch
		case "InstanceNormalization":
			told.Norm = unet.NormInstance
		case "GroupNormalization":
			told.Norm, told.Groups = unet.NormGroup, v.groups
		}
	}
	if told.Norm == "" {
		told.Norm = unet.NormNone
	}
	for h := image.shape[2]; pooled[h] > 0; h /= 2 {
		f.widths = append(f.widths, pooled[h])
	}
	if len(f.widths) == 0 || first == nil || ups == nil || len(pooled) != len(f.widths) {
		return f, told, refuse("no U-Net: it halves the resolution %d times, and doubles it again or not", len(pooled))
	}
	f.skips = []unet.Skip{unet.SkipConcat, unet.SkipAdd, unet.SkipNone}
	if doubled > len(f.widths) {
		f.skips = []unet.Skip{unet.SkipNested}
	}
	bottom := ups.in[0]
	if bottom.op == "Conv" && bottom.in[1].shape[2] == 1 {
		bottom = bottom.in[0] // the channels are halved before the interpolation
	}
	f.widths = append(f.widths, bottom.shape[1])
	for _, v := range below(first) {
		if v.op == "Conv" && v.in[1].shape[2] == 3 {
			if f.convs++; v.in[0] == image {
				f.growth = v.shape[1]
			}
		}
	}
	return f, told, nil
}

// below lists v and all that it is computed from, each once, inputs first.
func below(v *value) []*value {
	var list []*value
	seen := map[*value]bool{}
	// A stack of our own: a graph may be as deep as it has nodes.
	type visit struct {
		v    *value
		next int
	}
	stack := []visit{{v: v}}
	seen[v] = true
	for len(stack) > 0 {
		top := &stack[len(stack)-1]
		if top.next == len(top.v.in) {
			list = append(list, top.v)
			stack = stack[:len(stack)-1]
			continue
		}
		in := top.v.in[top.next]
		if top.next++; in != nil && !seen[in] {
			seen[in] = true
			stack = append(stack, visit{v: in})
		}
	}
	return list
}

// matcher holds a graph against the layers of one network, from the logits to
// the image. Whether a value can be a layer depends on the two alone, so each
// pair is looked at once, whatever the number of ways that lead to it; that
// every layer is one value, and no two, is seen when the weights are taken.
type matcher struct {
	config unet.Config
	layers []unet.Layer
	shapes map[string][]int
	known  map[pair]*fit
	right  int // pairs that fit
}

// pair is a layer and a value that may be it.
type pair struct {
	layer int
	value *value
}

// fit says that a value is a layer, if those below are the layers below, and
// how its weights are taken; or why it is not.
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

// net takes the weights of the graph whose logits are out, which fits.
func (m *matcher) net(out *value, file *onnx.Model) (*Net, error) {
	bound, todo := map[int]*value{}, []pair{{len(m.layers) - 1, out}}
	p := unet.NewParams(m.config, 0)
	for len(todo) > 0 {
		next := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if old, ok := bound[next.layer]; ok {
			if old != next.value {
				return nil, refuse("%s and %s stand for one layer of the network", old.label, next.value.label)
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
		todo = append(todo, f.below...)
	}
	source := "ONNX file"
	if file.Producer != "" {
		source = fmt.Sprintf("ONNX file of %.80q %.40q", file.Producer, file.ProducerVersion)
	}
	return &Net{Params: p, Source: source}, nil
}

// fit looks at a pair, once.
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

// other is the error for a value that is not the layer that stands there.
func other(l unet.Layer, v *value) error {
	name := string(l.Kind)
	if len(l.Params) > 0 {
		name += " " + l.Params[0]
	}
	return refuse("%s stands where the network has %s at level %d", v.label, name, l.Level)
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

// conv matches a convolution, its sources in any order.
func (m *matcher) conv(l unet.Layer, i int, v *value) (*fit, error) {
	if v.op != "Conv" {
		return nil, other(l, v)
	}
	want := m.shapes[l.Params[0]]
	single := i == len(m.layers)-1 && want[0] == 2 && v.in[1].shape[0] == 1
	if got := v.in[1].shape; !slices.Equal(got[1:], want[1:]) || got[0] != want[0] && !single {
		return nil, refuse("%s has weights of shape %v, the network's %s %v", v.label, got, l.Params[0], want)
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
			into = into[len(into)/2:] // the first of two logits is nothing
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

// bias takes a convolution's bias; that of one before a normalisation is the
// normalisation's to take.
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

// biasOf is that of a convolution, nil where it has none.
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

// sources takes concatenations apart, nested ones too, into n values.
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

// permute copies weights (out, in, k, k) whose inputs are those of parts, one
// after the other, to where order has them.
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

// assign pairs the sources of a layer with values, each with one: a maximum
// matching by augmenting paths (Kuhn 1955), which tries the given order first.
func (m *matcher) assign(l unet.Layer, parts []*value, v *value) (*fit, error) {
	if len(parts) != len(l.In) {
		return nil, refuse("%s reads %d things, the network's layer at level %d reads %d", v.label, len(parts), l.Level, len(l.In))
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
				why = refuse("%s reads %s, which is no part of the network at level %d", v.label, parts[min(i, len(parts)-1)].label, l.Level)
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
		return nil, refuse("%s has weights of shape %v, the network's %s %v", v.label, got, l.Params[0], want)
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

// bilinear matches interpolation; the 1×1 convolution, which segd runs before
// it, may also come after.
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

// norm matches a normalisation and what precedes it.
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
		return nil, refuse("%s has %d groups, others of the network %d", v.label, v.groups, m.config.Groups)
	}
	if v.op != "BatchNormalization" && v.eps != unet.NormEps {
		return nil, refuse("%s has epsilon %v, want %v: of statistics of the image another cannot be converted", v.label, v.eps, unet.NormEps)
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
		// Taking the mean of a channel takes its bias out, that of several does not.
		if slices.ContainsFunc(bias, func(b float32) bool { return b != 0 }) {
			return refuse("%s follows a convolution with a bias, which segd's before group normalisation do not have", v.label)
		}
	}
	return nil
}

// folded matches a convolution into which the exporter has multiplied the batch
// normalisation after it: what remains of that is its shift, the bias.
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
