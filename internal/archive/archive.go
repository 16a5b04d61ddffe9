// Package archive reads zip files of scans, such as a study that was exported.
//
//	members, err := archive.Open(file, size)
//	for _, m := range members {
//		b, err := m.Read(file)
//	}
//
// Sizes are checked before anything is inflated, and a member never gives more than it
// says. An archive is refused as a whole where a member's name leads out of it, is there
// twice or is a link, where it is encrypted, or where it is larger than the limits.
// Archives inside archives are not opened.
//
// Source: PKWARE's APPNOTE.TXT 6.3.10.
package archive

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"path"
	"strings"

	"segd"
)

// Limits of an archive.
const (
	MaxMembers = 20000
	// MaxTotal bounds the bytes of all members together.
	MaxTotal     = 4 << 30
	maxDirectory = 8 << 20 // bytes read to list the members
	maxName      = 1024
)

// Is reports whether a file that begins with head is a zip file with members.
func Is(head []byte) bool { return bytes.HasPrefix(head, []byte("PK\x03\x04")) }

// Member is a file in an archive.
type Member struct {
	Name string // with slashes; it leads nowhere outside
	Size int64  // bytes, inflated

	offset, packed int64 // of the stored bytes
	deflated       bool
	sum            uint32
}

// Hidden reports whether the member is one that systems add, or begins with a dot.
func (m Member) Hidden() bool {
	for part := range strings.SplitSeq(m.Name, "/") {
		if strings.HasPrefix(part, ".") || part == "__MACOSX" || part == "@eaDir" || strings.EqualFold(part, "Thumbs.db") || strings.EqualFold(part, "desktop.ini") {
			return true
		}
	}
	return false
}

// maxHeader bounds what is read of a member that may be the header of others.
const maxHeader = 1 << 20

// Values returns the names of the members that have the values of volumes whose headers
// are members too. parts returns the names of such files beside a file of a name, of
// which it is given the beginning.
func Values(r io.ReaderAt, members []Member, parts func(name string, b []byte) []string) map[string]bool {
	values := map[string]bool{}
	for _, m := range members {
		if m.Hidden() {
			continue
		}
		const sniffed = 4 << 10
		head, err := m.Head(r, sniffed)
		if err != nil {
			continue // reading it says why
		}
		list := parts(path.Base(m.Name), head)
		if list != nil && m.Size > sniffed { // it may name more
			if head, err = m.Head(r, maxHeader); err == nil {
				list = parts(path.Base(m.Name), head)
			}
		}
		for _, name := range list {
			values[path.Join(path.Dir(m.Name), name)] = true
		}
	}
	return values
}

// Open lists the files in the zip file of size bytes, in its order; folders are left
// out. r is not kept.
//
// The errors are segd.ErrFormat (malformed, truncated, names that lead out of the
// archive or occur twice), segd.ErrTooLarge, and segd.ErrUnsupported (encryption, a
// method other than deflate, links).
func Open(r io.ReaderAt, size int64) ([]Member, error) {
	bounded := &boundedReader{r, maxDirectory}
	z, err := zip.NewReader(bounded, size)
	switch {
	case bounded.left < 0:
		return nil, fmt.Errorf("archive: %w: more than %d bytes of names and places, limit %d members", segd.ErrTooLarge, maxDirectory, MaxMembers)
	case errors.Is(err, zip.ErrInsecurePath): // checked below, with the reason
	case err != nil:
		return nil, fmt.Errorf("archive: %w: a damaged or truncated zip file", segd.ErrFormat)
	}
	var list []Member
	var total int64
	seen := map[string]bool{}
	for _, f := range z.File {
		if strings.HasSuffix(f.Name, "/") && f.UncompressedSize64 == 0 {
			continue
		}
		if len(list) == MaxMembers {
			return nil, fmt.Errorf("archive: %w: more than %d files", segd.ErrTooLarge, MaxMembers)
		}
		if err := check(f); err != nil {
			return nil, err
		}
		if seen[f.Name] {
			return nil, malformed("member %d has the name of another", len(list)+1)
		}
		seen[f.Name] = true
		m := Member{Name: f.Name, Size: int64(f.UncompressedSize64), packed: int64(f.CompressedSize64), deflated: f.Method == zip.Deflate, sum: f.CRC32}
		if total += m.Size; total > MaxTotal {
			return nil, fmt.Errorf("archive: %w: more than %d bytes in all its files", segd.ErrTooLarge, int64(MaxTotal))
		}
		bounded.left = maxDirectory
		if m.offset, err = f.DataOffset(); err != nil || m.packed > size-m.offset {
			return nil, malformed("member %d lies outside the file", len(list)+1)
		}
		list = append(list, m)
	}
	return list, nil
}

