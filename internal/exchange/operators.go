package exchange

import (
	"slices"
	"strings"

	"segd/internal/tensors"
	"segd/unet"
)

// float evaluates a node that works on images: its role in a U-Net and the
// shape of its output.
func (c *call) float() (*value, error) {
	x := c.arg(0)
	if x == nil {
		return nil, c.refuse("it has no input, or reads an unsupported output")
	}
	switch c.Op {
	case "Identity", "Dropout":
		return x, nil
	case "Cast":
		if to := c.int("to", 0); to != 1 {
			return nil, c.refuse("conversion to type %d, want float32", to)
		}
		return x, nil
	case "Relu", "Sigmoid":
		return &value{in: c.in[:1], shape: x.shape}, nil
	case "Softmax":
		if axis := c.int("axis", -1); axis != 1 && axis != -3 || len(x.shape) != 4 {
			return nil, c.refuse("it works on axis %d, want the class axis", axis)
		}
		return &value{in: c.in[:1], shape: x.shape}, nil
	case "Unsqueeze", "Squeeze":
		return c.reshape()
	case "Reshape":
		if x.op == "constant" {
			return c.reshape()
		}
		shape, err := c.target(x.shape)
		return &value{in: c.in[:1], shape: shape}, err
	case "Add", "Mul":
		return c.binary()
	case "BatchNormalization", "InstanceNormalization", "GroupNormalization":
		return c.normalisation()
	}
	if len(x.shape) != 4 {
		return nil, c.refuse("input with %d axes, want 4", len(x.shape))
	}
	switch c.Op {
	case "Conv", "ConvTranspose":
		return c.convolution()
	case "MaxPool":
		return c.maxPool()
	case "Concat":
		return c.concat()
	case "Resize", "Upsample":
		return c.resize()
	case "Pad":
		if slices.ContainsFunc(c.ints("pads", 1), func(n int64) bool { return n != 0 }) {
			return nil, c.refuse("pads %v, want none if the size is a multiple of the stride", c.ints("pads", 1))
		}
		return x, nil
	case "LeakyRelu", "PRelu", "Elu", "Selu", "Gelu", "HardSwish", "Clip", "Mish", "Softplus", "Tanh":
		return nil, c.refuse("activation other than Relu")
	case "AveragePool", "GlobalAveragePool":
		return nil, c.refuse("average pooling, want MaxPool")
	}
	return nil, c.refuse("no supported network has this operator")
}

// all reports whether every element of an attribute's list, if present, is
// want.
func (c *call) all(name string, want int64) bool {
	a := c.Attr(name)
	return a == nil || !slices.ContainsFunc(a.Ints, func(v int64) bool { return v != want })
}

// convolution checks a convolution or a transposed one.
func (c *call) convolution() (*value, error) {
	x, w := c.in[0], c.arg(1)
	if w == nil || w.data == nil || len(w.shape) != 4 {
		return nil, c.refuse("the weights are not a constant with 4 axes")
	}
	up := c.Op == "ConvTranspose"
	o, i, k := w.shape[0], w.shape[1], w.shape[2]
	if up {
		o, i = i, o
	}
	pads := []int64{0, 0, 0, 0}
	if a := c.Attr("pads"); a != nil {
		pads = a.Ints
	}
	switch c.text("auto_pad", "NOTSET") {
	case "NOTSET":
	case "VALID":
	case "SAME_UPPER", "SAME_LOWER":
		pads = slices.Repeat([]int64{int64(k / 2)}, 4)
	}
	same := !slices.ContainsFunc(pads, func(p int64) bool { return p != int64(k-1)/2 })
	out := []int{x.shape[0], o, x.shape[2], x.shape[3]}
	switch {
	case c.int("group", 1) != 1:
		return nil, c.refuse("convolution in %d groups, want 1", c.int("group", 1))
	case !c.all("dilations", 1):
		return nil, c.refuse("dilated convolution, want dilation 1")
	case w.shape[3] != k || i != x.shape[1]:
		return nil, c.refuse("weights of shape %v for %d channels", w.shape, x.shape[1])
	case up && (k != 2 || !c.all("strides", 2) || c.Attr("strides") == nil || !c.all("pads", 0) || !c.all("output_padding", 0) || c.Attr("output_shape") != nil):
		return nil, c.refuse("transposed convolution, want 2×2 with stride 2")
	case !up && (k != 1 && k != 3 || !c.all("strides", 1)):
		return nil, c.refuse("%d×%d convolution with strides %v, want 3×3 or 1×1 with stride 1", k, k, c.ints("strides", -1))
	case !up && (!same || len(pads) != 4):
		return nil, c.refuse("padding %v, want same padding", pads)
	}
	if up {
		out[2], out[3] = 2*out[2], 2*out[3]
	}
	if b := c.arg(2); b != nil && (b.data == nil || len(b.shape) != 1 || b.shape[0] != o) {
		return nil, c.refuse("the bias is not a constant with %d values", o)
	}
	return &value{in: c.in, shape: out}, nil
}

