package handlers

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/labstack/echo/v4"

	"segd/dicomio/dicomtest"
	"segd/models"
	"segd/models/modelstest"
)

func TestModels(t *testing.T) {
	url := start(t, newServer(t, nil))
	var list struct{ Models []models.Manifest }
	a := get(t, url+"/v1/models")
	wantOK(t, a, "application/json")
	if err := json.Unmarshal(a.body, &list); err != nil || len(list.Models) != 1 || list.Models[0].Name != "bright" || len(list.Models[0].Classes) != 2 {
		t.Errorf("%v: %s", err, a.body)
	}
	var one models.Manifest
	a = get(t, url+"/v1/models/bright")
	wantOK(t, a, "application/json")
	if err := json.Unmarshal(a.body, &one); err != nil || one.WeightsSHA256 != list.Models[0].WeightsSHA256 || one.WeightsSHA256 == "" {
		t.Errorf("%v: %s", err, a.body)
	}
	wantProblem(t, get(t, url+"/v1/models/dark"), 404, "have bright")
}

func TestHealth(t *testing.T) {
	s := newServer(t, nil)
	url := start(t, s)
	wantOK(t, get(t, url+"/healthz"), "application/json")
	wantOK(t, get(t, url+"/readyz"), "application/json")
	if a := do(t, request(t, http.MethodHead, url+"/readyz", nil)); a.status != 200 || len(a.body) != 0 {
		t.Errorf("HEAD: status %d, %d bytes", a.status, len(a.body))
	}
	s.stopping.Store(true)
	wantProblem(t, get(t, url+"/readyz"), 503, "stopping")
	wantOK(t, get(t, url+"/healthz"), "application/json")
	none := start(t, newServer(t, func(c *Config) { c.Models = &models.Catalogue{} }))
	wantProblem(t, get(t, none+"/readyz"), 503, "no models")
	wantProblem(t, post(t, none+"/v1/segment", disc(t, 32)), 422, "no model")
}

func TestPage(t *testing.T) {
	url := start(t, newServer(t, nil))
	a := get(t, url+"/")
	wantOK(t, a, "text/html; charset=utf-8")
	if p := a.header.Get("Content-Security-Policy"); !strings.Contains(p, "default-src 'self'") || strings.Contains(p, "http") {
		t.Errorf("policy %q", p)
	}
	for name, media := range map[string]string{"app.js": "text/javascript; charset=utf-8", "style.css": "text/css; charset=utf-8"} {
		a := get(t, url+"/static/"+name)
		wantOK(t, a, media)
		r := request(t, http.MethodGet, url+"/static/"+name, nil)
		r.Header.Set("If-None-Match", a.header.Get("Etag"))
		if b := do(t, r); b.status != http.StatusNotModified {
			t.Errorf("%s: status %d for the same ETag, want 304", name, b.status)
		}
	}
	for _, path := range []string{"/static/", "/static/web.go", "/static/..%2fopenapi.json", "/static/../server.go", "/etc/passwd"} {
		wantProblem(t, get(t, url+path), 404, "nothing at this address")
	}
	a = get(t, url+"/v1/sample.png")
	wantOK(t, a, "image/png")
	if b := decodePNG(t, a.body).Bounds(); b.Dx() != 512 || b.Dy() != 384 {
		t.Errorf("sample of %v", b)
	}
	wantOK(t, post(t, url+"/v1/segment", a.body), "image/png")
}

func TestRouting(t *testing.T) {
	url := start(t, newServer(t, nil))
	wantProblem(t, get(t, url+"/v1/nothing"), 404, "openapi.json")
	a := get(t, url+"/v1/segment")
	wantProblem(t, a, 405, "method")
	if allow := a.header.Get("Allow"); !strings.Contains(allow, "POST") {
		t.Errorf("Allow %q", allow)
	}
	wantProblem(t, post(t, url+"/v1/models", nil), 405, "method")
}

