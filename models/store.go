package models

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"segd"
	"segd/internal/output"
)

// A store is a directory with the versions of one model:
//
//	NAME/versions/1, versions/2 …    model directories, which never change
//	NAME/current.json                the version in service and its predecessors
//	NAME/promotions.jsonl            one line per change
//
// A store can be used in place of a model directory; it stands for its current
// version.
const (
	pointerFile   = "current.json"
	versionsDir   = "versions"
	promotionsLog = "promotions.jsonl"
	maxPointer    = 64 << 10
)

// pointer is the content of current.json.
type pointer struct {
	Version int   `json:"version"`
	Before  []int `json:"before"` // earlier versions in service, latest last
}

// readPointer returns nil and no error if files is not a store.
func readPointer(files fs.FS) (*pointer, error) {
	b, err := readFile(files, pointerFile, maxPointer)
	if errors.Is(err, segd.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var p pointer
	if err := json.Unmarshal(b, &p); err != nil || p.Version < 1 {
		return nil, fmt.Errorf("models: %w: %s names no version", segd.ErrFormat, pointerFile)
	}
	return &p, nil
}

// current returns the directory of the version in service, or files itself if
// it is not a store. in is its path within files.
func current(files fs.FS) (dir fs.FS, in string, err error) {
	p, err := readPointer(files)
	if p == nil || err != nil {
		return files, "", err
	}
	in = path.Join(versionsDir, strconv.Itoa(p.Version))
	dir, err = fs.Sub(files, in)
	return dir, in, err
}

// Promotion is a line of promotions.jsonl: what was done to a store, and on
// what evidence. It contains no patient data.
type Promotion struct {
	Time     time.Time `json:"time"`
	Action   string    `json:"action"` // promote or rollback
	Version  int       `json:"version"`
	Previous int       `json:"previous"` // 0: none
	Weights  string    `json:"weights_sha256"`
	Worse    bool      `json:"-"` // the evidence is against the new version; see metric.Verdict
	Forced   bool      `json:"forced,omitempty"`
	Evidence any       `json:"evidence,omitempty"` // the comparison with the previous version
}

// Promote adds m to the store dir, named name, as its next version, and puts it
// into service. The caller sets what's Time, Evidence, Worse and Forced. A
// worse model that is not forced is a segd.ErrUnprocessable. At every moment
// the old or the new version is in service. Two changes of a store must not run
// concurrently.
func Promote(dir, name string, m *Model, what Promotion) (Promotion, error) {
	if what.Worse && !what.Forced {
		return what, fmt.Errorf("models: %w: the new model is significantly worse than %s in service, which stays there", segd.ErrUnprocessable, name)
	}
	if !ValidName(name) {
		return what, fmt.Errorf("models: %w: %.80q is not a valid model name", segd.ErrOption, name)
	}
	if _, err := os.Stat(filepath.Join(dir, manifestFile)); err == nil {
		return what, fmt.Errorf("models: %w: %s is a model, not a version store: move it elsewhere, then promote it", segd.ErrOption, dir)
	}
	params, err := m.AllParams() // which checks them
	if err != nil {
		return what, err
	}
	p, err := readPointer(os.DirFS(dir))
	if err != nil {
		return what, err
	}
	if p == nil {
		p = &pointer{}
	}
	if what.Version, err = nextVersion(dir); err != nil {
		return what, err
	}
	man := m.Manifest
	man.Name, man.Version = name, strconv.Itoa(what.Version)
	to := filepath.Join(dir, versionsDir, man.Version)
	if len(params) > 1 {
		err = SaveEnsemble(to, man, params, false)
	} else {
		err = Save(to, man, params[0], false)
	}
	if err != nil {
		return what, err
	}
	what.Action, what.Previous = "promote", p.Version
	next := pointer{Version: what.Version, Before: p.Before}
	if p.Version > 0 {
		next.Before = append(slices.Clip(p.Before), p.Version)
	}
	return what, turn(dir, next, &what)
}

// Rollback returns to the version that was in service before the current one. A
// store without one is a segd.ErrOption.
func Rollback(dir string, now time.Time) (Promotion, error) {
	what := Promotion{Time: now, Action: "rollback"}
	p, err := readPointer(os.DirFS(dir))
	if err != nil {
		return what, err
	}
	if p == nil {
		return what, fmt.Errorf("models: %w: %s is not a version store%s", segd.ErrNotFound, dir, besides(dir, isStore))
	}
	if len(p.Before) == 0 {
		return what, fmt.Errorf("models: %w: version %d has no predecessor", segd.ErrOption, p.Version)
	}
	last := len(p.Before) - 1
	what.Version, what.Previous = p.Before[last], p.Version
	return what, turn(dir, pointer{what.Version, p.Before[:last]}, &what)
}

// turn switches a store to another, complete version. It writes the line of the
// log first: there is no change without one.
func turn(dir string, p pointer, what *Promotion) error {
	m, err := Open(filepath.Join(dir, versionsDir, strconv.Itoa(p.Version)))
	if err != nil {
		return err
	}
	what.Weights = m.WeightsSHA256
	line, err := json.Marshal(what)
	if err != nil {
		return fmt.Errorf("models: %w", err)
	}
	text, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("models: %w", err)
	}
	if err := appendLine(filepath.Join(dir, promotionsLog), line); err != nil {
		return fmt.Errorf("models: %w", err)
	}
	err = output.WriteFile(filepath.Join(dir, pointerFile), func(w io.Writer) error {
		_, err := w.Write(append(text, '\n'))
		return err
	})
	if err != nil {
		return fmt.Errorf("models: %w", err)
	}
	return nil
}

