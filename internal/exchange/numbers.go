package exchange

import (
	"math"
	"slices"

	"segd/internal/onnx"
	"segd/internal/tensors"
)

// number evaluates a node whose inputs are small constants.
func (c *call) number() (*value, error) {
	x := c.arg(0)
	if x == nil && c.Op != "Constant" {
		return nil, c.refuse("it has no input")
	}
	switch c.Op {
	case "Constant":
		return c.constant()
	case "Shape":
		var v []float64
		for _, d := range x.shape {
			v = append(v, float64(d))
		}
		from, to := clamp(c.int("start", 0), len(v)), clamp(c.int("end", int64(len(v))), len(v))
		return numbers(v[from:max(from, to)], true, max(0, to-from)), nil
	case "Identity", "Dropout":
		return x, nil
	case "Cast":
		to := c.int("to", 0)
		return numbers(x.nums.v, to == 6 || to == 7, x.shape...), nil
	case "Floor":
		return c.each(math.Floor)
	case "Neg":
		return c.each(func(f float64) float64 { return -f })
	case "Unsqueeze", "Squeeze", "Reshape":
		return c.reshape()
	case "Concat":
		return c.join()
	case "Gather":
		return c.gather()
	case "Slice":
		return c.slice()
	case "Transpose":
		return c.transpose()
	case "ConstantOfShape":
		return c.fill()
	case "Add", "Sub", "Mul", "Div", "Mod":
		return c.arithmetic()
	}
	return nil, c.refuse("no supported network computes shapes with this operator")
}

func clamp(i int64, n int) int {
	if i < 0 {
		i += int64(n)
	}
	return int(min(max(i, 0), int64(n)))
}

func (c *call) constant() (*value, error) {
	for _, a := range c.Attrs {
		switch {
		case a.Name == "value" && a.Kind == onnx.KindTensor:
			t := a.T
			t.Name = c.label
			return constant(&t), nil
		case a.Name == "value_int":
			return numbers([]float64{float64(a.I)}, true), nil
		case a.Name == "value_float":
			return numbers([]float64{float64(a.F)}, false), nil
		case a.Name == "value_ints" && len(a.Ints) <= maxVector:
			var v []float64
			for _, i := range a.Ints {
				v = append(v, float64(i))
			}
			return numbers(v, true, len(v)), nil
		}
	}
	return nil, c.refuse("the constant is not a tensor")
}

func (c *call) each(f func(float64) float64) (*value, error) {
	v := slices.Clone(c.in[0].nums.v)
	for i := range v {
		v[i] = f(v[i])
	}
	return numbers(v, c.in[0].nums.whole, c.in[0].shape...), nil
}

// reshape changes the shape of numbers. A tensor of weights keeps its data.
func (c *call) reshape() (*value, error) {
	x := c.arg(0)
	if x == nil || x.op != "constant" {
		return nil, c.refuse("reshapes a value that is not constant")
	}
	n, _ := tensors.Elements(x.shape, math.MaxInt32)
	shape := []int{n}
	switch c.Op {
	case "Unsqueeze":
		shape = slices.Clone(x.shape)
		for _, axis := range c.ints("axes", 1) {
			if axis < 0 {
				axis += int64(len(shape)) + 1
			}
			if axis < 0 || axis > int64(len(shape)) || len(shape) >= 8 {
				return nil, c.refuse("invalid new axis %d", axis)
			}
			shape = slices.Insert(shape, int(axis), 1)
		}
	case "Squeeze":
		shape = slices.DeleteFunc(slices.Clone(x.shape), func(d int) bool { return d == 1 })
	case "Reshape":
		var err error
		if shape, err = c.target(x.shape); err != nil {
			return nil, err
		}
	}
	v := *x
	v.shape = shape
	return &v, nil
}

// target returns the shape that a Reshape requests.
func (c *call) target(from []int) ([]int, error) {
	n, ok := tensors.Elements(from, math.MaxInt32)
	shape, rest, open := []int{}, n, -1
	for i, d := range c.ints("shape", 1) {
		if d == 0 && i < len(from) {
			d = int64(from[i])
		}
		if d == -1 && open < 0 {
			open, d = i, 1
		}
		if d < 1 || int64(rest)%d != 0 || i >= 8 {
			return nil, c.refuse("cannot reshape %v to %v", from, c.ints("shape", 1))
		}
		rest /= int(d)
		shape = append(shape, int(d))
	}
	if open >= 0 {
		shape[open], rest = rest, 1
	}
	if !ok || rest != 1 {
		return nil, c.refuse("cannot reshape %v to %v", from, c.ints("shape", 1))
	}
	return shape, nil
}

