package handlers

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"segd"
	"segd/dicomio"
	"segd/internal/archive"
	"segd/internal/scanio"
)

// Limits of the files that are the slices of a series.
const (
	maxSlices   = 4096
	maxUnpacked = 1 << 30 // bytes of an archive
)

// pile keeps files one behind the other: a little in memory, then on the disk.
type pile struct {
	server *Server
	room   int // bytes that may be in memory
	buf    bytes.Buffer
	file   *temporary // nil: all is in buf
	n      int64
	ends   []int64 // of the files
	sent   []int   // their numbers, with those that were skipped
	unmap  func() error
	parts  int // of the form
	skip   left
}

// addPart adds a file that comes as a part of a form, unless it is no image.
func (p *pile) addPart(r io.Reader) error {
	p.parts++
	if p.parts == maxSlices { // with the one before the pile
		return fmt.Errorf("handlers: %w: more than %d files in a form", segd.ErrTooLarge, maxSlices)
	}
	head := make([]byte, sniffed)
	n, err := io.ReadFull(r, head)
	switch head = head[:n]; {
	case err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF):
		return readError(err)
	case n == 0:
		return fmt.Errorf("handlers: %w: file %d of the form is empty", segd.ErrFormat, p.parts+1)
	case archive.Is(head):
		return fmt.Errorf("handlers: %w: an archive beside another file: send one archive, or files", segd.ErrUnsupported)
	}
	if p.skip.passes(head) {
		_, err := io.Copy(io.Discard, r)
		return err
	}
	p.sent = append(p.sent, p.parts+1)
	return p.add(io.MultiReader(bytes.NewReader(head), r))
}

// add adds a file.
func (p *pile) add(r io.Reader) error {
	if p.file == nil {
		n, err := io.CopyN(&p.buf, r, int64(max(0, p.room-p.buf.Len())+1))
		p.n += n
		if errors.Is(err, io.EOF) {
			p.ends = append(p.ends, p.n)
			return nil
		}
		if err != nil {
			return readError(err)
		}
		if p.file, err = p.server.temporary(); err != nil {
			return err
		}
		if _, err = p.server.copyTo(p.file, &p.buf); err != nil {
			return err
		}
	}
	n, err := p.server.copyTo(p.file, r)
	if p.n += n; err == nil {
		p.ends = append(p.ends, p.n)
	}
	return err
}

// files are all that were added, until Close.
func (p *pile) files() ([][]byte, error) {
	all := p.buf.Bytes()
	if p.file != nil {
		var err error
		if all, p.unmap, err = mapFile(p.file.File, int(p.n)); err != nil {
			return nil, internalError{fmt.Errorf("handlers: upload from disk: %w", err)}
		}
	}
	var list [][]byte
	at := int64(0)
	for _, end := range p.ends {
		list, at = append(list, all[at:end:end]), end
	}
	return list, nil
}

// Close lets go of the files. p may be nil.
func (p *pile) Close() error {
	if p == nil || p.file == nil {
		return nil
	}
	f, unmap := p.file, p.unmap
	if p.file = nil; unmap != nil {
		return errors.Join(unmap(), f.Close())
	}
	return f.Close()
}

// addSlices makes the files of a form behind the first one slices, with it. p may be
// nil: there are none.
func (u *upload) addSlices(p *pile) error {
	if p == nil {
		return nil
	}
	if archive.Is(u.bytes) {
		return fmt.Errorf("handlers: %w: an archive beside another file: send one archive, or files", segd.ErrUnsupported)
	}
	list, err := p.files()
	if err != nil {
		return err
	}
	if !p.skip.passes(u.bytes[:min(len(u.bytes), sniffed)]) {
		list, p.sent = append([][]byte{u.bytes}, list...), append([]int{1}, p.sent...)
	}
	return u.keep(list, p, p.Close)
}

