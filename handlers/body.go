package handlers

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"segd"
)

// Bounds of what a slow client may take.
const (
	// stallTime is how long a client may keep the server waiting, for its body or
	// in taking its answer. What is beyond must go on at leastRate.
	stallTime = 10 * time.Second
	leastRate = 16 << 10 // bytes a second

	// lingerTime is how long at the most the body of a refused request is still
	// read and thrown away, so that clients that send all before they listen get
	// the answer; silenceTime ends that earlier, where nothing comes any more.
	lingerTime  = 10 * time.Second
	silenceTime = time.Second

	// writeTime is how long the answer may take to be fetched beyond the
	// request's own time.
	writeTime = 30 * time.Second
	// writePiece is what is written under one deadline.
	writePiece = 64 << 10
)

// receive bounds a request's body: by its size, its pace and the time of the
// request. It answers errors, so that the answer goes out before the rest of the
// body has come: net/http would wait for that first.
//
// The body goes into a copy of the request. net/http looks at its own to know
// what is left to read, and whether a client still waits for 100 Continue.
func (s *Server) receive(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r, w := c.Request(), c.Response()
		b := s.newBody(r, http.NewResponseController(w))
		if b.ended {
			return next(c)
		}
		// A server of another kind, as in a test, has no such thing.
		_ = b.control.EnableFullDuplex()
		w.Before(func() {
			if !b.ended {
				w.Header().Set("Connection", "close")
			}
		})
		own := r.WithContext(r.Context())
		own.Body = b
		c.SetRequest(own)
		var err error
		if r.ContentLength > s.MaxBody {
			err = fmt.Errorf("handlers: %w: a request of %d bytes, limit %d", segd.ErrTooLarge, r.ContentLength, s.MaxBody)
		} else {
			err = next(c)
		}
		if b.ended {
			return err
		}
		if err != nil {
			c.Error(err)
		}
		b.linger()
		return nil // answered
	}
}

// body counts what is read of a request and holds it to its pace. It keeps the
// error that ended it, for readers on top, such as of multipart forms, put errors
// into their own words.
type body struct {
	io.ReadCloser
	control    *http.ResponseController
	start, end time.Time
	n, limit   int64
	ended      bool     // there is nothing left to read
	broken     bool     // the connection is done for
	place      *arrival // nil: none
	err        error

	memory       *memory
	bodies, disk int64 // taken of its shares
}

func (s *Server) newBody(r *http.Request, control *http.ResponseController) *body {
	now := time.Now()
	return &body{
		ReadCloser: r.Body, control: control, start: now, end: now.Add(s.Timeout), limit: s.MaxBody,
		ended: r.ContentLength == 0, memory: s.memory,
	}
}

// deadline is until when the next bytes must have come.
func (b *body) deadline() time.Time {
	t := b.start.Add(stallTime + time.Duration(b.n)*time.Second/leastRate)
	if t.After(b.end) {
		return b.end
	}
	return t
}

func (b *body) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	// One byte more than the limit tells too much from just enough.
	if room := b.limit + 1 - b.n; int64(len(p)) > room {
		p = p[:room]
	}
	b.wait()
	n, err := b.ReadCloser.Read(p)
	b.n += int64(n)
	b.count(n, err)
	if !b.hold() {
		b.err = fmt.Errorf("handlers: %w: the server holds as many bytes of requests as it may (%s in memory, %s on disk)",
			segd.ErrBusy, inMiB(b.memory.bodies.size), inMiB(b.memory.spool.size))
		return n, b.err
	}
	switch {
	case b.n > b.limit:
		b.ended = b.ended || errors.Is(err, io.EOF)
		b.err = fmt.Errorf("handlers: %w: a request of more than %d bytes, which is the limit", segd.ErrTooLarge, b.limit)
		return n, b.err
	case errors.Is(err, io.EOF):
		b.ended = true
	case err != nil:
		if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() {
			err = b.slow()
		} else {
			b.broken = true
			err = fmt.Errorf("handlers: %w: the request breaks off after %d bytes", segd.ErrFormat, b.n)
		}
		b.err = err
	}
	return n, err
}

// hold takes memory for what came, or reports that there is none.
func (b *body) hold() bool {
	const step, diskStep = 64 << 10, 1 << 20
	for b.n > b.bodies+b.disk {
		switch {
		case b.bodies < inMemory && b.memory.bodies.try(step):
			b.bodies += step
		case b.bodies >= inMemory && b.memory.spool.try(diskStep):
			b.disk += diskStep
		default:
			return false
		}
	}
	return true
}

// release lets go of what was taken.
func (b *body) release() {
	b.memory.bodies.give(b.bodies)
	b.memory.spool.give(b.disk)
	b.bodies, b.disk = 0, 0
}

// wait gives the next bytes their time.
func (b *body) wait() {
	if b.place != nil {
		b.place.wait(b.deadline())
		return
	}
	_ = b.control.SetReadDeadline(b.deadline())
}

// count tells the body's place what a Read gave.
func (b *body) count(n int, err error) {
	if b.place == nil {
		return
	}
	if b.place.got(n); err != nil {
		b.place.received()
	}
}

// slow is the error of a body whose next bytes did not come in time.
func (b *body) slow() error {
	took := time.Since(b.start).Round(time.Millisecond)
	if b.place != nil && b.place.gone() {
		return fmt.Errorf("handlers: %w: %d bytes in %v, while others wait", errSlowBody, b.n, took)
	}
	if time.Now().Before(b.end) {
		return fmt.Errorf("handlers: %w: %d bytes in %v, want %d a second after the first %v", errSlowBody, b.n, took, leastRate, stallTime)
	}
	return fmt.Errorf("handlers: %w: %d bytes in %v", errSlowBody, b.n, took)
}

// linger sends the answer and then reads what is left of the body for a while,
// into nothing: a connection that is closed with data unread is reset, and the
// client may never see the answer.
func (b *body) linger() {
	if b.control.Flush() != nil || b.control.SetReadDeadline(time.Now()) != nil || b.broken {
		return
	}
	buf, end := make([]byte, 16<<10), time.Now().Add(lingerTime)
	for time.Now().Before(end) {
		_ = b.control.SetReadDeadline(time.Now().Add(silenceTime))
		if _, err := b.ReadCloser.Read(buf); err != nil {
			break
		}
	}
	// net/http reads on when it closes the body; what has not come is not waited
	// for.
	_ = b.control.SetReadDeadline(time.Now())
}

// pacedWriter is an answer on its way to a client that must not take too long.
type pacedWriter struct {
	http.ResponseWriter
	control *http.ResponseController
	end     time.Time
}

// Unwrap is for http.ResponseController.
func (w *pacedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *pacedWriter) Write(p []byte) (n int, err error) {
	for {
		piece := p[n:min(len(p), n+writePiece)]
		w.allow(len(piece))
		k, err := w.ResponseWriter.Write(piece)
		if n += k; err != nil || n == len(p) {
			return n, err
		}
	}
}

// FlushError is for http.ResponseController.
func (w *pacedWriter) FlushError() error {
	w.allow(writePiece)
	return w.control.Flush()
}

// allow gives the client time to take n bytes.
func (w *pacedWriter) allow(n int) {
	t := time.Now().Add(stallTime + time.Duration(n)*time.Second/leastRate)
	if t.After(w.end) {
		t = w.end
	}
	_ = w.control.SetWriteDeadline(t) // a server without deadlines, as in a test, has none to set
}
