package segment

import (
	"context"
	"fmt"
	"slices"
	"time"

	"segd"
	"segd/internal/orient"
	"segd/internal/turns"
	"segd/models"
	"segd/unet"
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
// first frame is there, and all results are held. Otherwise it is Frame for each
// frame.
//
// Connected regions, and their least size, count in the planes that the network
// saw. A Scan is for one goroutine.
type Scan struct {
	orientation
	model *models.Model
	pool  *unet.Pool
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
func NewScan(m *models.Model, pool *unet.Pool, scan *segd.Scan, o Options) (*Scan, error) {
	if err := o.fit(m); err != nil {
		return nil, err
	}
	s := &Scan{orientation: settle(m, scan), model: m, pool: pool, scan: scan, o: o, at: -1}
	if n := s.results(m, scan); n > maxTurned && s.block > 1 {
		return nil, fmt.Errorf("segment: %w: a volume of %d×%d×%d voxels takes %d MiB to turn to %s planes, limit %d: cut it, or store it in those planes",
			segd.ErrTooLarge, scan.Width, scan.Height, scan.Depth, n>>20, m.Planes.Wants.Name, maxTurned>>20)
	}
	return s, nil
}

// Turned is about how many bytes a Scan keeps between its frames: results of the
// volume that it turns, and images that are cut out of it. It is 0 where nothing is
// turned.
func Turned(m *models.Model, scan *segd.Scan) int64 {
	o := settle(m, scan)
	n := o.results(m, scan)
	if n > 0 {
		n += slabBytes
	}
	return n
}

// results is about how many bytes all results of a block take; 0 where nothing is
// turned.
func (o *orientation) results(m *models.Model, scan *segd.Scan) int64 {
	if !o.turned {
		return 0
	}
	return int64(scan.Width) * int64(scan.Height) * int64(o.block) * int64(4*m.Network.Classes+1)
}

// Memory is the function Memory for a frame of that many channels and, where they
// are turned, for the image that the network sees.
func (s *Scan) Memory(channels int, spacing segd.Spacing) (int64, error) {
	n, err := Memory(s.model, s.pool, s.scan.Width, s.scan.Height, channels, spacing, s.o)
	if err != nil || !s.turned {
		return n, err
	}
	size := s.turn.Size()
	turned, err := Memory(s.model, s.pool, size[0], size[1], channels, s.of(spacing), s.o)
	return max(n, turned+int64(s.scan.Width)*int64(s.scan.Height)*int64(4*channels+1)), err
}

// Across reports whether frames are turned to planes that are cut across several of
// them, so that each result needs all frames of a volume.
func (s *Scan) Across() bool { return s.turned && s.block > 1 }

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
// frames and of the function Frame.
func (s *Scan) Frame(ctx context.Context, i int) (*Result, error) {
	img, err := s.scan.Frame(i)
	if err != nil {
		return nil, err
	}
	return s.Image(ctx, i, img)
}

// Image is Frame where frame i is decoded already: it is img.
func (s *Scan) Image(ctx context.Context, i int, img *segd.Image) (*Result, error) {
	if !s.turned {
		r, err := Frame(ctx, s.model, s.pool, img, s.o)
		if err == nil {
			r.Warnings = append(slices.Clone(s.warnings), r.Warnings...)
		}
		return r, err
	}
	if block := i / s.block; block != s.at {
		s.at, s.planes, s.slab = block, nil, nil
	}
	for len(s.planes) < s.turn.Size()[2] {
		if err := s.advance(ctx); err != nil {
			return nil, err
		}
	}
	return s.back(i, img)
}

// advance segments the next turned plane of the block at hand.
func (s *Scan) advance(ctx context.Context) error {
	if len(s.slab) == 0 {
		if err := s.cut(ctx); err != nil {
			return err
		}
	}
	r, err := plane(ctx, s.model, s.pool, &s.slab[0], s.o)
	if err != nil {
		return err
	}
	s.network += r.Network
	r.Image, s.slab = nil, s.slab[1:]
	s.planes = append(s.planes, r)
	return nil
}

// cut cuts the next turned images out of the frames of the block.
func (s *Scan) cut(ctx context.Context) error {
	size, first := s.turn.Size(), len(s.planes)
	var like *segd.Image
	frame := func(k int) (*segd.Image, error) {
		if err := turns.Next(ctx); err != nil {
			return nil, fmt.Errorf("segment: %w", err)
		}
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
	spacing := s.of(like.Spacing)
	if spacing.Source == "" && !s.upright {
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

// back returns the result of frame i, which is img, out of those of the turned
// planes.
func (s *Scan) back(i int, img *segd.Image) (*Result, error) {
	first := s.planes[0]
	r := &Result{Image: img, Model: first.Model, Version: first.Version, Network: s.network, GridWidth: first.GridWidth, GridHeight: first.GridHeight}
	s.network = 0 // told once
	r.Steps = append(append(slices.Clone(s.steps), first.Steps...), "turned back onto the frame")
	r.Warnings = slices.Clone(s.warnings)
	for _, p := range s.planes {
		r.Warnings = merge(r.Warnings, p.Warnings)
	}
	inverse, at := s.turn.Inverse(), i%s.block
	head := headOf(s.model)
	err := head.gather(r, s.planes, cut{
		floats: func(plane func(int) []float32) ([]float32, error) { return reslice(inverse, at, plane) },
		bytes:  func(plane func(int) []uint8) ([]uint8, error) { return reslice(inverse, at, plane) },
	})
	if err != nil {
		return nil, err
	}
	head.finish(r)
	return r, nil
}

// reslice returns plane number at of those that turn leads from.
func reslice[T any](turn orient.Turn, at int, plane func(k int) []T) ([]T, error) {
	planes, err := orient.Reslice(turn, at, 1, 1, func(k int) ([]T, error) { return plane(k), nil })
	if err != nil {
		return nil, err
	}
	return planes[0], nil
}

// merge adds those of more that list has not.
func merge(list, more []string) []string {
	for _, s := range more {
		if !slices.Contains(list, s) {
			list = append(list, s)
		}
	}
	return list
}

// Explain returns the steps that a Scan would take with a frame of scan, img, and
// what it would warn of before it has looked. Errors are those of a Scan, except
// the network's.
func Explain(m *models.Model, scan *segd.Scan, img *segd.Image, o Options) (steps, warnings []string, err error) {
	s, err := NewScan(m, nil, scan, o)
	if err != nil {
		return nil, nil, err
	}
	if s.turned {
		size := s.turn.Size()
		img = &segd.Image{Width: size[0], Height: size[1], Channels: img.Channels, Separate: img.Separate, Pix: make([]float32, size[0]*size[1]*img.Channels), Spacing: s.of(img.Spacing)}
	}
	if err := checkChannels(m, img); err != nil {
		return nil, nil, err
	}
	place, err := m.Recipe.Place(img)
	if err != nil {
		return nil, nil, err
	}
	r := newResult(m, img, place)
	r.explain(m, o)
	if s.turned {
		r.Steps = append(append(slices.Clone(s.steps), r.Steps...), "turned back onto the frame")
	}
	return r.Steps, append(s.warnings, r.Warnings...), nil
}
