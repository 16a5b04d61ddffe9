package dicomio

import (
	"encoding/binary"
	"math"
	"strings"
	"sync"

	"segd/dicomio/tag"
)

// setProfile sets the ICC profile: that of the image, that of the microscope's
// first optical path, or else sRGB, which viewers assume by default.
func (d *object) setProfile(s *Source) {
	for _, in := range []dataset{s.image, s.image.first(tag.OpticalPathSequence)} {
		if isInputProfile(in[tag.ICCProfile].b) {
			d.dataset[tag.ICCProfile] = in[tag.ICCProfile]
			return
		}
	}
	d.dataset[tag.ICCProfile] = field{vr: "OB", b: sRGB()}
	d.dataset[tag.ColorSpace] = field{vr: "CS", b: []byte("SRGB")}
}

// isInputProfile reports whether b is a profile as PS3.3 C.11.15.1.1 requires:
// for an input device, from RGB to a connection space.
func isInputProfile(b []byte) bool {
	const header = 128 // ICC.1:2010 7.2
	if len(b) < header || string(b[36:40]) != "acsp" {
		return false
	}
	size := int(binary.BigEndian.Uint32(b))
	pcs := string(b[20:24])
	return size >= header && size <= len(b) && len(b) <= size+3 && string(b[12:16]) == "scnr" && string(b[16:20]) == "RGB " && (pcs == "XYZ " || pcs == "Lab ")
}

// sRGB is a profile for IEC 61966-2-1 as an input device: three curves and a
// matrix (ICC.1:2010 8.3.3). The colours are adapted from D65 to D50 by
// Bradford's matrix.
var sRGB = sync.OnceValue(func() []byte {
	fixed := func(values ...float64) []byte { // s15Fixed16Number, 4.6
		var b []byte
		for _, v := range values {
			b = binary.BigEndian.AppendUint32(b, uint32(int32(math.Round(v*65536))))
		}
		return b
	}
	element := func(kind string, b ...byte) []byte { return append([]byte(kind+"\x00\x00\x00\x00"), b...) }
	line := func(s string) []byte { // multiLocalizedUnicodeType, 10.13: one record of 12 bytes, at 28
		b := binary.BigEndian.AppendUint32(nil, 1)
		b = binary.BigEndian.AppendUint32(b, 12)
		b = append(b, "enUS"...)
		b = binary.BigEndian.AppendUint32(b, uint32(2*len(s)))
		b = binary.BigEndian.AppendUint32(b, 28)
		for _, c := range s {
			b = append(b, 0, byte(c))
		}
		return element("mluc", b...)
	}
	white := fixed(0.9642, 1, 0.8249) // of the connection space, 7.2.16
	curve := element("para", append([]byte{0, 3, 0, 0}, fixed(2.4, 1/1.055, 0.055/1.055, 1/12.92, 0.04045)...)...)
	list := []struct {
		tags string
		b    []byte
	}{
		{"desc", line("sRGB IEC61966-2-1")},
		{"cprt", line("No copyright, use freely")},
		{"wtpt", element("XYZ ", white...)},
		{"chad", element("sf32", fixed(1.047882, 0.022919, -0.050217, 0.029587, 0.990479, -0.017075, -0.009247, 0.015076, 0.751678)...)},
		{"rXYZ", element("XYZ ", fixed(0.436066, 0.222488, 0.013916)...)},
		{"gXYZ", element("XYZ ", fixed(0.385147, 0.716873, 0.097076)...)},
		{"bXYZ", element("XYZ ", fixed(0.143066, 0.060608, 0.714096)...)},
		{"rTRC gTRC bTRC", curve},
	}
	const tags = 10
	table := binary.BigEndian.AppendUint32(nil, tags)
	var data []byte
	for _, e := range list {
		for name := range strings.SplitSeq(e.tags, " ") {
			table = append(table, name...)
			table = binary.BigEndian.AppendUint32(table, uint32(128+4+12*tags+len(data)))
			table = binary.BigEndian.AppendUint32(table, uint32(len(e.b)))
		}
		data = append(data, e.b...)
		for len(data)%4 != 0 {
			data = append(data, 0)
		}
	}
	head := make([]byte, 128)
	binary.BigEndian.PutUint32(head, uint32(len(head)+len(table)+len(data)))
	binary.BigEndian.PutUint32(head[8:], 0x04200000) // version 4.2
	copy(head[12:], "scnrRGB XYZ ")
	copy(head[24:], []byte{7, 208, 0, 1, 0, 1}) // made on 1 January 2000, to be reproducible
	copy(head[36:], "acsp")
	copy(head[68:], white)
	return append(append(head, table...), data...)
})
