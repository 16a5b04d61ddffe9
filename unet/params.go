package unet

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"

	"gorgonia.org/tensor"

	"segd"
	"segd/internal/kernel"
)

// Params holds the weights of one network: named float32 tensors, and the
// running statistics of batch normalisation, which are not trained.
//
// Names and layouts are those of the PyTorch module in
// testdata/torch_reference.py: with d levels,
//
//	enc.0.conv1.weight      out, in, 3, 3         enc.{0..d-1}, bottleneck, dec.{0..d-1}
//	enc.0.conv1.bias        out                   norm none only
//	enc.0.norm1.weight      channels              also bias; not with norm none
//	enc.0.norm1.running_mean  channels            also running_var; norm batch only
//	up.0.weight, up.0.bias  in, out, 2, 2; out    up.l leads from level l+1 to l
//	head.weight, head.bias  classes, width, 1, 1; classes
//
// and likewise conv2, norm2 and so on. The first convolution of dec.l reads the
// encoder's channels first, then the upsampled ones. Variants have, in addition to or
// instead of these,
//
//	enc.0.shortcut.conv, .norm      out, in, 1, 1    residual, preact where channels differ; preact without norm
//	enc.0.transition.conv, .norm    out, in, 1, 1    dense; in counts the block's input, then each layer
//	up.0.weight                     out, in, 1, 1    up bilinear
//	att.0.conv.weight, .bias        out, in, 1, 1    attention; in counts the skip, then what came up
//	att.0.psi.weight, .bias         1, out, 1, 1     attention
//	up.i.j, dec.i.j                                  skip nested; row i, column j from 1
//
// Params is not safe for concurrent writes. A Trainer writes to the tensors of
// the Params it was given; a Predictor copies what it needs.
type Params struct {
	config  Config
	names   []string
	tensors map[string]*tensor.Dense
}

// role is the purpose of a tensor, which determines its initial values.
type role int

const (
	roleConv   role = iota // followed by ReLU
	roleLinear             // not followed by ReLU, or summed with another before it
	roleOne                // a scale or a variance
	roleZero               // a shift or a mean
	roleOpen               // the shift before a gate's logistic function
)

// gateOpen is the initial value of roleOpen. σ(3) is 0.95, so attention gates
// initially let everything through, as in Oktay et al. 2018.
const gateOpen = 3

// param describes one tensor of a network.
type param struct {
	name  string
	shape tensor.Shape
	role  role
	fan   int // inputs to each output, of roleConv and roleLinear
	fixed bool
	level int // of the pixels to which a convolution's weights are applied
}

// layout lists the tensors of a network.
type layout struct {
	Config
	params []param
}

// layout lists the tensors of a network in PyTorch's order.
func (c Config) layout() []param {
	l := &layout{Config: c}
	in := c.Channels
	for i := range c.Depth {
		l.block(fmt.Sprint("enc.", i), i, in)
		in = c.LevelWidth(i)
	}
	l.block("bottleneck", c.Depth, in)
	if c.Skip == SkipNested {
		l.nested()
	} else {
		l.decoder()
	}
	l.conv("head", 0, roleLinear, 1, c.Classes, c.Width, true)
	return l.params
}

// decoder lists the decoder.
func (l *layout) decoder() {
	for i := range l.Depth {
		l.up(fmt.Sprint("up.", i), i)
	}
	if l.Attention {
		for i := range l.Depth {
			name, inner := fmt.Sprint("att.", i), max(1, l.LevelWidth(i)/2)
			l.conv(name+".conv", i, roleConv, 1, inner, 2*l.LevelWidth(i), true)
			l.conv(name+".psi", i, roleLinear, 1, 1, inner, true)
			l.params[len(l.params)-1].role = roleOpen
		}
	}
	for i := range l.Depth {
		in := l.LevelWidth(i)
		if l.Skip == SkipConcat {
			in *= 2
		}
		l.block(fmt.Sprint("dec.", i), i, in)
	}
}

// nested lists the columns of UNet++ after the first, row by row.
func (l *layout) nested() {
	for i := range l.Depth {
		for j := 1; j <= l.Depth-i; j++ {
			l.up(fmt.Sprintf("up.%d.%d", i, j), i)
		}
	}
	for i := range l.Depth {
		for j := 1; j <= l.Depth-i; j++ {
			l.block(fmt.Sprintf("dec.%d.%d", i, j), i, (j+1)*l.LevelWidth(i))
		}
	}
}

