//go:build unix

package dicomtest

import (
	"syscall"
	"time"
)

// Watch starts a stopwatch for a test. It counts processor time, or wall time if
// that is less: other work on the machine lengthens wall time, and several
// threads lengthen processor time.
func Watch() func() time.Duration {
	cpu := func() time.Duration {
		var u syscall.Rusage
		_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u) // fails for bad arguments only
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	start, used := time.Now(), cpu()
	return func() time.Duration { return min(time.Since(start), cpu()-used) }
}
