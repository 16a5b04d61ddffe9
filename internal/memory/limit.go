// Package memory reports how much memory a process may use and how much it has used.
//
//	limit := memory.Default(os.DirFS("/"))
package memory

import (
	"bufio"
	"bytes"
	"io/fs"
	"math"
	"path"
	"slices"
	"strconv"
	"strings"
)

// ofMachine returns the number of bytes of memory available to this process: those of
// the machine, or fewer if a cgroup of version 1 or 2 limits it, which limited
// reports. It returns 0 if the number is unknown.
func ofMachine(root fs.FS) (bytes int64, limited bool) {
	bytes = memTotal(root)
	for _, file := range limitFiles(root) {
		if n, ok := readLimit(root, file); ok && (bytes == 0 || n < bytes) {
			bytes, limited = n, true
		}
	}
	return bytes, limited
}

// unknown is assumed if the amount of memory is not known.
const unknown = 4 << 30

// Default returns the default memory limit of a server in bytes, rounded down to
// whole MiB. It is three quarters of a cgroup's limit, because that memory is set
// aside for the server, or half of the machine's memory, because other processes use
// it too. root is the root of the file system, with Linux's /proc and /sys.
func Default(root fs.FS) int64 {
	n, limited := ofMachine(root)
	switch {
	case n == 0:
		return unknown
	case limited:
		n = n / 4 * 3
	default:
		n /= 2
	}
	return n >> 20 << 20
}

// memTotal reads /proc/meminfo (proc(5)).
func memTotal(root fs.FS) int64 {
	b, err := fs.ReadFile(root, "proc/meminfo")
	if err != nil {
		return 0
	}
	for s := bufio.NewScanner(bytes.NewReader(b)); s.Scan(); {
		f := strings.Fields(s.Text())
		if len(f) < 2 || f[0] != "MemTotal:" {
			continue
		}
		if n, err := strconv.ParseInt(f[1], 10, 64); err == nil && n < math.MaxInt64>>10 {
			return n << 10
		}
	}
	return 0
}

// limitFiles returns the files that may hold a limit, for the process's cgroup and
// its ancestors (cgroups(7)). In a container the path may be that of the host; the
// limit is then at the root.
func limitFiles(root fs.FS) []string {
	b, err := fs.ReadFile(root, "proc/self/cgroup")
	if err != nil {
		return nil
	}
	var files []string
	for line := range strings.Lines(string(b)) {
		part := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(part) != 3 {
			continue
		}
		base, file := "", ""
		switch {
		case part[0] == "0" && part[1] == "":
			base, file = "sys/fs/cgroup", "memory.max"
		case slices.Contains(strings.Split(part[1], ","), "memory"):
			base, file = "sys/fs/cgroup/memory", "memory.limit_in_bytes"
		default:
			continue
		}
		for dir := path.Clean("/" + part[2]); ; dir = path.Dir(dir) {
			files = append(files, path.Join(base, dir, file))
			if dir == "/" {
				break
			}
		}
	}
	return files
}

// readLimit reads a number of bytes. For "max", which means no limit, and for
// anything that is not a number it reports none.
func readLimit(root fs.FS, file string) (int64, bool) {
	b, err := fs.ReadFile(root, file)
	if err != nil {
		return 0, false
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64)
	return n, err == nil && n > 0
}
