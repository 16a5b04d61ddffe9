package handlers

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"segd"
	"segd/dicomio"
	"segd/internal/archive"
	"segd/internal/beside"
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
	kept   []kept  // the files
	booked int64   // bytes of the disk that reserve took
	unmap  func() error
	parts  int // of the form, with those that were skipped and the one before the pile
	skip   left
}

// kept is a file of a pile.
type kept struct {
	number int    // as it was sent, from 1
	name   string // as the client calls it; a path in an archive
	spare  bool   // it is no image, but may have the values of a volume
	b      []byte
}

// addPart adds a file that comes as a part of a form, unless it is no image and has no
// name, by which it could be found as the values of one.
func (p *pile) addPart(r io.Reader, name string) error {
	if p.parts++; p.parts > maxSlices {
		return fmt.Errorf("handlers: %w: more than %d files in a form", segd.ErrTooLarge, maxSlices)
	}
	head := make([]byte, sniffed)
	n, err := io.ReadFull(r, head)
	switch head = head[:n]; {
	case err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF):
		return readError(err)
	case n == 0:
		return fmt.Errorf("handlers: %w: file %d of the form is empty", segd.ErrFormat, p.parts)
	case archive.Is(head):
		return fmt.Errorf("handlers: %w: an archive beside another file: send one archive, or files", segd.ErrUnsupported)
	}
	k := kept{number: p.parts, name: name, spare: name != "" && scanio.KindOf(head) == scanio.Unknown}
	if !k.spare && p.skip.passes(head) {
		_, err := io.Copy(io.Discard, r)
		return err
	}
	p.kept = append(p.kept, k)
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
func (p *pile) files() ([]kept, error) {
	all := p.buf.Bytes()
	if p.file != nil {
		var err error
		if all, p.unmap, err = mapFile(p.file.File, int(p.n)); err != nil {
			return nil, internalError{fmt.Errorf("handlers: upload from disk: %w", err)}
		}
	}
	at := int64(0)
	for i, end := range p.ends {
		p.kept[i].b, at = all[at:end:end], end
	}
	return p.kept, nil
}

// reserve books n bytes of the disk for files that are unpacked, until Close. They count
// as those of requests.
func (p *pile) reserve(n int64) error {
	spool := p.server.memory.spool
	if p.booked+n > spool.size {
		return fmt.Errorf("handlers: %w: %s when unpacked, the server has %s for files", segd.ErrTooLarge, inMiB(p.booked+n), inMiB(spool.size))
	}
	if !spool.try(n) {
		return fmt.Errorf("handlers: %w: the server holds as many bytes of requests as it may (%s on disk)", segd.ErrBusy, inMiB(spool.size))
	}
	p.booked += n
	return nil
}

// Close releases the files, and what reserve booked. p may be nil.
func (p *pile) Close() error {
	if p == nil {
		return nil
	}
	p.server.memory.spool.give(p.booked)
	if p.booked = 0; p.file == nil {
		return nil
	}
	f, unmap := p.file, p.unmap
	if p.file = nil; unmap != nil {
		return errors.Join(unmap(), f.Close())
	}
	return f.Close()
}

// addSlices makes the files of a form behind the first one slices, with it, or the values
// of it. p may be nil: there are none.
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
	if len(u.bytes) > 0 && !p.skip.passes(u.bytes[:min(len(u.bytes), sniffed)]) {
		list = append([]kept{{number: 1, name: u.name, b: u.bytes}}, list...)
	}
	return u.keep(list, p)
}

// keep makes list, which lies in p, the files of u, and closes p with it. Files that are
// the values of others are no images of their own.
func (u *upload) keep(list []kept, p *pile) error {
	values := map[string]bool{}
	for _, k := range list {
		if k.spare {
			continue
		}
		for _, name := range scanio.Parts(path.Base(k.name), k.b) {
			values[path.Join(path.Dir(k.name), name)] = true
		}
	}
	var images []kept
	for _, k := range list {
		switch {
		case values[path.Clean(k.name)]:
		case k.spare:
			p.skip.others++
		default:
			images = append(images, k)
		}
	}
	if len(images) == 0 {
		return fmt.Errorf("handlers: %w: no image among the files (%s): want %s", segd.ErrUnsupported, &p.skip, scanio.Readable())
	}
	u.bytes, u.name = images[0].b, images[0].name
	u.closeToo(p)
	u.others = list
	if text := p.skip.String(); text != "" {
		u.notes = append(u.notes, "left out: "+text)
	}
	if len(images) > 1 {
		for _, k := range images {
			u.slices, u.numbers = append(u.slices, k.b), append(u.numbers, k.number)
		}
	}
	return nil
}

// beside are the files that came with the one of u, in the same folder of an archive.
func (u *upload) beside() beside.Files {
	return beside.Files{Name: path.Base(u.name), Open: func(name string) ([]byte, error) {
		for _, k := range u.others {
			if path.Clean(k.name) == path.Join(path.Dir(u.name), name) {
				return k.b, nil
			}
		}
		return nil, fmt.Errorf("%w: the header has its values in another file, which did not come with it: send that as one more part named file, with its file name", segd.ErrUnprocessable)
	}}
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
	defer func() {
		if err != nil {
			err = errors.Join(err, p.Close(), u.Close())
		}
	}()
	var images []archive.Member
	total := int64(0)
	values := archive.Values(packed, members, scanio.Parts)
	for i, m := range members {
		head, err := m.Head(packed, sniffed)
		k := kept{number: i + 1, name: m.Name, spare: values[m.Name] && scanio.KindOf(head) == scanio.Unknown}
		switch {
		case err != nil:
			return nil, fmt.Errorf("file %d of the archive: %w", i+1, err)
		case m.Hidden():
			p.skip.hidden++
			continue
		case archive.Is(head):
			return nil, fmt.Errorf("handlers: %w: an archive inside the archive: unpack it first", segd.ErrUnsupported)
		case !k.spare && p.skip.passes(head):
			continue
		}
		if total += m.Size; total > maxUnpacked || len(images) == maxSlices {
			return nil, fmt.Errorf("handlers: %w: an archive of more than %d images, or of more than %d bytes", segd.ErrTooLarge, maxSlices, maxUnpacked)
		}
		images, p.kept = append(images, m), append(p.kept, k)
	}
	if err := p.reserve(total); err != nil {
		return nil, err
	}
	for i, m := range images {
		r, w := io.Pipe()
		go func() { w.CloseWithError(m.Copy(w, packed)) }()
		err := p.add(r)
		_ = r.Close() // never fails
		if err != nil {
			return nil, fmt.Errorf("file %d of the archive: %w", p.kept[i].number, err)
		}
	}
	list, err := p.files()
	if err != nil {
		return nil, err
	}
	return u, u.keep(list, p)
}

// left counts the files that are no images.
type left struct {
	hidden, directories, others int
	objects                     map[string]int // DICOM objects, by what they are
}

// passes counts a file that begins with head and is no image.
func (l *left) passes(head []byte) bool {
	kind := scanio.KindOf(head)
	switch what := dicomio.NotImage(scanio.Head(head)); {
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
