package dicomio

import (
	"encoding/binary"
	"fmt"
	"slices"
)

// nativePixels are the stored values of all frames, uncompressed.
type nativePixels struct {
	b     []byte
	big   bool // big endian
	words bool // VR OW: big endian swaps samples of 8 bits and less too
	unit  int  // bytes in the unit that big endian reverses
}

// findNative checks that the pixel data e is complete.
func findNative(f *file, e element, l *layout) (*nativePixels, error) {
	p := &nativePixels{
		b:     f.b[e.value:e.end],
		big:   f.order == binary.BigEndian,
		words: e.vr == "OW",
		unit:  2,
	}
	if l.float {
		p.unit = l.sampleBytes()
	}
	have, want := len(p.b), (l.storedBits()*l.frames+7)/8
	if have < want {
		return nil, unprocessable("%d bytes of pixels, want %d for %d frames of %d×%d pixels", have, want, l.frames, l.rows, l.cols)
	}
	if have > want+1 {
		f.warnings = append(f.warnings, fmt.Sprintf("the file holds %d bytes of pixels but describes only %d; the rest is ignored", have, want))
	}
	return p, nil
}

// frame returns the stored values of frame i: in little endian, with colour
// interleaved, 422 expanded and 1-bit values as bytes 0 and 1; otherwise as wide
// as they are allocated and as they are in the file. The result may share the
// file's memory and must not be changed.
func (p *nativePixels) frame(l *layout, i int) []byte {
	if l.allocated == 1 {
		return p.bits(l, i)
	}
	size := l.storedBits() / 8
	src := p.b[i*size : (i+1)*size]
	switch {
	case p.big && p.unit > 2:
		src = reversed(src, p.unit)
	case p.big:
		src = p.swapped(l.allocated, i*size, size)
	}
	switch {
	case l.subsampled:
		return expand422(src)
	case l.planar:
		return interleave(src, l.rows*l.cols, l.sampleBytes())
	}
	return src
}

// bits unpacks a 1-bit frame. The lowest bit of a byte comes first, and frames
// follow each other without a gap (PS3.5 8.1.1 and D).
func (p *nativePixels) bits(l *layout, i int) []byte {
	n := l.rows * l.cols * l.samples
	out := make([]byte, n)
	swap := 0
	if p.big && p.words && len(p.b)%2 == 0 {
		swap = 1
	}
	for j := range out {
		at := i*n + j
		out[j] = p.b[at>>3^swap] >> (at & 7) & 1
	}
	return out
}

// swapped returns the size bytes at start in little endian. Pixels are stored in
// 16-bit words with swapped bytes. Two 8-bit samples share a word; a 32-bit
// sample takes two, the low one first (PS3.5 8.1.1 and 8.2).
func (p *nativePixels) swapped(allocated, start, size int) []byte {
	out := make([]byte, size)
	if allocated == 8 && !p.words || len(p.b)%2 != 0 {
		copy(out, p.b[start:])
		return out
	}
	j := 0
	if start%2 == 0 {
		const even = 0x00ff00ff00ff00ff
		for ; j+8 <= size; j += 8 {
			v := binary.LittleEndian.Uint64(p.b[start+j:])
			binary.LittleEndian.PutUint64(out[j:], v>>8&even|v&even<<8)
		}
	}
	for ; j < size; j++ {
		out[j] = p.b[(start+j)^1]
	}
	return out
}

// reversed returns src with the bytes of each size-byte value reversed.
func reversed(src []byte, size int) []byte {
	out := slices.Clone(src)
	for v := out; len(v) >= size; v = v[size:] {
		slices.Reverse(v[:size])
	}
	return out
}

// interleave converts three planes of n samples to n pixels.
func interleave(src []byte, n, sample int) []byte {
	out := make([]byte, len(src))
	for c := range 3 {
		plane := src[c*n*sample : (c+1)*n*sample]
		for i := range n {
			copy(out[(3*i+c)*sample:(3*i+c+1)*sample], plane[i*sample:])
		}
	}
	return out
}

// expand422 gives each of two pixels their shared colour: Y Y Cb Cr becomes Y Cb
// Cr Y Cb Cr (PS3.3 C.7.6.3.1.2).
func expand422(src []byte) []byte {
	out := make([]byte, 0, len(src)/2*3)
	for ; len(src) >= 4; src = src[4:] {
		out = append(out, src[0], src[2], src[3], src[1], src[2], src[3])
	}
	return out
}
