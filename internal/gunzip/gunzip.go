// Package gunzip reads gzip files as gzip itself does: members that follow each other are
// one stream, and zeros behind the last one, which tapes and transfers leave, are
// ignored.
//
//	b, err := gunzip.All(file, segd.MaxFile)
//
// Source: RFC 1952.
package gunzip

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"segd"
)

// Ratio is how far deflate expands a file at the very most.
const Ratio = 1032

var errDamaged = fmt.Errorf("gunzip: %w: the compressed file is damaged", segd.ErrFormat)

// Is reports whether b begins as a gzip file does.
func Is(b []byte) bool { return bytes.HasPrefix(b, []byte{0x1f, 0x8b}) }

// NewReader returns a reader of what the gzip file b holds. The error, and those of the
// reader except the end and an end that comes too early, io.ErrUnexpectedEOF, are
// segd.ErrFormat.
func NewReader(b []byte) (io.Reader, error) {
	r := &reader{rest: bytes.NewReader(b)}
	var err error
	if r.z, err = gzip.NewReader(r.rest); err != nil {
		return nil, errDamaged
	}
	r.z.Multistream(false)
	return r, nil
}

// reader reads member after member.
type reader struct {
	rest *bytes.Reader
	z    *gzip.Reader
	done bool
}

func (r *reader) Read(p []byte) (int, error) {
	if r.done {
		return 0, io.EOF
	}
	n, err := r.z.Read(p)
	switch {
	case err == nil:
		return n, nil
	case errors.Is(err, io.ErrUnexpectedEOF):
		return n, io.ErrUnexpectedEOF
	case !errors.Is(err, io.EOF):
		return n, errDamaged
	}
	if err := r.next(); err != nil {
		return n, err
	}
	if n > 0 {
		return n, nil
	}
	return r.Read(p)
}

// next goes on to the next member, or notes that there is none.
func (r *reader) next() error {
	for {
		c, err := r.rest.ReadByte()
		switch {
		case err != nil:
			r.done = true
			return nil
		case c == 0:
			r.done = true // no member follows zeros
		case r.done:
			return errDamaged
		default:
			_ = r.rest.UnreadByte() // just read
			if err := r.z.Reset(r.rest); err != nil {
				return errDamaged
			}
			r.z.Multistream(false)
			return nil
		}
	}
}

// All returns what the gzip file b holds. More than limit bytes are segd.ErrTooLarge,
// and a file that is damaged or truncated is segd.ErrFormat. Memory is taken for what
// there is and no more.
func All(b []byte, limit int64) ([]byte, error) {
	if n := claimed(b); n <= min(limit, int64(len(b))*Ratio) {
		if out, ended, err := exactly(b, n); ended || err != nil {
			return out, err
		}
	}
	n, err := Size(b, limit) // of several members, of one that is cut, or that lies
	if err != nil {
		return nil, err
	}
	out, _, err := exactly(b, n)
	return out, err
}

// exactly returns n bytes of what b holds. ended says that there are no more.
func exactly(b []byte, n int64) (out []byte, ended bool, err error) {
	z, err := NewReader(b)
	if err != nil {
		return nil, false, err
	}
	out = make([]byte, n)
	got, err := io.ReadFull(z, out)
	switch {
	case err == nil:
		_, err = io.ReadFull(z, make([]byte, 1))
		if ended = errors.Is(err, io.EOF); ended || err == nil {
			return out, ended, nil
		}
	case errors.Is(err, io.EOF) && got == 0: // nothing in it
		return out[:0], true, nil
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = truncated()
	}
	return nil, false, err
}

func tooLarge(limit int64) error {
	return fmt.Errorf("gunzip: %w: the compressed file holds more than %d bytes", segd.ErrTooLarge, limit)
}

func truncated() error {
	return fmt.Errorf("gunzip: %w: the compressed file is truncated", segd.ErrFormat)
}

// claimed is the size that the end of b gives, of its last member (RFC 1952, 2.3.1).
func claimed(b []byte) int64 {
	if len(b) < 4 {
		return 0
	}
	return int64(binary.LittleEndian.Uint32(b[len(b)-4:]))
}

// Size returns how many bytes the gzip file b holds, which it reads for that. The errors are
// those of All.
func Size(b []byte, limit int64) (int64, error) {
	z, err := NewReader(b)
	if err != nil {
		return 0, err
	}
	n, err := io.Copy(io.Discard, io.LimitReader(z, limit+1))
	switch {
	case n > limit:
		return 0, tooLarge(limit)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return 0, truncated()
	}
	return n, err
}

// Head returns the first bytes of what a gzip file holds that begins with b: n of them,
// or fewer where b holds no more. It is b itself where that is no gzip file.
func Head(b []byte, n int) []byte {
	if !Is(b) {
		return b
	}
	z, err := NewReader(b)
	if err != nil {
		return b
	}
	head := make([]byte, n)
	got, _ := io.ReadFull(z, head) // a file that ends early gives less
	return head[:got]
}
