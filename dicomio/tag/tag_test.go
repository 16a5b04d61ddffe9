package tag_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	dictionary "github.com/suyashkumar/dicom/pkg/tag"
)

// structural are tags that shape a file and are no data elements of PS3.6
// table 6-1; the dictionary lacks them.
var structural = map[string]bool{
	"Item": true, "ItemDelimitationItem": true, "SequenceDelimitationItem": true,
}

// TestKeywords holds each constant against the dictionary.
func TestKeywords(t *testing.T) {
	t.Parallel()
	seen := map[uint64]string{}
	for keyword, value := range constants(t) {
		if other, ok := seen[value]; ok {
			t.Errorf("%s and %s are the same tag", keyword, other)
		}
		seen[value] = keyword
		if structural[keyword] {
			continue
		}
		info, err := dictionary.FindByKeyword(keyword)
		if err != nil {
			t.Errorf("%s is no keyword of the dictionary", keyword)
			continue
		}
		if got := uint64(info.Tag.Uint32()); got != value {
			t.Errorf("%s is %#08x, want %#08x", keyword, value, got)
		}
	}
	if len(seen) < 300 {
		t.Errorf("found %d constants, want at least 300", len(seen))
	}
}

// TestByName checks that dicomio and dicomtest name every tag of the dictionary
// by a constant, and use every constant. profile.go holds a table of the
// standard by number.
func TestByName(t *testing.T) {
	t.Parallel()
	digits := regexp.MustCompile(`^0x[0-9a-fA-F]{8}$`)
	used := map[string]bool{}
	for _, pattern := range []string{"../*.go", "../dicomtest/*.go"} {
		files, err := filepath.Glob(pattern)
		if err != nil || files == nil {
			t.Fatalf("%s: %d files, %v", pattern, len(files), err)
		}
		for _, file := range files {
			ast.Inspect(parse(t, file), func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.SelectorExpr:
					if x, ok := n.X.(*ast.Ident); ok && x.Name == "tag" {
						used[n.Sel.Name] = true
					}
				case *ast.BasicLit:
					if !digits.MatchString(n.Value) || filepath.Base(file) == "profile.go" {
						break
					}
					v, err := strconv.ParseUint(n.Value, 0, 32)
					if err != nil {
						t.Fatal(err)
					}
					if info, err := dictionary.Find(dictionary.Tag{Group: uint16(v >> 16), Element: uint16(v)}); err == nil && v&0xffff != 0 {
						t.Errorf("%s: %s stands for tag.%s", file, n.Value, info.Keyword)
					}
				}
				return true
			})
		}
	}
	for keyword := range constants(t) {
		if !used[keyword] {
			t.Errorf("tag.%s is not used", keyword)
		}
	}
}

// constants returns the value of each constant of this package.
func constants(t *testing.T) map[string]uint64 {
	t.Helper()
	out := map[string]uint64{}
	ast.Inspect(parse(t, "tag.go"), func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		lit, ok := spec.Values[0].(*ast.BasicLit)
		if !ok || len(spec.Names) != 1 || !strings.HasPrefix(lit.Value, "0x") {
			t.Fatalf("%s is not one tag", spec.Names[0].Name)
		}
		v, err := strconv.ParseUint(lit.Value, 0, 32)
		if err != nil {
			t.Fatal(err)
		}
		out[spec.Names[0].Name] = v
		return true
	})
	return out
}

func parse(t *testing.T, file string) *ast.File {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	return f
}
