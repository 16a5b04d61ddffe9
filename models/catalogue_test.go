package models

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"segd"
)

func empty() *Catalogue { return &Catalogue{models: map[string]*Model{}} }

func names(c *Catalogue) []string {
	list := []string{}
	for _, m := range c.List() {
		list = append(list, m.Name)
	}
	return list
}

// Every embedded model is complete: it opens, its weights match their checksum and
// the network, and its card has the required content.
func TestEmbedded(t *testing.T) {
	c, err := Embedded()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range c.List() {
		if _, err := m.Predictor(nil); err != nil {
			t.Errorf("%s: %v", m.Name, err)
		}
		if m.Origin != embeddedOrigin || m.Description == "" || len(m.Data) == 0 || len(m.Metrics) == 0 {
			t.Errorf("%s: the card lacks a description, data or metrics", m.Name)
		}
		if !strings.Contains(strings.ToLower(m.Use), "research") {
			t.Errorf("%s: intended_use is %q", m.Name, m.Use)
		}
		for _, d := range m.Data {
			if d.Licence == "" || d.Source == "" {
				t.Errorf("%s: data %s without licence or source", m.Name, d.Name)
			}
		}
	}
}

func TestAddDir(t *testing.T) {
	root := t.TempDir()
	save(t, filepath.Join(root, "x"), tiny("b"), 1)
	save(t, filepath.Join(root, "y"), tiny("a"), 1)
	save(t, filepath.Join(root, ".hidden"), tiny("c"), 1)
	write(t, root, "note.txt", []byte("not a model"))

	c := empty()
	if err := c.AddDir(root); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"a", "b"}, names(c)); diff != "" {
		t.Error(diff)
	}
	// The directory of one model is a model.
	one := empty()
	if err := one.AddDir(filepath.Join(root, "x")); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"b"}, names(one)); diff != "" {
		t.Error(diff)
	}
	if m, err := one.Get("b"); err != nil || m.Origin != filepath.Join(root, "x") {
		t.Errorf("got %+v, %v", m, err)
	}

	// A duplicate name is refused, and the catalogue is unchanged.
	if err := c.AddDir(filepath.Join(root, "x")); !errors.Is(err, segd.ErrOption) {
		t.Errorf("duplicate name: got %v, want ErrOption", err)
	}
	d := empty()
	if err := d.AddDir(filepath.Join(root, "nowhere")); !errors.Is(err, segd.ErrNotFound) {
		t.Errorf("no directory: got %v, want ErrNotFound", err)
	}
	if err := d.AddDir(filepath.Join(root, "note.txt")); !errors.Is(err, segd.ErrOption) {
		t.Errorf("a file: got %v, want ErrOption", err)
	}
}

// A model that cannot be opened does not affect the others, and no embedded model
// with its name replaces it.
func TestAddDirBroken(t *testing.T) {
	root := t.TempDir()
	save(t, filepath.Join(root, "good"), tiny("good"), 1)
	for name, content := range map[string]string{manifestFile: "{", pointerFile: "3"} {
		if err := os.MkdirAll(filepath.Join(root, "nuclei"), 0o755); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(root, "nuclei"), name, []byte(content))
		c := empty()
		c.models["nuclei"] = &Model{Manifest: tiny("nuclei"), Origin: embeddedOrigin}
		if err := c.AddDir(root); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"good"}, names(c)); diff != "" {
			t.Error(diff)
		}
		for _, get := range []func(string) (*Model, error){c.Get, c.Resolve} {
			if _, err := get("nuclei"); !errors.Is(err, ErrBroken) || !errors.Is(err, segd.ErrFormat) {
				t.Errorf("with a broken %s: got %v", name, err)
			}
		}
		if b := c.Broken(); len(b) != 1 || b[0].Origin != filepath.Join(root, "nuclei") {
			t.Errorf("broken: %+v", b)
		}
	}
}

