package kernel

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// choice is the kernel set that float32 work takes, chosen at first use.
type choice struct {
	ops atomic.Pointer[ops[float32]] // nil before

	mu   sync.Mutex
	most string // the fastest set that may be chosen
	log  *slog.Logger
}

// ops32 is the set in use; tests swap it.
var (
	ops32 = choice{most: Auto}
	ops64 = genericOps[float64]()
)

func opsOf[T Float]() *ops[T] {
	if o, ok := any(ops64).(*ops[T]); ok {
		return o
	}
	if o, ok := any(ops32.get()).(*ops[T]); ok {
		return o
	}
	return genericOps[T]()
}

// Auto names the fastest kernel set of the machine.
const Auto = "auto"

// SetNames are the names that Use takes on one machine or another.
func SetNames() []string { return []string{Auto, "avx512", "avx2", "generic"} }

// Use has float32 work take the kernel set of that name, or, with Auto, the
// fastest this machine can run, from the next call of a kernel on. A set whose
// self-check fails is refused with a line in log, and the next slower one
// taken; a nil log is slog.Default. A set that the machine cannot run is an
// error, and nothing changes.
//
// Call it before kernels run: results differ between sets by rounding. Without
// a call the set is Auto. SetNames holds all names.
func Use(name string, log *slog.Logger) error {
	var known []string
	for _, o := range sets() {
		known = append(known, o.name)
	}
	if name != Auto && !slices.Contains(known, name) {
		return fmt.Errorf("kernel: set %s is not available on this machine, choose one of %s", name, strings.Join(known, ", "))
	}
	ops32.mu.Lock()
	defer ops32.mu.Unlock()
	ops32.log = log
	if ops32.most != name {
		ops32.most = name
		ops32.ops.Store(nil)
	}
	return nil
}

// Set names the kernel set that float32 work takes: "avx512", "avx2" or
// "generic".
func Set() string { return ops32.get().name }

func (c *choice) get() *ops[float32] {
	if o := c.ops.Load(); o != nil {
		return o
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if o := c.ops.Load(); o != nil {
		return o
	}
	log := c.log
	if log == nil {
		log = slog.Default()
	}
	list := sets()
	if i := slices.IndexFunc(list, func(o *ops[float32]) bool { return o.name == c.most }); i > 0 {
		list = list[i:]
	}
	o := firstGood(list, log)
	c.ops.Store(o)
	return o
}

// firstGood returns the first set that passes its self-check. The last is the
// reference, which has none to pass.
func firstGood(list []*ops[float32], log *slog.Logger) *ops[float32] {
	last := len(list) - 1
	for _, o := range list[:last] {
		err := o.check()
		if err == nil {
			return o
		}
		log.Warn("kernel set failed its self-check; using the next one", "set", o.name, "reason", err.Error())
	}
	return list[last]
}
