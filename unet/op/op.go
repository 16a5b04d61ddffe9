// Package op holds the Gorgonia operations that a U-Net needs and the library
// lacks or gets wrong: 3×3 and 1×1 convolution over one or more sources, 2×2
// transposed convolution, bilinear up-sampling, max-pooling, normalisation
// fused with ReLU, addition, attention gate, the 1×1 head and the segmentation
// loss, each with its symbolic derivative.
//
// Smallest use:
//
//	g := gorgonia.NewGraph()
//	ops := op.New[float32](pool)
//	x, _ := ops.Pack(image)                      // N,C,H,W → blocked
//	y, _ := ops.Conv3x3(w, bias, true, x)        // relu(conv(x))
//	loss, _ := ops.Loss(op.DiceCE(), logits, labels, nil)
//
// Activations travel between the operations in the blocked layout of package
// kernel, as 5-D tensors (N, ceil(C/8), H+2, W+2, 8) with a halo of zeros;
// weights, logits and labels are plain tensors in PyTorch's order.
//
// Limits: shapes are fixed when a node is made; a graph serves one shape. An
// operation owns its output buffer, which survives TapeMachine.Reset, so a
// graph is run by one machine at a time. Everything is generic over float32
// (fast) and float64 (for gradient tests).
//
// Source of the interface: gorgonia.org/gorgonia Op and SDOp; what the library
// requires of an operation beyond the interface is documented at each method.
package op

import (
	"fmt"
	"hash"
	"hash/fnv"

	"github.com/chewxy/hm"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"segd/internal/kernel"
)

// Set makes the operations of one graph. They share its worker pool. Each has a
// unique number, so that common-subexpression elimination, which merges nodes
// by a 32-bit hash, never merges two stateful operations.
//
// A Set serves one graph and is not safe for concurrent use.
type Set[T kernel.Float] struct {
	pool  *kernel.Pool
	made  uint64
	again bool
}

// New returns a Set whose operations run on pool; nil runs them inline.
func New[T kernel.Float](pool *kernel.Pool) *Set[T] { return &Set[T]{pool: pool} }

// Recompute makes the derivatives of later operations recompute normalised
// activations instead of reading those of the forward pass. Each recomputation
// is one pass over the normalised input, which the derivative of the
// normalisation keeps anyway. Results are identical to the bit (Chen et al.
// 2016, arXiv:1604.06174).
func (s *Set[T]) Recompute() { s.again = true }

// Dtype returns the element type of the nodes the Set makes.
func (s *Set[T]) Dtype() tensor.Dtype {
	var t T
	if _, ok := any(t).(float64); ok {
		return tensor.Float64
	}
	return tensor.Float32
}

// Act is a node that holds a blocked activation. The node's shape has only
// whole blocks of channels; Shape has the true number.
type Act struct {
	*G.Node
	Shape  kernel.Shape
	frozen bool      // no derivative is needed: it is the image, or Frozen
	late   *lateGrad // of a long skip: receives the derivative with respect to it

	// again adds a node that recomputes the activation after another node. Nil
	// means that the activation is kept.
	again func(after *G.Node) (*G.Node, error)
}

// read returns the node from which a derivative reads a; after marks the point
// in the backward pass.
func (a Act) read(after *G.Node) (*G.Node, error) {
	if a.again == nil {
		return a.Node, nil
	}
	return a.again(after)
}

// Frozen returns a without a derivative: nothing before it is trained or
// differentiated.
func (a Act) Frozen() Act {
	a.frozen, a.again = true, nil
	return a
}

// args are the inputs of one run: f the floating-point ones, b the labels,
// both indexed by the position of the input.
type args[T kernel.Float] struct {
	f [][]T
	b [][]uint8
}

// port describes one input or the output of an operation.
type port struct {
	shape  tensor.Shape // empty: a scalar
	labels bool         // uint8
	act    kernel.Shape // of a blocked activation; zero for a plain tensor
}

func (p port) hmType(a hm.TypeVariable) hm.Type {
	switch {
	case p.labels:
		return G.TensorType{Dims: p.shape.Dims(), Of: tensor.Uint8}
	case len(p.shape) == 0:
		return a
	}
	return G.TensorType{Dims: p.shape.Dims(), Of: a}
}

