package handlers

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/labstack/echo/v4"

	"segd"
)

const (
	// lingerTime is how long a refused body is still read and thrown away, so
	// that clients that send all before they listen get the answer.
	lingerTime = 10 * time.Second
	// writeTime is how long the answer may take to be fetched beyond the
	// request's own time.
	writeTime = 30 * time.Second

	idHeader = "X-Request-Id"
)

// policy lets the page load from its own server only. The images that it draws
// are blobs.
const policy = "default-src 'self'; img-src 'self' blob: data:; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

// withID gives each request an id of our own; a client's would go into the log
// and could hold anything. It also sets the headers that all answers have.
func (s *Server) withID(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		h := c.Response().Header()
		h.Set(idHeader, rand.Text())
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		return next(c)
	}
}

func requestID(c echo.Context) string { return c.Response().Header().Get(idHeader) }

// accessLog logs a line for each request: the route's template and not the
// address, for addresses hold names, and no query. It also turns errors into
// answers, so that it knows their status.
func (s *Server) accessLog(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		start := time.Now()
		if err := next(c); err != nil {
			c.Error(err)
		}
		r := c.Response()
		s.Log.LogAttrs(context.Background(), slog.LevelInfo, "request",
			slog.String("request_id", requestID(c)),
			slog.String("method", method(c.Request().Method)),
			slog.String("route", c.Path()),
			slog.Int("status", r.Status),
			slog.Float64("duration_ms", float64(time.Since(start).Microseconds())/1000),
			slog.Int64("bytes", r.Size),
		)
		return nil
	}
}

// method passes the standard methods on; any other could be any text.
func method(m string) string {
	switch m {
	case "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS":
		return m
	}
	return "other"
}

// recovered turns a panic into a fault of the server. Of the panic's value only
// what the run time itself says is logged, for others could hold data.
func (s *Server) recovered(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) (err error) {
		defer func() {
			v := recover()
			if v == nil {
				return
			}
			if v == http.ErrAbortHandler {
				panic(v) // net/http ends the connection
			}
			what := fmt.Sprintf("value of type %T", v)
			if e, ok := v.(runtime.Error); ok {
				what = e.Error()
			}
			s.Log.Error("panic", "request_id", requestID(c), "route", c.Path(), "panic", what, "stack", string(debug.Stack()))
			err = internalError{fmt.Errorf("handlers: panic: %s", what)}
		}()
		return next(c)
	}
}

// linger answers an error at once and then reads what is left of the body for a
// while, into nothing: a connection that is closed with data unread is reset,
// and the client may never see the answer.
func (s *Server) linger(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		err := next(c)
		r := c.Request()
		b, ok := r.Body.(*body)
		// A client that waits for 100 Continue has sent nothing.
		if err == nil || !ok || b.ended || b.n == 0 && r.Header.Get("Expect") != "" {
			return err
		}
		control := http.NewResponseController(c.Response())
		if control.EnableFullDuplex() != nil || control.SetReadDeadline(time.Now().Add(lingerTime)) != nil {
			return err
		}
		c.Response().Header().Set("Connection", "close")
		c.Error(err)
		if control.Flush() == nil {
			_, _ = io.Copy(io.Discard, b.ReadCloser)
		}
		return nil // answered
	}
}

// limitBody refuses a body by its Content-Length, or where it goes over the
// limit while it is read.
func (s *Server) limitBody(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		b := &body{ReadCloser: r.Body, limit: s.MaxBody, ended: r.ContentLength == 0}
		r.Body = b
		if r.ContentLength > s.MaxBody {
			return fmt.Errorf("handlers: %w: a request of %d bytes, limit %d", segd.ErrTooLarge, r.ContentLength, s.MaxBody)
		}
		return next(c)
	}
}

// body counts what is read of a request. It keeps the error that ended it, for
// readers on top, such as of multipart forms, put errors into their own words.
type body struct {
	io.ReadCloser
	n, limit int64
	ended    bool // there is nothing left to read
	err      error
}

func (b *body) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	// One byte more than the limit tells too much from just enough.
	if room := b.limit + 1 - b.n; int64(len(p)) > room {
		p = p[:room]
	}
	n, err := b.ReadCloser.Read(p)
	b.n += int64(n)
	switch {
	case b.n > b.limit:
		b.err = fmt.Errorf("handlers: %w: a request of more than %d bytes, which is the limit", segd.ErrTooLarge, b.limit)
		return n, b.err
	case err == io.EOF:
		b.ended = true
	case err != nil:
		b.ended = true // the connection is done for
		if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() {
			err = fmt.Errorf("handlers: %w", errSlowBody)
		} else {
			err = fmt.Errorf("handlers: %w: the request breaks off after %d bytes", segd.ErrFormat, b.n)
		}
		b.err = err
	}
	return n, err
}

// limitTime bounds a request: its body must have come in, and its result be
// there, within the timeout; fetching the answer may take a little longer.
func (s *Server) limitTime(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		end := time.Now().Add(s.Timeout)
		ctx, cancel := context.WithDeadline(c.Request().Context(), end)
		defer cancel()
		control := http.NewResponseController(c.Response())
		// A server without deadlines, as in a test, has none to set.
		// The context ends first, or net/http would take the missed read for a
		// client that has gone away.
		_ = control.SetReadDeadline(end.Add(time.Second))
		_ = control.SetWriteDeadline(end.Add(writeTime))
		c.SetRequest(c.Request().WithContext(ctx))
		err := next(c)
		_ = control.SetReadDeadline(time.Time{})
		return err
	}
}

// limitInFlight refuses more requests than are accepted at once.
func (s *Server) limitInFlight(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		select {
		case s.inFlight <- struct{}{}:
			defer func() { <-s.inFlight }()
			return next(c)
		default:
			return fmt.Errorf("handlers: %w: %d requests are in progress, which is the limit", segd.ErrBusy, cap(s.inFlight))
		}
	}
}
