package segment

import (
	"context"
	"fmt"
	"slices"
	"time"

	"segd"
	"segd/internal/kernel"
	"segd/internal/orient"
	"segd/models"
)

// Memory of volumes that are turned: of the planes that are cut out of the stored
// frames at once, and of all results of a volume.
const (
	slabBytes = 64 << 20
	maxTurned = 1 << 30
)

// Scan segments the frames of one scan. Where the model wants other planes than
// the frames show, they are turned to them and the results turned back: of a
// volume that is cut across another axis, all planes are segmented before the
// first frame is there, and all results are held. Otherwise it is Frame or Values
// for each frame.
//
// Connected regions, and their least size, count in the planes that the network
// saw. A Scan is for one goroutine.
type Scan struct {
	orientation
	model *models.Model
	pool  *kernel.Pool
	scan  *segd.Scan
	o     Options

	// Of the block of frames at hand; -1: none.
	at      int
	planes  []*Result     // turned ones, those that are done
	slab    []segd.Image  // turned images that follow them
	network time.Duration // not yet told
}

// NewScan returns a Scan. The errors are those of options and model that do not
// fit, and segd.ErrTooLarge for a volume whose results would take too much
// memory.
func NewScan(m *models.Model, pool *kernel.Pool, scan *segd.Scan, o Options) (*Scan, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	s := &Scan{orientation: settle(m, scan), model: m, pool: pool, scan: scan, o: o, at: -1}
	if n := s.Bytes(); n > maxTurned {
		return nil, fmt.Errorf("segment: %w: a volume of %d×%d×%d voxels takes %d MiB to turn to %s planes, limit %d: cut it, or store it in those planes",
			segd.ErrTooLarge, scan.Width, scan.Height, scan.Depth, n>>20, m.Planes.Wants.Name, maxTurned>>20)
	}
	return s, nil
}

// Bytes is about the memory that results of turned frames take at once; 0 where
// nothing is turned.
func (s *Scan) Bytes() int64 {
	if !s.turned {
		return 0
	}
	return int64(s.scan.Width) * int64(s.scan.Height) * int64(s.block) * int64(4*s.model.Network.Classes+1)
}

// Length is about how long it takes to turn and segment what Frame needs at once;
// 0 where nothing is turned.
func (s *Scan) Length() time.Duration {
	if !s.turned {
		return 0
	}
	size := s.turn.Size()
	return Length(s.model, size[0], size[1], size[2], s.o)
}

// Frame segments frame i, counted from 0. The errors are those of the scan's
// frames and of Frame or Values.
func (s *Scan) Frame(ctx context.Context, i int) (*Result, error) {
	if !s.turned {
		img, err := s.scan.Frame(i)
		if err != nil {
			return nil, err
		}
		run := Frame
		if s.model.Values != nil {
			run = Values
		}
		r, err := run(ctx, s.model, s.pool, img, s.o)
		if err == nil {
			r.Warnings = append(slices.Clone(s.warnings), r.Warnings...)
		}
		return r, err
	}
	for {
		if more, err := s.Advance(ctx, i); err != nil {
			return nil, err
		} else if !more {
			return s.back(i)
		}
	}
}

// Advance does the next part of the work that Frame(i) needs done before, that of
// one turned plane. more is false where none is left.
func (s *Scan) Advance(ctx context.Context, i int) (more bool, err error) {
	if !s.turned {
		return false, nil
	}
	if i < 0 || i >= s.scan.Frames {
		return false, fmt.Errorf("segment: %w: frame %d of %d", segd.ErrNotFound, i+1, s.scan.Frames)
	}
	if block := i / s.block; block != s.at {
		s.at, s.planes, s.slab = block, nil, nil
	}
	n := s.turn.Size()[2]
	if len(s.planes) == n {
		return false, nil
	}
	if len(s.slab) == 0 {
		if err := s.cut(); err != nil {
			s.at = -1
			return false, err
		}
	}
	run := mask
	if s.model.Values != nil {
		run = Values
	}
	r, err := run(ctx, s.model, s.pool, &s.slab[0], s.o)
	if err != nil {
		return false, err
	}
	s.network += r.Network
	r.Image, s.slab = nil, s.slab[1:]
	s.planes = append(s.planes, r)
	return len(s.planes) < n, nil
}

