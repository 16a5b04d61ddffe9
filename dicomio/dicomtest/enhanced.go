package dicomtest

import (
	"cmp"
	"encoding/binary"
	"fmt"

	"segd/dicomio/tag"
)

// Frame describes a frame of an enhanced image: its position, and what
// distinguishes it from others there. Zero values are left out.
type Frame struct {
	Position    string // ImagePositionPatient; "": none
	Orientation string // ImageOrientationPatient; "": 1\0\0\0\1\0
	Spacing     string // PixelSpacing; "": 2\2
	Stack       string // StackID
	Temporal    int    // TemporalPositionIndex
	EchoMS      float64
	Index       []int // DimensionIndexValues beyond StackID and InStackPositionNumber, which are 1
}

// Enhanced returns an enhanced MR image of size×size pixels, at least 16, with 3
// mm slices. Frame i has a bright 4×4 square whose corner is at column i%7 and
// row i/7, so that up to 49 frames all differ.
func Enhanced(size int, list []Frame) File {
	const root = "1.2.826.0.1.3680043.10.543."
	var each []Item
	pix := make([]byte, 2*size*size*len(list))
	for i, x := range list {
		content := Item{}
		if x.Stack != "" {
			content = append(content, Element{tag.StackID, "SH", x.Stack})
		}
		if x.Temporal > 0 {
			content = append(content, Element{tag.TemporalPositionIndex, "UL", x.Temporal})
		}
		if x.Index != nil {
			content = append(content, Element{tag.DimensionIndexValues, "UL", append([]int{1, 1}, x.Index...)})
		}
		item := Item{}
		if x.EchoMS > 0 {
			item = append(item, Element{tag.MREchoSequence, "SQ", []Item{{{tag.EffectiveEchoTime, "FD", x.EchoMS}}}})
		}
		item = append(item, Element{tag.FrameContentSequence, "SQ", []Item{content}})
		if x.Position != "" {
			item = append(item, Element{tag.PlanePositionSequence, "SQ", []Item{{{tag.ImagePositionPatient, "DS", x.Position}}}})
		}
		item = append(item, Element{tag.PlaneOrientationSequence, "SQ", []Item{{{tag.ImageOrientationPatient, "DS", cmp.Or(x.Orientation, `1\0\0\0\1\0`)}}}},
			Element{tag.PixelMeasuresSequence, "SQ", []Item{{{tag.SliceThickness, "DS", "3"}, {tag.PixelSpacing, "DS", cmp.Or(x.Spacing, `2\2`)}}}})
		each = append(each, item)
		for y := range 4 {
			for c := range 4 {
				binary.LittleEndian.PutUint16(pix[2*((i*size+i/7+y)*size+i%7+c):], 900)
			}
		}
	}
	dimension := func(pointer int) Item {
		return Item{{tag.DimensionIndexPointer, "AT", []int{pointer >> 16, pointer & 0xffff}}}
	}
	return File{
		Rows: size, Columns: size, Frames: len(list), Stored: 12, Modality: "MR", Pixels: pix,
		Elements: []Element{
			{tag.SOPClassUID, "UI", "1.2.840.10008.5.1.4.1.1.4.1"}, {tag.SOPInstanceUID, "UI", fmt.Sprint(root, "20")},
			{tag.StudyInstanceUID, "UI", root + "7"}, {tag.SeriesInstanceUID, "UI", root + "8"}, {tag.FrameOfReferenceUID, "UI", root + "6"},
			{tag.DimensionIndexSequence, "SQ", []Item{
				dimension(tag.StackID), dimension(tag.InStackPositionNumber),
				dimension(tag.TemporalPositionIndex), dimension(tag.NominalCardiacTriggerDelayTime),
			}},
			{tag.SharedFunctionalGroupsSequence, "SQ", []Item{{}}}, {tag.PerFrameFunctionalGroupsSequence, "SQ", each},
		},
	}
}