func plain(dims ...int) port      { return port{shape: tensor.Shape(dims)} }
func blocked(s kernel.Shape) port { return port{shape: tensor.Shape(s.Dims()), act: s} }
func like(n *G.Node) port         { return port{shape: n.Shape().Clone()} }
func act[T kernel.Float](s kernel.Shape, data []T) kernel.Act[T] {
	return kernel.Act[T]{Shape: s, Data: data}
}

// operation is the base of every op in the package: a function of tensors of
// fixed shape that owns its output.
type operation[T kernel.Float] struct {
	spec any    // what it computes; all its parameters, for hash and plan
	id   uint64 // its number within its Set
	in   []port
	out  port
	run  func(out []T, in args[T]) error
	// wrt and diff are nil for an operation that has no derivative.
	wrt  []bool
	diff func(in G.Nodes, out, grad *G.Node) (G.Nodes, error)

	buf   []T           // the output's memory, made at the first run
	value *tensor.Dense // the output on top of buf; nil if it is a scalar
	dirty bool          // others write to buf too: see Place
	args  args[T]
}

// apply adds the operation to the graph of its inputs.
func (s *Set[T]) apply(o *operation[T], in ...*G.Node) (*G.Node, error) {
	s.made++
	o.id = s.made
	return G.ApplyOp(o, in...)
}

// Spec returns the description of an operation of this package (Pack, Conv,
// Norm, ReLU, Add, Gate, MaxPool, Bilinear or Head), for a compiler that walks
// the graph. For any other operation it returns nil.
func Spec(o G.Op) any {
	if d, ok := o.(interface{ describe() any }); ok {
		return d.describe()
	}
	return nil
}

func (o *operation[T]) describe() any { return o.spec }

// Arity returns the number of inputs.
func (o *operation[T]) Arity() int { return len(o.in) }

// Type returns a new function type each time, because type inference returns it
// to a pool that reuses its memory.
func (o *operation[T]) Type() hm.Type {
	a := hm.TypeVariable('a')
	ts := make([]hm.Type, 0, len(o.in)+1)
	for _, p := range o.in {
		ts = append(ts, p.hmType(a))
	}
	return hm.NewFnType(append(ts, o.out.hmType(a))...)
}

// InferShape checks the inputs' shapes and returns a copy of the output's.
func (o *operation[T]) InferShape(ds ...G.DimSizer) (tensor.Shape, error) {
	ss, err := G.DimSizersToShapes(ds)
	if err != nil {
		return nil, err
	}
	if len(ss) != len(o.in) {
		return nil, fmt.Errorf("op: %v: %d inputs, want %d", o, len(ss), len(o.in))
	}
	for i, s := range ss {
		if !s.Eq(o.in[i].shape) {
			return nil, fmt.Errorf("op: %v: input %d has shape %v, want %v", o, i, s, o.in[i].shape)
		}
	}
	return o.out.shape.Clone(), nil
}

// Do runs the operation into the buffer it owns. A panic in a kernel becomes an
// error, because the TapeMachine runs operations in its own goroutine, where a
// panic would end the process.
func (o *operation[T]) Do(vs ...G.Value) (v G.Value, err error) {
	defer func() {
		if r := recover(); r != nil {
			v, err = nil, fmt.Errorf("op: %v: %v", o, r)
		}
	}()
	if err := o.load(vs); err != nil {
		return nil, err
	}
	if o.buf == nil {
		o.buf = kernel.Aligned[T](o.out.shape.TotalSize())
	}
	if o.value == nil && len(o.out.shape) > 0 {
		o.value = tensor.New(tensor.WithShape(o.out.shape...), tensor.WithBacking(o.buf))
	}
	if o.dirty {
		ClearHalo(act(o.out.act, o.buf))
	}
	if err := o.run(o.buf, o.args); err != nil {
		return nil, fmt.Errorf("op: %v: %w", o, err)
	}
	if o.value == nil {
		return scalar(o.buf[0]), nil
	}
	return o.value, nil
}

// Output returns the shape of the blocked activation that an operation of this
// package writes. It returns false for any other operation.
func Output(o G.Op) (kernel.Shape, bool) {
	w, ok := o.(interface{ output() kernel.Shape })
	if !ok {
		return kernel.Shape{}, false
	}
	s := w.output()
	return s, s != kernel.Shape{}
}

