//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package output

import (
	"os"
	"syscall"
)

// openLock makes the lock file, or says errLocked where there is one. One whose
// process is gone is replaced.
func openLock(path string) (*os.File, error) {
	for range 2 {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o666)
		if !os.IsExist(err) {
			return f, err
		}
		if pid := holder(path); pid > 0 && !alive(pid) {
			_ = os.Remove(path)
			continue
		}
		break
	}
	return nil, errLocked
}

// alive reports whether there is a process of that number, as far as can be
// told.
func alive(pid int) bool {
	p, err := os.FindProcess(pid)
	if err != nil {
		return false
	}
	err = p.Signal(syscall.Signal(0))
	return err != os.ErrProcessDone
}

func lockFile(*os.File) error { return nil } // that it is there is the lock

func releaseLock(path string, f *os.File) {
	_ = f.Close()
	_ = os.Remove(path)
}