func malformed(format string, a ...any) error {
	return fmt.Errorf("archive: %w: %s", segd.ErrFormat, fmt.Sprintf(format, a...))
}

// check refuses what is not a plain file at a place inside the archive. Names are not
// in its errors, since they may be the patient's.
func check(f *zip.File) error {
	const encrypted = 1
	switch {
	case f.Flags&encrypted != 0:
		return fmt.Errorf("archive: %w: its files are encrypted: unpack it first", segd.ErrUnsupported)
	case f.Method != zip.Store && f.Method != zip.Deflate:
		return fmt.Errorf("archive: %w: compression method %d, want deflate: pack it again with another program", segd.ErrUnsupported, f.Method)
	case f.Mode()&fs.ModeType != 0:
		return fmt.Errorf("archive: %w: a link or a special file in it", segd.ErrUnsupported)
	case len(f.Name) > maxName || !inside(f.Name):
		return malformed("a name in it leads out of the archive, or is none: unpack it with care")
	case f.UncompressedSize64 > segd.MaxFile:
		return fmt.Errorf("archive: %w: a file of %d bytes in it, limit %d", segd.ErrTooLarge, f.UncompressedSize64, segd.MaxFile)
	case f.CompressedSize64 > segd.MaxFile+segd.MaxFile/8:
		return malformed("a file that is larger packed than unpacked")
	case f.Method == zip.Store && f.CompressedSize64 != f.UncompressedSize64:
		return malformed("a file of two sizes")
	}
	return nil
}

// inside reports whether a name is a relative path that stays below where it begins.
func inside(name string) bool {
	return name != "" && path.Clean(name) == name && !path.IsAbs(name) && name != ".." && !strings.HasPrefix(name, "../") &&
		!strings.ContainsAny(name, "\\:\x00")
}

// Read returns the bytes of the member, of the file that Open listed. The errors are
// segd.ErrFormat and those of r.
func (m Member) Read(r io.ReaderAt) ([]byte, error) {
	b := make([]byte, 0, min(m.Size, max(1<<20, 2*m.packed))) // no more than the packed bytes make likely
	buf := bytes.NewBuffer(b)
	if err := m.Copy(buf, r); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}

// Copy writes the bytes of the member to w, as Read returns them. Errors of w are
// passed on as they are.
func (m Member) Copy(w io.Writer, r io.ReaderAt) error {
	sum := crc32.NewIEEE()
	n, err := io.Copy(io.MultiWriter(sum, w), io.LimitReader(m.open(r), m.Size+1))
	var corrupt flate.CorruptInputError
	switch {
	case errors.As(err, &corrupt) || errors.Is(err, io.ErrUnexpectedEOF):
		return malformed("damaged compression")
	case err != nil:
		return err
	case n != m.Size:
		return malformed("a file of another size than the archive says, %d bytes", m.Size)
	case sum.Sum32() != m.sum:
		return malformed("a file whose checksum is wrong: the archive is damaged")
	}
	return nil
}

// Head returns the first n bytes of the member, or all if it has fewer. The errors are
// those of Read.
func (m Member) Head(r io.ReaderAt, n int) ([]byte, error) {
	b := make([]byte, min(int64(n), m.Size))
	_, err := io.ReadFull(m.open(r), b)
	var corrupt flate.CorruptInputError
	switch {
	case errors.As(err, &corrupt) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF):
		return nil, malformed("damaged compression")
	case err != nil:
		return nil, err
	}
	return b, nil
}

func (m Member) open(r io.ReaderAt) io.Reader {
	section := io.NewSectionReader(r, m.offset, m.packed)
	if m.deflated {
		return flate.NewReader(section)
	}
	return section
}

// boundedReader gives so many bytes in all; left is negative once there are no more.
type boundedReader struct {
	io.ReaderAt
	left int64
}

func (b *boundedReader) ReadAt(p []byte, at int64) (int, error) {
	if b.left -= int64(len(p)); b.left < 0 {
		return 0, io.ErrUnexpectedEOF
	}
	return b.ReaderAt.ReadAt(p, at)
}