// keep makes list the files of u, and closes what they lie in with it.
func (u *upload) keep(list [][]byte, p *pile, closeFiles func() error) error {
	skip := &p.skip
	if len(list) == 0 {
		return fmt.Errorf("handlers: %w: no image among the files (%s): want %s", segd.ErrUnsupported, skip, scanio.Readable())
	}
	before := u.close
	u.bytes, u.close = list[0], func() error {
		err := closeFiles()
		if before != nil {
			err = errors.Join(err, before())
		}
		return err
	}
	if text := skip.String(); text != "" {
		u.notes = append(u.notes, "left out: "+text)
	}
	if len(list) > 1 {
		u.slices, u.numbers = list, p.sent
	}
	return nil
}

// unpack makes the files of an archive those of the upload. Their bytes lie on the disk
// and count as those of requests there.
func (s *Server) unpack(u *upload) (_ *upload, err error) {
	packed := bytes.NewReader(u.bytes)
	members, err := archive.Open(packed, packed.Size())
	if err != nil {
		return nil, errors.Join(err, u.Close())
	}
	p := &pile{server: s, room: inMemory}
	taken := int64(0)
	release := func() error {
		s.memory.spool.give(taken)
		taken = 0
		return p.Close()
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, release(), u.Close())
		}
	}()
	var images []archive.Member
	total := int64(0)
	for i, m := range members {
		head, err := m.Head(packed, sniffed)
		switch {
		case err != nil:
			return nil, fmt.Errorf("file %d of the archive: %w", i+1, err)
		case m.Hidden():
			p.skip.hidden++
			continue
		case archive.Is(head):
			return nil, fmt.Errorf("handlers: %w: an archive inside the archive: unpack it first", segd.ErrUnsupported)
		case p.skip.passes(head):
			continue
		}
		if total += m.Size; total > maxUnpacked || len(images) == maxSlices {
			return nil, fmt.Errorf("handlers: %w: an archive of more than %d images, or of more than %d bytes", segd.ErrTooLarge, maxSlices, maxUnpacked)
		}
		images, p.sent = append(images, m), append(p.sent, i+1)
	}
	if total > s.memory.spool.size {
		return nil, fmt.Errorf("handlers: %w: an archive of %s, the server has %s for files", segd.ErrTooLarge, inMiB(total), inMiB(s.memory.spool.size))
	}
	if !s.memory.spool.try(total) {
		return nil, fmt.Errorf("handlers: %w: the server holds as many bytes of requests as it may (%s on disk)", segd.ErrBusy, inMiB(s.memory.spool.size))
	}
	taken = total
	for i, m := range images {
		r, w := io.Pipe()
		go func() { w.CloseWithError(m.Copy(w, packed)) }()
		err := p.add(r)
		_ = r.Close() // never fails
		if err != nil {
			return nil, fmt.Errorf("file %d of the archive: %w", p.sent[i], err)
		}
	}
	list, err := p.files()
	if err != nil {
		return nil, err
	}
	return u, u.keep(list, p, release)
}

// left counts the files that are no images.
type left struct {
	hidden, directories, others int
	objects                     map[string]int // DICOM objects, by what they are
}

// passes counts a file that begins with head and is no image.
func (l *left) passes(head []byte) bool {
	kind := scanio.KindOf(head)
	switch what := dicomio.NotImage(head); {
	case kind == scanio.DICOMDIR:
		l.directories++
	case !kind.IsScan():
		l.others++
	case kind == scanio.DICOM && what != "":
		if l.objects == nil {
			l.objects = map[string]int{}
		}
		l.objects[what]++
	default:
		return false
	}
	return true
}

// String names what was left out; empty: nothing was.
func (l *left) String() string {
	var parts []string
	add := func(n int, one, many string) {
		switch {
		case n == 1:
			parts = append(parts, "1 "+one)
		case n > 1:
			parts = append(parts, fmt.Sprint(n, " ", many))
		}
	}
	objects := 0
	for _, n := range l.objects {
		objects += n
	}
	add(l.directories, "DICOMDIR", "DICOMDIR")
	add(objects, "DICOM object that is not an image", "DICOM objects that are not images")
	add(l.others, "file that is not an image", "files that are not images")
	add(l.hidden, "hidden file", "hidden files")
	return strings.Join(parts, ", ")
}
