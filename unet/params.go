package unet

import (
	"fmt"
	"math"
	"math/rand/v2"

	"gorgonia.org/tensor"

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
// and conv2, norm2 likewise. The first convolution of dec.l reads the encoder's
// channels first, then those that came up.
//
// Params is not safe for concurrent writes. A Trainer writes to the tensors of
// the Params it was given; a Predictor copies what it needs.
type Params struct {
	config  Config
	names   []string
	tensors map[string]*tensor.Dense
}

// role says what a tensor is for, and so what it starts as.
type role int

const (
	roleConv   role = iota // followed by ReLU
	roleLinear             // not followed by ReLU
	roleOne                // a scale or a variance
	roleZero               // a shift or a mean
)

// param describes one tensor of a network.
type param struct {
	name  string
	shape tensor.Shape
	role  role
	fan   int // inputs to each output, of roleConv and roleLinear
	fixed bool
}

// layout lists the tensors of a network in the order PyTorch would.
func (c Config) layout() []param {
	var ps []param
	add := func(name string, role role, fan int, shape ...int) {
		ps = append(ps, param{name: name, role: role, fan: fan, shape: shape})
	}
	block := func(name string, in, out int) {
		for i := 1; i <= 2; i++ {
			conv, norm := fmt.Sprintf("%s.conv%d", name, i), fmt.Sprintf("%s.norm%d", name, i)
			add(conv+".weight", roleConv, 9*in, out, in, 3, 3)
			in = out
			if c.Norm == NormNone {
				add(conv+".bias", roleZero, 0, out)
				continue
			}
			add(norm+".weight", roleOne, 0, out)
			add(norm+".bias", roleZero, 0, out)
			if c.Norm == NormBatch {
				add(norm+".running_mean", roleZero, 0, out)
				add(norm+".running_var", roleOne, 0, out)
				ps[len(ps)-1].fixed, ps[len(ps)-2].fixed = true, true
			}
		}
	}
	in := c.Channels
	for l := range c.Depth {
		block(fmt.Sprint("enc.", l), in, c.LevelWidth(l))
		in = c.LevelWidth(l)
	}
	block("bottleneck", in, c.LevelWidth(c.Depth))
	for l := range c.Depth {
		below, out := c.LevelWidth(l+1), c.LevelWidth(l)
		add(fmt.Sprintf("up.%d.weight", l), roleLinear, below, below, out, 2, 2)
		add(fmt.Sprintf("up.%d.bias", l), roleZero, 0, out)
	}
	for l := range c.Depth {
		block(fmt.Sprint("dec.", l), 2*c.LevelWidth(l), c.LevelWidth(l))
	}
	add("head.weight", roleLinear, c.Width, c.Classes, c.Width, 1, 1)
	add("head.bias", roleZero, 0, c.Classes)
	return ps
}

// NewParams returns fresh weights for c, which must be valid: convolutions
// normal with variance 2/fan-in where a ReLU follows and 1/fan-in where none
// does (He et al. 2015, equations 10 and 7), scales and variances one, all else
// zero. The same seed gives the same weights.
func NewParams(c Config, seed uint64) *Params {
	p := emptyParams(c)
	rng := rand.New(rand.NewPCG(seed, 0x9e3779b97f4a7c15))
	for _, s := range p.config.layout() {
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
		case roleOne:
			for i := range w {
				w[i] = 1
			}
		}
	}
	return p
}

func emptyParams(c Config) *Params {
	p := &Params{config: c.WithDefaults(), tensors: map[string]*tensor.Dense{}}
	for _, s := range p.config.layout() {
		p.names = append(p.names, s.name)
		p.tensors[s.name] = tensor.New(tensor.WithShape(s.shape...),
			tensor.WithBacking(kernel.Aligned[float32](s.shape.TotalSize())))
	}
	return p
}

// Config returns the network that the weights are for.
func (p *Params) Config() Config { return p.config }

// Names returns the names of the tensors in PyTorch's order.
func (p *Params) Names() []string { return append([]string(nil), p.names...) }

// Get returns the tensor of that name, which p keeps owning.
func (p *Params) Get(name string) (*tensor.Dense, bool) {
	t, ok := p.tensors[name]
	return t, ok
}

// data returns the memory of a tensor that the layout has.
func (p *Params) data(name string) []float32 { return p.tensors[name].Data().([]float32) }

// Clone returns a copy that shares nothing with p.
func (p *Params) Clone() *Params {
	q := emptyParams(p.config)
	q.CopyFrom(p)
	return q
}

// CopyFrom overwrites p's values with those of o, which must have the same
// Config: it panics otherwise.
func (p *Params) CopyFrom(o *Params) {
	if p.config != o.config {
		panic("unet: CopyFrom of another network's parameters")
	}
	for _, n := range p.names {
		copy(p.data(n), o.data(n))
	}
}