func (c *call) join() (*value, error) {
	var v []float64
	whole := true
	for _, x := range c.in {
		if x == nil || len(x.shape) > 1 {
			return nil, c.refuse("numbers with more than one axis")
		}
		v, whole = append(v, x.nums.v...), whole && x.nums.whole
	}
	if len(v) > maxVector {
		return nil, c.refuse("%d numbers, limit %d", len(v), maxVector)
	}
	return numbers(v, whole, len(v)), nil
}

func (c *call) gather() (*value, error) {
	x, at := c.in[0], c.nums(1)
	if len(x.shape) != 1 || at == nil {
		return nil, c.refuse("numbers with %d axes, want 1", len(x.shape))
	}
	var v []float64
	for _, i := range at {
		if i < 0 {
			i += float64(len(x.nums.v))
		}
		if !(i >= 0 && i < float64(len(x.nums.v))) {
			return nil, c.refuse("element %v is out of range, have %d", i, len(x.nums.v))
		}
		v = append(v, x.nums.v[int(i)])
	}
	return numbers(v, x.nums.whole, c.in[1].shape...), nil
}

// slice cuts rows out of numbers of one or two axes.
func (c *call) slice() (*value, error) {
	x := c.in[0]
	start, end, axes, steps := c.ints("starts", 1), c.ints("ends", 2), c.ints("axes", 3), c.ints("steps", 4)
	step := int64(1)
	if len(steps) == 1 {
		step = steps[0]
	}
	if len(start) != 1 || len(end) != 1 || len(axes) == 1 && axes[0] != 0 || len(x.shape) < 1 || len(x.shape) > 2 || step != 1 && step != -1 {
		return nil, c.refuse("no supported network slices numbers in this way")
	}
	rows := x.shape[0]
	row := 1
	if len(x.shape) == 2 {
		row = x.shape[1]
	}
	if rows*row != len(x.nums.v) {
		return nil, c.refuse("%d numbers for shape %v", len(x.nums.v), x.shape)
	}
	var v []float64
	if step == 1 {
		from, to := clamp(start[0], rows), clamp(end[0], rows)
		v = x.nums.v[from*row : max(from, to)*row]
	} else {
		if clamp(start[0], rows) < rows-1 || end[0] > -int64(rows) {
			return nil, c.refuse("slice with a negative step")
		}
		for i := rows - 1; i >= 0; i-- {
			v = append(v, x.nums.v[i*row:][:row]...)
		}
	}
	shape := slices.Clone(x.shape)
	shape[0] = len(v) / max(row, 1)
	return numbers(v, x.nums.whole, shape...), nil
}

func (c *call) transpose() (*value, error) {
	x := c.in[0]
	if len(x.shape) != 2 || x.shape[0]*x.shape[1] != len(x.nums.v) {
		return nil, c.refuse("numbers with %d axes, want 2", len(x.shape))
	}
	var v []float64
	for j := range x.shape[1] {
		for i := range x.shape[0] {
			v = append(v, x.nums.v[i*x.shape[1]+j])
		}
	}
	return numbers(v, x.nums.whole, x.shape[1], x.shape[0]), nil
}

func (c *call) fill() (*value, error) {
	n := c.nums(0)
	if len(n) != 1 || !(n[0] >= 0 && n[0] <= maxVector) {
		return nil, c.refuse("%v numbers, limit %d", n, maxVector)
	}
	v, whole := make([]float64, int(n[0])), false
	if a := c.Attr("value"); a != nil {
		if k := constant(&a.T); k.nums != nil && len(k.nums.v) == 1 {
			whole = k.nums.whole
			for i := range v {
				v[i] = k.nums.v[0]
			}
		}
	}
	return numbers(v, whole, len(v)), nil
}

func (c *call) arithmetic() (*value, error) {
	if len(c.in) != 2 || c.in[0] == nil || c.in[1] == nil {
		return nil, c.refuse("%d operands, want 2", len(c.in))
	}
	a, b := c.in[0], c.in[1]
	if len(a.nums.v) < len(b.nums.v) && len(a.nums.v) != 1 || len(b.nums.v) != 1 && len(b.nums.v) < len(a.nums.v) {
		return nil, c.refuse("numbers with different shapes %v and %v", a.shape, b.shape)
	}
	n, shape, whole := len(a.nums.v), a.shape, a.nums.whole && b.nums.whole
	if len(b.nums.v) > n {
		n, shape = len(b.nums.v), b.shape
	}
	v := make([]float64, n)
	for i := range v {
		x, y := a.nums.v[i%len(a.nums.v)], b.nums.v[i%len(b.nums.v)]
		switch c.Op {
		case "Add":
			v[i] = x + y
		case "Sub":
			v[i] = x - y
		case "Mul":
			v[i] = x * y
		case "Div":
			if v[i] = x / y; whole {
				v[i] = math.Trunc(v[i])
			}
		case "Mod":
			v[i] = x - y*math.Floor(x/y)
		}
		if v[i]-v[i] != 0 {
			return nil, c.refuse("division by zero")
		}
	}
	return numbers(v, whole, shape...), nil
}
