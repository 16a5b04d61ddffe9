// Package jpeg2000 decodes JPEG 2000 and high-throughput JPEG 2000 frames: the
// transfer syntaxes 1.2.840.10008.1.2.4.90 to .93 and .201 to .203.
//
//	info, err := jpeg2000.Decode(dst, src, layout)
//
// It decodes all of Part 1 except subsampled components: every progression and
// progression change, tiles and tile-parts, precincts, layers, both wavelets,
// both colour transforms, regions of interest, all styles of code block, and
// packed packet headers. It decodes Part 15 if all code blocks are HT blocks. Of
// a JP2 file it reads only the codestream and the colour space; DICOM holds
// codestreams alone. Subsampled components, the array transforms of Part 2, and
// HT mixed with other blocks are segd.ErrUnsupported.
//
// Data flows through the files in this order: codestream.go and params.go read
// the markers, tile.go lays out a tile, order.go finds the next packet,
// packet.go reads it, block.go (EBCOT) or ht.go (HT) decodes the code blocks,
// wavelet.go joins the subbands, and samples.go writes the samples.
//
// Irreversible streams decode to the same bits as in OpenJPEG: all arithmetic is
// in float32 and in the same order, and no product is fused with a sum.
//
// Sources: ISO/IEC 15444-1 (ITU-T T.800), ISO/IEC 15444-15 (ITU-T T.814), PS3.5
// 8.2.4, A.4.4 and 10.
package jpeg2000

import (
	"fmt"
	"math"

	"segd"
	"segd/dicomio/codec"
)

// Limits of a tile. They allow every frame of 32 Mi samples with precincts of at
// least 32×32 and blocks of at least 16×16 (usual are one precinct and blocks of
// 64×64), and bound the working set at about 250 MiB.
const (
	maxTileSamples   = 32 << 20 // in memory at once: 128 MiB
	maxTilePrecincts = 1 << 16  // some 40 MiB
	maxTileBlocks    = 1 << 18  // some 20 MiB
	maxTilePieces    = 2 << 20  // contributions of packets to blocks: some 50 MiB
)

// Decode decodes the frame src into dst, whose length must be l.Bytes(). It
// writes stored values as package codec describes: with the colour transform
// undone, components interleaved, and signed values extended. The image area of
// the stream must have the rows, columns and samples of the layout.
//
// A stream shorter than its headers announce is malformed, as in OpenJPEG. So is
// a tile that ends within a packet. A tile that ends between packets, because
// its last layers were removed, decodes without them.
func Decode(dst, src []byte, l codec.Layout) (codec.Info, error) {
	switch l.BitsAllocated {
	case 8, 16, 32:
	default:
		return codec.Info{}, fmt.Errorf("jpeg2000: %w: %d bits allocated", segd.ErrUnprocessable, l.BitsAllocated)
	}
	if len(dst) != l.Bytes() {
		return codec.Info{}, fmt.Errorf("jpeg2000: %w: %d bytes for a frame of %d", segd.ErrUnprocessable, len(dst), l.Bytes())
	}
	if uint64(len(src)) > math.MaxUint32 {
		return codec.Info{}, unsupported("stream of %d bytes", len(src))
	}
	stream, colour, err := unwrap(src)
	if err != nil {
		return codec.Info{}, err
	}
	d := decoder{dst: dst, layout: l, block: new(blockDecoder)}
	if err := d.parse(stream); err != nil {
		return codec.Info{}, err
	}
	for i := range d.tiles {
		if err := d.decodeTile(i); err != nil {
			return codec.Info{}, err
		}
		d.tiles[i] = tileStream{}
	}
	info := codec.Info{Precision: d.comps[0].precision, Signed: d.comps[0].signed, Colour: colour}
	for _, c := range d.comps {
		info.Precision = max(info.Precision, c.precision)
	}
	if d.transformed {
		info.Colour = codec.ColourRGB
	}
	return info, nil
}

// A decoder holds the state of one call of Decode. It reuses its buffers from
// tile to tile.
type decoder struct {
	dst    []byte
	layout codec.Layout

	size
	main        params // of the main header
	tiles       []tileStream
	packed      [][]byte // PPM: the packet headers of each tile-part, in order
	transformed bool     // some tile had RCT or ICT

	tile   tile
	ints   [3][]int32
	floats [3][]float32
	block  *blockDecoder
}

// malformed, unsupported and contradiction return the three kinds of error with
// the name of the package.
func malformed(format string, args ...any) error {
	return fmt.Errorf("jpeg2000: %w: %s", segd.ErrFormat, fmt.Sprintf(format, args...))
}

func unsupported(format string, args ...any) error {
	return fmt.Errorf("jpeg2000: %w: %s", segd.ErrUnsupported, fmt.Sprintf(format, args...))
}

func contradiction(format string, args ...any) error {
	return fmt.Errorf("jpeg2000: %w: %s", segd.ErrUnprocessable, fmt.Sprintf(format, args...))
}
