package models

import (
	"cmp"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"segd"
	"segd/internal/nearest"
)

//go:embed embedded
var embedded embed.FS

// embeddedOrigin is the Origin of a model that is part of the binary.
const embeddedOrigin = "embedded"

// ErrBroken is the kind of error of a model that exists but cannot be opened.
// The error says why.
var ErrBroken = errors.New("cannot open the model")

// Catalogue is a set of models with different names. The zero value is empty
// and has the default Options. For a version store it holds the version in
// service, and switches when another is promoted. It is safe for concurrent
// use; no call waits for the disk access of another.
type Catalogue struct {
	options Options

	mu     sync.Mutex
	models map[string]*Model
	broken map[string]Broken
	missed map[string]string // by store, why its current version is not served
}

// Broken is a model that AddDir found but could not open.
type Broken struct {
	Name   string // of its directory, since its own may not be known
	Origin string
	Err    error
}

// AddDir adds the model in directory dir or, if dir is not a model, the models in its
// subdirectories. It skips hidden directories and those without a model.json.
//
// A model replaces an embedded one of the same name. A model that cannot be
// opened does not prevent the others from being added; Broken lists it under
// the name of its directory, and an embedded model of that name does not
// replace it. The errors are segd.ErrNotFound and segd.ErrOption if dir is not
// a directory, segd.ErrOption for two models of the same name, and those of
// Open if dir itself is a model. After an error the catalogue is unchanged.
func (c *Catalogue) AddDir(dir string) error {
	found, err := c.readDir(dir)
	if err != nil {
		return err
	}
	return c.take(found)
}

// found holds what was read from a directory.
type found struct {
	models []*Model
	broken []Broken
}

func (c *Catalogue) readDir(dir string) (found, error) {
	info, err := os.Stat(dir)
	if err != nil {
		return found{}, fmt.Errorf("models: %w: directory %s: %w%s", segd.ErrNotFound, dir, errors.Unwrap(err), besides(dir, isDir))
	}
	if !info.IsDir() {
		return found{}, fmt.Errorf("models: %w: %s is a file, want a directory of models", segd.ErrOption, dir)
	}
	if holdsModel(os.DirFS(dir)) {
		m, err := c.options.Open(dir)
		if err != nil {
			return found{}, err
		}
		return found{models: []*Model{m}}, nil
	}
	return c.readAll(os.DirFS(dir), func(name string) string { return filepath.Join(dir, name) })
}

// readAll opens the models in the directories of files.
func (c *Catalogue) readAll(files fs.FS, origin func(name string) string) (f found, err error) {
	entries, err := fs.ReadDir(files, ".")
	if err != nil {
		return f, fmt.Errorf("models: %w", err)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") {
			continue
		}
		sub, err := fs.Sub(files, path.Clean(e.Name()))
		if err != nil || !holdsModel(sub) {
			continue
		}
		m, err := c.options.open(sub, origin(e.Name()))
		if err != nil {
			f.broken = append(f.broken, Broken{e.Name(), origin(e.Name()), err})
			continue
		}
		f.models = append(f.models, m)
	}
	return f, nil
}

// holdsModel reports whether files is a model or a store. An unreadable
// directory counts as one, so that opening it reports the reason.
func holdsModel(files fs.FS) bool {
	for _, name := range []string{manifestFile, nextFile, pointerFile} {
		if _, err := fs.Stat(files, name); err == nil || errors.Is(err, fs.ErrPermission) {
			return true
		}
	}
	return false
}

// take adds everything in f or, after an error, nothing.
func (c *Catalogue) take(f found) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	models, broken := maps.Clone(c.models), maps.Clone(c.broken)
	if models == nil {
		models = map[string]*Model{}
	}
	if broken == nil {
		broken = map[string]Broken{}
	}
	for _, m := range f.models {
		if old := models[m.Name]; old != nil && (old.Origin != embeddedOrigin || m.Origin == embeddedOrigin) {
			return fmt.Errorf("models: %w: two models are named %s: %s and %s", segd.ErrOption, m.Name, old.Origin, m.Origin)
		}
		models[m.Name] = m
	}
	for _, b := range f.broken {
		broken[b.Name] = b
	}
	c.models, c.broken = models, broken
	return nil
}