// A model in a directory replaces an embedded one.
func TestAddDirReplacesEmbedded(t *testing.T) {
	c := empty()
	c.models["a"] = &Model{Manifest: tiny("a"), Origin: embeddedOrigin}
	dir := t.TempDir()
	save(t, dir, tiny("a"), 1)
	if err := c.AddDir(dir); err != nil {
		t.Fatal(err)
	}
	if m, err := c.Get("a"); err != nil || m.Origin != dir {
		t.Errorf("got %+v, %v", m, err)
	}
}

func TestZeroCatalogue(t *testing.T) {
	var c Catalogue
	if got := c.List(); len(got) != 0 {
		t.Errorf("an empty catalogue lists %d models", len(got))
	}
	if _, err := c.Get("a"); !errors.Is(err, segd.ErrNotFound) {
		t.Errorf("Get in an empty catalogue: %v", err)
	}
	dir := t.TempDir()
	save(t, filepath.Join(dir, "a"), tiny("a"), 1)
	if err := c.AddDir(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Get("a"); err != nil {
		t.Error(err)
	}
}

func TestGetAndResolve(t *testing.T) {
	root := t.TempDir()
	save(t, filepath.Join(root, "x"), tiny("known"), 1)
	c := empty()
	if _, err := c.Get("known"); !errors.Is(err, segd.ErrNotFound) || !strings.Contains(err.Error(), "none") {
		t.Errorf("empty catalogue: got %v", err)
	}
	if err := c.AddDir(root); err != nil {
		t.Fatal(err)
	}
	for _, get := range []func(string) (*Model, error){c.Get, c.Resolve} {
		if m, err := get("known"); err != nil || m.Name != "known" {
			t.Errorf("got %v, %v", m, err)
		}
		if _, err := get("other"); !errors.Is(err, segd.ErrNotFound) || !strings.Contains(err.Error(), "known") {
			t.Errorf("got %v, want ErrNotFound that lists the models", err)
		}
	}
	save(t, filepath.Join(root, "elsewhere"), tiny("away"), 1)
	if m, err := c.Resolve(filepath.Join(root, "elsewhere")); err != nil || m.Name != "away" {
		t.Errorf("by directory: got %v, %v", m, err)
	}
	if _, err := c.Resolve(root); !errors.Is(err, segd.ErrNotFound) {
		t.Errorf("a directory without a model: got %v, want ErrNotFound", err)
	}
}

func TestAuto(t *testing.T) {
	mr := &segd.Scan{Format: "dicom", Modality: "MR"}
	ct := &segd.Scan{Format: "dicom", Modality: "CT"}
	odd := &segd.Scan{Format: "dicom", Modality: "DOE^JANE"}
	png := &segd.Scan{Format: "png"}
	gif := &segd.Scan{Format: "gif"}
	nrrd := &segd.Scan{Format: "nrrd"}
	rules := func(rules map[string]Match) *Catalogue {
		c := empty()
		for name, r := range rules {
			man := tiny(name)
			man.Match = r
			c.models[name] = &Model{Manifest: man}
		}
		return c
	}
	two := rules(map[string]Match{
		"cells": {Formats: []string{"png", "tiff"}},
		"heart": {Formats: []string{"dicom"}, Modalities: []string{"MR"}},
	})
	anyDICOM := rules(map[string]Match{
		"all":   {Formats: []string{"dicom"}},
		"heart": {Modalities: []string{"MR"}},
	})
	volumes := rules(map[string]Match{"brain": {}, "cells": {Formats: []string{"png"}}})
	volumes.models["brain"].Title = "Brains in MR"
	volumes.models["brain"].Planes = &Planes{Wants: &segd.Plane{Name: "axial", Right: "L", Down: "P"}}
	for _, c := range []struct {
		name      string
		catalogue *Catalogue
		scan      *segd.Scan
		want      string // model, or part of the error
		ok        bool
	}{
		{"mr", two, mr, "heart", true},
		{"png", two, png, "cells", true},
		{"another volume", rules(map[string]Match{"brain": {Formats: []string{"nifti"}}, "cells": {Formats: []string{"png"}}}), nrrd, "brain", true},
		{"another picture", two, gif, "cells", true},
		{"ct", two, ct, "no model fits a dicom file of modality CT; choose one of cells, heart", false},
		{"modality takes precedence over format", anyDICOM, mr, "heart", true},
		{"format if no modality fits", anyDICOM, ct, "all", true},
		{"only one, no rule", rules(map[string]Match{"x": {}}), ct, "x", true},
		{"only one, other rule", rules(map[string]Match{"x": {Formats: []string{"png"}}}), ct, "no model", false},
		{"no rules", rules(map[string]Match{"x": {}, "y": {}}), ct, "choose one of x, y", false},
		{"both", rules(map[string]Match{"x": {Formats: []string{"png"}}, "y": {Formats: []string{"png"}}, "z": {Formats: []string{"tiff"}}}), png, "choose one of x, y", false},
		{"none at all", empty(), png, "choose one of none", false},
		{"a volume and no rule for it", volumes, nrrd, "a nrrd file does not say what it shows, so no model is chosen for it: name one; brain (Brains in MR) was trained on volumes", false},
		{"odd modality", two, odd, "no model fits a dicom file; choose", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, err := c.catalogue.Auto(c.scan)
			switch {
			case c.ok && (err != nil || m.Name != c.want):
				t.Fatalf("got %v, %v; want %s", m, err, c.want)
			case !c.ok && (!errors.Is(err, segd.ErrUnprocessable) || !strings.Contains(err.Error(), c.want)):
				t.Fatalf("got %v, want ErrUnprocessable containing %q", err, c.want)
			}
		})
	}
	heart, _ := two.Get("heart")
	cells, _ := two.Get("cells")
	for _, c := range []struct {
		model *Model
		scan  *segd.Scan
		auto  bool
		want  string // in the warning; empty: no warning
	}{
		{heart, mr, true, ""},
		{heart, mr, false, ""},
		{heart, ct, false, "another kind"},
		{heart, png, false, ""}, // a picture may show a heart
		{cells, mr, false, "another kind"},
		{cells, png, false, ""},
		{cells, png, true, "does not say what it shows"},
	} {
		got := strings.Join(c.model.Warnings(c.scan, c.auto), "; ")
		if (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s of %+v, auto %v: %q, want %q", c.model.Name, c.scan, c.auto, got, c.want)
		}
	}
}

