package handlers

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"os"

	"segd"
	"segd/internal/archive"
	"segd/internal/scanio"
)

const (
	// sniffed bytes tell what a file is.
	sniffed = scanio.HeadBytes
	// inMemory is how much of a file is kept in memory; more goes to the disk.
	inMemory = 2 << 20

	maxFields     = 32       // of a form, beside the file
	maxFieldBytes = 1024     // of one of them
	maxPartHeader = 64 << 10 // of the headers of a part, and what else lies between
)

// upload is a file that came with a request. Its bytes are those of a file on
// disk where it is large, and are gone after Close.
type upload struct {
	bytes    []byte
	name     string     // of the file, as the client calls it
	others   []kept     // files that came with it
	channels [][]byte   // of an image that came as several files, the first among them
	slices   [][]byte   // of a series that came as several files or an archive, the first among them
	numbers  []int      // of slices, as they were sent, from 1
	notes    []string   // what was left out
	options  url.Values // the form's fields but the files
	close    func() error
}

func (u *upload) Close() error {
	u.bytes, u.channels, u.slices, u.others = nil, nil, nil, nil
	if u.close == nil {
		return nil
	}
	return u.close()
}

// closeToo makes Close close p as well.
func (u *upload) closeToo(p *pile) {
	before := u.close
	u.close = func() error {
		err := p.Close()
		if before != nil {
			err = errors.Join(err, before())
		}
		return err
	}
}

// readUpload takes the file out of a request: the part "file" of a multipart
// form, or file_0000 and so on for its channels, or the body itself, whatever
// Content-Type it has. Several parts named file, and the files in a zip archive, are
// the slices of a series. The caller closes it.
func (s *Server) readUpload(r *http.Request) (*upload, error) {
	u, err := s.readBody(r)
	if err == nil && archive.Is(u.bytes) {
		u, err = s.unpack(u)
	}
	if err != nil {
		return u, err
	}
	return s.inflate(u)
}

// readBody is readUpload with archives as they are.
func (s *Server) readBody(r *http.Request) (*upload, error) {
	media, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if media != "multipart/form-data" {
		return s.spool(r.Body)
	}
	if err != nil || params["boundary"] == "" {
		return nil, fmt.Errorf("handlers: %w: multipart/form-data without a boundary", segd.ErrFormat)
	}
	between := &formReader{r: r.Body}
	u, err := s.readForm(multipart.NewReader(between, params["boundary"]), between)
	if err == nil { // a form may end before the body does
		if _, err = io.Copy(io.Discard, r.Body); err != nil {
			err = errors.Join(err, u.Close())
			u = nil
		}
	}
	// The body knows better than the form's reader what went wrong beneath it.
	if b, ok := r.Body.(*body); ok && b.err != nil && err != nil {
		err = b.err
	}
	return u, err
}

// formReader reads a form. It bounds what lies between its contents: package
// multipart takes headers of 10 MB of each part.
type formReader struct {
	r    io.Reader
	left int // bytes of header
	file bool
}

func (f *formReader) Read(p []byte) (int, error) {
	if f.file {
		return f.r.Read(p)
	}
	if f.left <= 0 {
		return 0, fmt.Errorf("handlers: %w: a form with more than %d bytes in the header of a part, or in a field", segd.ErrTooLarge, maxPartHeader)
	}
	n, err := f.r.Read(p[:min(len(p), f.left)])
	f.left -= n
	return n, err
}