// A fault of the server is hidden from the client and told to the log.
func TestFaults(t *testing.T) {
	var log lines
	dir := t.TempDir()
	s := newServer(t, func(c *Config) {
		c.Log = log.logger()
		if err := modelstest.Save(filepath.Join(dir, "broken"), "broken"); err != nil {
			t.Fatal(err)
		}
		if err := c.Models.AddDir(dir); err != nil {
			t.Fatal(err)
		}
	})
	if err := os.WriteFile(filepath.Join(dir, "broken", "weights.safetensors"), []byte("rotten"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.echo.GET("/panic", func(echo.Context) error { panic("the value stays inside") })
	s.echo.GET("/error", func(echo.Context) error { return errors.New("the text stays inside") })
	url := start(t, s)
	for _, a := range []answer{
		post(t, url+"/v1/segment?model=broken", disc(t, 32)),
		get(t, url+"/panic"), get(t, url+"/error"),
	} {
		p := wantProblem(t, a, 500, "log")
		if strings.Contains(string(a.body), "inside") || strings.Contains(string(a.body), "SHA") {
			t.Errorf("told the client %s", a.body)
		}
		if !strings.Contains(log.String(), p.Instance) {
			t.Error("the log does not have the request's id")
		}
	}
	for _, want := range []string{"SHA-256", "value of type string", "the text stays inside"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log lacks %q", want)
		}
	}
	if strings.Contains(log.String(), "the value stays inside") {
		t.Error("the value of a panic is in the log")
	}
}

// Nothing of a patient, no file name and no query comes out in a log, an error
// or a header.
func TestPrivacy(t *testing.T) {
	var log lines
	url := start(t, newServer(t, func(c *Config) { c.Log = log.logger() }))
	secret := dicomtest.Patient[0]
	whole := dicomtest.Write(dicomtest.Disc(side))
	bare := dicomtest.Disc(side)
	bare.NoPixels = true
	odd := dicomtest.Disc(side)
	odd.Elements = append(odd.Elements, dicomtest.Element{Tag: 0x00280030, VR: "DS", Value: dicomtest.Patient[1]},
		dicomtest.Element{Tag: 0x00080060, VR: "CS", Value: dicomtest.Patient[1]})
	for i, b := range [][]byte{whole, whole[:len(whole)/2], whole[:400], whole[:700], dicomtest.Write(bare), dicomtest.Write(odd)} {
		for _, output := range []string{"overlay", "json"} {
			a := do(t, form(t, url+"/v1/segment?output="+output, secret+".dcm", b))
			text := string(a.body) + fmt.Sprint(a.header)
			for _, v := range dicomtest.Patient {
				if strings.Contains(text, v) {
					t.Errorf("file %d, output %s: the answer holds %q", i, output, v)
				}
			}
		}
	}
	r := request(t, http.MethodGet, url+"/v1/models/"+secret+"?name="+secret, nil)
	r.Header.Set("X-Request-Id", secret)
	r.Header.Set("User-Agent", secret)
	r.Method = strings.ReplaceAll(secret, "^", "-")
	do(t, r)
	get(t, url+"/"+secret)
	post(t, url+"/v1/segment?model="+secret, whole)
	if n := strings.Count(log.String(), `"msg":"request"`); n != 15 {
		t.Errorf("%d lines of access in the log, want 15", n)
	}
	for _, v := range append([]string{"Zyxwvut-Qponmlk", "/v1/segment?"}, dicomtest.Patient...) {
		if strings.Contains(log.String(), v) {
			t.Errorf("the log holds %q", v)
		}
	}
	var line struct {
		Method, Route, RequestID string
		Status                   int
		Bytes                    int64
		Duration                 float64 `json:"duration_ms"`
	}
	first, _, _ := strings.Cut(log.String(), "\n")
	if err := json.Unmarshal([]byte(first), &line); err != nil || line.Method != "POST" || line.Route != "/v1/segment" || line.Status != 200 || line.Bytes == 0 || line.Duration <= 0 {
		t.Errorf("%v: %s", err, first)
	}
}

func TestConcurrent(t *testing.T) {
	url := start(t, newServer(t, nil))
	var wg sync.WaitGroup
	files := inputs(t)
	for i := range 4 {
		for name, b := range files {
			wg.Go(func() {
				a := post(t, url+"/v1/segment?output=mask", b)
				if a.status != http.StatusOK {
					t.Errorf("%s: status %d: %s", name, a.status, a.body)
				}
				m := decodePNG(t, a.body).Bounds()
				if m.Dx() != side {
					t.Errorf("%s, round %d: mask of %v", name, i, m)
				}
			})
		}
	}
	wg.Wait()
}

func TestLimits(t *testing.T) {
	t.Run("in flight", func(t *testing.T) {
		s := newServer(t, func(c *Config) { c.MaxInFlight = 1 })
		url := start(t, s)
		s.inFlight <- struct{}{}
		a := post(t, url+"/v1/segment", disc(t, 32))
		wantProblem(t, a, 503, "in progress")
		if a.header.Get("Retry-After") == "" {
			t.Error("no Retry-After")
		}
		wantOK(t, get(t, url+"/healthz"), "application/json")
		<-s.inFlight
		wantOK(t, post(t, url+"/v1/segment", disc(t, 32)), "image/png")
	})
	t.Run("time", func(t *testing.T) {
		s := newServer(t, func(c *Config) { c.MaxRunning, c.Timeout = 1, 200*time.Millisecond })
		url := start(t, s)
		occupy(t, s, 0) // not long, so nothing overtakes
		p := wantProblem(t, post(t, url+"/v1/segment", disc(t, 32)), 503, "deadline")
		if p.Type != "urn:segd:problem:timeout" {
			t.Errorf("type %q", p.Type)
		}
	})
	t.Run("slow upload", func(t *testing.T) {
		url := start(t, newServer(t, func(c *Config) { c.Timeout = 100 * time.Millisecond }))
		body, w := io.Pipe()
		defer func() { _ = w.Close() }()
		go func() { _, _ = w.Write([]byte("\x89PNG")) }() // and no more
		wantProblem(t, do(t, request(t, http.MethodPost, url+"/v1/segment", body)), 408, "in time")
	})
	t.Run("small body", func(t *testing.T) {
		b := disc(t, side)
		for _, tt := range []struct {
			limit  int
			status int
		}{{len(b), 200}, {len(b) - 1, 413}} {
			url := start(t, newServer(t, func(c *Config) { c.MaxBody = int64(tt.limit) }))
			for _, body := range []io.Reader{bytes.NewReader(b), struct{ io.Reader }{bytes.NewReader(b)}} {
				if a := do(t, request(t, http.MethodPost, url+"/v1/segment", body)); a.status != tt.status {
					t.Errorf("%T of %d bytes, limit %d: status %d, want %d", body, len(b), tt.limit, a.status, tt.status)
				}
			}
		}
	})
}

// A client that goes away while frames are sent must not stop the server, nor
// keep a place.
func TestClientGone(t *testing.T) {
	dir := ""
	s := newServer(t, func(c *Config) { dir = c.TempDir })
	url := start(t, s)
	ctx, cancel := context.WithCancel(t.Context())
	r := request(t, http.MethodPost, url+"/v1/segment?output=overlay", bytes.NewReader(dicomtest.Write(frames(128, 60)))).WithContext(ctx)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	_ = resp.Body.Close()
	for end := time.Now().Add(10 * time.Second); len(s.inFlight) > 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the request still runs")
		}
	}
	if s.turns.Running() > 0 {
		t.Error("a turn is not given back")
	}
	wantEmpty(t, dir)
	wantOK(t, post(t, url+"/v1/segment", disc(t, 32)), "image/png")
}