func (c *call) maxPool() (*value, error) {
	x := c.in[0]
	k := c.Attr("kernel_shape")
	if k == nil || !slices.Equal(k.Ints, []int64{2, 2}) || c.Attr("strides") == nil || !c.all("strides", 2) || !c.all("pads", 0) || !c.all("dilations", 1) || len(c.Outputs) != 1 {
		return nil, c.refuse("max-pooling, want 2×2 with stride 2")
	}
	if x.shape[2]%2 != 0 || x.shape[3]%2 != 0 {
		return nil, c.refuse("image of %d×%d: the file fixes a size that cannot be halved often enough; export with free height and width", x.shape[2], x.shape[3])
	}
	return &value{in: c.in, shape: []int{x.shape[0], x.shape[1], x.shape[2] / 2, x.shape[3] / 2}}, nil
}

func (c *call) concat() (*value, error) {
	out := slices.Clone(c.in[0].shape)
	if axis := c.int("axis", 0); axis != 1 && axis != -3 {
		return nil, c.refuse("it works along axis %d, want the channel axis", axis)
	}
	for _, v := range c.in[1:] {
		if v == nil || len(v.shape) != 4 || v.shape[2] != out[2] || v.shape[3] != out[3] || v.op == "constant" {
			return nil, c.refuse("it joins images of different sizes")
		}
		out[1] += v.shape[1]
	}
	return &value{in: c.in, shape: out}, nil
}

// resize checks an interpolation by two.
func (c *call) resize() (*value, error) {
	x := c.in[0]
	mode, pixels := c.text("mode", "nearest"), c.text("coordinate_transformation_mode", "half_pixel")
	if c.Op == "Upsample" || c.s.opset < 11 {
		pixels = "asymmetric"
	}
	if mode != "linear" || pixels != "half_pixel" && pixels != "pytorch_half_pixel" {
		return nil, c.refuse("interpolation %s with coordinates %s, want linear with half_pixel: mode='bilinear', align_corners=False in PyTorch", mode, pixels)
	}
	scales, sizes := c.nums(2), c.nums(3)
	double := slices.Equal(scales, []float64{1, 1, 2, 2})
	if len(scales) == 0 && len(sizes) == 4 {
		double = sizes[0] == float64(x.shape[0]) && sizes[1] == float64(x.shape[1]) && sizes[2] == 2*float64(x.shape[2]) && sizes[3] == 2*float64(x.shape[3])
	}
	if !double {
		return nil, c.refuse("resizes an image of %v by %v or to %v, want twice the size", x.shape, scales, sizes)
	}
	return &value{in: c.in[:1], shape: []int{x.shape[0], x.shape[1], 2 * x.shape[2], 2 * x.shape[3]}}, nil
}