// Broken lists the models that AddDir found but could not open, sorted by name.
func (c *Catalogue) Broken() []Broken {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.SortedFunc(maps.Values(c.broken), func(a, b Broken) int { return cmp.Compare(a.Name, b.Name) })
}

// Get returns the model with the given name. An unknown name is a
// segd.ErrNotFound that lists the known ones, nearest first; one of Broken is
// an ErrBroken.
func (c *Catalogue) Get(name string) (*Model, error) {
	m, err := c.find(name)
	if m != nil || err != nil {
		return m, err
	}
	return nil, fmt.Errorf("models: %w: no model %.80q; %s", segd.ErrNotFound, name, c.thereIs(name))
}

// find returns the current model with the given name, or nil if there is none.
func (c *Catalogue) find(name string) (*Model, error) {
	c.refresh()
	c.mu.Lock()
	defer c.mu.Unlock()
	m := c.models[name]
	if b, ok := c.broken[name]; ok && (m == nil || m.Origin == embeddedOrigin) {
		return nil, fmt.Errorf("%w (%s): %w", ErrBroken, b.Name, b.Err)
	}
	return m, nil
}

// List returns the models, sorted by name. The caller owns the slice.
func (c *Catalogue) List() []*Model {
	c.refresh()
	c.mu.Lock()
	defer c.mu.Unlock()
	list := make([]*Model, 0, len(c.models))
	for name, m := range c.models {
		if _, ok := c.broken[name]; ok && m.Origin == embeddedOrigin {
			continue
		}
		list = append(list, m)
	}
	slices.SortFunc(list, func(a, b *Model) int { return cmp.Compare(a.Name, b.Name) })
	return list
}

func (c *Catalogue) names() []string { return namesOf(c.List()) }

// thereIs lists the models that could be meant instead of name, as the end of a
// message.
func (c *Catalogue) thereIs(name string) string {
	names := c.names()
	return nearest.Hint(name, names) + "have " + nearest.List(name, names)
}

func namesOf(list []*Model) []string {
	names := make([]string, len(list))
	for i, m := range list {
		names[i] = m.Name
	}
	return names
}

// Resolve returns the model with the given name or, if there is none, the model
// in the directory of that name. The errors are those of Get and Open.
func (c *Catalogue) Resolve(nameOrDir string) (*Model, error) {
	m, err := c.find(nameOrDir)
	if m != nil || err != nil {
		return m, err
	}
	if info, err := os.Stat(nameOrDir); err == nil && info.IsDir() {
		m, err := c.options.Open(nameOrDir)
		if errors.Is(err, segd.ErrNotFound) {
			err = fmt.Errorf("%w%s", err, within(nameOrDir))
		}
		return m, err
	}
	return nil, fmt.Errorf("models: %w: no model or directory %.200q; %s%s",
		segd.ErrNotFound, nameOrDir, c.thereIs(nameOrDir), besides(nameOrDir, isModel))
}

// modalities are the values of Modality (0008,0060) that messages may repeat. A
// file may have anything else there, which does not belong in logs.
var modalities = []string{"CR", "CT", "DX", "ES", "GM", "IO", "IVUS", "MG", "MR", "NM", "OCT", "OP", "OPT", "OT", "PT", "PX", "RF", "RG", "SC", "SEG", "SM", "US", "XA", "XC"}

