package handlers

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"segd"
	"segd/internal/engine"
	"segd/models"
)

// problem is the body of an error (RFC 9457).
type problem struct {
	Type     string `json:"type"` // stable: what programs tell errors apart by
	Title    string `json:"title"`
	Status   int    `json:"status"`
	Detail   string `json:"detail,omitempty"`
	Instance string `json:"instance"` // the request's id, as in X-Request-Id
}

const (
	problemMedia  = "application/problem+json"
	problemPrefix = "urn:segd:problem:"
)

// kind is what becomes of a kind of error.
type kind struct {
	is     error
	status int
	slug   string
	title  string
}

// kinds are looked through in order; the first that fits counts.
var kinds = []kind{
	{errSlowBody, http.StatusRequestTimeout, "slow-upload", "Upload too slow"},
	{errForeignHost, http.StatusForbidden, "foreign-host", "Unknown host name"},
	{errForeignOrigin, http.StatusForbidden, "foreign-origin", "Request from another site"},
	{errNotAcceptable, http.StatusNotAcceptable, "not-acceptable", "Not acceptable"},
	{context.DeadlineExceeded, http.StatusServiceUnavailable, "timeout", "Took too long"},
	{context.Canceled, statusClientGone, "cancelled", "Cancelled"},
	{errClientGone, statusClientGone, "cancelled", "Cancelled"},
	{errNoRoom, http.StatusInsufficientStorage, "no-room", "No room for uploads"},
	{segd.ErrBusy, http.StatusServiceUnavailable, "busy", "Busy"},
	{segd.ErrTooLarge, http.StatusRequestEntityTooLarge, "too-large", "Too large"},
	{segd.ErrUnsupported, http.StatusUnsupportedMediaType, "unsupported", "Unsupported input"},
	{segd.ErrUnprocessable, http.StatusUnprocessableEntity, "unprocessable", "Cannot be processed"},
	{segd.ErrNotFound, http.StatusNotFound, "not-found", "Not found"},
	{segd.ErrOption, http.StatusBadRequest, "invalid-option", "Invalid option"},
	{segd.ErrFormat, http.StatusBadRequest, "malformed-input", "Malformed input"},
}

// Kinds of error that only HTTP knows.
var (
	errSlowBody      = errors.New("the request did not arrive in time")
	errNotAcceptable = errors.New("not acceptable")
	errNoRoom        = errors.New("the server has no room on its disk for this file")
)

// internalError is a fault of the server, whatever kind it wraps: a model's
// damaged weights are not the client's malformed input.
type internalError struct{ err error }

func (e internalError) Error() string { return e.err.Error() }

// describe says what an error becomes. Of what is no known kind, nothing is
// told.
func describe(err error) problem {
	_, ours := errors.AsType[internalError](err)
	_, engines := errors.AsType[*engine.FaultError](err)
	if ours || engines || errors.Is(err, models.ErrBroken) {
		return problem{Type: problemPrefix + "internal", Title: "Internal error", Status: http.StatusInternalServerError}
	}
	for _, k := range kinds {
		if errors.Is(err, k.is) {
			return problem{Type: problemPrefix + k.slug, Title: k.title, Status: k.status, Detail: err.Error()}
		}
	}
	he, ok := errors.AsType[*echo.HTTPError](err)
	if !ok || he.Code < 400 || he.Code >= 500 {
		return problem{Type: problemPrefix + "internal", Title: "Internal error", Status: http.StatusInternalServerError}
	}
	p := problem{Title: http.StatusText(he.Code), Status: he.Code}
	p.Type = problemPrefix + strings.ReplaceAll(strings.ToLower(p.Title), " ", "-")
	switch he.Code {
	case http.StatusNotFound:
		p.Type, p.Detail = problemPrefix+"no-route", "there is nothing at this address; /openapi.json lists what there is"
	case http.StatusMethodNotAllowed:
		p.Detail = "this address does not take this method; the Allow header lists those it takes"
	}
	return p
}

// answerError is echo's HTTPErrorHandler: the one place where an error becomes
// an answer. Faults of the server are logged and hidden.
func (s *Server) answerError(err error, c echo.Context) {
	p := describe(err)
	p.Instance = requestID(c)
	if p.Status == http.StatusInternalServerError {
		s.Log.Error("request failed", "request_id", p.Instance, "route", c.Path(), "error", err.Error())
		p.Detail = "the server's log has the cause under this request's id"
	}
	if c.Response().Committed {
		return
	}
	h := c.Response().Header()
	for _, name := range []string{"Content-Length", "Content-Disposition", "Trailer", "Etag"} {
		h.Del(name)
	}
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Type", problemMedia)
	if p.Status == http.StatusServiceUnavailable || p.Status == http.StatusInsufficientStorage {
		h.Set("Retry-After", "2")
	}
	body, err := json.Marshal(p)
	if err == nil {
		c.Response().WriteHeader(p.Status)
		_, err = c.Response().Write(append(body, '\n'))
	}
	if err != nil { // the client is gone
		s.Log.Debug("error not delivered", "request_id", p.Instance, "error", err.Error())
	}
}
