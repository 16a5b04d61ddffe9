package dataset

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"

	"segd"
	"segd/internal/scanio"
	"segd/internal/walk"
)

// imageFiles and labelFiles say which files a walk accepts in the folders of a data
// set. Images exclude outputs of segd that lie among them. Labels include those
// outputs, and files of outlines.
func imageFiles() walk.Options { return walk.Options{} }

func labelFiles() walk.Options {
	return walk.Options{Want: isLabel, Outputs: true, Also: isOutlines}
}

// maskFiles is like labelFiles for predictions, which are masks.
func maskFiles() walk.Options { return walk.Options{Want: isLabel, Outputs: true} }

// isLabel reports whether a file of this kind may be a label. A file that only has
// the right name fails when it is read.
func isLabel(k scanio.Kind) bool { return k == scanio.Unknown || k.IsLabel() }

// listing is the content of a folder.
type listing struct {
	stems  []string          // sorted
	files  map[string]string // paths by stem
	drawn  []string          // paths of files of outlines, sorted
	failed []walk.File       // files that could not be read
	passed walk.Passed
}

// listFiles lists the paths of the files below dir by stem. A stem is the path below
// dir with slashes and without extension.
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
		if f.Also {
			l.drawn = append(l.drawn, f.Path)
			continue
		}
		stem := scanio.Stem(f.Name)
		if other, twice := l.files[stem]; twice {
			if o.Also != nil && (f.Kind == scanio.JPEG) != (kindOf(other) == scanio.JPEG) {
				l.preferMask(dir, f, stem)
				continue
			}
			return nil, fmt.Errorf("train: reading %s: %w: %s and %s share the stem %s", dir, segd.ErrFormat, other, f.Path, stem)
		}
		l.files[stem] = f.Path
		l.stems = append(l.stems, stem)
	}
	slices.Sort(l.stems)
	return l, nil
}

// preferMask keeps the file of another format where a JPEG, which may be a picture of
// the mask, has the same stem.
func (l *listing) preferMask(dir string, f walk.File, stem string) {
	jpeg := f.Path
	if f.Kind != scanio.JPEG {
		jpeg, l.files[stem] = l.files[stem], f.Path
	}
	if name, err := filepath.Rel(dir, jpeg); err == nil {
		jpeg = filepath.ToSlash(name)
	}
	l.passed.Unwanted(scanio.JPEG, jpeg)
}

// allFiles is like listFiles, but fails if anything cannot be read.
func allFiles(dir string, o walk.Options) (*listing, error) {
	l, err := listFiles(dir, o)
	if err != nil {
		return nil, err
	}
	for _, f := range l.failed {
		return nil, fmt.Errorf("train: reading %s: %w", f.Path, f.Err)
	}
	return l, nil
}

// inBrackets describes the skipped files, for appending to an error.
func inBrackets(p walk.Passed) string {
	text := p.String()
	if text == "" {
		return ""
	}
	return " (" + text + ")"
}

// kindOf returns the kind of a file that the walk has listed, or scanio.Unknown if it
// can no longer be read.
func kindOf(path string) scanio.Kind {
	kind, _, err := scanio.KindOfFile(path)
	if err != nil {
		return scanio.Unknown
	}
	return kind
}