// Auto returns the model that fits a scan by Manifest.Match. A model that names
// modalities wins over one that names only formats. If the catalogue has a
// single model without any rule, Auto returns it. If no model fits, or several
// fit equally well, the error is a segd.ErrUnprocessable that asks for a
// choice.
func (c *Catalogue) Auto(s *segd.Scan) (*Model, error) {
	// Models of values make no masks; the others must take what the scan has.
	list := slices.DeleteFunc(c.List(), func(m *Model) bool { return m.MakesMasks() != nil || m.CheckChannels(s.Channels) != nil })
	if len(list) == 1 && list[0].Match.empty() {
		return list[0], nil
	}
	best, found := 0, []*Model{}
	for _, m := range list {
		switch fit := m.Match.fit(s); {
		case fit == 0 || fit < best:
		case fit > best:
			best, found = fit, []*Model{m}
		default:
			found = append(found, m)
		}
	}
	kind := kindOf(s)
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		if trained := volumeModels(list); s.Modality == "" && len(trained) > 0 && (s.Format == "nifti" || standsFor[s.Format] == "nifti") {
			return nil, fmt.Errorf("models: %w: a %s does not say what it shows, so no model is chosen for it: name one; %s", segd.ErrUnprocessable, kind, trained)
		}
		return nil, fmt.Errorf("models: %w: no model fits a %s; choose one of %s", segd.ErrUnprocessable, kind, nearest.List("", c.names()))
	}
	return nil, fmt.Errorf("models: %w: several models fit a %s; choose one of %s", segd.ErrUnprocessable, kind, strings.Join(namesOf(found), ", "))
}

// volumeModels names the models of list that were trained on volumes, with what they
// mark; empty where there is none.
func volumeModels(list []*Model) string {
	var names []string
	for _, m := range list {
		if m.Planes != nil && m.Planes.Wants != nil {
			names = append(names, fmt.Sprintf("%s (%s)", m.Name, m.Title))
		}
	}
	switch len(names) {
	case 0:
		return ""
	case 1:
		return names[0] + " was trained on volumes"
	}
	return strings.Join(names, ", ") + " were trained on volumes"
}

// kindOf describes a scan in words that are fit for logs.
func kindOf(s *segd.Scan) string {
	if slices.Contains(modalities, s.Modality) {
		return s.Format + " file of modality " + s.Modality
	}
	return s.Format + " file"
}

// Warnings returns warnings for a user who gives the model a scan: that the
// model is made for another kind, or, if auto chose it, that the scan does not
// say what it shows. There is no such warning for a model chosen by name,
// because a PNG of a radiograph has no modality.
func (m *Model) Warnings(s *segd.Scan, auto bool) []string {
	if m.Match.empty() {
		return nil
	}
	if auto && s.Modality == "" {
		return []string{fmt.Sprintf("a %s does not say what it shows: model %s (%s) was chosen by file format alone; choose a model to be sure", kindOf(s), m.Name, m.Title)}
	}
	silent := s.Modality == "" && len(m.Match.Modalities) > 0
	if silent || m.Match.fit(s) > 0 {
		return nil
	}
	meant := strings.Join(append(slices.Clone(m.Match.Formats), m.Match.Modalities...), ", ")
	return []string{fmt.Sprintf("model %s is made for another kind of scan (%s) than a %s: its mask may be meaningless", m.Name, meant, kindOf(s))}
}

func (m Match) empty() bool { return len(m.Formats) == 0 && len(m.Modalities) == 0 }

// standsFor maps formats to the format in whose place a model accepts them: pictures
// to PNG, volumes to NIfTI.
var standsFor = map[string]string{
	"bmp": "png", "gif": "png", "webp": "png", "pnm": "png", "jpeg2000": "png",
	"nrrd": "nifti", "metaimage": "nifti", "mgh": "nifti",
}

// fit returns 0 if the model is not meant for the scan, and more the more
// specific the match is.
func (m Match) fit(s *segd.Scan) int {
	switch {
	case m.empty(),
		len(m.Formats) > 0 && !slices.Contains(m.Formats, s.Format) && !slices.Contains(m.Formats, standsFor[s.Format]),
		len(m.Modalities) > 0 && !slices.Contains(m.Modalities, s.Modality):
		return 0
	case len(m.Modalities) > 0:
		return 2
	}
	return 1
}
