package handlers

import (
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/labstack/echo/v4"

	"segd/dicomio/dicomtest"
)

// entries passes on each line of a log.
type entries chan string

func (e entries) Write(b []byte) (int, error) { e <- string(b); return len(b), nil }

// until returns the lines up to the first that holds text.
func (e entries) until(text string) (all []string) {
	for line := range e {
		all = append(all, line)
		if strings.Contains(line, text) {
			return all
		}
	}
	return all
}

// TestClientLeaves has clients hang up while their answers are sent.
func TestClientLeaves(t *testing.T) {
	log := make(entries, 1000)
	s := newServer(t, func(c *Config) { c.Log = slog.New(slog.NewTextHandler(log, nil)) })
	s.echo.GET("/large", func(c echo.Context) error { return c.Blob(http.StatusOK, "image/png", make([]byte, 64<<20)) })
	server, err := url.Parse(start(t, s))
	if err != nil {
		t.Fatal(err)
	}
	scan := dicomtest.Write(frames(128, 60))
	for name, message := range map[string]string{
		"a blob": "GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n",
		"a zip":  fmt.Sprintf("POST /v1/segment?output=overlay HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s", len(scan), scan),
	} {
		t.Run(name, func(t *testing.T) {
			conn, err := net.Dial("tcp", server.Host)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.WriteString(conn, message); err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadFull(conn, make([]byte, 100)); err != nil {
				t.Fatal(err)
			}
			_ = conn.(*net.TCPConn).SetLinger(0) // the server's next write fails
			_ = conn.Close()
			lines := log.until("msg=request")
			if last := lines[len(lines)-1]; !strings.Contains(last, "status=499") || !strings.Contains(last, "whole=false") {
				t.Errorf("logged %s", last)
			}
			for _, line := range lines {
				if strings.Contains(line, "level=ERROR") || strings.Contains(line, "127.0.0.1") {
					t.Errorf("logged %s", line)
				}
			}
		})
	}
}

// TestCutOff holds an answer that is cut off to having its line in the log.
func TestCutOff(t *testing.T) {
	log := make(entries, 1000)
	s := newServer(t, func(c *Config) { c.Log = slog.New(slog.NewTextHandler(log, nil)) })
	s.echo.GET("/cut", func(c echo.Context) error {
		c.Response().WriteHeader(http.StatusOK)
		c.Response().Flush()
		panic(http.ErrAbortHandler)
	})
	resp, err := http.DefaultClient.Do(request(t, http.MethodGet, start(t, s)+"/cut", nil))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if _, err := io.ReadAll(resp.Body); err == nil {
		t.Error("the answer ends as if it were whole")
	}
	lines := log.until("msg=request")
	if last := lines[len(lines)-1]; !strings.Contains(last, "route=/cut") || !strings.Contains(last, "whole=false") {
		t.Errorf("logged %s", last)
	}
}

// TestNoRoom takes the folder for uploads away.
func TestNoRoom(t *testing.T) {
	var log lines
	s := newServer(t, func(c *Config) { c.Log = log.logger() })
	url := start(t, s)
	large := dicomtest.Write(frames(1024, 3)) // more than is kept in memory
	wantOK(t, get(t, url+"/readyz"), "application/json")
	if err := os.Remove(s.TempDir); err != nil {
		t.Fatal(err)
	}
	a := post(t, url+"/v1/segment?output=json", large)
	wantProblem(t, a, 507, "no room")
	if strings.Contains(string(a.body), s.TempDir) {
		t.Error("the answer names a folder of the server")
	}
	wantProblem(t, get(t, url+"/readyz"), 503, "no room")
	if !strings.Contains(log.String(), s.TempDir) {
		t.Error("the log does not say where there is no room")
	}
	if err := os.Mkdir(s.TempDir, 0o700); err != nil {
		t.Fatal(err)
	}
	wantOK(t, get(t, url+"/readyz"), "application/json")
	wantEmpty(t, s.TempDir)
}

// TestBrokenModel asks for a model whose card cannot be read: that is a fault of
// the server, and the other models are served.
func TestBrokenModel(t *testing.T) {
	var log lines
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "torn"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "torn", "model.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	url := start(t, newServer(t, func(c *Config) {
		c.Log = log.logger()
		if err := c.Models.AddDir(dir); err != nil {
			t.Fatal(err)
		}
	}))
	p := wantProblem(t, post(t, url+"/v1/segment?model=torn", disc(t, 32)), 500, "log")
	if !strings.Contains(log.String(), p.Instance) || !strings.Contains(log.String(), "torn") {
		t.Error("the log does not say which model is broken")
	}
	wantOK(t, post(t, url+"/v1/segment?model=bright", disc(t, 32)), "image/png")
	wantOK(t, get(t, url+"/readyz"), "application/json")
}
