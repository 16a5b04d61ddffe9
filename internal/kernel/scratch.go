package kernel

import (
	"slices"
	"sync"
)

// scratchList keeps the scratch memory of finished work for later work. It is
// safe for concurrent use. A sync.Pool would lose it to every other garbage
// collection.
type scratchList[T Float] struct {
	mu   sync.Mutex
	free [][]T // smallest first
}

// maxScratch is the number of pieces to keep, largest first.
const maxScratch = 64

// take returns uninitialised memory of at least n elements.
func (l *scratchList[T]) take(n int) []T {
	l.mu.Lock()
	i := slices.IndexFunc(l.free, func(s []T) bool { return len(s) >= n })
	if i < 0 {
		l.mu.Unlock()
		return Aligned[T](n)
	}
	s := l.free[i]
	l.free = slices.Delete(l.free, i, i+1)
	l.mu.Unlock()
	return s
}

// give returns memory from take.
func (l *scratchList[T]) give(s []T) {
	l.mu.Lock()
	defer l.mu.Unlock()
	i := slices.IndexFunc(l.free, func(f []T) bool { return len(f) >= len(s) })
	if i < 0 {
		i = len(l.free)
	}
	l.free = slices.Insert(l.free, i, s)
	if len(l.free) > maxScratch {
		l.free = slices.Delete(l.free, 0, 1)
	}
}