func appendLine(name string, line []byte) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(append(line, '\n'))
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// nextVersion returns one more than the highest version that ever existed.
func nextVersion(dir string) (int, error) {
	entries, err := os.ReadDir(filepath.Join(dir, versionsDir))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return 0, fmt.Errorf("models: %w", err)
	}
	highest := 0
	for _, e := range entries {
		if n, err := strconv.Atoi(strings.TrimSpace(e.Name())); err == nil {
			highest = max(highest, n)
		}
	}
	return highest + 1, nil
}

// refresh loads what was promoted since the last call. If a version cannot be
// opened, the current one stays in service, and Options.Log receives the reason
// once. The lock is not held while reading the disk.
func (c *Catalogue) refresh() {
	c.mu.Lock()
	var stores []*Model
	for _, m := range c.models {
		if m.store != "" {
			stores = append(stores, m)
		}
	}
	c.mu.Unlock()
	for _, m := range stores {
		next, err := m.promoted()
		c.mu.Lock()
		switch {
		case err != nil:
			c.miss(m, err)
		case c.models[m.Name] != m: // another call was faster
		case next != nil:
			c.models[m.Name] = next
			fallthrough
		default:
			delete(c.missed, m.store)
		}
		c.mu.Unlock()
	}
}

// miss logs that the version to serve cannot be opened, once for each reason.
func (c *Catalogue) miss(m *Model, err error) {
	if c.missed == nil {
		c.missed = map[string]string{}
	}
	if c.missed[m.store] == err.Error() {
		return
	}
	c.missed[m.store] = err.Error()
	c.options.log().Error("the current version of a model cannot be opened; another one stays in service",
		"model", m.Name, "serving", m.Version, "directory", m.store, "error", err.Error())
}

// promoted returns the version now in service in m's store, or nil if that is
// m.
func (m *Model) promoted() (*Model, error) {
	p, err := readPointer(os.DirFS(m.store))
	switch {
	case err != nil:
		return nil, err
	case p == nil:
		return nil, fmt.Errorf("models: %w: no %s", segd.ErrNotFound, pointerFile)
	case strconv.Itoa(p.Version) == path.Base(filepath.ToSlash(m.Origin)):
		return nil, nil
	}
	next, err := m.options.Open(m.store)
	if err != nil {
		return nil, err
	}
	if next.Name != m.Name {
		return nil, fmt.Errorf("models: %w: version %d is named %s, not %s", segd.ErrFormat, p.Version, next.Name, m.Name)
	}
	return next, nil
}