func (o *operation[T]) output() kernel.Shape { return o.out.act }

// Place makes an operation for which Output is true write to mem instead of its
// own memory. mem has the length of that shape and is initially zero. With
// dirty, operations of other shapes share mem, and each run zeroes the halo.
// The caller decides which nodes may share. Place must be called before the
// first run, and panics for any other operation or element type.
func Place[T kernel.Float](o G.Op, mem []T, dirty bool) {
	w := o.(*operation[T])
	if w.buf != nil || len(mem) != w.out.act.Len() {
		panic(fmt.Sprintf("op: %v cannot be placed in %d values", w, len(mem)))
	}
	w.buf, w.dirty = mem, dirty
}

// ClearHalo zeroes the pixels around an activation. Kernels write everything
// inside, so nothing of the previous content remains visible.
func ClearHalo[T kernel.Float](a kernel.Act[T]) {
	row := (a.W + 2) * kernel.Lanes
	size := (a.H + 2) * row
	for i := range a.N * a.Blocks() {
		b := a.Data[i*size : (i+1)*size]
		clear(b[:row])
		for y := 1; y <= a.H; y++ {
			clear(b[y*row : y*row+kernel.Lanes])
			clear(b[(y+1)*row-kernel.Lanes : (y+1)*row])
		}
		clear(b[(a.H+1)*row:])
	}
}

// load points o.args at the memory of the inputs.
func (o *operation[T]) load(vs []G.Value) error {
	if len(vs) != len(o.in) {
		return fmt.Errorf("op: %v: %d inputs, want %d", o, len(vs), len(o.in))
	}
	if o.args.f == nil {
		o.args = args[T]{f: make([][]T, len(o.in)), b: make([][]uint8, len(o.in))}
	}
	for i, v := range vs {
		switch v := v.(type) {
		case *tensor.Dense:
			// A strided view would be read in the wrong order.
			if !v.Shape().Eq(o.in[i].shape) || v.RequiresIterator() {
				return fmt.Errorf("op: %v: input %d is a %v, want a contiguous %v", o, i, v.Shape(), o.in[i].shape)
			}
			switch d := v.Data().(type) {
			case []T:
				o.args.f[i] = d
				continue
			case []uint8:
				o.args.b[i] = d
				continue
			}
		case *G.F32:
			o.args.f[i] = []T{T(*v)}
			continue
		case *G.F64:
			o.args.f[i] = []T{T(*v)}
			continue
		}
		return fmt.Errorf("op: %v: input %d is a %T", o, i, v)
	}
	return nil
}

func scalar[T kernel.Float](v T) G.Value {
	if f, ok := any(v).(float64); ok {
		return G.NewF64(f)
	}
	return G.NewF32(float32(v))
}

// ReturnsPtr reports that the next consumer may overwrite the output once
// nothing else reads it; the next run writes it again.
func (o *operation[T]) ReturnsPtr() bool { return true }

// CallsExtern returns false: true would make the machine allocate an output.
func (o *operation[T]) CallsExtern() bool { return false }

// OverwritesInput returns -1: inputs are never written.
func (o *operation[T]) OverwritesInput() int { return -1 }

// WriteHash writes the kind, every parameter and the instance.
func (o *operation[T]) WriteHash(h hash.Hash) {
	var t T
	_, _ = fmt.Fprintf(h, "segd/unet/op %T %T%+v #%d", t, o.spec, o.spec, o.id)
}

// Hashcode is the 32-bit digest of WriteHash.
func (o *operation[T]) Hashcode() uint32 {
	h := fnv.New32a()
	o.WriteHash(h)
	return h.Sum32()
}

func (o *operation[T]) String() string { return fmt.Sprintf("%T%+v", o.spec, o.spec) }

// DiffWRT reports which inputs have a derivative. Each run computes all of
// them, wanted or not.
func (o *operation[T]) DiffWRT(n int) []bool {
	if o.diff == nil {
		return make([]bool, n)
	}
	return o.wrt
}

// SymDiff adds the derivative's nodes to the graph.
func (o *operation[T]) SymDiff(in G.Nodes, out, grad *G.Node) (G.Nodes, error) {
	if o.diff == nil {
		return nil, fmt.Errorf("op: %v has no derivative", o)
	}
	return o.diff(in, out, grad)
}
