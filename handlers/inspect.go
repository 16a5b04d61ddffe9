package handlers

import (
	"context"
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
	if _, err := s.inspectModel(r.URL.Query(), nil); err != nil { // before the body is asked for
		return err
	}
	u, err := s.readUpload(r)
	if err != nil {
		return err
	}
	defer func() {
		if e := u.Close(); e != nil {
			s.Log.Warn("upload not removed", "request_id", requestID(c), "error", e.Error())
		}
	}()
	leave, err := s.admit()
	if err != nil {
		return err
	}
	defer leave()
	model, err := s.inspectModel(r.URL.Query(), u.options)
	if err != nil {
		return err
	}
	found, err := s.look(r.Context(), u, model)
	if err != nil {
		return err
	}
	c.Response().Header().Set("Cache-Control", "no-store")
	return writeJSON(c, http.StatusOK, found)
}

// look inspects an upload. Memory for it, and for its first frame, is taken before.
func (s *Server) look(ctx context.Context, u *upload, model string) (found *inspect.Inspection, err error) {
	err = s.engine.Look(s.turns.Arrive(ctx), u.source(), func(scan *segd.Scan, file []byte) (err error) {
		found, err = inspect.Scan(scan, file, inspect.Options{Models: s.Models, Model: model})
		return err
	})
	return found, err
}

// inspectModel returns the model whose steps are asked for: the name of one of the
// catalogue's, for a directory of the server's is nobody's business; autoModel; or "".
func (s *Server) inspectModel(query, form url.Values) (string, error) {
	model, err := parseInspect(query, form)
	if err == nil && model != "" && model != autoModel {
		_, err = s.Models.Get(model)
	}
	return model, err
}

// parseInspect returns the one option there is.
func parseInspect(query, form url.Values) (model string, err error) {
	for name, v := range mergeOptions(query, form) {
		switch {
		case name != "model":
			return "", fmt.Errorf("handlers: %w: there is no option %.40q; there is model", segd.ErrOption, name)
		case len(v) > 1:
			return "", fmt.Errorf("handlers: %w: %s is given %d times", segd.ErrOption, name, len(v))
		case v[0] == "":
			return "", fmt.Errorf("handlers: %w: %s has no value: give it one, or leave it out", segd.ErrOption, name)
		}
		model = v[0]
	}
	return model, nil
}
