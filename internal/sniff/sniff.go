// Package sniff tells what stands in place of a file that was never fetched: the
// page of a web site, or the pointer of a large-file store.
//
//	if what := sniff.Placeholder(b); what != "" {
//		return fmt.Errorf("the file is %s", what)
//	}
package sniff

import "bytes"

// Placeholder says in words what b is, and what to do: an HTML or XML page, a
// pointer of Git LFS, or one of git-annex. It is empty for everything else. The
// first kilobyte is enough.
func Placeholder(b []byte) string {
	text := bytes.ToLower(bytes.TrimLeft(bytes.TrimPrefix(b[:min(len(b), 1024)], []byte("\xef\xbb\xbf")), " \t\r\n"))
	switch {
	case bytes.HasPrefix(text, []byte("version https://git-lfs.github.com/spec/")):
		return "a Git LFS pointer and not the file itself: fetch it with git lfs pull"
	case bytes.HasPrefix(text, []byte("/annex/objects/")), bytes.Contains(text, []byte(".git/annex/objects/")) && len(b) < 1024:
		return "a git-annex pointer and not the file itself: fetch it with git annex get"
	case bytes.HasPrefix(text, []byte("<!doctype html")), bytes.HasPrefix(text, []byte("<html")), bytes.HasPrefix(text, []byte("<head")):
		return "an HTML page and not the file itself: the site asked for a login, or answered with an error; download it again"
	case bytes.HasPrefix(text, []byte("<?xml")) && bytes.Contains(text, []byte("<error")):
		return "the error message of a file store (XML) and not the file itself: download it again"
	}
	return ""
}
