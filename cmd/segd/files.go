package main

import (
	"bytes"
	"fmt"
	"io"
	"os"

	"segd/internal/output"
	"segd/models"
)

// writeFile writes path whole or not at all: see output.WriteFile.
func writeFile(path string, write func(io.Writer) error) error { return output.WriteFile(path, write) }

// exists reports whether path is there.
func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// free checks that a file that the command is to write is not there, or may be
// replaced. Devices and pipes are no files that could be lost; an empty path is
// none.
func free(path string, overwrite bool) error {
	info, err := os.Lstat(path)
	if err != nil || path == "" || overwrite || info.Mode()&(os.ModeDevice|os.ModeNamedPipe) != 0 {
		return nil
	}
	return fmt.Errorf("%s already exists: replace it with --overwrite or choose another name", path)
}

// freeReport is free for a report, which may replace an earlier one.
func freeReport(path string, overwrite bool) error {
	info, err := os.Stat(path)
	if err != nil || overwrite || !info.Mode().IsRegular() {
		return free(path, overwrite)
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // read only
	head := make([]byte, 256)
	n, _ := io.ReadFull(f, head)
	if head = head[:n]; n == 0 || bytes.HasPrefix(head, []byte(reportStart)) || bytes.Contains(head, []byte(pageMark)) {
		return nil
	}
	return fmt.Errorf("%s is not a report written by segd: replace it with --overwrite or choose another name", path)
}

// How the beginning of a report shows that it is one: the JSON of metric.Report
// and the pages of package report.
const (
	reportStart = "{\n  \"cases\": ["
	pageMark    = `<meta name="generator" content="segd">`
)

// takeModelFolder locks a folder that a model is to be written to, and refuses one
// that holds a model, unless it may be replaced. A store of versions is never
// replaced.
func takeModelFolder(dir string, overwrite bool) (*output.Lock, error) {
	if err := models.Free(dir, overwrite); err != nil {
		return nil, err
	}
	lock, err := output.Take(dir)
	if err != nil {
		return nil, err
	}
	if err := models.Free(dir, overwrite); err != nil { // as another run left it
		lock.Release()
		return nil, err
	}
	return lock, nil
}