// cut cuts the next turned images out of the frames of the block.
func (s *Scan) cut() error {
	size, first := s.turn.Size(), len(s.planes)
	var like *segd.Image
	frame := func(k int) (*segd.Image, error) {
		img, err := s.scan.Frame(s.at*s.block + k)
		if err == nil && like == nil {
			like = img
		}
		return img, err
	}
	if _, err := frame(0); err != nil {
		return err
	}
	n := max(1, min(size[2]-first, slabBytes/(5*size[0]*size[1]*like.Channels)))
	padded := make([][]bool, s.turn.Stored[2])
	some := false
	values, err := orient.Reslice(s.turn, first, n, like.Channels, func(k int) ([]float32, error) {
		img, err := frame(k)
		if err != nil {
			return nil, err
		}
		padded[k], some = img.Padding, some || img.Padding != nil
		return img.Pix, nil
	})
	if err != nil {
		return err
	}
	var padding [][]bool
	if some {
		none := make([]bool, s.scan.Width*s.scan.Height)
		if padding, err = orient.Reslice(s.turn, first, n, 1, func(k int) ([]bool, error) {
			if padded[k] == nil {
				return none, nil
			}
			return padded[k], nil
		}); err != nil {
			return err
		}
	}
	spacing := s.spacing
	if spacing.Source = like.Spacing.Source; spacing.Source == "" {
		spacing.Source = "the planes' positions"
	}
	for k, pix := range values {
		img := segd.Image{Width: size[0], Height: size[1], Channels: like.Channels, Separate: like.Separate, Pix: pix, Spacing: spacing, Display: like.Display}
		if padding != nil {
			img.Padding = padding[k]
		}
		s.slab = append(s.slab, img)
	}
	return nil
}

// back returns the result of frame i, out of those of the turned planes.
func (s *Scan) back(i int) (*Result, error) {
	img, err := s.scan.Frame(i)
	if err != nil {
		return nil, err
	}
	first := s.planes[0]
	r := &Result{Image: img, Model: first.Model, Version: first.Version, Network: s.network, GridWidth: first.GridWidth, GridHeight: first.GridHeight}
	s.network = 0 // told once
	r.Steps = append(append(slices.Clone(s.steps), first.Steps...), "turned back onto the frame")
	r.Warnings = slices.Clone(s.warnings)
	for _, p := range s.planes {
		for _, w := range p.Warnings {
			if !slices.Contains(r.Warnings, w) {
				r.Warnings = append(r.Warnings, w)
			}
		}
	}
	inverse, at := s.turn.Inverse(), i%s.block
	if s.model.Values != nil {
		values, err := orient.Reslice(inverse, at, 1, 1, func(k int) ([]float32, error) { return s.planes[k].Values, nil })
		if err != nil {
			return nil, err
		}
		r.Values = values[0]
		return r, nil
	}
	pix, err := orient.Reslice(inverse, at, 1, 1, func(k int) ([]uint8, error) { return s.planes[k].Mask.Pix, nil })
	if err != nil {
		return nil, err
	}
	r.Mask = &segd.Mask{Width: img.Width, Height: img.Height, Pix: pix[0]}
	r.Probabilities = segd.NewTensor(1, first.Probabilities.C, img.Height, img.Width)
	for c := range first.Probabilities.C {
		plane, err := orient.Reslice(inverse, at, 1, 1, func(k int) ([]float32, error) { return s.planes[k].Probabilities.Plane(0, c), nil })
		if err != nil {
			return nil, err
		}
		copy(r.Probabilities.Plane(0, c), plane[0])
	}
	r.rate()
	return r, nil
}

// Explain returns the steps that a Scan would take with a frame of scan, img, and
// what it would warn of before it has looked. Errors are those of a Scan, but for
// the network's.
func Explain(m *models.Model, scan *segd.Scan, img *segd.Image, o Options) (steps, warnings []string, err error) {
	s, err := NewScan(m, nil, scan, o)
	if err != nil {
		return nil, nil, err
	}
	if s.turned {
		size := s.turn.Size()
		spacing := s.spacing
		spacing.Source = img.Spacing.Source
		img = &segd.Image{Width: size[0], Height: size[1], Channels: img.Channels, Separate: img.Separate, Pix: make([]float32, size[0]*size[1]*img.Channels), Spacing: spacing}
	}
	r, _, _, err := prepare(m, img)
	if err != nil {
		return nil, nil, err
	}
	r.explain(m, o)
	if s.turned {
		r.Steps = append(append(slices.Clone(s.steps), r.Steps...), "turned back onto the frame")
	}
	return r.Steps, append(s.warnings, r.Warnings...), nil
}
