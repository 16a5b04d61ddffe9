package web_test

import (
	"io/fs"
	"path"
	"regexp"
	"strings"
	"testing"

	"segd/internal/web"
)

// TestFiles holds the page to its policy: every file it loads is there, and
// nothing is inline or from elsewhere. It needs no browser.
func TestFiles(t *testing.T) {
	files := web.Files()
	index, err := fs.ReadFile(files, "index.html")
	if err != nil {
		t.Fatal(err)
	}
	loads := regexp.MustCompile(`(?:src|href)="([^"]*)"`).FindAllStringSubmatch(string(index), -1)
	if len(loads) < 3 {
		t.Fatalf("%d references in index.html, want the script, the style and the icon at least", len(loads))
	}
	for _, m := range loads {
		name, static := strings.CutPrefix(m[1], "static/")
		if !static {
			if m[1] != "v1/models" {
				t.Errorf("index.html refers to %s", m[1])
			}
			continue
		}
		if _, err := fs.Stat(files, name); err != nil {
			t.Errorf("index.html loads %s: %v", m[1], err)
		}
	}
	inline := regexp.MustCompile(`(?i)<style|\sstyle=|\son[a-z]+=|<script[^>]*>[^<]|javascript:`)
	if m := inline.FindString(string(index)); m != "" {
		t.Errorf("index.html has %q inline", m)
	}

	elsewhere := regexp.MustCompile(`(?:https?:)?//[a-z0-9.-]+\.[a-z]+|@import|\beval\(|innerHTML|outerHTML|insertAdjacentHTML`)
	err = fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := fs.ReadFile(files, name)
		if err != nil {
			return err
		}
		text := strings.ReplaceAll(string(b), `xmlns="http://www.w3.org/2000/svg"`, "")
		if m := elsewhere.FindString(text); m != "" {
			t.Errorf("%s has %q", name, m)
		}
		if path.Ext(name) == ".js" {
			for _, m := range regexp.MustCompile(`from "\./([^"]*)"`).FindAllStringSubmatch(text, -1) {
				if _, err := fs.Stat(files, m[1]); err != nil {
					t.Errorf("%s imports %s: %v", name, m[1], err)
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
