// Package dicomtest writes small synthetic DICOM files for tests: any
// uncompressed transfer syntax, any bit depth, one frame or many, frames
// compressed elsewhere, and deliberately broken files.
//
//	b := dicomtest.Write(dicomtest.Disc(256))
//
// Every file has the patient module of a made-up patient, so that tests can
// check that its values do not leak.
package dicomtest

import (
	"bytes"
	"cmp"
	"compress/flate"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strings"

	"segd/dicomio/tag"
)

// Transfer syntaxes that Write encodes. With any other UID, it writes explicit
// VR little endian under that name.
const (
	ImplicitLE = "1.2.840.10008.1.2"
	ExplicitLE = "1.2.840.10008.1.2.1"
	ExplicitBE = "1.2.840.10008.1.2.2"
	DeflatedLE = "1.2.840.10008.1.2.1.99"
)

// Patient holds the values of the patient module of each file. They must not
// appear in an error or a log.
var Patient = []string{"Zyxwvut^Qponmlk", "PID-8675309", "19470817", "Ward Nine Sigma"}

// File describes a file. The zero value of a field means the usual value, given
// in its comment.
type File struct {
	Syntax        string // transfer syntax UID; explicit VR little endian
	Rows, Columns int
	Frames        int    // 0: no NumberOfFrames
	Samples       int    // 1
	Allocated     int    // 16
	Stored        int    // Allocated
	HighBit       int    // Stored-1
	Signed        bool   // PixelRepresentation
	Photometric   string // MONOCHROME2
	Planar        int
	Modality      string // OT
	// Pixels are the stored values of all frames: little endian, and by plane if
	// Planar is 1. Write converts them to the syntax.
	Pixels []byte
	// PixelVR defaults to OW, or OB for up to 8 bits outside implicit VR.
	PixelVR string
	// Encapsulated, if not nil, holds the items of encapsulated pixel data,
	// written instead of Pixels: the offset table and the fragments.
	Encapsulated [][]byte
	// NoPixels leaves the pixel data out.
	NoPixels bool
	// NoPreamble leaves out the preamble and the file meta information.
	NoPreamble bool
	// Elements are further elements, in any order. An element replaces another
	// with its tag; one without a VR removes it.
	Elements []Element
}

// Element is one element of a data set.
type Element struct {
	Tag uint32 // group in the upper half
	VR  string
	// Value is a string, []byte, int or []int (US, SS, UL, SL by VR), float64
	// or []float64 (FD, FL), []Item (SQ), or [][]byte (fragments).
	Value any
}

// Item is one item of a sequence.
type Item []Element

// Disc returns a CT-like file: a disc of 100 HU, a third of the size across,
// above and to the left of the centre, in air at -1000 HU. It has a window and a
// spacing of 0.5 mm between rows and 0.75 mm between columns.
func Disc(size int) File {
	pix := make([]byte, 2*size*size)
	for y := range size {
		for x := range size {
			v := uint16(24)
			dy, dx := float64(y)-0.4*float64(size), float64(x)-0.3*float64(size)
			if math.Hypot(dy, dx) <= float64(size)/6 {
				v = 1124
			}
			binary.LittleEndian.PutUint16(pix[2*(y*size+x):], v)
		}
	}
	return File{
		Rows: size, Columns: size, Stored: 12, Modality: "CT", Pixels: pix,
		Elements: []Element{
			{tag.RescaleSlope, "DS", "1"}, {tag.RescaleIntercept, "DS", "-1024"},
			{tag.WindowCenter, "DS", "40"}, {tag.WindowWidth, "DS", "400"},
			{tag.PixelSpacing, "DS", `0.5\0.75`},
		},
	}
}

