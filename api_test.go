package segd_test

import (
	"errors"
	"fmt"
	"go/doc"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// notCalled are packages outside internal that programs are not meant to call.
var notCalled = map[string]string{
	"segd/unet/op": "the operations of package unet, for that alone",
}

// TestPublicAPI checks that a program that vendors segd can call what its public
// packages export: no function, field or method needs a type of an internal
// package.
func TestPublicAPI(t *testing.T) {
	public, files := exportData(t)
	imp := importer.ForCompiler(token.NewFileSet(), "gc", func(path string) (io.ReadCloser, error) {
		if files[path] == "" {
			return nil, fmt.Errorf("no export data of %s", path)
		}
		return os.Open(files[path])
	})
	for _, path := range public {
		pkg, err := imp.Import(path)
		if err != nil {
			t.Fatal(err)
		}
		w := apiWalk{pkg: pkg, seen: map[types.Type]bool{}}
		for _, name := range pkg.Scope().Names() {
			if o := pkg.Scope().Lookup(name); o.Exported() {
				w.visit(o.Type(), o.Name())
			}
		}
		for _, found := range w.found {
			t.Errorf("%s.%s", path, found)
		}
	}
}

// TestPublicExamples checks that each public package shows its use in an Example
// that imports public packages alone.
func TestPublicExamples(t *testing.T) {
	public, _ := exportData(t)
	for _, path := range public {
		if path == "segd" || strings.HasPrefix(path, "segd/dicomio/") || strings.HasSuffix(path, "test") {
			continue // a vocabulary, what package dicomio is made of, and helpers of tests
		}
		files, err := filepath.Glob(filepath.Join(strings.TrimPrefix(path, "segd/"), "example*_test.go"))
		if err != nil {
			t.Fatal(err)
		}
		examples := 0
		for _, name := range files {
			f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
			if err != nil {
				t.Fatal(err)
			}
			examples += len(doc.Examples(f))
			for _, i := range f.Imports {
				if used := strings.Trim(i.Path.Value, `"`); internal(used) {
					t.Errorf("%s imports %s", name, used)
				}
			}
		}
		if examples == 0 {
			t.Errorf("%s has no Example", path)
		}
	}
}

// exportData returns the public packages, and the files of export data of these and
// of all that they import, by path.
func exportData(t *testing.T) (public []string, files map[string]string) {
	t.Helper()
	cmd := exec.Command("go", "list", "-export", "-deps", "-f", "{{.Name}}\t{{.ImportPath}}\t{{.Export}}", "./...")
	out, err := cmd.Output()
	if errors.Is(err, exec.ErrNotFound) {
		t.Skip("no go command here")
	}
	if err != nil {
		if exit, ok := errors.AsType[*exec.ExitError](err); ok {
			t.Log(string(exit.Stderr))
		}
		t.Fatal(err)
	}
	files = map[string]string{}
	for line := range strings.Lines(string(out)) {
		part := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		name, path := part[0], part[1]
		files[path] = part[2]
		ours := path == "segd" || strings.HasPrefix(path, "segd/")
		if ours && name != "main" && !internal(path) && notCalled[path] == "" {
			public = append(public, path)
		}
	}
	if !slices.Contains(public, "segd/unet") {
		t.Fatalf("public packages %v", public)
	}
	return public, files
}

// internal reports whether a package is closed to other modules.
func internal(path string) bool { return strings.Contains("/"+path+"/", "/internal/") }

// apiWalk collects the types that a caller of a package would have to name and
// cannot.
type apiWalk struct {
	pkg   *types.Package
	seen  map[types.Type]bool
	found []string
}

// visit walks t, which stands at the place called at.
func (w *apiWalk) visit(t types.Type, at string) {
	switch t := t.(type) {
	case *types.Alias:
		w.name(t.Obj(), at)
		w.visit(types.Unalias(t), at)
	case *types.Named:
		w.named(t, at)
	case *types.Signature:
		for v := range t.Params().Variables() {
			w.visit(v.Type(), at)
		}
		for v := range t.Results().Variables() {
			w.visit(v.Type(), at)
		}
		for p := range t.TypeParams().TypeParams() {
			w.visit(p.Constraint(), at)
		}
	case *types.Struct:
		for f := range t.Fields() {
			if f.Exported() || f.Embedded() {
				w.visit(f.Type(), at+"."+f.Name())
			}
		}
	case *types.Interface:
		for m := range t.Methods() {
			if m.Exported() {
				w.visit(m.Type(), at+"."+m.Name())
			}
		}
	case *types.Map:
		w.visit(t.Key(), at)
		w.visit(t.Elem(), at)
	case interface{ Elem() types.Type }: // pointers, slices, arrays, channels
		w.visit(t.Elem(), at)
	}
}

func (w *apiWalk) named(t *types.Named, at string) {
	w.name(t.Obj(), at)
	for a := range t.TypeArgs().Types() {
		w.visit(a, at)
	}
	if t.Obj().Pkg() != w.pkg || w.seen[t] {
		return
	}
	w.seen[t] = true
	if !t.Obj().Exported() {
		at += "(" + t.Obj().Name() + ")"
	} else {
		at = t.Obj().Name()
	}
	w.visit(t.Underlying(), at)
	for m := range types.NewMethodSet(types.NewPointer(t)).Methods() {
		if m.Obj().Exported() {
			w.visit(m.Type(), at+"."+m.Obj().Name())
		}
	}
}

// name notes a type that callers cannot name.
func (w *apiWalk) name(o *types.TypeName, at string) {
	if o.Pkg() == nil {
		return
	}
	path := o.Pkg().Path()
	if strings.HasPrefix(path, "segd/") && internal(path) {
		if text := fmt.Sprintf("%s needs %s.%s", at, path, o.Name()); !slices.Contains(w.found, text) {
			w.found = append(w.found, text)
		}
	}
}
