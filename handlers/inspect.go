package handlers

import (
	"fmt"
	"net/http"
	"net/url"

	"github.com/labstack/echo/v4"

	"segd"
	"segd/internal/inspect"
)

// inspect answers POST /v1/inspect: what a file is, and each step that its
// pixels would take, with a model or without. What a file says of its patient
// is not to be had over HTTP.
func (s *Server) inspect(c echo.Context) (err error) {
	r := c.Request()
	u, err := s.readUpload(r)
	if err != nil {
		return err
	}
	defer func() {
		if e := u.Close(); e != nil {
			s.Log.Warn("upload not removed", "request_id", requestID(c), "error", e.Error())
		}
	}()
	model, err := parseInspect(r.URL.Query(), u.options)
	if err != nil {
		return err
	}
	if model != "" && model != "auto" { // a directory of the server's is nobody's business
		if _, err := s.Models.Get(model); err != nil {
			return err
		}
	}
	var found *inspect.Inspection
	if err := s.run(s.inTurn(r.Context(), u.bytes), func() (err error) {
		found, err = inspect.File(u.bytes, inspect.Options{Models: s.Models, Model: model})
		return err
	}); err != nil {
		return err
	}
	c.Response().Header().Set("Cache-Control", "no-store")
	return writeJSON(c, http.StatusOK, found)
}

// parseInspect returns the one option there is; the query goes before the form.
func parseInspect(query, form url.Values) (model string, err error) {
	for _, values := range []url.Values{form, query} {
		for name, v := range values {
			if name != "model" {
				return "", fmt.Errorf("handlers: %w: there is no option %.40q; there is model", segd.ErrOption, name)
			}
			if len(v) > 1 {
				return "", fmt.Errorf("handlers: %w: %s is given %d times", segd.ErrOption, name, len(v))
			}
			model = v[0]
		}
	}
	return model, nil
}
