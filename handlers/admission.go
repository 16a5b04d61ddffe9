package handlers

import (
	"math/bits"

	"segd"
	"segd/internal/export"
	"segd/internal/scanio"
	"segd/internal/segment"
	"segd/internal/turns"
)

// read decodes an upload and goes on with then. The memory for it, and for what
// is collected until the answer goes out, is taken before: as much as the headers
// of its files ask for.
func (j *job) read(u *upload, then func([]byte) error) error {
	size, err := u.measure()
	if err != nil {
		return err
	}
	j.channels = size.Channels
	turns.Expect(j.ctx, segment.Reading(float64(size.Read))) // about a byte for each pixel
	need := max(size.Read, size.Kept+j.collected(size.Width, size.Height, size.Frames))
	for {
		if j.held, err = j.server.memory.scans.take(j.ctx, need, "the file"); err != nil {
			return err
		}
		var kept int64
		err := j.server.run(j.ctx, func() (err error) {
			if j.scan, err = u.scan(); err != nil {
				return err
			}
			if kept = size.Kept + j.collected(j.scan.Width, j.scan.Height, j.scan.Frames) + j.turned(); kept > need {
				return nil
			}
			return then(u.bytes)
		})
		if err != nil || kept <= need {
			j.held.shrink(kept)
			return err
		}
		// A DICOM file, and a volume that is turned, say only now how much they are. Nothing is waited for while
		// something is held.
		j.scan, need = nil, kept
		j.held.release()
	}
}

// collected is how many bytes are kept of the results of all frames, until the
// answer is made of them.
func (j *job) collected(width, height, frames int) int64 {
	pixels := int64(width) * int64(height) * int64(frames)
	classes := 256
	if m := j.model; m != nil {
		classes = m.Network.Classes
		if m.Values != nil && j.output == export.NIfTI {
			return 4*pixels + int64(width)*int64(height)*imagePixel
		}
	}
	switch j.output {
	case export.NIfTI:
		// Compressed, at the worst to as many bits as classes need; the buffer
		// grows by doubling. And an image, which may be looked at for its spacing.
		return 2*pixels*int64(bits.Len(uint(classes-1)))/8 + int64(width)*int64(height)*imagePixel
	case export.SEG:
		return pixels * int64(min(classes, 8)) / 8 // few hold more than some classes
	case export.SEGProb:
		return pixels * int64(min(classes, 8))
	case export.GSPS, export.RTStruct:
		return 4 * pixels // outlines, where they are tangled
	}
	return 0
}

// turned is how many bytes results take that are kept while a volume is turned to
// the planes of its model.
func (j *job) turned() int64 {
	m := j.model
	if m == nil {
		var err error
		if m, err = j.server.Models.Auto(j.scan); err != nil {
			return 0 // which prepare says
		}
	}
	return segment.Turned(m, j.scan)
}

// imagePixel is how many bytes a pixel takes in an image of colour, with padding.
const imagePixel = 3*4 + 1

// frameBytes is about how many bytes a frame takes at its peak, decoded, segmented
// and drawn.
func (j *job) frameBytes(channels int, spacing segd.Spacing) (int64, error) {
	s := j.scan
	n, err := j.frames.Memory(channels, spacing)
	if err != nil {
		return 0, err
	}
	pixels := int64(s.Width) * int64(s.Height)
	n = max(n, imageBytes(s, channels))
	if j.output != outputJSON && !j.whole() {
		n += 16 * pixels // two pictures of RGBA, and two files of them at their worst
	}
	return n, nil
}

// imageBytes is how many bytes a frame takes while it is decoded.
func imageBytes(s *segd.Scan, channels int) int64 {
	return int64(s.Width) * int64(s.Height) * (imagePixel - 4*int64(3-channels) + scanio.FrameBytes(s.Format))
}

// frame segments frame i. The memory for it is taken before, and what is left when
// it is done is the files that were made.
func (j *job) frame(i int) error {
	j.frameHeld.release()
	j.done.files = nil // they are sent
	channels, spacing := j.channels, j.spacing
	for {
		need, err := j.frameBytes(channels, spacing)
		if err != nil {
			return err
		}
		if j.frameHeld, err = j.server.memory.frames.take(j.ctx, need, "a frame"); err != nil {
			return err
		}
		again := false
		err = j.server.run(j.ctx, func() error {
			img, err := j.scan.Frame(i)
			if err != nil {
				return err
			}
			// The network's grid may be finer than the image, which its spacing says.
			channels, spacing = img.Channels, img.Spacing
			more, err := j.frameBytes(channels, spacing)
			if err != nil {
				return err
			}
			if again = more > need; again {
				return nil
			}
			j.frameHeld.shrink(more)
			return j.segment(i, img)
		})
		if !again {
			j.spacing = spacing
			j.frameHeld.shrink(j.done.bytes())
			return err
		}
		j.frameHeld.release()
	}
}

// bytes is how many the files of a frame are.
func (s *segmented) bytes() (n int64) {
	for i := range s.files {
		n += int64(s.files[i].b.Cap())
	}
	return n
}

// release lets go of everything.
func (j *job) release() {
	j.scan, j.frames, j.objects, j.volume, j.done = nil, nil, nil, nil, segmented{}
	j.held.release()
	j.frameHeld.release()
}