func TestNameFrom(t *testing.T) {
	for in, want := range map[string]string{
		"nuclei": "nuclei", "out/My Model/": "My-Model", "": "model", "/": "model", "..": "model",
		"auto": "model", "a_b.c-d": "a_b.c-d", "Zellkerne für 3": "Zellkerne-f-r-3",
		"-x-": "x", strings.Repeat("a", 80): strings.Repeat("a", 64),
	} {
		if got := NameFrom(in); got != want || !ValidName(got) {
			t.Errorf("NameFrom(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestClassList(t *testing.T) {
	list := ClassList("a", "b", "c", "d", "e", "f", "g", "h")
	seen := map[[3]uint8]bool{}
	for i, c := range list {
		if c.Index != i || seen[c.Color] {
			t.Errorf("class %d: %+v", i, c)
		}
		seen[c.Color] = true
	}
}

// README's table of the embedded models agrees with their cards: every figure in a
// row is a figure of the card for the test split, rounded to three digits.
func TestREADME(t *testing.T) {
	readme, err := os.ReadFile(filepath.Join("..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	c, err := Embedded()
	if err != nil {
		t.Fatal(err)
	}
	figure := regexp.MustCompile(`\b0\.\d{3}\b`)
	for _, m := range c.List() {
		row := regexp.MustCompile("(?m)^\\| `" + m.Name + "` \\|.*$").Find(readme)
		found := figure.FindAll(row, -1)
		if len(found) == 0 {
			t.Errorf("%s has no row with a figure", m.Name)
		}
		for _, is := range found {
			if !slices.ContainsFunc(m.Metrics, func(v Metric) bool { return v.Split == "test" && fmt.Sprintf("%.3f", v.Value) == string(is) }) {
				t.Errorf("%s: README says %s, which is not a figure of its card", m.Name, is)
			}
		}
	}
}
