//go:build unix

package handlers

import (
	"os"

	"golang.org/x/sys/unix"
)

// mapFile maps the first n bytes of a file into memory, to be read only. The
// file must not be cut short while it is mapped.
func mapFile(f *os.File, n int) (b []byte, unmap func() error, err error) {
	b, err = unix.Mmap(int(f.Fd()), 0, n, unix.PROT_READ, unix.MAP_PRIVATE)
	return b, func() error { return unix.Munmap(b) }, err
}
