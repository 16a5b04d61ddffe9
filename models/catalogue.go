package models

import (
	"cmp"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"segd"
)

//go:embed embedded
var embedded embed.FS

// embeddedOrigin is the Origin of a model that is part of the binary.
const embeddedOrigin = "embedded"

// ErrBroken: a model is there and cannot be opened. The error says why.
var ErrBroken = errors.New("cannot open the model")

// Catalogue is a set of models with different names; the zero value is empty.
// Of a store of versions it has the one that serves, and takes up another one as
// soon as that is promoted.
// Get, List, Resolve and Auto are safe for concurrent use once no AddDir runs
// any more.
type Catalogue struct {
	// Log hears of stores whose current version cannot be read while another
	// one goes on serving; nil: nobody does.
	Log *slog.Logger

	mu     sync.Mutex
	models map[string]*Model
	broken map[string]Broken
	missed map[string]string // by store, why its current version is not served
}

// Broken is a model that AddDir found and that cannot be opened.
type Broken struct {
	Name   string // of its directory, since its own may not be known
	Origin string
	Err    error
}

// Embedded returns a catalogue of the models that are part of the binary.
// Each call returns a catalogue of its own.
func Embedded() (*Catalogue, error) {
	sub, err := fs.Sub(embedded, "embedded")
	if err != nil {
		return nil, fmt.Errorf("models: %w", err)
	}
	c := &Catalogue{models: map[string]*Model{}}
	return c, c.addAll(sub, func(string) string { return embeddedOrigin })
}

// AddDir adds the model in directory dir, or, where dir itself is none, those
// in the directories in it; it passes over hidden directories and those without
// a model.json.
//
// A model takes the place of an embedded one of its name. A model in dir that
// cannot be opened keeps none of the others from being added, and is one of
// Broken. Its directory's name stands for it, so that an embedded model of that
// name does not serve in its place. The errors are segd.ErrNotFound and
// segd.ErrOption where dir is no directory, segd.ErrOption for two models of
// one name, and those of Open where dir itself is a model. After an error the
// catalogue is as it was before.
func (c *Catalogue) AddDir(dir string) error {
	models, broken := maps.Clone(c.models), maps.Clone(c.broken)
	err := c.addDir(dir)
	if err != nil {
		c.models, c.broken = models, broken
	}
	return err
}

func (c *Catalogue) addDir(dir string) error {
	info, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("models: %w: directory %s: %w", segd.ErrNotFound, dir, errors.Unwrap(err))
	}
	if !info.IsDir() {
		return fmt.Errorf("models: %w: %s is not a directory", segd.ErrOption, dir)
	}
	if holdsModel(os.DirFS(dir)) {
		m, err := Open(dir)
		if err != nil {
			return err
		}
		return c.add(m)
	}
	return c.addAll(os.DirFS(dir), func(name string) string { return filepath.Join(dir, name) })
}

// addAll adds the models in the directories of files.
func (c *Catalogue) addAll(files fs.FS, origin func(name string) string) error {
	entries, err := fs.ReadDir(files, ".")
	if err != nil {
		return fmt.Errorf("models: %w", err)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") {
			continue
		}
		sub, err := fs.Sub(files, path.Clean(e.Name()))
		if err != nil || !holdsModel(sub) {
			continue
		}
		m, err := open(sub, origin(e.Name()))
		if err != nil {
			if c.broken == nil {
				c.broken = map[string]Broken{}
			}
			c.broken[e.Name()] = Broken{e.Name(), origin(e.Name()), err}
			continue
		}
		if err := c.add(m); err != nil {
			return err
		}
	}
	return nil
}

func holdsModel(files fs.FS) bool {
	for _, name := range []string{manifestFile, nextFile, pointerFile} {
		if _, err := fs.Stat(files, name); err == nil {
			return true
		}
	}
	return false
}

