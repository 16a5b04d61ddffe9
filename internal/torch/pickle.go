package torch

import (
	"encoding/binary"
	"fmt"
	"math"

	"segd"
	"segd/internal/tensors"
)

// Limits of the machine.
const (
	maxObjects = 1 << 18 // pushed during a run
	maxText    = 1 << 12
	maxRank    = 8
)

// The objects of a pickle, in addition to nil, bool, int64, float64 and string.
type (
	dict  struct{ entries []entry }
	entry struct{ key, value any }
	list  struct{ items []any }
	tuple []any
	// global is a Python name. call implements the known ones.
	global struct{ module, name string }
	// storage is a file of the archive.
	storage struct {
		dtype tensors.Dtype
		key   string
	}
	// rebuilt is a tensor: a view of a storage, in elements.
	rebuilt struct {
		storage      storage
		offset       int
		size, stride []int
	}
)

// mark is on the stack at the position of a MARK opcode.
type mark struct{}

// storages lists the supported types of storage. Their elements are little endian.
var storages = map[string]tensors.Dtype{
	"FloatStorage": tensors.F32, "HalfStorage": tensors.F16, "BFloat16Storage": tensors.BF16, "DoubleStorage": tensors.F64,
	"LongStorage": tensors.I64, "IntStorage": tensors.I32, "ShortStorage": tensors.I16, "CharStorage": tensors.I8,
	"ByteStorage": tensors.U8, "BoolStorage": tensors.Bool,
}

// machine runs a pickle.
type machine struct {
	code  []byte
	stack []any
	memo  map[uint32]any
	steps int // objects pushed
}

// unpickle runs the program and returns its result.
func unpickle(code []byte) (any, error) {
	m := &machine{code: code, memo: map[uint32]any{}}
	for {
		if len(m.code) == 0 {
			return nil, bad("the pickle is truncated")
		}
		o := m.code[0]
		m.code = m.code[1:]
		if o == '.' { // STOP
			return m.pop()
		}
		if err := m.step(o); err != nil {
			return nil, err
		}
	}
}

// step executes one opcode. They are grouped as in pickletools.py.
func (m *machine) step(o byte) error {
	switch o {
	case 0x80, 0x95: // PROTO, FRAME: the opcodes that follow are self-describing
		_, err := m.take(map[byte]int{0x80: 1, 0x95: 8}[o])
		return err
	case 'N':
		return m.push(nil)
	case 0x88, 0x89: // NEWTRUE, NEWFALSE
		return m.push(o == 0x88)
	case 'K', 'M', 'J', 0x8a, 'G': // BININT1, BININT2, BININT, LONG1, BINFLOAT
		return m.number(o)
	case 'X', 0x8c: // BINUNICODE, SHORT_BINUNICODE
		return m.text(map[byte]int{'X': 4, 0x8c: 1}[o])
	case '}':
		return m.push(&dict{})
	case ']':
		return m.push(&list{})
	case ')':
		return m.push(tuple(nil))
	case '(':
		return m.push(mark{})
	case 't', 0x85, 0x86, 0x87: // TUPLE, TUPLE1, TUPLE2, TUPLE3
		return m.tuple(o)
	case 'q', 'r', 0x94: // BINPUT, LONG_BINPUT, MEMOIZE
		return m.put(o)
	case 'h', 'j': // BINGET, LONG_BINGET
		return m.get(o)
	case 's', 'u', 'a', 'e': // SETITEM, SETITEMS, APPEND, APPENDS
		return m.fill(o)
	case 'c', 0x93: // GLOBAL, STACK_GLOBAL
		return m.global(o)
	case 'R', 0x81: // REDUCE, NEWOBJ
		return m.reduce()
	case 'b': // BUILD: the _metadata of an OrderedDict
		return m.build()
	case 'Q': // BINPERSID
		return m.persistent()
	case '0': // POP
		_, err := m.pop()
		return err
	}
	return refuse("the pickle has opcode %#02x, which a state dict never needs", o)
}

// take removes n bytes from the start of the program.
func (m *machine) take(n int) ([]byte, error) {
	if n < 0 || n > len(m.code) {
		return nil, bad("the pickle is truncated")
	}
	b := m.code[:n]
	m.code = m.code[n:]
	return b, nil
}

// unsigned reads a little-endian number of 1, 2 or 4 bytes.
func (m *machine) unsigned(size int) (uint32, error) {
	b, err := m.take(size)
	if err != nil {
		return 0, err
	}
	n := uint32(0)
	for i, v := range b {
		n |= uint32(v) << (8 * i)
	}
	return n, nil
}

