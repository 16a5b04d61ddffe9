package dicomtest

import (
	"encoding/binary"
	"fmt"
)

// Frame says where a frame of an enhanced image lies and what tells it from
// others there. Zero values are left out.
type Frame struct {
	Position    string // ImagePositionPatient; "": none
	Orientation string // ImageOrientationPatient; "": 1\0\0\0\1\0
	Spacing     string // PixelSpacing; "": 2\2
	Stack       string // StackID
	Temporal    int    // TemporalPositionIndex
	EchoMS      float64
	Index       []int // DimensionIndexValues beyond StackID and InStackPositionNumber, which are 1
}

// Enhanced returns an enhanced MR image of size×size pixels and slices of 3 mm.
// Frame i has a bright square of 4×4 pixels whose corner is at column i%7 and
// row i/7, so that no two are alike below 49 frames; size is 16 or more.
func Enhanced(size int, list []Frame) File {
	const root = "1.2.826.0.1.3680043.10.543."
	var each []Item
	pix := make([]byte, 2*size*size*len(list))
	for i, x := range list {
		content := Item{}
		if x.Stack != "" {
			content = append(content, Element{0x00209056, "SH", x.Stack})
		}
		if x.Temporal > 0 {
			content = append(content, Element{0x00209128, "UL", x.Temporal})
		}
		if x.Index != nil {
			content = append(content, Element{0x00209157, "UL", append([]int{1, 1}, x.Index...)})
		}
		item := Item{}
		if x.EchoMS > 0 {
			item = append(item, Element{0x00189114, "SQ", []Item{{{0x00189082, "FD", x.EchoMS}}}})
		}
		item = append(item, Element{0x00209111, "SQ", []Item{content}})
		if x.Position != "" {
			item = append(item, Element{0x00209113, "SQ", []Item{{{0x00200032, "DS", x.Position}}}})
		}
		item = append(item, Element{0x00209116, "SQ", []Item{{{0x00200037, "DS", or(x.Orientation, `1\0\0\0\1\0`)}}}},
			Element{0x00289110, "SQ", []Item{{{0x00180050, "DS", "3"}, {0x00280030, "DS", or(x.Spacing, `2\2`)}}}})
		each = append(each, item)
		for y := range 4 {
			for c := range 4 {
				binary.LittleEndian.PutUint16(pix[2*((i*size+i/7+y)*size+i%7+c):], 900)
			}
		}
	}
	dimension := func(pointer int) Item { return Item{{0x00209165, "AT", []int{pointer >> 16, pointer & 0xffff}}} }
	return File{
		Rows: size, Columns: size, Frames: len(list), Stored: 12, Modality: "MR", Pixels: pix,
		Elements: []Element{
			{0x00080016, "UI", "1.2.840.10008.5.1.4.1.1.4.1"}, {0x00080018, "UI", fmt.Sprint(root, "20")},
			{0x0020000d, "UI", root + "7"}, {0x0020000e, "UI", root + "8"}, {0x00200052, "UI", root + "6"},
			{0x00209222, "SQ", []Item{dimension(0x00209056), dimension(0x00209057), dimension(0x00209128), dimension(0x00209153)}},
			{0x52009229, "SQ", []Item{{}}}, {0x52009230, "SQ", each},
		},
	}
}