func (c *Catalogue) add(m *Model) error {
	if old := c.models[m.Name]; old != nil && (old.Origin != embeddedOrigin || m.Origin == embeddedOrigin) {
		return fmt.Errorf("models: %w: two models are named %s: %s and %s", segd.ErrOption, m.Name, old.Origin, m.Origin)
	}
	if c.models == nil {
		c.models = map[string]*Model{}
	}
	c.models[m.Name] = m
	return nil
}

// Broken lists the models that AddDir found and that cannot be opened, sorted by
// name.
func (c *Catalogue) Broken() []Broken {
	return slices.SortedFunc(maps.Values(c.broken), func(a, b Broken) int { return cmp.Compare(a.Name, b.Name) })
}

// Get returns the model of that name. Another name is a segd.ErrNotFound that
// lists the known ones; one of Broken is an ErrBroken.
func (c *Catalogue) Get(name string) (*Model, error) {
	m, err := c.find(name)
	if m != nil || err != nil {
		return m, err
	}
	return nil, fmt.Errorf("models: %w: no model %.80q, have %s", segd.ErrNotFound, name, c.names())
}

// find returns the model of that name, as it is now; nil where there is none.
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

// List returns the models, sorted by name. The slice is the caller's.
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

// names lists the names for a message.
func (c *Catalogue) names() string {
	var names []string
	for _, m := range c.List() {
		names = append(names, m.Name)
	}
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

// Resolve returns the model of that name or, where there is none, the model in
// the directory of that name. The errors are those of Get and Open.
func (c *Catalogue) Resolve(nameOrDir string) (*Model, error) {
	m, err := c.find(nameOrDir)
	if m != nil || err != nil {
		return m, err
	}
	if info, err := os.Stat(nameOrDir); err == nil && info.IsDir() {
		return Open(nameOrDir)
	}
	return nil, fmt.Errorf("models: %w: no model or directory %.200q, have models %s", segd.ErrNotFound, nameOrDir, c.names())
}

// modalities are the values of Modality (0008,0060) that messages repeat; what
// else a file may have there is not for logs.
var modalities = []string{"CR", "CT", "DX", "ES", "GM", "IO", "IVUS", "MG", "MR", "NM", "OCT", "OP", "OPT", "OT", "PT", "PX", "RF", "RG", "SC", "SEG", "SM", "US", "XA", "XC"}

// Auto returns the model that is meant for a scan, by Manifest.Match. A model
// that names modalities goes before one that names formats only. A catalogue
// of one model without any rule gives that one. Where none fits, or several
// fit equally well, the error is a segd.ErrUnprocessable that says to choose.
func (c *Catalogue) Auto(s *segd.Scan) (*Model, error) {
	// Models of values make no masks; the others must take what the scan has.
	list := slices.DeleteFunc(c.List(), func(m *Model) bool { return m.Values != nil || m.CheckChannels(s.Channels) != nil })
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
		return nil, fmt.Errorf("models: %w: no model fits a %s; choose one of %s", segd.ErrUnprocessable, kind, c.names())
	}
	var names []string
	for _, m := range found {
		names = append(names, m.Name)
	}
	return nil, fmt.Errorf("models: %w: several models fit a %s; choose one of %s", segd.ErrUnprocessable, kind, strings.Join(names, ", "))
}

// kindOf says what a scan is, in words that are fit for logs.
func kindOf(s *segd.Scan) string {
	if slices.Contains(modalities, s.Modality) {
		return s.Format + " file of modality " + s.Modality
	}
	return s.Format + " file"
}

// Warnings says what a user should know who gives the model a scan: that it is
// meant for another kind, or, where auto is how it was chosen, that the scan
// does not say what it shows. A model that was named gets no warning of such a
// scan: a PNG of a radiograph has no modality.
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

// fit is 0 where the model is not meant for the scan, and higher the more
// closely it is.
func (m Match) fit(s *segd.Scan) int {
	switch {
	case m.empty(),
		len(m.Formats) > 0 && !slices.Contains(m.Formats, s.Format),
		len(m.Modalities) > 0 && !slices.Contains(m.Modalities, s.Modality):
		return 0
	case len(m.Modalities) > 0:
		return 2
	}
	return 1
}
