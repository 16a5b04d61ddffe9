package kernel

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
)

// Set is a set of inner loops for float32 work; float64 work always uses plain
// Go. A Pool carries the set of its work. The zero Set is the fastest one that
// passes its self-check on this machine. Results differ between sets by
// rounding. Sets are comparable and never change.
type Set struct{ ops *ops[float32] }

// Auto is the name of the machine's fastest kernel set.
const Auto = "auto"

// SetNames returns all names that Choose accepts, on any machine.
func SetNames() []string { return []string{Auto, "avx512", "avx2", "generic"} }

// Choose returns the kernel set with that name or, for Auto, the fastest that
// this machine can run. If the self-check of a set fails, Choose logs that,
// unless log is nil, and returns the next slower set. A set that the machine
// cannot run is an error. SetNames lists all names.
func Choose(name string, log *slog.Logger) (Set, error) {
	list := machineSets()
	if name != Auto {
		var known []string
		for _, c := range list {
			known = append(known, c.name)
		}
		i := slices.Index(known, name)
		if i < 0 {
			return Set{}, fmt.Errorf("kernel: no set %s on this machine, which runs %s", name, strings.Join(known, ", "))
		}
		list = list[i:]
	}
	return Set{firstGood(list, log)}, nil
}

// Name returns "avx512", "avx2" or "generic".
func (s Set) Name() string { return s.float32s().name }

// Winograd returns the name of the instruction set for Winograd's algorithm in
// float32 3×3 convolutions where it pays, or "" if all are direct.
func (s Set) Winograd() string {
	if w := s.float32s().winograd; w != nil {
		return w.name
	}
	return ""
}

// BFloat16 returns the name of the instruction set for products of float32
// filters in bfloat16: "avx512bf16", or a kernel set that rounds and then
// multiplies in float32, which is slower than float32 alone.
func (s Set) BFloat16() string { return s.float32s().bf16.name }

func (s Set) float32s() *ops[float32] {
	if s.ops != nil {
		return s.ops
	}
	return fastest()
}

// fastest is the set for Auto.
var fastest = sync.OnceValue(func() *ops[float32] { return firstGood(machineSets(), nil) })

var ops64 = genericOps[float64]()

// opsOf returns the inner loops for work on p.
func opsOf[T Float](p *Pool) *ops[T] {
	if o, ok := any(ops64).(*ops[T]); ok {
		return o
	}
	var s Set
	if p != nil {
		s = p.set
	}
	if o, ok := any(s.float32s()).(*ops[T]); ok {
		return o
	}
	return genericOps[T]()
}

// candidate is a set of this machine with its self-check, which runs once.
type candidate struct {
	*ops[float32]
	fault func() error
}

// machineSets lists the sets of this machine, fastest first.
var machineSets = sync.OnceValue(func() []candidate { return candidates(sets()) })

func candidates(list []*ops[float32]) []candidate {
	out := make([]candidate, len(list))
	for i, o := range list {
		out[i] = candidate{o, sync.OnceValue(o.check)}
	}
	return out
}

// firstGood returns the first set that passes its self-check. The last is the
// reference, which needs none.
func firstGood(list []candidate, log *slog.Logger) *ops[float32] {
	last := len(list) - 1
	for _, c := range list[:last] {
		err := c.fault()
		if err == nil {
			return c.ops
		}
		if log != nil {
			log.Warn("kernel set failed its self-check; using the next one", "set", c.name, "reason", err.Error())
		}
	}
	return list[last].ops
}
