package handlers

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/labstack/echo/v4"
)

const idHeader = "X-Request-Id"

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

// recovered turns a panic into a fault of the server. Of the panic's value only
// what the run time itself says is logged, for others could hold data.
func (s *Server) recovered(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) (err error) {
		defer func() {
			v := recover()
			if v == nil {
				return
			}
			if err, ok := v.(error); ok && errors.Is(err, http.ErrAbortHandler) {
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

// limitTime bounds a request: its result must be there within the timeout;
// fetching the answer may take a little longer.
func (s *Server) limitTime(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		end, w := time.Now().Add(s.Timeout), c.Response()
		ctx, cancel := context.WithDeadline(c.Request().Context(), end)
		defer cancel()
		w.Writer = &pacedWriter{ResponseWriter: w.Writer, control: http.NewResponseController(w.Writer), end: end.Add(writeTime)}
		c.SetRequest(c.Request().WithContext(ctx))
		return next(c)
	}
}
