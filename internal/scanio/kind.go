package scanio

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// IsScan reports whether Read takes files of the kind.
func (k Kind) IsScan() bool { return k.has((*format).isScan) }

// IsLabel reports whether ReadLabels takes files of the kind.
func (k Kind) IsLabel() bool { return k.has((*format).isLabel) }

// IsVolume reports whether files of the kind are volumes, as NIfTI's are.
func (k Kind) IsVolume() bool { return k.has(func(f *format) bool { return f.open != nil }) }

// has reports whether there is a format of the kind that have is true of.
func (k Kind) has(have func(*format) bool) bool {
	return slices.ContainsFunc(formats, func(f *format) bool { return f.kind == k && have(f) })
}

// HeadBytes is how much of a file shows its kind.
const HeadBytes = 4 << 10

// KindOf returns the kind of the file that begins with b; no more of it is
// looked at than HeadBytes. Read decides by the same table.
func KindOf(b []byte) Kind {
	if f := formatOf(b); f != nil {
		return f.kind
	}
	return Unknown
}

// KindOfFile returns the kind of the file at path, which must be a regular one:
// opening a named pipe would wait for its other end. empty says that it holds no
// byte.
func KindOfFile(path string) (kind Kind, empty bool, err error) {
	f, err := os.Open(path)
	if err != nil {
		return Unknown, false, err
	}
	defer func() { _ = f.Close() }() // read only
	head := make([]byte, HeadBytes)
	n, err := io.ReadFull(f, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return Unknown, false, err
	}
	return KindOf(head[:n]), n == 0, nil
}

// Stem cuts the extension of a format, such as .png or .nii.gz in any case, off the
// name of a scan or a label image. Other endings (1.2.840.10008) belong to the name.
func Stem(name string) string {
	stem, _ := cut(name)
	return stem
}

// Named reports whether a file has the name of a scan: one with an extension
// that Stem cuts off, and that is no other program's too.
func Named(name string) bool {
	_, named := cut(name)
	return named
}

// cut cuts the extension of a format off, and that of gzip. named reports whether
// the extension is that of a format in the table.
func cut(name string) (stem string, named bool) {
	if bare, ok := cutSuffix(name, ".gz"); ok && strings.LastIndexByte(filepath.Base(bare), '.') != 0 {
		return cut(bare)
	}
	for _, f := range formats {
		for _, ext := range f.extensions {
			if stem, ok := cutSuffix(name, ext); ok {
				return stem, true
			}
		}
		for _, ext := range f.shared {
			if stem, ok := cutSuffix(name, ext); ok {
				return stem, false
			}
		}
	}
	return name, false
}

// cutSuffix cuts ext off a name, in any case, unless that is all of it.
func cutSuffix(name, ext string) (string, bool) {
	lower := strings.ToLower(name)
	if !strings.HasSuffix(lower, ext) || filepath.Base(lower) == ext {
		return name, false
	}
	return name[:len(name)-len(ext)], true
}

// NamedValues reports whether a file has a name that those have that hold the values of a
// volume alone, such as .raw: its header is another file.
func NamedValues(name string) bool {
	name, _ = cutSuffix(name, ".gz")
	for _, ext := range []string{".raw", ".zraw", ".img", ".bin", ".dat"} {
		if _, ok := cutSuffix(name, ext); ok {
			return true
		}
	}
	return false
}
