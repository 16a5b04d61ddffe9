package dicomio

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"segd"
	"segd/dicomio/codec"
	"segd/dicomio/tag"
)

// span is a range of bytes.
type span struct{ start, end int }

// fragments are the compressed frames of encapsulated pixel data (PS3.5 A.4).
type fragments struct {
	encapsulation
	b     []byte
	spans []span // of the fragments, without their item headers
	first []int  // index of the first fragment of each frame, and the end
}

// findFragments lists the fragments of the pixel data e, which walk has checked,
// and assigns them to frames.
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
		return nil, unprocessable("no pixel data in %s: an offset table without fragments", name(tag.PixelData))
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
		f.warnings = append(f.warnings, "the offset table of the pixel data does not match its fragments and is ignored")
	}
	if p.first = p.byStart(l.frames); p.first == nil {
		return nil, unprocessable("%d fragments of pixel data for %d frames, and no offset table to assign them", len(p.spans), l.frames)
	}
	return p, nil
}

// byOffset assigns fragments to frames by the offset of each frame's first
// fragment, counted from base. It returns nil unless there is one offset for
// each frame, in ascending order, and each is that of a fragment.
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

// byStart assigns fragments to frames without a table. Either every fragment
// that is not empty is a frame, or every fragment that begins like a frame
// starts one. It returns nil if neither yields the number of frames.
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

// stream returns the compressed bytes of frame i, which share memory with the
// file if they are one fragment.
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

// frame decodes frame i and returns its layout, which may differ from that of
// the data set.
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

// Limits on decoding a compressed frame. A frame that takes more than maxWork
// must have at least one byte of stream for maxRatio bytes of pixels: a smaller
// one is a bomb, not an image. A stream much longer than its pixels is refused
// too.
const (
	maxWork     = 256 << 20
	maxRatio    = 32
	maxOverhead = 1 << 20
)

// checkWork refuses a frame of size compressed bytes if decoding takes too much
// memory for it: the decoded bytes, the decoder's working set, the Image and its
// padding.
func (p *fragments) checkWork(l *layout, size int) error {
	n, samples := l.frameBytes(), l.rows*l.cols*l.samples
	work := n + samples*(p.work+4)
	if l.grey() {
		work += samples
	}
	switch {
	case work > maxWork && size < n/maxRatio:
		return fmt.Errorf("dicomio: %w: a frame of %d×%d pixels in %d compressed bytes takes %d bytes to decode, limit %d unless it has at least %d compressed bytes", segd.ErrTooLarge, l.rows, l.cols, size, work, maxWork, n/maxRatio)
	case size > 2*n+maxOverhead:
		return fmt.Errorf("dicomio: %w: a frame has %d compressed bytes for %d bytes of pixels", segd.ErrTooLarge, size, n)
	}
	return nil
}

// decoded returns the layout of a decoded frame. If the stream names its colour
// space, or says that its samples fill the low bits, the stream is right and the
// data set wrong.
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
