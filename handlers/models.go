package handlers

import (
	"fmt"
	"net/http"

	"github.com/labstack/echo/v4"

	"segd"
	"segd/models"
)

// listModels answers the cards of all models, by name.
func (s *Server) listModels(c echo.Context) error {
	list := s.Models.List()
	cards := make([]models.Manifest, len(list))
	for i, m := range list {
		cards[i] = m.Manifest
	}
	return writeJSON(c, http.StatusOK, map[string]any{"models": cards})
}

// getModel answers the card of one model.
func (s *Server) getModel(c echo.Context) error {
	m, err := s.Models.Get(c.Param("name"))
	if err != nil {
		return err
	}
	return writeJSON(c, http.StatusOK, m.Manifest)
}

// healthy answers that the process is alive.
func (s *Server) healthy(c echo.Context) error {
	return writeJSON(c, http.StatusOK, map[string]any{"status": "ok", "version": s.Version})
}

// ready answers whether requests should be sent here: 503 while the server is
// stopping, has no model to serve with, cannot take a request on, or has no room
// for uploads.
func (s *Server) ready(c echo.Context) error {
	n := len(s.Models.List())
	switch {
	case s.stopping.Load():
		return fmt.Errorf("handlers: %w: the server is stopping", segd.ErrBusy)
	case n == 0:
		return fmt.Errorf("handlers: %w: the server has no models", segd.ErrBusy)
	}
	if err := s.saturated(); err != nil {
		return err
	}
	if err := s.checkRoom(); err != nil {
		s.Log.Error("no room for uploads", "error", err.Error())
		return fmt.Errorf("handlers: %w: the server has no room for uploads on its disk", segd.ErrBusy)
	}
	return writeJSON(c, http.StatusOK, map[string]any{"status": "ready", "models": n})
}
