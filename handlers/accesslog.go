package handlers

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"
)

// statusClientGone is what the log has for a request whose client left before
// the answer was there, or while it was sent. Nginx made the number; nobody
// receives it.
const statusClientGone = 499

// errClientGone stands for every error of writing an answer, whose own text
// holds the client's address.
var errClientGone = errors.New("the client left before it had the answer")

// delivery is a ResponseWriter that remembers whether an answer got through.
type delivery struct {
	http.ResponseWriter
	failed bool
}

func (d *delivery) Write(b []byte) (int, error) {
	n, err := d.ResponseWriter.Write(b)
	if err != nil && !errors.Is(err, http.ErrBodyNotAllowed) && !errors.Is(err, http.ErrContentLength) {
		d.failed = true
		err = errClientGone
	}
	return n, err
}

// Unwrap is for http.ResponseController.
func (d *delivery) Unwrap() http.ResponseWriter { return d.ResponseWriter }

// accessLog logs a line for each request, also for one whose answer is cut off:
// the route's template and not the address, which holds names, and no query. It
// also turns errors into answers, so that it knows their status.
func (s *Server) accessLog(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		start, client := time.Now(), c.Request().Context()
		out := &delivery{ResponseWriter: c.Response().Writer}
		c.Response().Writer = out
		whole := false
		defer func() {
			r := c.Response()
			status := r.Status
			if out.failed || !whole && client.Err() != nil {
				status = statusClientGone
			}
			s.Log.LogAttrs(context.Background(), slog.LevelInfo, "request",
				slog.String("request_id", requestID(c)),
				slog.String("method", method(c.Request().Method)),
				slog.String("route", c.Path()),
				slog.Int("status", status),
				slog.Bool("whole", whole && !out.failed),
				slog.Float64("duration_ms", milliseconds(time.Since(start))),
				slog.Int64("bytes", r.Size),
			)
		}()
		if err := next(c); err != nil {
			c.Error(err)
		}
		whole = true
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

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