func (s *Server) readForm(form *multipart.Reader, between *formReader) (u *upload, err error) {
	options := url.Values{}
	var channels []channelPart
	var more *pile // files behind the first
	fields := 0
	defer func() {
		if err != nil {
			err = errors.Join(err, closeChannels(channels), more.Close())
		}
		if err != nil && u != nil {
			err = errors.Join(err, u.Close())
			u = nil
		}
	}()
	for {
		between.left, between.file = maxPartHeader, false
		part, err := form.NextRawPart()
		ended := err == io.EOF //nolint:errorlint // the error of a truncated form wraps io.EOF
		switch {
		case ended && u == nil && len(channels) > 0:
			return joinUploads(channels, options)
		case ended && u == nil && more != nil:
			u = &upload{options: options}
			return u, u.addSlices(more)
		case ended && u == nil:
			return nil, fmt.Errorf("handlers: %w: the form has no part named file, nor any named %s and so on", segd.ErrFormat, channelName(0))
		case ended:
			u.options = options
			return u, u.addSlices(more)
		case errors.Is(err, segd.ErrTooLarge):
			return u, err
		case err != nil:
			return u, fmt.Errorf("handlers: %w: the form is truncated or not multipart/form-data", segd.ErrFormat)
		}
		if part.FormName() != "file" {
			fields++
		}
		if fields > maxFields {
			return u, fmt.Errorf("handlers: %w: a form of more than %d parts", segd.ErrTooLarge, maxFields)
		}
		switch name := part.FormName(); {
		case name == "file" && len(channels) > 0, isChannel(name) && (u != nil || more != nil):
			return u, fmt.Errorf("handlers: %w: both a part named file and channels, %s and so on, in a form: want one or the other", segd.ErrFormat, channelName(0))
		case isChannel(name):
			between.file = true
			if channels, err = s.readChannel(channels, name, part); err != nil {
				return u, err
			}
		case name == "file" && (u != nil || more != nil || scanio.NamedValues(part.FileName())):
			between.file = true
			switch {
			case more == nil && u == nil: // the values before their header
				more = &pile{server: s, room: inMemory}
			case more == nil:
				more = &pile{server: s, room: inMemory - len(u.bytes), parts: 1}
			}
			if err = more.addPart(part, part.FileName()); err != nil {
				return u, err
			}
		case name == "file":
			between.file = true
			if u, err = s.spool(part); err != nil {
				return u, err
			}
			u.name = part.FileName()
		case part.FileName() != "":
			return u, fmt.Errorf("handlers: %w: the form has a file in the field %.40q: name the field file, or %s and so on for the channels of an image", segd.ErrFormat, name, channelName(0))
		default:
			b, err := io.ReadAll(io.LimitReader(part, maxFieldBytes+1))
			if err != nil {
				return u, fmt.Errorf("handlers: %w: the form is truncated", segd.ErrFormat)
			}
			if len(b) > maxFieldBytes {
				return u, fmt.Errorf("handlers: %w: a field of more than %d bytes", segd.ErrTooLarge, maxFieldBytes)
			}
			options.Add(name, string(b))
		}
	}
}

// spool reads a file. What is not of a kind that segd reads is refused by its
// first bytes, before the rest is asked for.
func (s *Server) spool(r io.Reader) (*upload, error) {
	var buf bytes.Buffer // which grows with what comes
	_, err := io.CopyN(&buf, r, sniffed)
	switch head := buf.Bytes(); {
	case errors.Is(err, io.EOF) && len(head) == 0:
		return nil, fmt.Errorf("handlers: %w: the file is empty: send it as the body, or as the part file of a form", segd.ErrFormat)
	case err != nil && !errors.Is(err, io.EOF):
		return nil, readError(err)
	case scanio.KindOf(head) == scanio.Unknown && !archive.Is(head):
		return nil, fmt.Errorf("handlers: %w: the content is not %s", segd.ErrUnsupported, scanio.Readable())
	case err != nil: // that was all
		return &upload{bytes: head}, nil
	}
	if _, err = io.CopyN(&buf, r, inMemory-sniffed); errors.Is(err, io.EOF) {
		return &upload{bytes: buf.Bytes()}, nil
	}
	if err != nil {
		return nil, readError(err)
	}
	return s.toDisk(io.MultiReader(&buf, r))
}

// readError returns an error of the body unchanged; any other is the form's.
func readError(err error) error {
	for _, k := range kinds {
		if errors.Is(err, k.is) {
			return err
		}
	}
	return fmt.Errorf("handlers: %w: the form is truncated: no boundary follows the file", segd.ErrFormat)
}

// toDisk copies a file to the disk, under no name that lasts, and maps it into
// memory, of which it then takes only what is looked at.
func (s *Server) toDisk(r io.Reader) (u *upload, err error) {
	f, err := s.temporary()
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close())
		}
	}()
	n, err := s.copyTo(f, r)
	if err != nil {
		return nil, err
	}
	b, unmap, err := mapFile(f.File, int(n))
	if err != nil {
		return nil, internalError{fmt.Errorf("handlers: upload from disk: %w", err)}
	}
	return &upload{bytes: b, close: func() error { return errors.Join(unmap(), f.Close()) }}, nil
}

// copyTo copies r to a temporary file.
func (s *Server) copyTo(f *temporary, r io.Reader) (int64, error) {
	// A plain writer: os.File would pick a buffer of its own size.
	n, err := io.CopyBuffer(struct{ io.Writer }{f}, r, make([]byte, 128<<10))
	if err == nil {
		return n, nil
	}
	if _, ok := errors.AsType[*os.PathError](err); ok {
		return n, s.noRoom(err)
	}
	return n, readError(err)
}

// temporary is a file that nobody else sees and that is gone with Close.
type temporary struct {
	*os.File
	named bool
}

// temporary makes a file in the folder for bodies.
func (s *Server) temporary() (*temporary, error) {
	f, err := os.CreateTemp(s.TempDir, "segd-upload-") // mode 0600
	if err != nil {
		return nil, s.noRoom(err)
	}
	return &temporary{f, os.Remove(f.Name()) != nil}, nil // not removed on Windows, while it is open
}

// Close removes the file.
func (f *temporary) Close() error {
	err := f.File.Close()
	if f.named {
		err = errors.Join(err, os.Remove(f.Name()))
	}
	return err
}
