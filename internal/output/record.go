package output

import (
	"bufio"
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
)

// RecordName is the file in a folder that lists what segd wrote there.
const RecordName = "segd.outputs"

// recordHead is its first line. Each further one names an output, by its path
// below the folder with slashes, and the inputs that it was made of, all of them
// quoted as Go strings, with blanks between.
const recordHead = "segd outputs 1"

// maxRecord bounds what is read of a record.
const maxRecord = 1 << 30

// Record lists outputs: the names of their inputs by path.
type Record map[string][]string

// ReadRecord reads the record of a folder; nil and no error: there is none. A
// line that is cut off, as that of a run that was killed may be, or that names
// nothing below the folder is left out.
func ReadRecord(dir string) (Record, error) {
	f, err := os.Open(filepath.Join(dir, RecordName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("output: %w", err)
	}
	defer func() { _ = f.Close() }() // read only
	r := bufio.NewReader(io.LimitReader(f, maxRecord))
	head, err := r.ReadString('\n')
	if strings.TrimSpace(head) != recordHead {
		return nil, nil // a file of that name, but none of segd
	}
	record := Record{}
	for err == nil {
		var line string
		if line, err = r.ReadString('\n'); err != nil {
			break // cut off
		}
		if words := unquote(strings.TrimSpace(line)); len(words) > 0 && filepath.IsLocal(filepath.FromSlash(words[0])) {
			record[words[0]] = words[1:]
		}
	}
	if !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("output: reading %s: %w", f.Name(), err)
	}
	return record, nil
}

// unquote returns the strings of a line; nil where it is not one.
func unquote(line string) (words []string) {
	for line != "" {
		quoted, err := strconv.QuotedPrefix(line)
		if err != nil {
			return nil
		}
		word, err := strconv.Unquote(quoted)
		if err != nil {
			return nil
		}
		words = append(words, word)
		line = strings.TrimLeft(line[len(quoted):], " ")
	}
	return words
}

// line is the line of an output.
func (r Record) line(name string) string {
	var b strings.Builder
	b.WriteString(strconv.Quote(name))
	for _, in := range r[name] {
		b.WriteString(" " + strconv.Quote(in))
	}
	b.WriteByte('\n')
	return b.String()
}

// Folders are the folders that segd made for outputs, one for each kind.
func (r Record) Folders() map[string]bool {
	list := map[string]bool{}
	for name := range r {
		if top := topOf(name); top != "" {
			list[top] = true
		}
	}
	return list
}

// topOf is the first element of a path of several; empty for others.
func topOf(name string) string {
	top, _, deep := strings.Cut(path.Clean(name), "/")
	if !deep {
		return ""
	}
	return top
}

// write writes the record in one go, sorted; an empty one is removed.
func (r Record) write(dir string) error {
	to := filepath.Join(dir, RecordName)
	if len(r) == 0 {
		if err := os.Remove(to); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
	names := make([]string, 0, len(r))
	for name := range r {
		names = append(names, name)
	}
	slices.Sort(names)
	return WriteFile(to, func(w io.Writer) error {
		if _, err := io.WriteString(w, recordHead+"\n"); err != nil {
			return err
		}
		for _, name := range names {
			if _, err := io.WriteString(w, r.line(name)); err != nil {
				return err
			}
		}
		return nil
	})
}
