//go:build !unix

package handlers

import (
	"io"
	"os"
)

// mapFile reads the first n bytes of a file into memory.
func mapFile(f *os.File, n int) (b []byte, unmap func() error, err error) {
	b = make([]byte, n)
	_, err = io.ReadFull(io.NewSectionReader(f, 0, int64(n)), b)
	return b, func() error { return nil }, err
}
