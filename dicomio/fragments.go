package dicomio

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"segd"
	"segd/dicomio/codec"
	"segd/dicomio/tag"
)

// span is a stretch of bytes.
type span struct{ start, end int }

// fragments are the compressed frames of encapsulated pixel data (PS3.5 A.4).
type fragments struct {
	encapsulation
	b     []byte
	spans []span // of the fragments, without their item headers
	first []int  // index of the first fragment of each frame, and the end
}

// findFragments lists the fragments of the pixel data e, whose structure the
// walk has checked, and tells which belong to which frame.
func findFragments(f *file, e element, l *layout) (*fragments, error) {
	p := &fragments{encapsulation: encapsulations[f.syntax], b: f.b}
	at := e.value
	for f.tag(at) == tag.Item {
		size := int(f.order.Uint32(f.b[at+4:]))
		at += itemHeader
		p.spans = append(p.spans, span{at, at + size})
		at += size
	}
	if len(p.spans) < 2 {
		return nil, unprocessable("no pixel data %s: an offset table without fragments", name(tag.PixelData))
	}
	table := f.b[p.spans[0].start:p.spans[0].end]
	base := p.spans[0].end
	p.spans = p.spans[1:]
	var offsets []uint64
	for ; len(table) >= 4; table = table[4:] {
		offsets = append(offsets, uint64(binary.LittleEndian.Uint32(table)))
	}
	for _, x := range f.top {
		if x.tag == tag.ExtendedOffsetTable && !x.undefined && x.end > x.value {
			offsets = nil
			for v := f.b[x.value:x.end]; len(v) >= 8; v = v[8:] {
				offsets = append(offsets, binary.LittleEndian.Uint64(v))
			}
		}
	}
	if l.frames == 1 {
		p.first = []int{0, len(p.spans)}
		return p, nil
	}
	if len(offsets) > 0 {
		if p.first = p.byOffset(offsets, base, l.frames); p.first != nil {
			return p, nil
		}
		f.warnings = append(f.warnings, "the offset table of the pixel data does not fit its fragments; it is not used")
	}
	if p.first = p.byStart(l.frames); p.first == nil {
		return nil, unprocessable("%d fragments of pixel data for %d frames, and no offset table that assigns them", len(p.spans), l.frames)
	}
	return p, nil
}

// byOffset assigns fragments to frames by the offsets of each frame's first
// one, counted from base. It returns nil where they are not the offsets of
// fragments in ascending order, one for each frame.
func (p *fragments) byOffset(offsets []uint64, base, frames int) []int {
	if len(offsets) != frames || offsets[0] != 0 {
		return nil
	}
	first := make([]int, 0, frames+1)
	k := 0
	for _, o := range offsets {
		for k < len(p.spans) && uint64(p.spans[k].start-itemHeader-base) < o {
			k++
		}
		if k == len(p.spans) || uint64(p.spans[k].start-itemHeader-base) != o {
			return nil
		}
		if n := len(first); n > 0 && first[n-1] == k {
			return nil
		}
		first = append(first, k)
	}
	return append(first, len(p.spans))
}

// byStart assigns fragments to frames where no table does: one to each, but
// for empty ones, or else each that begins as a frame does begins a frame. It
// returns nil where neither gives the number of frames.
func (p *fragments) byStart(frames int) []int {
	full, starts := make([]int, 0, frames+1), make([]int, 0, frames+1)
	for k, s := range p.spans {
		if s.end == s.start {
			continue
		}
		full = append(full, k)
		if p.start != "" && bytes.HasPrefix(p.b[s.start:s.end], []byte(p.start)) {
			starts = append(starts, k)
		}
	}
	switch {
	case len(full) == frames:
		return append(full, len(p.spans))
	case len(starts) == frames && starts[0] == full[0]:
		return append(starts, len(p.spans))
	}
	return nil
}

// size is the number of compressed bytes of frame i.
func (p *fragments) size(i int) int {
	size := 0
	for _, s := range p.spans[p.first[i]:p.first[i+1]] {
		size += s.end - s.start
	}
	return size
}

// stream returns the compressed bytes of frame i. It shares the file's memory
// where all of them are in the first fragment.
func (p *fragments) stream(i int) []byte {
	spans, size := p.spans[p.first[i]:p.first[i+1]], p.size(i)
	if s := spans[0]; s.end-s.start == size {
		return p.b[s.start:s.end:s.end]
	}
	out := make([]byte, 0, size)
	for _, s := range spans {
		out = append(out, p.b[s.start:s.end]...)
	}
	return out
}

// frame decodes frame i and says how its stored values lie there, which may
// differ from what the data set says.
func (p *fragments) frame(l *layout, i int) (*layout, []byte, error) {
	if err := p.checkWork(l, p.size(i)); err != nil {
		return nil, nil, err
	}
	src := p.stream(i)
	want := codec.Layout{Rows: l.rows, Columns: l.cols, Samples: l.samples, BitsAllocated: 8 * l.sampleBytes()}
	packed := p.form == native || p.form == packedSamples && l.allocated == 1
	if packed {
		want = codec.Layout{Rows: 1, Columns: (l.storedBits() + 7) / 8, Samples: 1, BitsAllocated: 8}
	}
	dst := make([]byte, want.Bytes())
	info, err := p.decode(dst, src, want)
	if err != nil {
		return nil, nil, fmt.Errorf("dicomio: frame %d: %w", i+1, err)
	}
	if packed {
		return l, (&nativePixels{b: dst}).frame(l, 0), nil
	}
	return l.decoded(info), dst, nil
}

// Bounds of what a compressed frame may take. One that takes more than maxWork
// in all must be worth it: a stream of less than a byte for maxRatio bytes of
// pixels is no image of that size, but a bomb. Nor is one an image that is far
// longer than its pixels.
const (
	maxWork     = 256 << 20
	maxRatio    = 32
	maxOverhead = 1 << 20
)

// checkWork refuses a frame of size compressed bytes that does not go with what
// it takes: the decoded bytes, the decoder's own, the Image and its padding.
func (p *fragments) checkWork(l *layout, size int) error {
	n, samples := l.frameBytes(), l.rows*l.cols*l.samples
	work := n + samples*(p.work+4)
	if l.grey() {
		work += samples
	}
	switch {
	case work > maxWork && size < n/maxRatio:
		return fmt.Errorf("dicomio: %w: a frame of %d×%d pixels in %d bytes takes %d to decode, limit %d unless it is of %d", segd.ErrTooLarge, l.rows, l.cols, size, work, maxWork, n/maxRatio)
	case size > 2*n+maxOverhead:
		return fmt.Errorf("dicomio: %w: a frame of %d compressed bytes, for %d of pixels", segd.ErrTooLarge, size, n)
	}
	return nil
}

// decoded returns the layout of a decoded frame: where the stream says what
// its colours are or that its samples fill the low bits, it is right.
func (l *layout) decoded(info codec.Info) *layout {
	d := *l
	d.planar, d.subsampled = false, false
	if info.Precision > 0 && info.Precision <= d.high {
		d.high = d.stored - 1
	}
	if d.samples == 3 {
		switch {
		case info.Colour == codec.ColourRGB:
			d.photometric = "RGB"
		case info.Colour == codec.ColourYCbCr || d.photometric == "YBR_FULL_422" || d.photometric == "YBR_PARTIAL_422":
			d.photometric = "YBR_FULL"
		}
	}
	return &d
}
