package dataset

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"segd"
	"segd/internal/scanio"
	"segd/internal/walk"
)

// imageFiles and labelFiles say what a walk takes in the folders of a data set:
// images, but no outputs of segd that lie among them; and whatever holds labels,
// which segd may have written. JPEG changes values, and so holds none.
func imageFiles() walk.Options { return walk.Options{} }

func labelFiles() walk.Options { return walk.Options{Want: isLabel, Outputs: true} }

// isLabel reports whether a file of a kind may be a label. A file that has only the
// name of one fails when it is read.
func isLabel(k scanio.Kind) bool { return k == scanio.Unknown || k.IsLabel() }

// listing is what a folder holds.
type listing struct {
	stems  []string          // sorted
	files  map[string]string // paths by stem
	failed []walk.File       // what could not be read
	passed walk.Passed
}

// listFiles maps the files below dir to their paths by stem, which is the path
// below dir, with slashes, without the extension.
func listFiles(dir string, o walk.Options) (*listing, error) {
	found, passed, err := walk.Walk(dir, o)
	if err != nil {
		var p *fs.PathError
		if errors.As(err, &p) {
			err = p.Err
		}
		return nil, fmt.Errorf("train: reading %s: %w", dir, err)
	}
	l := &listing{files: map[string]string{}, passed: passed}
	for _, f := range found {
		if f.Err != nil {
			l.failed = append(l.failed, f)
			continue
		}
		stem := scanio.Stem(f.Name)
		if other, twice := l.files[stem]; twice {
			return nil, fmt.Errorf("train: reading %s: %w: %s and %s share the stem %s", dir, segd.ErrFormat, other, f.Path, stem)
		}
		l.files[stem] = f.Path
		l.stems = append(l.stems, stem)
	}
	slices.Sort(l.stems)
	return l, nil
}

// stemsOf is listFiles where everything has to be readable.
func stemsOf(dir string, o walk.Options) ([]string, map[string]string, walk.Passed, error) {
	l, err := listFiles(dir, o)
	if err != nil {
		return nil, nil, walk.Passed{}, err
	}
	for _, f := range l.failed {
		return nil, nil, walk.Passed{}, fmt.Errorf("train: reading %s: %w", f.Path, f.Err)
	}
	return l.stems, l.files, l.passed, nil
}

// inBrackets is what was skipped, to be put behind an error.
func inBrackets(p walk.Passed) string {
	text := p.String()
	if text == "" {
		return ""
	}
	return " (" + text + ")"
}

// kindOf is the kind of a file that the walk has listed; scanio.Unknown where it
// cannot be read any more.
func kindOf(path string) scanio.Kind {
	kind, _, err := scanio.KindOfFile(path)
	if err != nil {
		return scanio.Unknown
	}
	return kind
}
