package handlers

import "golang.org/x/sys/unix"

// memoryFolder reports whether the files of a folder lie in memory.
func memoryFolder(dir string) bool {
	var s unix.Statfs_t
	return unix.Statfs(dir, &s) == nil && s.Type == unix.TMPFS_MAGIC
}
