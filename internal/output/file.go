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

// WriteFile writes path completely or not at all, also when the power fails: to a
// temporary name in the same folder, which is synced, renamed, and the folder
// synced. The folders above it are made. Nothing is left behind when write fails.
// A device or a pipe is written to directly.
func WriteFile(path string, write func(io.Writer) error) (err error) {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() && !info.IsDir() {
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		return finish(f, write, false)
	}
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	f, err := createTemp(dir)
	if err != nil {
		return err
	}
	if err = finish(f, write, true); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name()) // err says what went wrong
	}
	if l, ok := errors.AsType[*os.LinkError](err); ok {
		err = &os.PathError{Op: "write", Path: path, Err: l.Err}
	}
	if err == nil {
		err = SyncDir(dir)
	}
	return err
}

// WriteSynced writes a file in place and waits until it is on the disk. It is for
// protocols that rename several files: see WriteFile for one.
func WriteSynced(name string, b []byte) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o666)
	if err != nil {
		return err
	}
	return finish(f, func(w io.Writer) error { _, err := w.Write(b); return err }, true)
}

// SyncDir makes renames in dir last. Where directories cannot be synced (some
// network file systems, Windows) it does nothing.
func SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	_ = d.Sync()
	return d.Close()
}

// finish fills f and closes it.
func finish(f *os.File, write func(io.Writer) error, sync bool) error {
	b := bufio.NewWriterSize(f, 64<<10)
	err := write(b)
	if err == nil {
		err = b.Flush()
	}
	if err == nil && sync {
		err = f.Sync()
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
