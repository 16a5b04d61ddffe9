package handlers

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"segd/internal/engine"
	"segd/internal/export"
)

// Headers of an answer that say where it comes from.
const (
	modelHeader    = "Segd-Model"
	versionHeader  = "Segd-Model-Version"
	networkHeader  = "Segd-Network-Ms" // time in the network, of all frames
	warningsHeader = "Segd-Warnings"   // of the scan and its first frame
)

// attachment is a Content-Disposition that has a client save what it gets.
func attachment(name string) string { return fmt.Sprintf("attachment; filename=%q", name) }

func kindOf(name string) export.Kind {
	k, _ := export.KindOf(name)
	return k
}

// response is an answer in the making: the engine's Sink. A file of a single frame, or
// of all frames, is the response; files of several frames, and those of output zip, go
// into an archive.
//
// An archive goes out frame by frame, so that memory is that of one. The time in the
// network is only known at the end then and comes as a trailer, and where something
// fails in between, the connection is cut: half an archive must not look like a whole
// one.
type response struct {
	server *Server
	c      echo.Context
	kind   export.Kind // that is asked for

	result  *engine.Result
	archive *zip.Writer // nil: there is none
	files   []*file     // of the frame at hand
}

// file is one that is made of a frame.
type file struct {
	engine.Output
	bytes.Buffer
}

// Open is that of engine.Sink; the one source is always taken.
func (a *response) Open(*engine.Source) error { return nil }

// Begin is that of engine.Sink.
func (a *response) Begin(_ *engine.Source, r *engine.Result) error {
	a.result = r
	if a.kind.Name == export.Zip || a.kind.Scope == export.Frame && r.Asked > 1 {
		a.archive = zip.NewWriter(a.c.Response())
	}
	return nil
}

// Write is that of engine.Sink. Files of frames wait for Frame. One of all frames is
// made while it goes out, for it may be large, unless it is JSON.
func (a *response) Write(o engine.Output, write func(io.Writer) error) error {
	f := &file{Output: o}
	switch {
	case o.Frame > 0:
		a.files = append(a.files, f)
		return write(f)
	case a.archive == nil && o.Kind.Name != export.JSON:
		a.setHeaders()
		return write(a.c.Response())
	}
	if err := write(f); err != nil {
		return err
	}
	if a.archive != nil {
		return a.add(f)
	}
	a.setHeaders()
	return a.c.Blob(http.StatusOK, o.Kind.Media, f.Bytes())
}

// Held is that of engine.Sink.
func (a *response) Held() (n int64) {
	for _, f := range a.files {
		n += int64(f.Cap())
	}
	return n
}

// Frame is that of engine.Sink.
func (a *response) Frame(*engine.Source, *engine.Result) error {
	files := a.files
	a.files = nil
	switch {
	case len(files) == 0:
		return nil
	case a.archive == nil:
		a.setHeaders()
		return a.c.Blob(http.StatusOK, a.kind.Media, files[0].Bytes())
	case !a.c.Response().Committed:
		a.setHeaders()
		a.c.Response().WriteHeader(http.StatusOK)
	}
	for _, f := range files {
		if err := a.add(f); err != nil {
			return err
		}
	}
	if err := a.archive.Flush(); err != nil {
		return err
	}
	a.c.Response().Flush()
	return nil
}

// Discard and Close are those of engine.Sink. What failed is the error of the run.
func (a *response) Discard(*engine.Source)                      {}
func (a *response) Close(*engine.Source, *engine.Result, error) {}

// add puts a file into the archive.
func (a *response) add(f *file) error {
	method := zip.Deflate
	if f.Kind.Ext == ".png" { // which is deflated already
		method = zip.Store
	}
	w, err := a.archive.CreateHeader(&zip.FileHeader{Name: f.Member(), Method: method, Modified: time.Now()})
	if err == nil {
		_, err = w.Write(f.Bytes())
	}
	return err
}

// finish ends an archive.
func (a *response) finish() error {
	if a.archive == nil {
		return nil
	}
	if err := a.archive.Close(); err != nil {
		return err
	}
	a.c.Response().Header().Set(networkHeader, a.result.InNetwork().String())
	return nil
}

// setHeaders says what the answer is, and where it comes from as of the first frame.
func (a *response) setHeaders() {
	h, r := a.c.Response().Header(), a.result
	h.Set("Cache-Control", "no-store")
	h.Set("Vary", "Accept")
	h.Set(modelHeader, ascii(r.Model))
	h.Set(versionHeader, ascii(r.Version))
	warnings := append(append([]string{}, r.Warnings...), r.Frames[0].Warnings...)
	if len(warnings) > 0 {
		h.Set(warningsHeader, ascii(strings.Join(warnings, "; ")))
	}
	k, name := a.kind, a.kind.Name
	if a.archive == nil {
		h.Set(networkHeader, r.InNetwork().String())
	} else {
		h.Set("Trailer", networkHeader)
		if k.Name == export.Zip {
			name = "segd"
		}
		k = kindOf(export.Zip)
	}
	h.Set("Content-Type", k.Media)
	if k.Ext != ".png" && k.Name != export.JSON { // which a browser shows
		h.Set("Content-Disposition", attachment(name+k.Ext))
	}
}

// ascii is what a header may hold (RFC 9110, 5.5).
func ascii(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '×':
			return 'x'
		case r < ' ' || r > '~':
			return '?'
		}
		return r
	}, s)
}

// writeJSON writes a value that is whole before the first byte goes out.
func writeJSON(c echo.Context, status int, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return internalError{fmt.Errorf("handlers: %w", err)}
	}
	h := c.Response().Header()
	if h.Get("Cache-Control") == "" {
		h.Set("Cache-Control", "no-cache")
	}
	return c.JSONBlob(status, append(b, '\n'))
}
