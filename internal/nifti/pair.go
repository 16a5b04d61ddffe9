package nifti

import (
	"bytes"
	"encoding/binary"
	"math"
)

// ReadPair reads the volume whose header is the file header, which Header.Pair is true
// of, and whose values are the file values. Either may be compressed. Neither is kept.
//
// The errors are those of Read.
func ReadPair(header, values []byte) (*Volume, error) {
	h, err := ReadHeader(header)
	switch {
	case err != nil:
		return nil, err
	case !h.Pair:
		return nil, malformed("the file has its values in itself, and is no header of another")
	}
	head, rest, err := startOf(values)
	if err != nil {
		return nil, err
	}
	return h.read(values, head, rest)
}

// isAnalyze reports whether b begins with a header of ANALYZE 7.5, which has no magic:
// the fields that give sizes and types must agree.
func isAnalyze(b []byte) bool {
	order := orderOf(b)
	if order == nil || order.Uint32(b) != size1 || len(b) < size1 {
		return false
	}
	axes := int(int16(order.Uint16(b[40:])))
	if axes < 1 || axes > 7 {
		return false
	}
	for i := range axes {
		n := int16(order.Uint16(b[42+2*i:]))
		if n < 0 || n == 0 && i < 3 { // some leave times out, as 0
			return false
		}
	}
	k, ok := kinds[int(order.Uint16(b[70:]))]
	return ok && int(order.Uint16(b[72:])) == 8*k.bytes
}

// fromAnalyze returns a header of NIfTI-1 for one of ANALYZE 7.5. It has sizes, type,
// distances, the window, where the values begin, and the scale factor that SPM keeps in
// a field without a name; no place in the patient.
func fromAnalyze(b []byte, order binary.ByteOrder) []byte {
	out := make([]byte, size1)
	copy(out[:4], b)
	copy(out[40:56], b[40:56])     // dim
	copy(out[70:74], b[70:74])     // datatype, bitpix
	copy(out[80:116], b[80:116])   // pixdim but its first, vox_offset, funused1
	copy(out[124:132], b[124:132]) // cal_max, cal_min
	for i := range 4 {
		if at := 48 + 2*i; order.Uint16(out[at:]) == 0 {
			order.PutUint16(out[at:], 1)
		}
	}
	for i := range 3 { // some write negative ones
		at := 80 + 4*i
		d := math.Float32frombits(order.Uint32(out[at:]))
		order.PutUint32(out[at:], math.Float32bits(float32(math.Abs(float64(d)))))
	}
	copy(out[344:], "ni1\x00")
	return out
}

// oneFile returns a header of a pair as it would be in one file with its values.
func oneFile(b []byte, order binary.ByteOrder) []byte {
	b = bytes.Clone(b)
	if order.Uint32(b) == size2 {
		copy(b[4:], "n+2\x00")
		order.PutUint64(b[168:], size2+4)
		return b
	}
	copy(b[344:], "n+1\x00")
	order.PutUint32(b[108:], math.Float32bits(size1+4))
	return b
}
