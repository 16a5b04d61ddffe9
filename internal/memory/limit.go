// Package memory tells how much memory a process may take and how much it took.
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

// ofMachine returns how many bytes of memory this process may come to have: those of
// the machine, or fewer where a cgroup of version 1 or 2 limits it, which limited
// tells. 0: nothing says so.
func ofMachine(root fs.FS) (bytes int64, limited bool) {
	bytes = memTotal(root)
	for _, file := range limitFiles(root) {
		if n, ok := readLimit(root, file); ok && (bytes == 0 || n < bytes) {
			bytes, limited = n, true
		}
	}
	return bytes, limited
}

// unknown is taken where nothing says how much memory there is.
const unknown = 4 << 30

// Default is the memory in bytes that a server takes unless it is told another
// limit, in whole MiB: three quarters of what a cgroup allows, which is there for the
// server, or half of a machine, which others use too. root is the root of the file
// system, where Linux says so.
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

// limitFiles are the files that may hold a limit: of the process's cgroup and of
// those that it lies in (cgroups(7)). In a container its path may be that of the
// host, and the root is then its own.
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

// readLimit reads a number of bytes; "max", which is no limit, and what is no
// number are none.
func readLimit(root fs.FS, file string) (int64, bool) {
	b, err := fs.ReadFile(root, file)
	if err != nil {
		return 0, false
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64)
	return n, err == nil && n > 0
}
