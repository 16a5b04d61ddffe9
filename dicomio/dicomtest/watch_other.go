//go:build !unix

package dicomtest

import "time"

// Watch starts a stopwatch of wall time.
func Watch() func() time.Duration {
	start := time.Now()
	return func() time.Duration { return time.Since(start) }
}
