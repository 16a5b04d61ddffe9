// Package beside finds the files that lie beside another one, as the values of a volume
// do whose header is a file of its own.
//
//	names, err := beside.Pattern("slice%03d.raw", 1, 20, 1)
//	b, err := files.Read(names[0])
//
// Names are those of files in the same folder: what a header says never leads out of it.
package beside

import (
	"fmt"
	"strconv"
	"strings"

	"segd"
)

// MaxFiles bounds the files that the values of one volume may lie in.
const MaxFiles = 20_000

// Files are what lies beside a file. The zero value is nothing.
type Files struct {
	Name string // of the file itself, without its folder
	// Open reads another file of the folder, by a name that Base has passed. The error
	// says what is missing and is segd.ErrUnprocessable where the file is not there.
	Open func(name string) ([]byte, error)
}

// Read reads the file of a name that stands in a header. A name that leads elsewhere is
// segd.ErrUnsupported, as is any name where nothing lies beside the file.
func (f Files) Read(name string) ([]byte, error) {
	base, err := Base(name)
	switch {
	case err != nil:
		return nil, err
	case f.Open == nil:
		return nil, fmt.Errorf("beside: %w: the header has its values in another file, which is not at hand: give both files, or save them as one", segd.ErrUnsupported)
	}
	return f.Open(base)
}

// Base returns the name of a file beside a header, as the header has it. "./" may stand
// before it. Any other path is segd.ErrUnsupported.
func Base(name string) (string, error) {
	base := strings.TrimPrefix(strings.TrimPrefix(name, "./"), `.\`)
	if base == "" || base == "." || base == ".." || strings.ContainsAny(base, "/\\\x00") || len(base) > 1 && base[1] == ':' {
		return "", fmt.Errorf("beside: %w: the header has its values in another folder: put both files into one folder, and the name alone into the header", segd.ErrUnsupported)
	}
	return base, nil
}

// Pattern returns the names that a pattern of printf stands for, such as
// "slice%03d.raw", with the numbers from first to last. What is no such pattern is
// segd.ErrFormat, and more than MaxFiles are segd.ErrTooLarge.
func Pattern(pattern string, first, last, step int) ([]string, error) {
	before, rest, ok := strings.Cut(pattern, "%")
	end := strings.IndexAny(rest, "diu")
	if !ok || end < 0 || strings.Contains(rest, "%") {
		return nil, malformed("%.40q is no pattern of one number, such as slice%%03d.raw", pattern)
	}
	flags, after := rest[:end], rest[end+1:]
	width, zeros := 0, strings.HasPrefix(flags, "0")
	if flags != "" {
		var err error
		if width, err = strconv.Atoi(flags); err != nil || width < 0 || width > 20 {
			return nil, malformed("%.40q is no pattern of one number, such as slice%%03d.raw", pattern)
		}
	}
	if step == 0 || first < 0 || last < 0 || last != first && (last > first) != (step > 0) {
		return nil, malformed("files numbered from %d to %d by %d", first, last, step)
	}
	further := (last - first) / step // one more could overflow
	if further >= MaxFiles {
		return nil, fmt.Errorf("beside: %w: one volume in more than %d files", segd.ErrTooLarge, MaxFiles)
	}
	names := make([]string, further+1)
	for i := range names {
		number := strconv.Itoa(first + i*step)
		fill := " "
		if zeros {
			fill = "0"
		}
		names[i] = before + strings.Repeat(fill, max(0, width-len(number))) + number + after
	}
	return names, nil
}

func malformed(format string, a ...any) error {
	return fmt.Errorf("beside: %w: %s", segd.ErrFormat, fmt.Sprintf(format, a...))
}

// Join reads a volume of size bytes whose values lie in several files, each with as many
// bytes of them as the others. decode returns the values of a file, of so many bytes.
func (f Files) Join(names []string, size int64, decode func(file []byte, size int64) ([]byte, error)) ([]byte, error) {
	n := int64(len(names))
	switch {
	case n == 0 || n > MaxFiles || size%n != 0:
		return nil, malformed("%d bytes of values in %d files", size, n)
	case n == 1:
		file, err := f.Read(names[0])
		if err != nil {
			return nil, err
		}
		return decode(file, size)
	}
	var data []byte
	for i, name := range names {
		file, err := f.Read(name)
		if err != nil {
			return nil, err
		}
		part, err := decode(file, size/n)
		if err != nil {
			return nil, fmt.Errorf("file %d of %d: %w", i+1, n, err)
		}
		if data == nil { // where the first file is there, and holds what it should
			data = make([]byte, 0, size)
		}
		data = append(data, part...)
	}
	return data, nil
}
