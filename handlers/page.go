package handlers

import (
	"bytes"
	_ "embed"
	"mime"
	"net/http"
	"path"
	"time"

	"github.com/labstack/echo/v4"

	"segd/internal/overlay"
	"segd/internal/phantom"
)

//go:embed openapi.json
var openAPIFile []byte

// openAPI answers the description of the interface.
func (s *Server) openAPI(c echo.Context) error {
	return serveBytes(c, "application/json", "", openAPIFile)
}

// index answers the page.
func (s *Server) index(c echo.Context) error { return s.serveAsset(c, "index.html") }

// static answers a file that the page loads.
func (s *Server) static(c echo.Context) error { return s.serveAsset(c, c.Param("*")) }

func (s *Server) serveAsset(c echo.Context, name string) error {
	a, ok := s.page[name]
	if !ok {
		return echo.ErrNotFound
	}
	return serveBytes(c, mediaType(name), a.etag, a.body)
}

// mediaType does not ask the system's table, which differs between machines.
func mediaType(name string) string {
	switch ext := path.Ext(name); ext {
	case ".html":
		return "text/html; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	default:
		if t := mime.TypeByExtension(ext); t != "" {
			return t
		}
	}
	return "application/octet-stream"
}

// serveBytes answers a whole file, or what a conditional or range request asks
// of it. It is asked for again each time, for a new version has the same name.
func serveBytes(c echo.Context, media, etag string, b []byte) error {
	h := c.Response().Header()
	h.Set("Content-Type", media)
	h.Set("Cache-Control", "no-cache")
	if etag != "" {
		h.Set("Etag", etag)
	}
	http.ServeContent(c.Response(), c.Request(), "", time.Time{}, bytes.NewReader(b))
	return nil
}

// getSample answers a synthetic micrograph to try the service with.
func (s *Server) getSample(c echo.Context) error {
	b, err := s.sample()
	if err != nil {
		return internalError{err}
	}
	return serveBytes(c, "image/png", "", b)
}

func sampleImage() ([]byte, error) {
	img, _ := phantom.Micrograph(1, 512, 384)
	return overlay.PNG(img)
}