// The request that runs when the server is told to stop is finished; new ones
// are not taken.
func TestShutdown(t *testing.T) {
	s := newServer(t, nil)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx, l) }()

	body, w := io.Pipe()
	b := disc(t, side)
	answered := make(chan answer, 1)
	go func() {
		answered <- do(t, request(t, http.MethodPost, "http://"+l.Addr().String()+"/v1/segment?output=mask", body))
	}()
	if _, err := w.Write(b[:100]); err != nil {
		t.Fatal(err)
	}
	for s.arrivals.count() == 0 {
		time.Sleep(time.Millisecond)
	}
	stop()
	for !s.stopping.Load() {
		time.Sleep(time.Millisecond)
	}
	for { // the listener closes a moment later
		conn, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			break
		}
		_ = conn.Close()
		time.Sleep(time.Millisecond)
	}
	select {
	case err := <-served:
		t.Fatalf("stopped with a request under way: %v", err)
	default:
	}
	if _, err := w.Write(b[100:]); err != nil {
		t.Fatal(err)
	}
	_ = w.Close()
	a := <-answered
	wantOK(t, a, "image/png")
	wantDisc(t, a.body)
	if err := <-served; err != nil {
		t.Error(err)
	}
}

func TestNew(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic without Models")
		}
	}()
	New(Config{})
}

func ExampleNew() {
	catalogue, err := models.Embedded()
	if err != nil {
		fmt.Println(err)
		return
	}
	s := New(Config{Models: catalogue})
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/healthz", nil))
	fmt.Println(w.Code)
	// Output: 200
}
