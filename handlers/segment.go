package handlers

import (
	"net/http"
	"net/url"

	"github.com/labstack/echo/v4"

	"segd/internal/engine"
)

// segment answers POST /v1/segment: a scan comes in, what a model marks in it
// goes out.
func (s *Server) segment(c echo.Context) (err error) {
	r := c.Request()
	query, accept := r.URL.Query(), r.Header.Values("Accept")
	job, err := s.accept(query, accept) // before the body is asked for
	if err != nil {
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
	if len(u.options) > 0 {
		if job, err = s.accept(mergeOptions(query, u.options), accept); err != nil {
			return err
		}
	}
	ctx := s.turns.Arrive(r.Context())
	inputs, err := job.Plan(ctx, []*engine.Source{u.source()})
	if err != nil {
		return err
	}
	a := &response{server: s, c: c, kind: kindOf(job.Outputs[0])}
	if err = job.Run(ctx, inputs[0], a); err == nil {
		err = a.finish()
	}
	if err != nil && c.Response().Committed {
		a.cutOff(err)
	}
	return err
}

// accept returns the job that a query asks for.
func (s *Server) accept(query url.Values, accept []string) (*engine.Job, error) {
	r, model, err := parseOptions(query, accept)
	if err != nil {
		return nil, err
	}
	if model != autoModel {
		if r.Model, err = s.Models.Get(model); err != nil {
			return nil, err
		}
	}
	return s.engine.Job(r)
}

// cutOff ends an answer that has begun and cannot be finished: half of it must
// not look like the whole. There is no one left to tell but the log.
func (a *response) cutOff(err error) {
	if p := describe(err); p.Status != statusClientGone {
		a.server.Log.Warn("answer cut off", "request_id", requestID(a.c), "error", p.Type)
	}
	panic(http.ErrAbortHandler)
}
