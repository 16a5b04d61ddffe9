package engine

import (
	"context"
	"math/bits"

	"segd"
	"segd/internal/export"
	"segd/internal/orient"
	"segd/internal/scanio"
	"segd/internal/segment"
	"segd/internal/turns"
	"segd/models"
)

// Look reads a source as a Run does, within the budget and in turn, and calls f with
// it, which may decode a frame. file is that of the first channel.
func (e *Engine) Look(ctx context.Context, s *Source, f func(scan *segd.Scan, file []byte) error) error {
	var scan *segd.Scan
	var file []byte
	held, size, err := e.read(ctx, s, func(scanio.Size) int64 { return 0 }, func(s *segd.Scan, b []byte) (int64, func() error) {
		return 0, func() error { scan, file = s, b; return nil }
	})
	if err != nil {
		return err
	}
	defer held.Release()
	turns.AtLeast(ctx, segment.Reading(float64(scan.Width)*float64(scan.Height)))
	frame, err := e.Budget.Frame(ctx, imageBytes(scan, size.Channels))
	if err != nil {
		return err
	}
	defer frame.Release()
	return inTurn(ctx, func() error { return f(scan, file) })
}

// read reads a source. The memory for it, and for what is collected of its frames, is
// taken before: as much as the headers of its files ask for and expected says. When it
// is read, settled says how much is collected after all, and what to do next.
func (e *Engine) read(ctx context.Context, s *Source, expected func(scanio.Size) int64, settled func(*segd.Scan, []byte) (int64, func() error)) (held Holding, size scanio.Size, err error) {
	files, err := s.load()
	if err != nil {
		return nil, size, err
	}
	_, free := e.Budget.(unbounded)
	if !free {
		if size, err = s.measure(files); err != nil {
			return nil, size, err
		}
		turns.Expect(ctx, segment.Reading(float64(size.Read))) // about a byte for each pixel
	}
	need := max(size.Read, size.Kept+expected(size))
	for {
		if held, err = e.Budget.Scan(ctx, need); err != nil {
			return nil, size, err
		}
		var kept int64
		err := inTurn(ctx, func() error {
			scan, err := s.scan(files)
			if err != nil {
				return err
			}
			collected, then := settled(scan, files[0])
			if kept = size.Kept + collected; kept > need && !free {
				return nil
			}
			return then()
		})
		switch {
		case err != nil:
			held.Release()
			return nil, size, err
		case kept <= need || free:
			held.Shrink(kept)
			return held, size, nil
		}
		// A DICOM file, and a volume that is turned, say only now how much they are. Nothing
		// is waited for while something is held.
		need = kept
		held.Release()
	}
}

// read reads the source of t and prepares its outputs.
func (t *task) read(ctx context.Context) error {
	expected := func(size scanio.Size) int64 { return t.collected(t.Model, size.Width, size.Height, size.Frames) }
	held, size, err := t.Engine.read(ctx, t.source, expected, func(scan *segd.Scan, _ []byte) (int64, func() error) {
		if t.turned = t.Orient == Upright && orient.IsTurned(scan.Orientation); t.turned {
			scan = orient.UprightScan(scan)
		}
		n := t.collected(t.Model, scan.Width, scan.Height, scan.Frames)
		if m, _, err := Choose(t.Models, t.Model, scan); err == nil {
			n += segment.Turned(m, scan)
		} // else prepare says why
		return n, func() error {
			t.scan = scan
			return t.prepare(ctx)
		}
	})
	if err != nil {
		return err
	}
	t.size = size
	t.mu.Lock()
	defer t.mu.Unlock()
	t.held = append(t.held, held)
	return nil
}

// collected is about how many bytes are kept of the results of all frames, until the
// outputs are made of them. m is nil where it is not known.
func (t *task) collected(m *models.Model, width, height, frames int) (n int64) {
	pixels := int64(width) * int64(height) * int64(frames)
	classes, value := int64(256), int64(0)
	if m != nil {
		classes = int64(m.Network.Classes)
		if k, _ := export.KindOf(export.Value); k.Of(m.Network.Head) {
			value = 4
		}
	}
	if t.some(isVolume) || t.Frame == 0 && frames > 1 && (t.wants(export.JSON) || t.wants(export.CSV)) {
		// Compressed, at the worst to as many bits as classes need; the buffer grows by
		// doubling. Values are not compressed. And an image, which may be looked at for its
		// spacing. MetaImage is compressed once more.
		each := max(2*pixels*int64(bits.Len(uint(classes-1)))/8, value*pixels)
		if n += each + int64(width)*int64(height)*imagePixel; t.wants(export.MHA) {
			n += each
		}
	}
	for _, k := range t.kinds {
		switch k.Name {
		case export.SEG:
			n += pixels * min(classes, 8) / 8 // few hold more than some classes
		case export.SEGProb:
			n += pixels * min(classes, 8)
		case export.GSPS, export.RTStruct:
			n += 4 * pixels // outlines, where they are tangled
		}
	}
	return n
}

// imagePixel is how many bytes a pixel takes in an image of colour, with padding.
const imagePixel = 3*4 + 1

// frameBytes is about how many bytes a frame takes at its peak, decoded, segmented
// and drawn.
func (t *task) frameBytes(channels int, spacing segd.Spacing) (int64, error) {
	n, err := t.pass.Memory(channels, spacing)
	if err != nil {
		return 0, err
	}
	image := imageBytes(t.scan, channels)
	if t.turned { // a copy is made
		image += int64(t.scan.Width) * int64(t.scan.Height) * imagePixel
	}
	n = max(n, image)
	if t.some(func(k export.Kind) bool { return k.Scope == export.Frame }) {
		n += 16 * int64(t.scan.Width) * int64(t.scan.Height) // two pictures of RGBA, and two files of them at their worst
		if orient.IsTurned(t.scan.Orientation) {
			n += 4 * int64(t.scan.Width) * int64(t.scan.Height) // the overlay upright
		}
	}
	return n, nil
}

// imageBytes is how many bytes a frame takes while it is decoded.
func imageBytes(s *segd.Scan, channels int) int64 {
	return int64(s.Width) * int64(s.Height) * (imagePixel - 4*int64(3-channels) + scanio.FrameBytes(s.Format))
}

// frame segments frame i, makes its files and hands it on. The memory for it is taken
// before; what is left of it until the sink is done is its files.
func (t *task) frame(ctx context.Context, i int) error {
	channels, spacing := t.size.Channels, t.spacing
	for {
		need, err := t.frameBytes(channels, spacing)
		if err != nil {
			return err
		}
		held, err := t.Budget.Frame(ctx, need)
		if err != nil {
			return err
		}
		again := false
		err = inTurn(ctx, func() error {
			img, err := t.scan.Frame(i)
			if err != nil {
				return err
			}
			// The network's grid may be finer than the image, which its spacing says.
			channels, spacing = img.Channels, img.Spacing
			more, err := t.frameBytes(channels, spacing)
			if err != nil {
				return err
			}
			if again = more > need; again {
				return nil
			}
			held.Shrink(more)
			return t.segment(ctx, i, img)
		})
		if err == nil && !again {
			t.spacing = spacing
			held.Shrink(t.sink.Held())
			err = t.sink.Frame(t.source, t.result)
		}
		held.Release()
		if err != nil || !again {
			return err
		}
	}
}
