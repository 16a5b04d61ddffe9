package segd_test

import (
	"bytes"
	"errors"
	"fmt"
	"go/importer"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// publicPackages are the packages that a program may call which vendors segd.
var publicPackages = []string{"segd", "segd/dicomio", "segd/preprocess", "segd/unet", "segd/models", "segd/train", "segd/handlers"}

// TestPublicAPI holds that the exported names of the public packages can be
// called from outside: no signature, field or method names a type of an
// internal package, nor of another package of segd that is not public.
func TestPublicAPI(t *testing.T) {
	public := exportData(t)
	imp := importer.ForCompiler(token.NewFileSet(), "gc", func(path string) (io.ReadCloser, error) {
		if public[path] == "" {
			return nil, fmt.Errorf("no export data of %s", path)
		}
		return os.Open(public[path])
	})
	for _, path := range publicPackages {
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

// exportData returns the files of export data of the public packages and of all
// that they import, by path.
func exportData(t *testing.T) map[string]string {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list", "-export", "-deps", "-f", "{{.ImportPath}}\t{{.Export}}"}, publicPackages...)...)
	out, err := cmd.Output()
	if errors.Is(err, exec.ErrNotFound) {
		t.Skip("no go command here")
	}
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			t.Log(string(exit.Stderr))
		}
		t.Fatal(err)
	}
	files := map[string]string{}
	for line := range strings.Lines(string(bytes.TrimSpace(out))) {
		path, file, _ := strings.Cut(strings.TrimSpace(line), "\t")
		files[path] = file
	}
	return files
}

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
	if strings.HasPrefix(path, "segd/") && strings.Contains(path+"/", "/internal/") {
		if text := fmt.Sprintf("%s names %s.%s", at, path, o.Name()); !slices.Contains(w.found, text) {
			w.found = append(w.found, text)
		}
	}
}
