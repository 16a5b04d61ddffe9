package train

import (
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"sync"

	"segd/train/augment"

	"segd"
)

// store holds the examples of a training: the first in memory, as many as its
// budget has room for, the others in a file that is read again for each use.
//
// Patches are cut in random order, each example once an epoch, so there is
// nothing to gain by letting one replace another: a share of the uses as large
// as that of the examples in memory is served from there, whichever they are
// (docs/adr/0015-examples-in-a-file.md). What a use yields is the same from
// both, to the bit. It may be used from several goroutines.
type store struct {
	mu    sync.Mutex
	left  int64 // bytes of memory
	file  *os.File
	size  int64 // of the file
	count int   // of examples in it
}

// budget opens a store with that many bytes of memory.
func budget(bytes int64) *store { return &store{left: bytes} }

// body is what of an example takes memory.
func (e *example) bytes() int64 {
	n := 4*int64(len(e.X.Data)) + int64(len(e.Y)) + 4*int64(len(e.Weights)+len(e.Targets)+len(e.values))
	if e.truth != nil && !e.place.Identity() {
		n += int64(len(e.truth.Pix))
	}
	for _, s := range e.Spots {
		n += 4 * int64(len(s))
	}
	return n
}

// record says where an example lies in the file, and how long its parts are.
type record struct {
	store                   *store
	at, size                int64
	c, h, w                 int
	labels, weights, native int
	targets, values         int
	spots                   []int
}

// keep takes e in: afterwards it is whole, or lies in the file.
func (s *store) keep(e *example) error {
	n := e.bytes()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.left >= n {
		s.left -= n
		return nil
	}
	if s.file == nil {
		f, err := os.CreateTemp("", "segd-train-") // mode 0600
		if err != nil {
			return fmt.Errorf("train: no place for the images that memory has no room for: %w", err)
		}
		_ = os.Remove(f.Name()) // where the system can: nothing is left behind then
		s.file = f
	}
	r := &record{store: s, at: s.size, size: n, c: e.X.C, h: e.X.H, w: e.X.W, labels: len(e.Y), weights: len(e.Weights), targets: len(e.Targets), values: len(e.values)}
	b := make([]byte, 0, n)
	b, _ = binary.Append(b, binary.LittleEndian, e.X.Data) // slices of fixed size: no error
	b = append(b, e.Y...)
	if e.truth != nil && !e.place.Identity() {
		r.native = len(e.truth.Pix)
		b = append(b, e.truth.Pix...)
	}
	for _, part := range [][]float32{e.Weights, e.Targets, e.values} {
		b, _ = binary.Append(b, binary.LittleEndian, part)
	}
	for _, spots := range e.Spots {
		r.spots = append(r.spots, len(spots))
		b, _ = binary.Append(b, binary.LittleEndian, spots)
	}
	if _, err := s.file.WriteAt(b, s.size); err != nil {
		return fmt.Errorf("train: %d MiB of images beside memory do not fit into the folder for temporary files (TMPDIR); give more --max-memory, or another folder: %w", (s.size+n)>>20, err)
	}
	s.size += n
	s.count++
	e.record = r
	e.X, e.Y, e.truth, e.Weights, e.Spots, e.Targets, e.values = nil, nil, nil, nil, nil, nil, nil
	return nil
}

// whole returns e with its pixels, which it reads where they lie in the file.
func (e *example) whole() (*example, error) {
	r := e.record
	if r == nil {
		return e, nil
	}
	b := make([]byte, r.size)
	if _, err := r.store.file.ReadAt(b, r.at); err != nil && err != io.EOF {
		return nil, fmt.Errorf("train: reading images back: %w", err)
	}
	out := &example{Case: e.Case, place: e.place, Sample: augment.Sample{X: segd.NewTensor(1, r.c, r.h, r.w)}}
	take := func(n int) []byte {
		part := b[:n:n]
		b = b[n:]
		return part
	}
	floats := func(dst []float32) { _, _ = binary.Decode(take(4*len(dst)), binary.LittleEndian, dst) }
	floats(out.X.Data)
	if r.labels > 0 {
		out.Y = take(r.labels)
		out.truth = &segd.Mask{Width: e.place.Width, Height: e.place.Height, Pix: out.Y}
		if r.native > 0 {
			out.truth.Pix = take(r.native)
		}
	}
	for _, part := range []struct {
		dst *[]float32
		n   int
	}{{&out.Weights, r.weights}, {&out.Targets, r.targets}, {&out.values, r.values}} {
		if part.n > 0 {
			*part.dst = make([]float32, part.n)
			floats(*part.dst)
		}
	}
	for _, n := range r.spots {
		if n == 0 {
			out.Spots = append(out.Spots, nil)
			continue
		}
		spots := make([]int32, n)
		_, _ = binary.Decode(take(4*n), binary.LittleEndian, spots)
		out.Spots = append(out.Spots, spots)
	}
	return out, nil
}

// close removes the file.
func (s *store) close() error {
	if s.file == nil {
		return nil
	}
	err := s.file.Close()
	if e := os.Remove(s.file.Name()); e != nil && !os.IsNotExist(e) && err == nil {
		err = e
	}
	return err
}
