package output

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"

	"segd"
)

// WriteFile writes path whole or not at all: to a temporary name in the same
// folder, then renamed. The folders above it are made. Nothing is left behind
// when write fails. A device or a pipe is written to as it is.
func WriteFile(path string, write func(io.Writer) error) (err error) {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() && !info.IsDir() {
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		return finish(f, write)
	}
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	f, err := createTemp(dir)
	if err != nil {
		return err
	}
	if err = finish(f, write); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name()) // err says what went wrong
	}
	if l, ok := errors.AsType[*os.LinkError](err); ok {
		err = &os.PathError{Op: "write", Path: path, Err: l.Err}
	}
	return err
}

// finish fills f and closes it.
func finish(f *os.File, write func(io.Writer) error) error {
	b := bufio.NewWriter(f)
	err := write(b)
	if err == nil {
		err = b.Flush()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	return err
}

// tempPrefix begins temporary names; eight hexadecimal digits follow.
const tempPrefix = ".segd-"

// temporary reports whether createTemp makes such names.
func temporary(name string) bool {
	digits, ok := strings.CutPrefix(name, tempPrefix)
	return ok && len(digits) == 8 && strings.Trim(digits, "0123456789abcdef") == ""
}

// createTemp is os.CreateTemp with the permissions of an ordinary file, since
// the name it makes becomes the result.
func createTemp(dir string) (*os.File, error) {
	for range 100 {
		f, err := os.OpenFile(filepath.Join(dir, fmt.Sprintf("%s%08x", tempPrefix, rand.Uint32())), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o666)
		if !os.IsExist(err) {
			return f, err
		}
	}
	return nil, fmt.Errorf("%w: no free temporary name in %s", segd.ErrBusy, dir)
}