func (m *machine) push(v any) error {
	if m.steps++; m.steps > maxObjects {
		return fmt.Errorf("torch: %w: more than %d objects in the pickle", segd.ErrTooLarge, maxObjects)
	}
	m.stack = append(m.stack, v)
	return nil
}

func (m *machine) pop() (any, error) {
	if len(m.stack) == 0 {
		return nil, bad("the pickle pops from an empty stack")
	}
	v := m.stack[len(m.stack)-1]
	m.stack = m.stack[:len(m.stack)-1]
	return v, nil
}

// popMark removes the last MARK and returns what was pushed after it.
func (m *machine) popMark() ([]any, error) {
	for i := len(m.stack) - 1; i >= 0; i-- {
		if _, ok := m.stack[i].(mark); ok {
			items := append([]any(nil), m.stack[i+1:]...)
			m.stack = m.stack[:i]
			return items, nil
		}
	}
	return nil, bad("the pickle has no matching mark")
}

func (m *machine) number(o byte) error {
	switch o {
	case 'G':
		b, err := m.take(8)
		if err != nil {
			return err
		}
		return m.push(math.Float64frombits(binary.BigEndian.Uint64(b)))
	case 0x8a: // little endian, two's complement
		size, err := m.unsigned(1)
		if err != nil {
			return err
		}
		b, err := m.take(int(size))
		if err != nil {
			return err
		}
		if size > 8 {
			return refuse("the pickle has an integer of %d bytes", size)
		}
		var w [8]byte
		if size > 0 && b[size-1] >= 0x80 {
			w = [8]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
		}
		copy(w[:], b)
		return m.push(int64(binary.LittleEndian.Uint64(w[:])))
	}
	n, err := m.unsigned(map[byte]int{'K': 1, 'M': 2, 'J': 4}[o])
	if err != nil {
		return err
	}
	if o == 'J' {
		return m.push(int64(int32(n)))
	}
	return m.push(int64(n))
}

func (m *machine) text(size int) error {
	n, err := m.unsigned(size)
	if err != nil {
		return err
	}
	if n > maxText {
		return fmt.Errorf("torch: %w: a string of %d bytes in the pickle, limit %d", segd.ErrTooLarge, n, maxText)
	}
	b, err := m.take(int(n))
	if err != nil {
		return err
	}
	return m.push(string(b))
}

func (m *machine) tuple(o byte) error {
	var items []any
	var err error
	if o == 't' {
		items, err = m.popMark()
	} else if n := int(o-0x85) + 1; n <= len(m.stack) {
		items = append(items, m.stack[len(m.stack)-n:]...)
		m.stack = m.stack[:len(m.stack)-n]
	} else {
		err = bad("the pickle pops from an empty stack")
	}
	if err != nil {
		return err
	}
	return m.push(tuple(items))
}

func (m *machine) put(o byte) error {
	i, err := uint32(len(m.memo)), error(nil)
	if o != 0x94 {
		i, err = m.unsigned(map[byte]int{'q': 1, 'r': 4}[o])
	}
	if err != nil {
		return err
	}
	if len(m.stack) == 0 || len(m.memo) >= maxObjects {
		return bad("the pickle memoises nothing or too much")
	}
	m.memo[i] = m.stack[len(m.stack)-1]
	return nil
}

func (m *machine) get(o byte) error {
	i, err := m.unsigned(map[byte]int{'h': 1, 'j': 4}[o])
	if err != nil {
		return err
	}
	v, ok := m.memo[i]
	if !ok {
		return bad("the pickle reads memo %d, which it has not set", i)
	}
	return m.push(v)
}

// fill puts items into the dict or list below them.
func (m *machine) fill(o byte) error {
	var items []any
	var err error
	if o == 'u' || o == 'e' {
		items, err = m.popMark()
	} else {
		n := map[byte]int{'s': 2, 'a': 1}[o]
		if n > len(m.stack) {
			return bad("the pickle pops from an empty stack")
		}
		items = append(items, m.stack[len(m.stack)-n:]...)
		m.stack = m.stack[:len(m.stack)-n]
	}
	if err != nil {
		return err
	}
	if len(m.stack) == 0 {
		return bad("the pickle has no object to fill")
	}
	switch into := m.stack[len(m.stack)-1].(type) {
	case *dict:
		if (o != 's' && o != 'u') || len(items)%2 != 0 {
			return bad("the pickle fills a dict with incomplete pairs")
		}
		for i := 0; i < len(items); i += 2 {
			into.entries = append(into.entries, entry{items[i], items[i+1]})
		}
	case *list:
		if o != 'a' && o != 'e' {
			return bad("the pickle fills a list with pairs")
		}
		into.items = append(into.items, items...)
	default:
		return bad("the pickle fills an object that is neither a dict nor a list")
	}
	return nil
}
