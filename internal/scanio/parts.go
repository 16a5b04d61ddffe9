package scanio

import (
	"io"
	"os"
	"path/filepath"

	"segd/internal/beside"
)

// maxHeader bounds the header of a volume that has its values in other files, in bytes.
const maxHeader = 1 << 20

// Parts returns the names of the files that may have the values of the file b, which is
// called name: they lie beside it, and are no images of their own. Nil: it has them
// itself, or is no volume.
func Parts(name string, b []byte) []string {
	list, _ := parts(name, b)
	return list
}

// parts is Parts. whole says that more of the file would not change the answer.
func parts(name string, b []byte) (list []string, whole bool) {
	f := formatOf(b)
	if f == nil || f.parts == nil {
		return nil, true
	}
	b, err := Inflate(b)
	if err != nil {
		return nil, false
	}
	names, err := f.parts(name, b)
	for _, n := range names {
		if base, err := beside.Base(n); err == nil {
			list = append(list, base)
		}
	}
	return list, err == nil && names == nil
}

// PartsOfFile is Parts of the file at path, which must be a regular one. What cannot be
// read has none.
func PartsOfFile(path string) []string {
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer func() { _ = f.Close() }() // read only
	b := make([]byte, HeadBytes)
	n, err := io.ReadFull(f, b)
	list, whole := parts(filepath.Base(path), b[:n])
	if whole || err != nil { // that was all
		return list
	}
	rest, err := io.ReadAll(io.LimitReader(f, maxHeader))
	if err != nil {
		return list
	}
	return Parts(filepath.Base(path), append(b, rest...))
}
