//go:build unix

package dicomtest

import (
	"syscall"
	"time"
)

// Watch starts a stopwatch for what a test does alone. It counts processor time,
// or time on the wall where that is less: a machine that is busy with other
// things makes the latter long, several threads the former.
func Watch() func() time.Duration {
	cpu := func() time.Duration {
		var u syscall.Rusage
		_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u) // fails for bad arguments only
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	start, used := time.Now(), cpu()
	return func() time.Duration { return min(time.Since(start), cpu()-used) }
}
