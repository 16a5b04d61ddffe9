package dicomio_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"segd/dicomio/dicomtest"
	"segd/dicomio/tag"
)

// hostileClasses makes, for each way in which DICOM files are known to do harm,
// a file of a random shape. None may take more than a second and, beyond its
// own bytes, 256 MiB; what comes out is the pixels or a typed error.
var hostileClasses = map[string]func(*rand.Rand) []byte{
	"nested sequences": func(r *rand.Rand) []byte {
		b := append(header(tag.ReferencedImageSequence, "SQ", 0xffffffff), item(tag.Item, 0xffffffff)...)
		return append(dicomtest.Meta(dicomtest.ExplicitLE), bytes.Repeat(b, 20+r.IntN(400_000))...)
	},
	"no rows, many frames": func(r *rand.Rand) []byte {
		f := dicomtest.Disc(8)
		f.Elements = append(f.Elements, dicomtest.Element{Tag: tag.Rows, VR: "US", Value: r.IntN(2)}, dicomtest.Element{Tag: tag.NumberOfFrames, VR: "IS", Value: fmt.Sprint(r.IntN(1 << 30))})
		return dicomtest.Write(f)
	},
	"sides that are not there": func(r *rand.Rand) []byte {
		f := dicomtest.Disc(8)
		f.Elements = append(f.Elements, dicomtest.Element{Tag: tag.Rows, VR: "US", Value: r.IntN(1 << 16)}, dicomtest.Element{Tag: tag.Columns, VR: "US", Value: r.IntN(1 << 16)})
		return dicomtest.Write(f)
	},
	"lengths of up to 4 GiB": func(r *rand.Rand) []byte {
		vr := []string{"OB", "OW", "UN", "UT", "SQ"}[r.IntN(5)]
		b := append(dicomtest.Meta(dicomtest.ExplicitLE), header(tag.StudyDescription+uint32(r.IntN(1<<20))<<4, vr, r.Uint32())...)
		return append(b, make([]byte, r.IntN(300))...)
	},
	"a deflate bomb": func(r *rand.Rand) []byte {
		b := append(dicomtest.Meta(dicomtest.DeflatedLE), bomb()...)
		return b[:len(b)-r.IntN(2)*r.IntN(1000)]
	},
	"an inflated data set below the limit": func(r *rand.Rand) []byte {
		f := dicomtest.Disc(8)
		f.Syntax = dicomtest.DeflatedLE
		f.Elements = append(f.Elements, dicomtest.Element{Tag: tag.EncapsulatedDocument, VR: "OB", Value: make([]byte, (1+r.IntN(30))<<20)})
		return dicomtest.Write(f)
	},
	"wrong VRs": func(r *rand.Rand) []byte {
		f := dicomtest.Disc(8)
		tags := []uint32{tag.SpecificCharacterSet, tag.SamplesPerPixel, tag.PhotometricInterpretation, tag.NumberOfFrames, tag.Rows, tag.BitsAllocated, tag.PixelRepresentation, tag.WindowCenter, tag.ModalityLUTSequence, tag.SharedFunctionalGroupsSequence, tag.PerFrameFunctionalGroupsSequence}
		f.Elements = append(f.Elements, dicomtest.Element{Tag: tags[r.IntN(len(tags))], VR: []string{"US", "UL", "CS", "SQ", "OW", "FD", "AT", "PN"}[r.IntN(8)], Value: random(r, r.IntN(70_000))})
		return dicomtest.Write(f)
	},
	"truncated": func(r *rand.Rand) []byte {
		b := rich(syntaxes[r.IntN(len(syntaxes))])
		return b[:r.IntN(len(b))]
	},
	"damaged": func(r *rand.Rand) []byte {
		b := rich(syntaxes[r.IntN(len(syntaxes))])
		for range 1 + r.IntN(8) {
			b[132+r.IntN(len(b)-132)] = byte(r.Uint32())
		}
		return b
	},
	"a transfer syntax of no table": func(r *rand.Rand) []byte {
		f := dicomtest.Disc(8)
		f.Syntax = fmt.Sprintf("1.2.840.10008.1.2.%d.%d", 4+r.IntN(5), 50+r.IntN(200))
		f.Encapsulated = [][]byte{{}, random(r, 100)}
		return dicomtest.Write(f)
	},
	"many elements": func(r *rand.Rand) []byte {
		return append(dicomtest.Meta(dicomtest.ExplicitLE), bytes.Repeat(header(tag.ReferencedImageSequence, "SQ", 0), r.IntN(400_000))...)
	},
	"many items": func(r *rand.Rand) []byte {
		b := append(dicomtest.Meta(dicomtest.ExplicitLE), header(tag.PerFrameFunctionalGroupsSequence, "SQ", 0xffffffff)...)
		b = append(b, bytes.Repeat(item(tag.Item, 0), r.IntN(400_000))...)
		return append(append(b, item(tag.SequenceDelimitationItem, 0)...), rich(dicomtest.ExplicitLE)[132+28:]...)
	},
	"many fragments": func(r *rand.Rand) []byte {
		f := dicomtest.File{Syntax: compressedSyntaxes[r.IntN(len(compressedSyntaxes))], Rows: 8, Columns: 8, Allocated: 8, Frames: 1 + r.IntN(2000)}
		f.Encapsulated = make([][]byte, 1+r.IntN(250_000))
		return dicomtest.Write(f)
	},
	"offsets that lead anywhere": func(r *rand.Rand) []byte {
		f := dicomtest.File{Syntax: compressedSyntaxes[r.IntN(len(compressedSyntaxes))], Rows: 8, Columns: 8, Allocated: 8, Frames: 1 + r.IntN(9)}
		table := random(r, 4*f.Frames)
		f.Encapsulated = [][]byte{table, random(r, 100), random(r, 100)}
		if r.IntN(2) == 0 {
			f.Elements = append(f.Elements, dicomtest.Element{Tag: tag.ExtendedOffsetTable, VR: "OV", Value: random(r, 8*f.Frames)}, dicomtest.Element{Tag: tag.ExtendedOffsetTableLengths, VR: "OV", Value: random(r, 8*f.Frames)})
			f.Encapsulated[0] = nil
		}
		return dicomtest.Write(f)
	},
	"a few bytes for a large frame": func(r *rand.Rand) []byte {
		side := 4096 + r.IntN(4096)
		f := dicomtest.File{Syntax: compressedSyntaxes[r.IntN(len(compressedSyntaxes))], Rows: side, Columns: side, Allocated: 8 << r.IntN(2)}
		f.Encapsulated = [][]byte{nil, append(streamHead(f.Syntax, side, f.Allocated), random(r, 50)...)}
		return dicomtest.Write(f)
	},
	"a run length bomb": func(r *rand.Rand) []byte {
		side := 1000 + r.IntN(7000)
		return dicomtest.Write(dicomtest.File{Syntax: rleLossless, Rows: side, Columns: side, Allocated: 8, Encapsulated: [][]byte{{}, runs(1, side*side)}})
	},
	"a palette of rubbish": func(r *rand.Rand) []byte {
		f := dicomtest.File{Rows: 8, Columns: 8, Allocated: 8, Photometric: "PALETTE COLOR", Pixels: random(r, 64)}
		for _, t := range []uint32{tag.RedPaletteColorLookupTableDescriptor, tag.GreenPaletteColorLookupTableDescriptor, tag.BluePaletteColorLookupTableDescriptor} {
			f.Elements = append(f.Elements, dicomtest.Element{Tag: t, VR: "US", Value: []int{r.IntN(1 << 16), r.IntN(1 << 16), 8 << r.IntN(3)}})
		}
		base := uint32(tag.RedPaletteColorLookupTableData + 0x20*r.IntN(2)) // segmented or not
		for i := range uint32(3) {
			f.Elements = append(f.Elements, dicomtest.Element{Tag: base + i, VR: "OW", Value: random(r, 2*r.IntN(70_000))})
		}
		return dicomtest.Write(f)
	},
	"a table for each frame": func(r *rand.Rand) []byte {
		f := dicomtest.Disc(4)
		f.Frames = 1 + r.IntN(400)
		f.Pixels = bytes.Repeat(f.Pixels, f.Frames)
		lut := dicomtest.Item{{Tag: tag.LUTDescriptor, VR: "US", Value: []int{r.IntN(1 << 16), 0, 16}}, {Tag: tag.LUTData, VR: "OW", Value: random(r, 2*r.IntN(1<<14))}}
		voi := dicomtest.Item{{Tag: tag.VOILUTSequence, VR: "SQ", Value: []dicomtest.Item{lut}}}
		group := dicomtest.Item{{Tag: tag.FrameVOILUTSequence, VR: "SQ", Value: []dicomtest.Item{voi}}}
		f.Elements = append(f.Elements, dicomtest.Element{Tag: tag.PerFrameFunctionalGroupsSequence, VR: "SQ", Value: slices.Repeat([]dicomtest.Item{group}, f.Frames)})
		return dicomtest.Write(f)
	},
	"numbers that are none": func(r *rand.Rand) []byte {
		f := dicomtest.Disc(8)
		values := []string{"NaN", "1e400", "-", `\\\`, "1e-400", "Inf", strings.Repeat("9", 60), "0", "-1", "1 2"}
		for _, t := range []uint32{tag.NumberOfFrames, tag.PixelSpacing, tag.WindowCenter, tag.WindowWidth, tag.RescaleIntercept, tag.RescaleSlope} {
			if r.IntN(2) == 0 {
				f.Elements = append(f.Elements, dicomtest.Element{Tag: t, VR: "DS", Value: values[r.IntN(len(values))]})
			}
		}
		return dicomtest.Write(f)
	},
}

// compressedSyntaxes are those whose frames a codec decodes.
var compressedSyntaxes = []string{rleLossless, jpegBaseline, jpegLossless, jpegLS, "1.2.840.10008.1.2.4.51", "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.91", "1.2.840.10008.1.2.4.201", deflatedFrames}

// streamHead begins a stream of a syntax that announces side × side samples.
func streamHead(syntax string, side, bits int) []byte {
	u16 := func(v int) []byte { return binary.BigEndian.AppendUint16(nil, uint16(v)) }
	u32 := func(v int) []byte { return binary.BigEndian.AppendUint32(nil, uint32(v)) }
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	sof := func(marker byte) []byte {
		return join([]byte{0xff, 0xd8, 0xff, marker, 0, 11, byte(bits)}, u16(side), u16(side), []byte{1, 1, 0x11, 0})
	}
	switch syntax {
	case jpegBaseline:
		return sof(0xc0)
	case "1.2.840.10008.1.2.4.51":
		return sof(0xc2)
	case jpegLossless:
		return sof(0xc3)
	case jpegLS:
		return sof(0xf7)
	case rleLossless:
		return runs(bits/8, 200)
	case deflatedFrames:
		return dicomtest.Deflate(make([]byte, 1<<20))
	}
	siz := join(u16(0), u32(side), u32(side), u32(0), u32(0), u32(side), u32(side), u32(0), u32(0), u16(1), []byte{byte(bits - 1), 1, 1})
	cod := []byte{0, 0, 0, 1, 0, 5, 4, 4, 0, 1}
	qcd := append([]byte{0x40}, bytes.Repeat([]byte{0x48}, 16)...)
	segment := func(marker int, b []byte) []byte { return join(u16(marker), u16(len(b)+2), b) }
	return join(u16(0xff4f), segment(0xff51, siz), segment(0xff52, cod), segment(0xff5c, qcd), segment(0xff90, join(u16(0), u32(0), []byte{0, 1})), u16(0xff93))
}

func random(r *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// TestHostileClasses holds some files of each class to the bounds.
func TestHostileClasses(t *testing.T) {
	rounds := 4
	if testing.Short() {
		rounds = 2
	}
	for _, name := range slices.Sorted(maps.Keys(hostileClasses)) {
		t.Run(name, func(t *testing.T) {
			read := 0
			for seed := range rounds {
				b := hostileClasses[name](rand.New(rand.NewPCG(uint64(seed), 7)))
				if err := bounds(t, b, 256<<20); err == nil {
					read++
				}
				if t.Failed() {
					t.Fatalf("seed %d, %d bytes", seed, len(b))
				}
			}
			t.Logf("%d of %d are read", read, rounds)
		})
	}
}
