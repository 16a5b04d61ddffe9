package torch

import (
	"math"
	"strings"
)

func (m *machine) global(o byte) error {
	var g global
	if o == 'c' {
		for _, part := range []*string{&g.module, &g.name} {
			line, _, ok := strings.Cut(string(m.code[:min(len(m.code), 256)]), "\n")
			if !ok {
				return bad("the pickle has an unterminated name")
			}
			*part = line
			m.code = m.code[len(line)+1:]
		}
		return m.push(g)
	}
	name, err := m.pop()
	if err != nil {
		return err
	}
	module, err := m.pop()
	if err != nil {
		return err
	}
	var ok, also bool
	g.name, ok = name.(string)
	g.module, also = module.(string)
	if !ok || !also {
		return bad("the pickle has a name that is not a string")
	}
	return m.push(g)
}

// reduce calls one of the known functions.
func (m *machine) reduce() error {
	arg, err := m.pop()
	if err != nil {
		return err
	}
	f, err := m.pop()
	if err != nil {
		return err
	}
	args, ok := arg.(tuple)
	g, is := f.(global)
	if !ok || !is {
		return bad("the pickle calls something that is not a function")
	}
	v, err := call(g, args)
	if err != nil {
		return err
	}
	return m.push(v)
}

// call implements the known functions.
func call(g global, args tuple) (any, error) {
	switch g {
	case global{"collections", "OrderedDict"}:
		if len(args) == 0 {
			return &dict{}, nil
		}
	case global{"torch", "Size"}:
		if len(args) == 1 {
			return args[0], nil
		}
	case global{"torch._utils", "_rebuild_parameter"}:
		if t, ok := first(args).(*rebuilt); ok {
			return t, nil
		}
	case global{"torch._utils", "_rebuild_tensor_v2"}:
		return rebuild(args)
	default:
		return nil, refuse("the pickle calls %.80s.%.80s, which a state dict never needs; write one with torch.save(net.state_dict(), file)", g.module, g.name)
	}
	return nil, bad("the pickle calls %s.%s with unexpected arguments", g.module, g.name)
}

func first(args tuple) any {
	if len(args) == 0 {
		return nil
	}
	return args[0]
}

// rebuild is _rebuild_tensor_v2(storage, offset, size, stride, …).
func rebuild(args tuple) (any, error) {
	if len(args) < 4 {
		return nil, bad("the pickle builds a tensor from %d arguments", len(args))
	}
	s, ok := args[0].(storage)
	offset, is := args[1].(int64)
	size, err := ints(args[2])
	if err != nil {
		return nil, err
	}
	stride, err := ints(args[3])
	if err != nil {
		return nil, err
	}
	if !ok || !is || offset < 0 || offset > math.MaxInt32 {
		return nil, bad("the pickle builds a tensor without storage")
	}
	return &rebuilt{storage: s, offset: int(offset), size: size, stride: stride}, nil
}

// ints returns the axes of a tensor.
func ints(v any) ([]int, error) {
	t, ok := v.(tuple)
	if !ok || len(t) > maxRank {
		return nil, bad("the pickle has a shape that is not a tuple of at most %d axes", maxRank)
	}
	out := make([]int, len(t))
	for i, e := range t {
		n, ok := e.(int64)
		if !ok || n < 0 || n > math.MaxInt32 {
			return nil, bad("the pickle has a shape with an axis that is not a number below 2^31")
		}
		out[i] = int(n)
	}
	return out, nil
}

// build pops an object's attributes. Those of a dict do not affect its entries.
func (m *machine) build() error {
	if _, err := m.pop(); err != nil {
		return err
	}
	if len(m.stack) > 0 {
		if _, ok := m.stack[len(m.stack)-1].(*dict); ok {
			return nil
		}
	}
	return bad("the pickle sets attributes of an object that is not a dict")
}

// persistent pops a storage: ("storage", type, key, device, elements).
func (m *machine) persistent() error {
	v, err := m.pop()
	if err != nil {
		return err
	}
	id, ok := v.(tuple)
	if !ok || len(id) < 3 || id[0] != "storage" {
		return bad("the pickle refers to an object that is not a storage")
	}
	g, ok := id[1].(global)
	key, is := id[2].(string)
	if !ok || !is {
		return bad("the pickle refers to an object that is not a storage")
	}
	dtype, known := storages[g.name]
	if g.module != "torch" || !known {
		return refuse("storage of type %.80s.%.80s", g.module, g.name)
	}
	return m.push(storage{dtype: dtype, key: key})
}
