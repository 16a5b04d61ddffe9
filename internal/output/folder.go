package output

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// Folder is a folder for outputs that one run has. Its methods may be called
// from several goroutines.
type Folder struct {
	*Lock

	mu      sync.Mutex
	record  Record
	journal *os.File // the record, as it grows; nil: nothing was added
}

// Open locks folder dir, as Take does, and reads what earlier runs wrote there.
func Open(dir string) (*Folder, error) {
	l, err := Take(dir)
	if err != nil {
		return nil, err
	}
	record, err := ReadRecord(dir)
	if err != nil {
		l.Release()
		return nil, err
	}
	if record == nil {
		record = Record{}
	}
	f := &Folder{Lock: l, record: record}
	f.sweep()
	return f, nil
}

// sweep removes what a run that was killed left under temporary names: no other
// run has the folder, so nobody is writing them.
func (f *Folder) sweep() {
	dirs := map[string]bool{f.dir: true}
	for name := range f.record {
		dirs[filepath.Join(f.dir, filepath.Dir(filepath.FromSlash(name)))] = true
	}
	for dir := range dirs {
		entries, err := os.ReadDir(dir)
		if err != nil {
			continue
		}
		for _, e := range entries {
			if temporary(e.Name()) && e.Type().IsRegular() {
				_ = os.Remove(filepath.Join(dir, e.Name()))
			}
		}
	}
}

// Add notes that an output is going to be written: name is its path below the
// folder, with slashes, inputs what it is made of. The note is on the disk before
// the output is, so that none is ever unknown.
func (f *Folder) Add(name string, inputs ...string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.record[name] = inputs
	if f.journal == nil {
		var err error
		if f.journal, err = os.OpenFile(filepath.Join(f.dir, RecordName), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o666); err != nil {
			return fmt.Errorf("output: %w", err)
		}
		start := "\n" // ends a line that was cut off
		if info, err := f.journal.Stat(); err == nil && info.Size() == 0 {
			start = recordHead + "\n"
		}
		if _, err := f.journal.WriteString(start); err != nil {
			return fmt.Errorf("output: %w", err)
		}
	}
	if _, err := f.journal.WriteString(f.record.line(name)); err != nil {
		return fmt.Errorf("output: %w", err)
	}
	return nil
}

// Has reports whether an output is one that segd wrote.
func (f *Folder) Has(name string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	_, ok := f.record[name]
	return ok
}

// Outputs calls yield for what segd wrote, in no order, until it returns false.
// It is an iterator; the Folder must not be used meanwhile.
func (f *Folder) Outputs(yield func(name string, inputs []string) bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for name, inputs := range f.record {
		if !yield(name, inputs) {
			return
		}
	}
}

// Remove removes an output of an earlier run; one that is gone is no error.
func (f *Folder) Remove(name string) error {
	if err := os.Remove(filepath.Join(f.dir, filepath.FromSlash(name))); err != nil && !os.IsNotExist(err) {
		return fmt.Errorf("output: %w", err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.record, name)
	return nil
}

// FoldsCase reports whether the folder's file system takes A and a for the same
// name.
func (f *Folder) FoldsCase() bool {
	lock, err := os.Stat(f.path)
	if err != nil {
		return false
	}
	upper, err := os.Stat(filepath.Join(f.dir, strings.ToUpper(LockName)))
	return err == nil && os.SameFile(lock, upper)
}

// Close writes the record, of what is there, and lets other runs in.
func (f *Folder) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	defer f.Release()
	if f.journal != nil {
		_ = f.journal.Close() // it is written again
	}
	for name := range f.record {
		if _, err := os.Lstat(filepath.Join(f.dir, filepath.FromSlash(name))); os.IsNotExist(err) {
			delete(f.record, name)
		}
	}
	if err := f.record.write(f.dir); err != nil {
		return fmt.Errorf("output: %w", err)
	}
	return nil
}