// Write returns the bytes of f, without any checks. It panics if the Value of an
// Element has an unsupported type.
func Write(f File) []byte {
	syntax := cmp.Or(f.Syntax, ExplicitLE)
	e := encoder{order: binary.LittleEndian, implicit: syntax == ImplicitLE}
	if syntax == ExplicitBE {
		e.order = binary.BigEndian
	}
	set := e.set(f.elements(syntax))
	if syntax == DeflatedLE {
		set = Deflate(set)
	}
	if f.NoPreamble {
		return set
	}
	return append(Meta(syntax), set...)
}

// Meta returns a preamble and the file meta information of a transfer syntax.
func Meta(syntax string) []byte {
	e := encoder{order: binary.LittleEndian}
	meta := e.set([]Element{
		{tag.FileMetaInformationVersion, "OB", []byte{0, 1}},
		{tag.MediaStorageSOPClassUID, "UI", "1.2.840.10008.5.1.4.1.1.7"},
		{tag.MediaStorageSOPInstanceUID, "UI", "1.2.826.0.1.3680043.10.543.1"},
		{tag.TransferSyntaxUID, "UI", syntax},
		{tag.ImplementationClassUID, "UI", "1.2.826.0.1.3680043.10.543"},
	})
	out := append(make([]byte, 128), "DICM"...)
	out = append(out, e.set([]Element{{tag.FileMetaInformationGroupLength, "UL", len(meta)}})...)
	return append(out, meta...)
}

