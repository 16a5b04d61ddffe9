package sniff

import (
	"strings"
	"testing"
)

func TestPlaceholder(t *testing.T) {
	for name, tt := range map[string]struct{ content, want string }{
		"LFS":             {"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n", "git lfs pull"},
		"annex":           {"/annex/objects/SHA256E-s12--00.pt\n", "git annex get"},
		"annex link":      {"../.git/annex/objects/aB/cD/SHA256E-s12--00.pt", "git annex get"},
		"a page":          {"\n  <!DOCTYPE html><html>", "HTML"},
		"a marked page":   {"\xef\xbb\xbf<HTML lang=en>", "HTML"},
		"a store's error": {`<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>`, "XML"},
		"OME-XML":         {`<?xml version="1.0"?><OME/>`, ""},
		"PNG":             {"\x89PNG\r\n\x1a\n", ""},
		"nothing":         {"", ""},
	} {
		if got := Placeholder([]byte(tt.content)); tt.want == "" && got != "" || !strings.Contains(got, tt.want) {
			t.Errorf("%s: %q, want %q in it", name, got, tt.want)
		}
	}
}