// binary evaluates a sum or product of images, or the end of a group
// normalisation.
func (c *call) binary() (*value, error) {
	a, b := c.arg(0), c.arg(1)
	if a == nil || b == nil {
		return nil, c.refuse("%d operands, want 2", len(c.in))
	}
	if a.op == "constant" {
		a, b = b, a
	}
	shape := a.shape
	switch {
	case b.op == "constant":
		if b.data == nil || !perChannel(b.shape, a.shape) {
			return nil, c.refuse("the constant does not have one number per channel")
		}
	case len(a.shape) != 4 || len(b.shape) != 4 || a.shape[2] != b.shape[2] || a.shape[3] != b.shape[3] || a.shape[1] != b.shape[1] && a.shape[1] != 1 && b.shape[1] != 1:
		return nil, c.refuse("images with different shapes %v and %v", a.shape, b.shape)
	case a.shape[1] == 1:
		shape = b.shape
	}
	v := &value{in: []*value{a, b}, shape: shape}
	if c.Op == "Add" && b.op == "constant" {
		if g := groupNorm(a, b); g != nil {
			return g, nil
		}
	}
	return v, nil
}

// perChannel reports whether a constant of shape k has one number per channel
// of an image x.
func perChannel(k, x []int) bool {
	n, ok := tensors.Elements(k, 1<<16)
	return ok && len(x) == 4 && n == x[1] && len(k) >= 3 && k[len(k)-3] == n
}

// groupNorm recognises PyTorch's export of GroupNorm: instance normalisation of
// an image whose groups are its channels, then scale and shift.
func groupNorm(scaled, shift *value) *value {
	if scaled.op != "Mul" || scaled.in[1].data == nil || scaled.in[0].op != "Reshape" {
		return nil
	}
	back, scale := scaled.in[0], scaled.in[1]
	n := back.in[0]
	if n.op != "InstanceNormalization" || n.in[0].op != "Reshape" || !constantly(n.in[1], 1) || !constantly(n.in[2], 0) {
		return nil
	}
	x := n.in[0].in[0]
	g := n.in[0].shape
	if !slices.Equal(back.shape, x.shape) || len(x.shape) != 4 || len(g) < 3 || g[0] != x.shape[0] || x.shape[1]%g[1] != 0 {
		return nil
	}
	return &value{op: "GroupNormalization", label: n.label, node: n.node, in: []*value{x, scale, shift}, shape: x.shape, eps: n.eps, groups: g[1]}
}

// constantly reports whether all values of a constant are f.
func constantly(v *value, f float32) bool {
	if v == nil || v.data == nil {
		return false
	}
	list, err := v.data.Floats()
	return err == nil && !slices.ContainsFunc(list, func(x float32) bool { return x != f })
}

// normalisation checks a normalisation.
func (c *call) normalisation() (*value, error) {
	v := &value{in: c.in, shape: c.in[0].shape, eps: unet.NormEps, groups: int(c.int("num_groups", 0))}
	if a := c.Attr("epsilon"); a != nil {
		v.eps = float64(a.F)
		if a.F == float32(unet.NormEps) {
			v.eps = unet.NormEps
		}
	}
	want := map[string]int{"BatchNormalization": 5}[c.Op]
	if want == 0 {
		want = 3
	}
	channels := v.shape[min(1, len(v.shape)-1)]
	for i := 1; i < want; i++ {
		if a := c.arg(i); a == nil || a.data == nil || !slices.Equal(a.shape, []int{channels}) {
			return nil, c.refuse("input %d is not a constant with %d values", i, channels)
		}
	}
	if c.int("training_mode", 0) != 0 || len(c.Outputs) != 1 {
		return nil, c.refuse("normalisation by batch statistics: export the network in evaluation mode")
	}
	if !(v.eps > 0) || strings.HasPrefix(c.Op, "Group") && (v.groups < 1 || channels%v.groups != 0) {
		return nil, c.refuse("epsilon %v, %d groups of %d channels", v.eps, v.groups, channels)
	}
	return v, nil
}