// Deflate returns b as a raw deflate stream of even length.
func Deflate(b []byte) []byte {
	var buf bytes.Buffer
	w, err := flate.NewWriter(&buf, flate.DefaultCompression)
	if err != nil {
		panic(err) // the level is valid
	}
	if _, err := w.Write(b); err != nil {
		panic(err) // writing to a buffer cannot fail
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
	if buf.Len()%2 == 1 {
		buf.WriteByte(0)
	}
	return buf.Bytes()
}

// elements returns the data set of f in the order of tags.
func (f File) elements(syntax string) []Element {
	allocated := cmp.Or(f.Allocated, 16)
	stored := cmp.Or(f.Stored, allocated)
	set := map[uint32]Element{}
	add := func(id uint32, vr string, value any) { set[id] = Element{id, vr, value} }
	add(tag.SOPClassUID, "UI", "1.2.840.10008.5.1.4.1.1.7")
	add(tag.SOPInstanceUID, "UI", "1.2.826.0.1.3680043.10.543.1")
	add(tag.Modality, "CS", cmp.Or(f.Modality, "OT"))
	add(tag.PatientName, "PN", Patient[0])
	add(tag.PatientID, "LO", Patient[1])
	add(tag.PatientBirthDate, "DA", Patient[2])
	add(tag.InstitutionalDepartmentName, "LO", Patient[3])
	add(tag.SamplesPerPixel, "US", cmp.Or(f.Samples, 1))
	add(tag.PhotometricInterpretation, "CS", cmp.Or(f.Photometric, "MONOCHROME2"))
	if f.Samples > 1 {
		add(tag.PlanarConfiguration, "US", f.Planar)
	}
	if f.Frames != 0 {
		add(tag.NumberOfFrames, "IS", fmt.Sprint(f.Frames))
	}
	add(tag.Rows, "US", f.Rows)
	add(tag.Columns, "US", f.Columns)
	add(tag.BitsAllocated, "US", allocated)
	add(tag.BitsStored, "US", stored)
	add(tag.HighBit, "US", cmp.Or(f.HighBit, stored-1))
	signed := 0
	if f.Signed {
		signed = 1
	}
	add(tag.PixelRepresentation, "US", signed)
	if !f.NoPixels {
		set[tag.PixelData] = f.pixelData(syntax)
	}
	for _, e := range f.Elements {
		set[e.Tag] = e
		if e.VR == "" {
			delete(set, e.Tag)
		}
	}
	out := make([]Element, 0, len(set))
	for _, e := range set {
		out = append(out, e)
	}
	slices.SortFunc(out, func(a, b Element) int { return int(int64(a.Tag) - int64(b.Tag)) })
	return out
}

// pixelData returns the pixel data element of f.
func (f File) pixelData(syntax string) Element {
	if f.Encapsulated != nil {
		return Element{tag.PixelData, "OB", f.Encapsulated}
	}
	vr := f.PixelVR
	if vr == "" {
		vr = "OW"
		if cmp.Or(f.Allocated, 16) <= 8 && syntax != ImplicitLE {
			vr = "OB"
		}
	}
	pix := slices.Clone(f.Pixels)
	if len(pix)%2 == 1 {
		pix = append(pix, 0)
	}
	if syntax == ExplicitBE && vr == "OW" {
		for i := 0; i < len(pix); i += 2 {
			pix[i], pix[i+1] = pix[i+1], pix[i]
		}
	}
	return Element{tag.PixelData, vr, pix}
}

// encoder writes elements in one encoding.
type encoder struct {
	order    binary.ByteOrder
	implicit bool
}

func (e encoder) set(elements []Element) []byte {
	var out []byte
	for _, x := range elements {
		value := e.value(x)
		if len(value)%2 == 1 {
			pad := byte(' ')
			if x.VR == "UI" || x.VR == "OB" {
				pad = 0
			}
			value = append(value, pad)
		}
		length := uint32(len(value))
		if _, ok := x.Value.([][]byte); ok {
			length = 0xffffffff
		}
		out = append(out, e.header(x.Tag, x.VR, length)...)
		out = append(out, value...)
	}
	return out
}

func (e encoder) header(id uint32, vr string, length uint32) []byte {
	out := e.u16(nil, uint16(id>>16), uint16(id))
	switch {
	case e.implicit || id>>16 == 0xfffe:
		return e.u32(out, length)
	case strings.Contains("OB OD OF OL OV OW SQ SV UC UN UR UT UV", vr):
		return e.u32(append(out, vr[0], vr[1], 0, 0), length)
	}
	return e.u16(append(out, vr...), uint16(length))
}

func (e encoder) value(x Element) []byte {
	var out []byte
	switch v := x.Value.(type) {
	case string:
		return []byte(v)
	case []byte:
		return v
	case int:
		return e.value(Element{x.Tag, x.VR, []int{v}})
	case []int:
		for _, n := range v {
			if x.VR == "UL" || x.VR == "SL" {
				out = e.u32(out, uint32(n))
			} else {
				out = e.u16(out, uint16(n))
			}
		}
	case float64:
		return e.value(Element{x.Tag, x.VR, []float64{v}})
	case []float64:
		for _, n := range v {
			var b [8]byte
			if x.VR == "FL" {
				e.order.PutUint32(b[:4], math.Float32bits(float32(n)))
				out = append(out, b[:4]...)
			} else {
				e.order.PutUint64(b[:], math.Float64bits(n))
				out = append(out, b[:]...)
			}
		}
	case []Item:
		for _, item := range v {
			b := e.set(item)
			out = append(out, e.header(tag.Item, "", uint32(len(b)))...)
			out = append(out, b...)
		}
	case [][]byte:
		for _, b := range v {
			out = append(out, e.header(tag.Item, "", uint32(len(b)+len(b)%2))...)
			out = append(append(out, b...), make([]byte, len(b)%2)...)
		}
		out = append(out, e.header(tag.SequenceDelimitationItem, "", 0)...)
	default:
		panic(fmt.Sprintf("dicomtest: value of type %T", x.Value))
	}
	return out
}

func (e encoder) u16(b []byte, values ...uint16) []byte {
	for _, v := range values {
		var w [2]byte
		e.order.PutUint16(w[:], v)
		b = append(b, w[:]...)
	}
	return b
}

func (e encoder) u32(b []byte, v uint32) []byte {
	var w [4]byte
	e.order.PutUint32(w[:], v)
	return append(b, w[:]...)
}
