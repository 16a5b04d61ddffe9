package memory

import (
	"os"
	"runtime"
	"strconv"
	"strings"
)

// Peak returns the largest resident size of the process so far, in bytes. On Linux
// this is VmHWM (proc(5)), elsewhere the memory that the Go runtime obtained from the
// system.
func Peak() int64 {
	if status, err := os.ReadFile("/proc/self/status"); err == nil {
		for line := range strings.Lines(string(status)) {
			rest, ok := strings.CutPrefix(line, "VmHWM:")
			if !ok {
				continue
			}
			if kb, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64); err == nil {
				return kb << 10
			}
		}
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.Sys)
}
