package folder

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"segd"
	"segd/internal/beside"
	"segd/internal/scanio"
)

// Beside are the files in the folder of the file at path.
func Beside(path string) beside.Files {
	return beside.Files{Name: filepath.Base(path), Open: func(name string) ([]byte, error) {
		b, err := readStored(filepath.Join(filepath.Dir(path), name))
		if errors.Is(err, fs.ErrNotExist) {
			err = noValues(name)
		}
		return b, err
	}}
}

// noValues is the error of a header whose values are not there.
func noValues(name string) error {
	return fmt.Errorf("%w: the header has its values in %s, which does not lie beside it", segd.ErrUnprocessable, name)
}

// valuesOf are the files that have the values of those of paths that are headers.
func valuesOf(paths []string) map[string]bool {
	values := map[string]bool{}
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil || !info.Mode().IsRegular() {
			continue
		}
		for _, name := range scanio.PartsOfFile(path) {
			values[absolute(filepath.Join(filepath.Dir(path), name))] = true
		}
	}
	return values
}

// NeedsHeader is the error of a file that has the values of a volume alone, and whose
// header lies beside it; nil of any other.
func NeedsHeader(path string) error {
	kind, _, err := scanio.KindOfFile(path)
	if err != nil || kind != scanio.Unknown {
		return nil // reading it says what is wrong
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return nil
	}
	for _, e := range entries {
		if !e.Type().IsRegular() || scanio.Stem(e.Name()) == e.Name() {
			continue
		}
		if slices.Contains(scanio.PartsOfFile(filepath.Join(filepath.Dir(path), e.Name())), filepath.Base(path)) {
			return fmt.Errorf("%w: it has the values of a volume, and its header is %s: give that", segd.ErrUnsupported, e.Name())
		}
	}
	return nil
}
