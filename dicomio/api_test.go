package dicomio_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// TestExportedAPI checks that no exported declaration of dicomio names a type of
// a package below internal/, so that other programs can call all of them.
func TestExportedAPI(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil || files == nil {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		internal := map[string]bool{}
		for _, i := range f.Imports {
			p, err := strconv.Unquote(i.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(p, "/internal/") {
				name := path.Base(p)
				if i.Name != nil {
					name = i.Name.Name
				}
				internal[name] = true
			}
		}
		for _, n := range exported(f) {
			for _, name := range qualified(n) {
				if pkg, _, _ := strings.Cut(name, "."); internal[pkg] {
					t.Errorf("%s: an exported declaration names %s", file, name)
				}
			}
		}
	}
}

// exported returns the signatures of exported functions and methods, and the
// exported types, constants and variables of f.
func exported(f *ast.File) (out []ast.Node) {
	for _, d := range f.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Name.IsExported() {
				out = append(out, d.Type)
			}
		case *ast.GenDecl:
			for _, s := range d.Specs {
				switch s := s.(type) {
				case *ast.TypeSpec:
					if s.Name.IsExported() {
						out = append(out, s)
					}
				case *ast.ValueSpec:
					if s.Names[0].IsExported() {
						out = append(out, s)
					}
				}
			}
		}
	}
	return out
}

// qualified lists the names of other packages in n, unexported fields left out.
func qualified(n ast.Node) (out []string) {
	ast.Inspect(n, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.StructType:
			for _, field := range n.Fields.List {
				if len(field.Names) == 0 || field.Names[0].IsExported() {
					out = append(out, qualified(field.Type)...)
				}
			}
			return false
		case *ast.SelectorExpr:
			if x, ok := n.X.(*ast.Ident); ok {
				out = append(out, x.Name+"."+n.Sel.Name)
			}
		}
		return true
	})
	return out
}
