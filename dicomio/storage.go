package dicomio

import (
	"encoding/binary"
	"strings"

	"segd/dicomio/tag"
)

// notImages are the storage classes whose instances show no image of their own, by the
// UID or, with a dot at its end, by what it begins with (PS3.4 B.5), and what to call
// them. The first that fits counts.
var notImages = []struct{ uid, name string }{
	{"1.2.840.10008.1.3.10", "DICOMDIR"},
	{"1.2.840.10008.5.1.4.1.1.9.", "waveform"},
	{"1.2.840.10008.5.1.4.1.1.11.", "presentation state"},
	{"1.2.840.10008.5.1.4.1.1.66", "raw data"},
	{"1.2.840.10008.5.1.4.1.1.66.1", "registration"},
	{"1.2.840.10008.5.1.4.1.1.66.2", "fiducials"},
	{"1.2.840.10008.5.1.4.1.1.66.3", "registration"},
	{"1.2.840.10008.5.1.4.1.1.66.", "segmentation"},
	{"1.2.840.10008.5.1.4.1.1.67", "real world value mapping"},
	{"1.2.840.10008.5.1.4.1.1.68.", "surface"},
	{"1.2.840.10008.5.1.4.1.1.78.", "measurements"},
	{"1.2.840.10008.5.1.4.1.1.79.1", "measurements"},
	{"1.2.840.10008.5.1.4.1.1.80.1", "measurements"},
	{"1.2.840.10008.5.1.4.1.1.88.59", "key object selection"},
	{"1.2.840.10008.5.1.4.1.1.88.", "report"},
	{"1.2.840.10008.5.1.4.1.1.90.1", "report"},
	{"1.2.840.10008.5.1.4.1.1.91.1", "annotations"},
	{"1.2.840.10008.5.1.4.1.1.104.", "encapsulated document"},
	{"1.2.840.10008.5.1.4.1.1.131", "presentation state"},
	{"1.2.840.10008.5.1.4.1.1.200.", "protocol"},
	{"1.2.840.10008.5.1.4.1.1.201.1", "inventory"},
	{"1.2.840.10008.5.1.4.1.1.481.2", "dose"},
	{"1.2.840.10008.5.1.4.1.1.481.3", "structure set"},
	{"1.2.840.10008.5.1.4.1.1.481.4", "treatment record"},
	{"1.2.840.10008.5.1.4.1.1.481.5", "plan"},
	{"1.2.840.10008.5.1.4.1.1.481.6", "treatment record"},
	{"1.2.840.10008.5.1.4.1.1.481.7", "treatment record"},
	{"1.2.840.10008.5.1.4.1.1.481.8", "plan"},
	{"1.2.840.10008.5.1.4.1.1.481.9", "treatment record"},
	{"1.2.840.10008.5.1.4.34.", "treatment record"},
	{"1.2.840.10008.5.1.4.38.1", "protocol"},
	{"1.2.840.10008.5.1.4.39.1", "palette"},
	{"1.2.840.10008.5.1.4.43.1", "implant"},
	{"1.2.840.10008.5.1.4.44.1", "implant"},
	{"1.2.840.10008.5.1.4.45.1", "implant"},
}

// NotImage names the kind of a DICOM object without an image, such as a report or a
// presentation state, and returns "" for anything else. It looks only at
// MediaStorageSOPClassUID (0002,0002) in head, the first few hundred bytes of the file,
// and returns "" for a file without a preamble.
func NotImage(head []byte) string {
	uid := mediaClass(head)
	for _, n := range notImages {
		if uid == n.uid || strings.HasSuffix(n.uid, ".") && strings.HasPrefix(uid, n.uid) {
			return n.name
		}
	}
	return ""
}

// mediaClass is MediaStorageSOPClassUID (0002,0002) of the file that begins with head,
// whose first group is explicit little endian (PS3.10 7.1); empty if it is not there.
func mediaClass(head []byte) string {
	const preamble = 132
	if len(head) < preamble || string(head[preamble-4:preamble]) != "DICM" {
		return ""
	}
	for b := head[preamble:]; len(b) >= 8; {
		t := uint32(binary.LittleEndian.Uint16(b))<<16 | uint32(binary.LittleEndian.Uint16(b[2:]))
		length, value := int(binary.LittleEndian.Uint16(b[6:])), 8
		if vr := string(b[4:6]); vr == "OB" || vr == "UN" {
			if len(b) < 12 {
				return ""
			}
			length, value = int(min(binary.LittleEndian.Uint32(b[8:]), uint32(len(head)))), 12
		}
		if t>>16 != 2 || len(b)-value < length {
			return ""
		}
		if t == tag.MediaStorageSOPClassUID {
			return strings.TrimRight(string(b[value:value+length]), "\x00 ")
		}
		b = b[value+length:]
	}
	return ""
}
