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

// store holds the examples of a training. It keeps as many in memory as fit into its
// budget, and the others in a file that is read for each use.
//
// Patches are cut in random order, each example once per epoch, so replacing examples
// in memory would gain nothing: whichever examples are there, they serve their share
// of the uses (docs/adr/0015-examples-in-a-file.md). Memory and file yield
// bit-identical examples. A store is safe for concurrent use.
type store struct {
	mu    sync.Mutex
	left  int64 // bytes of memory
	file  *os.File
	size  int64 // of the file
	count int   // of examples in it
}

// budget returns a store with that many bytes of memory.
func budget(bytes int64) *store { return &store{left: bytes} }

// body is the part of an example that takes memory.
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

// record gives the position of an example in the file and the lengths of its parts.
type record struct {
	store                   *store
	at, size                int64
	c, h, w                 int
	labels, weights, native int
	targets, values         int
	spots                   []int
}

// keep stores e. Afterwards it is either whole or in the file.
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
			return fmt.Errorf("train: cannot create a file for the images that do not fit into memory: %w", err)
		}
		_ = os.Remove(f.Name()) // if the system allows it, so that nothing is left behind
		s.file = f
	}
	r := &record{store: s, at: s.size, size: n, c: e.X.C, h: e.X.H, w: e.X.W, labels: len(e.Y), weights: len(e.Weights), targets: len(e.Targets), values: len(e.values)}
	b := make([]byte, 0, n)
	b, _ = binary.Append(b, binary.LittleEndian, e.X.Data) // slices of fixed size cause no error
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
		return fmt.Errorf("train: %d MiB of images do not fit into memory or the folder for temporary files (TMPDIR); increase --max-memory or choose another folder: %w", (s.size+n)>>20, err)
	}
	s.size += n
	s.count++
	e.record = r
	e.X, e.Y, e.truth, e.Weights, e.Spots, e.Targets, e.values = nil, nil, nil, nil, nil, nil, nil
	return nil
}

// whole returns e with its pixels, which it reads from the file if necessary.
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
