// Package output keeps the runs that write into one folder apart, and remembers
// what they wrote.
//
//	folder, err := output.Open("out") // segd.ErrBusy while another run has it
//	defer folder.Close()
//	err = folder.Add("mask/a.png", "a.png") // then write it
//
// A folder is locked by segd.lock, which the run removes at its end. The lock is
// the operating system's: a process that is killed leaves a file that locks
// nothing. What was written is listed in segd.outputs, which stays: it is how a
// later run knows what it may replace, and what is no input.
//
// Limits: some file systems of networks have no locks; there two runs are not
// kept apart, and Lock.Missing says so.
package output

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"segd"
)

// LockName is the file in a folder that a run holds locked.
const LockName = "segd.lock"

// errLocked says that another process has the lock.
var errLocked = errors.New("locked")

// Lock is the right of one run to write into a folder.
type Lock struct {
	dir, path string
	file      *os.File
	made      bool // the folder

	// Missing says that the file system has no locks, so that nothing keeps
	// another run away.
	Missing bool
}

// Take locks folder dir, which it makes where it is missing. The error is
// segd.ErrBusy while another run has it, else that of the file system.
func Take(dir string) (*Lock, error) {
	l := &Lock{dir: dir, path: filepath.Join(dir, LockName)}
	if _, err := os.Stat(dir); os.IsNotExist(err) {
		l.made = true
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, fmt.Errorf("output: %w", err)
	}
	for range 100 { // each turn, another run took the file away
		f, err := openLock(l.path)
		if errors.Is(err, errLocked) {
			return nil, l.busy()
		}
		if err != nil {
			return nil, fmt.Errorf("output: %w", err)
		}
		switch err := lockFile(f); {
		case errors.Is(err, errLocked):
			_ = f.Close() // nothing was written
			return nil, l.busy()
		case errors.Is(err, errors.ErrUnsupported):
			l.Missing = true
		case err != nil:
			_ = f.Close()
			return nil, fmt.Errorf("output: locking %s: %w", l.path, err)
		}
		if l.file = f; l.current() {
			_ = f.Truncate(0) // the number is for people, and not needed
			_, _ = f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
			return l, nil
		}
		_ = f.Close()
	}
	return nil, l.busy()
}

// current reports whether the file that is locked is the one that has the name:
// the run before may have removed it in between.
func (l *Lock) current() bool {
	ours, err := l.file.Stat()
	if err != nil {
		return false
	}
	named, err := os.Stat(l.path)
	return err == nil && os.SameFile(ours, named)
}

// busy is the error of a folder that another run has.
func (l *Lock) busy() error {
	who := ""
	if pid := holder(l.path); pid > 0 {
		who = fmt.Sprintf(" (process %d)", pid)
	}
	return fmt.Errorf("%w: another run of segd%s is writing to %s: wait for it, or choose another folder with -o", segd.ErrBusy, who, l.dir)
}

// holder is the number of the process that a lock file names; 0: none.
func holder(path string) int {
	f, err := os.Open(path)
	if err != nil {
		return 0
	}
	defer func() { _ = f.Close() }() // read only
	b, _ := io.ReadAll(io.LimitReader(f, 32))
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		return 0
	}
	return pid
}

// Release lets other runs in. A folder that Take made and that is still empty
// is removed.
func (l *Lock) Release() {
	releaseLock(l.path, l.file)
	if l.made {
		_ = os.Remove(l.dir) // fails, as it should, where there is something in it
	}
}