// up lists the upsampling from the level below to level i.
func (l *layout) up(name string, i int) {
	below, out := l.LevelWidth(i+1), l.LevelWidth(i)
	if l.Up == UpBilinear {
		l.conv(name, i+1, roleLinear, 1, out, below, true)
		return
	}
	l.add(param{name: name + ".weight", shape: tensor.Shape{below, out, 2, 2}, role: roleLinear, fan: below, level: i + 1})
	l.add(param{name: name + ".bias", shape: tensor.Shape{out}, role: roleZero})
}

func (l *layout) add(p param) { l.params = append(l.params, p) }

// conv lists a k×k convolution.
func (l *layout) conv(name string, level int, r role, k, out, in int, bias bool) {
	l.add(param{name: name + ".weight", shape: tensor.Shape{out, in, k, k}, role: r, fan: k * k * in, level: level})
	if bias {
		l.add(param{name: name + ".bias", shape: tensor.Shape{out}, role: roleZero})
	}
}

// convNorm lists a convolution and its normalisation, or a convolution with
// bias if there is none.
func (l *layout) convNorm(conv, norm string, level int, r role, k, out, in int) {
	l.conv(conv, level, r, k, out, in, l.Norm == NormNone)
	if l.Norm == NormNone {
		return
	}
	l.add(param{name: norm + ".weight", shape: tensor.Shape{out}, role: roleOne})
	l.add(param{name: norm + ".bias", shape: tensor.Shape{out}, role: roleZero})
	if l.Norm == NormBatch {
		l.add(param{name: norm + ".running_mean", shape: tensor.Shape{out}, role: roleZero, fixed: true})
		l.add(param{name: norm + ".running_var", shape: tensor.Shape{out}, role: roleOne, fixed: true})
	}
}

// NewParams returns new weights for c, which must be valid. Convolutions are
// normally distributed, with variance 2/fan-in before a ReLU, and 1/fan-in
// otherwise or if another summand is added first (He et al. 2015, equations 10
// and 7). Scales and variances are one, attention gates are open, and
// everything else is zero. The same seed gives the same weights.
func NewParams(c Config, seed uint64) *Params {
	p := emptyParams(c)
	p.start(p.config.layout(), rand.New(rand.NewPCG(seed, 0x9e3779b97f4a7c15)))
	return p
}

// DeepHeads returns new heads for deep supervision of network c (Lee et al.
// 2015): 1×1 convolutions deep.l on the decoder's blocks at levels l from 1, or
// on the nodes of the top row of a nested network except the last. They are
// used only in training and are not part of the network. The network's own head
// is on the remaining block.
func DeepHeads(c Config, seed uint64) *Params {
	c = c.WithDefaults()
	l := &layout{Config: c}
	for i := 1; i < c.Depth; i++ {
		width := c.LevelWidth(i)
		if c.Skip == SkipNested {
			width = c.LevelWidth(0)
		}
		l.conv(fmt.Sprint("deep.", i), i, roleLinear, 1, c.Classes, width, true)
	}
	p := paramsOf(c, l.params)
	p.start(l.params, rand.New(rand.NewPCG(seed, 0x5deece66d)))
	return p
}

// start initialises the tensors.
func (p *Params) start(list []param, rng *rand.Rand) {
	for _, s := range list {
		w := p.data(s.name)
		switch s.role {
		case roleConv, roleLinear:
			gain := 1.0
			if s.role == roleConv {
				gain = 2
			}
			std := math.Sqrt(gain / float64(s.fan))
			for i := range w {
				w[i] = float32(rng.NormFloat64() * std)
			}
		case roleOne, roleOpen:
			for i := range w {
				w[i] = 1
				if s.role == roleOpen {
					w[i] = gateOpen
				}
			}
		}
	}
}

func emptyParams(c Config) *Params {
	c = c.WithDefaults()
	return paramsOf(c, c.layout())
}

func paramsOf(c Config, list []param) *Params {
	p := &Params{config: c, tensors: map[string]*tensor.Dense{}}
	for _, s := range list {
		p.names = append(p.names, s.name)
		p.tensors[s.name] = tensor.New(tensor.WithShape(s.shape...),
			tensor.WithBacking(kernel.Aligned[float32](s.shape.TotalSize())))
	}
	return p
}

