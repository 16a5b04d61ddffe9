package dicomio

import (
	"bytes"
	"compress/flate"
	"fmt"
	"io"

	"segd"
)

// Inflated returns the number of bytes that Read holds for a file with a
// deflated data set. It returns 0 for any other file, of which Read holds little
// besides b itself. The errors are those of Read.
func Inflated(b []byte) (int64, error) {
	f := &file{}
	p, _ := start(b)
	p, err := f.meta(b, p)
	if err != nil || f.syntax != deflatedLE {
		return 0, err
	}
	return inflatedSize(b[p:])
}

// start returns the position of the file meta information, and whether a
// preamble precedes it.
func start(b []byte) (at int, preambled bool) {
	if len(b) >= preamble+4 && string(b[preamble:preamble+4]) == "DICM" {
		return preamble + 4, true
	}
	return 0, false
}

// inflatedSize counts the bytes of a deflated data set without keeping them.
func inflatedSize(b []byte) (int64, error) {
	size, err := io.Copy(io.Discard, io.LimitReader(flate.NewReader(bytes.NewReader(b)), maxInflated+1))
	if err != nil {
		return 0, malformed("the deflated data set is damaged or truncated")
	}
	if size > maxInflated {
		return 0, fmt.Errorf("dicomio: %w: the deflated data set has more than %d bytes", segd.ErrTooLarge, maxInflated)
	}
	return size, nil
}
