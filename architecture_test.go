package segd_test

import (
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestArchitecture holds the table of packages in docs/architecture.md to what the
// packages import, both ways: a package without a row, an import that its row does not
// name, and a name without an import.
func TestArchitecture(t *testing.T) {
	page, err := os.ReadFile("docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(page), "\n## Packages\n")
	table, _, _ := strings.Cut(rest, "\n## ")
	quoted := regexp.MustCompile("`([^`]+)`")
	said := map[string][]string{} // by package
	for line := range strings.Lines(table) {
		cells := strings.Split(strings.TrimSpace(line), "|")
		if len(cells) != 5 || !strings.HasPrefix(strings.TrimSpace(cells[1]), "`") {
			continue
		}
		knows := strings.Split(strings.TrimSpace(cells[3]), ", ")
		if knows[0] == "nothing" {
			knows = nil
		}
		for _, name := range quoted.FindAllStringSubmatch(cells[1], -1) {
			if _, twice := said[name[1]]; twice {
				t.Errorf("two rows for %s", name[1])
			}
			said[name[1]] = knows
		}
	}
	imports := importsOf(t)
	for _, name := range slices.Sorted(maps.Keys(imports)) {
		knows, ok := said[name]
		switch got := imports[name]; {
		case !ok:
			t.Errorf("no row for %s, which imports %s", name, strings.Join(got, ", "))
		case !slices.Equal(got, sorted(knows)):
			t.Errorf("%s knows of\n\t%s, the page says\n\t%s", name, strings.Join(got, ", "), strings.Join(sorted(knows), ", "))
		}
		delete(said, name)
	}
	for name := range said {
		t.Errorf("a row for %s, which is no package", name)
	}
}

func sorted(s []string) []string { return slices.Sorted(slices.Values(s)) }

// importsOf lists what each package imports, the standard library and tests left out,
// by the names that the page uses: those of segd without segd/ and internal/, the root
// as root, and modules by their path.
func importsOf(t *testing.T) map[string][]string {
	t.Helper()
	format := `{{.ImportPath}}{{range .Imports}} {{.}}{{end}}`
	list := exec.Command("go", "list", "-f", format, "./...")
	list.Env = append(os.Environ(), "GOOS=linux", "GOARCH=amd64") // the page is that of one platform
	out, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	own := func(path string) string {
		if path == "segd" {
			return "root"
		}
		return strings.TrimPrefix(path, "segd/")
	}
	all := map[string][]string{}
	for line := range strings.Lines(string(out)) {
		paths := strings.Fields(line)
		list := []string{}
		for _, path := range paths[1:] {
			first, _, _ := strings.Cut(path, "/")
			switch {
			case first == "segd":
				list = append(list, strings.TrimPrefix(own(path), "internal/"))
			case strings.Contains(first, "."):
				list = append(list, module(path))
			}
		}
		all[own(paths[0])] = slices.Compact(sorted(list))
	}
	return all
}

// module is the path of the module that a package of the outside world belongs to, as
// far as the page names it.
func module(path string) string {
	parts := strings.Split(path, "/")
	switch {
	case parts[0] == "gorgonia.org":
		return strings.Join(parts[:2], "/")
	case len(parts) > 3 && regexp.MustCompile(`^v[0-9]+$`).MatchString(parts[3]):
		return strings.Join(parts[:4], "/")
	}
	return strings.Join(parts[:min(3, len(parts))], "/")
}

// TestFormatsPage holds docs/formats.md to the tests that its rows name: each exists in
// a package of that name.
func TestFormatsPage(t *testing.T) {
	page, err := os.ReadFile("docs/formats.md")
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile("`([a-z]+)\\.(Test[A-Za-z0-9]+)`").FindAllStringSubmatch(string(page), -1)
	if len(named) < 10 {
		t.Fatalf("%d tests named", len(named))
	}
	tests := map[string]string{} // the text of all tests of packages of a name
	err = filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		b, err := os.ReadFile(path)
		tests[filepath.Base(filepath.Dir(path))] += string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range named {
		if !strings.Contains(tests[n[1]], "\nfunc "+n[2]+"(") {
			t.Errorf("no test %s in a package %s", n[2], n[1])
		}
	}
}