// Spec is the name and shape of a tensor of a network.
type Spec struct {
	Name  string
	Shape []int
}

// Tensors lists the tensors of the network in PyTorch's order, without
// allocating them. c must be valid.
func (c Config) Tensors() []Spec {
	var list []Spec
	for _, p := range c.WithDefaults().layout() {
		list = append(list, Spec{Name: p.name, Shape: p.shape})
	}
	return list
}

// Config returns the network of the weights.
func (p *Params) Config() Config { return p.config }

// Count returns the number of values in p.
func (p *Params) Count() (n int) {
	for _, name := range p.names {
		n += len(p.data(name))
	}
	return n
}

// Names returns the names of the tensors in PyTorch's order.
func (p *Params) Names() []string { return append([]string(nil), p.names...) }

// Get returns the tensor with that name. p keeps ownership.
func (p *Params) Get(name string) (*tensor.Dense, bool) {
	t, ok := p.tensors[name]
	return t, ok
}

// data returns the memory of a tensor, which must be in the layout.
func (p *Params) data(name string) []float32 { return p.tensors[name].Data().([]float32) }

// Clone returns a copy that shares nothing with p.
func (p *Params) Clone() *Params {
	q := emptyParams(p.config)
	q.CopyFrom(p)
	return q
}

// Adapt returns weights for network to, which may differ from p's only in
// Channels, 3 instead of 1, and in Classes. Each class c takes the head's
// weights of p's class from[c] or, if that is negative, new ones drawn with the
// seed. From grey to colour, the first convolution's weights are repeated and
// divided by three, so that a grey image gives the same result. Another network
// is a segd.ErrOption.
func (p *Params) Adapt(to Config, from []int, seed uint64) (*Params, error) {
	to = to.WithDefaults()
	same := to
	same.Channels, same.Classes = p.config.Channels, p.config.Classes
	if same != p.config || to.Channels != p.config.Channels && (to.Channels != 3 || p.config.Channels != 1) || len(from) != to.Classes {
		return nil, fmt.Errorf("unet: %w: weights of a network of %d channels for another of %d channels and %d classes",
			segd.ErrOption, p.config.Channels, to.Channels, to.Classes)
	}
	q := NewParams(to, seed)
	for _, name := range q.names {
		src, dst := p.data(name), q.data(name)
		switch {
		case strings.HasPrefix(name, "head."):
			n := len(dst) / to.Classes
			for c, k := range from {
				if k >= 0 {
					copy(dst[c*n:(c+1)*n], src[k*n:(k+1)*n])
				}
			}
		case len(src) != len(dst): // reads the image: (out, 3, k, k) of (out, 1, k, k), or with more that a dense block reads
			repeatGrey(dst, src, q.tensors[name].Shape(), p.tensors[name].Shape()[1])
		default:
			copy(dst, src)
		}
	}
	return q, nil
}

// repeatGrey fills weights for three image channels and in-1 others from
// weights for one image channel and the others.
func repeatGrey(dst, src []float32, d tensor.Shape, in int) {
	k := d[2] * d[3]
	for o := range d[0] {
		from, to := src[o*in*k:(o+1)*in*k], dst[o*d[1]*k:(o+1)*d[1]*k]
		for c := range 3 {
			for i, v := range from[:k] {
				to[c*k+i] = v / 3
			}
		}
		copy(to[3*k:], from[k:])
	}
}

// Rescale changes a regression network so that it outputs its values
// times factor plus shift, by changing the weights of the linear head.
func (p *Params) Rescale(factor, shift float64) {
	w, b := p.data("head.weight"), p.data("head.bias")
	for i, v := range w {
		w[i] = float32(float64(v) * factor)
	}
	for i, v := range b {
		b[i] = float32(float64(v)*factor + shift)
	}
}

// CopyFrom overwrites p's values with those of o. It panics unless both have
// the same Config.
func (p *Params) CopyFrom(o *Params) {
	if p.config != o.config {
		panic("unet: CopyFrom of another network's parameters")
	}
	for _, n := range p.names {
		copy(p.data(n), o.data(n))
	}
}
