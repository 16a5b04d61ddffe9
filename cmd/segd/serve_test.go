package main

import (
	"bufio"
	"bytes"
	"context"
	"image/png"
	"io"
	"mime/multipart"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"segd/internal/phantom"
	"segd/train/dataset/datasettest"

	"github.com/google/go-cmp/cmp"
)

// safeBuffer is a buffer for a goroutine to write and the test to read.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// startServer runs segd serve on a free port. stop ends it as a signal would
// and returns the exit status.
func startServer(t *testing.T, args ...string) (url string, stop func() int, log *safeBuffer) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r, w := io.Pipe()
	log = &safeBuffer{}
	code := make(chan int, 1)
	go func() {
		code <- run(ctx, append([]string{"serve", "--listen", "127.0.0.1:0"}, args...), strings.NewReader(""), w, log)
		_ = w.Close()
	}()
	stop = sync.OnceValue(func() int {
		cancel()
		select {
		case c := <-code:
			return c
		case <-time.After(20 * time.Second):
			t.Error("the server did not stop")
			return -1
		}
	})
	t.Cleanup(func() { stop() })
	line, err := bufio.NewReader(r).ReadString('\n')
	if err != nil {
		t.Fatalf("no URL: %v: %s", err, log)
	}
	return strings.TrimSpace(line), stop, log
}

func get(t *testing.T, url string) (status int, body []byte) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err = io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, body
}

func TestServe(t *testing.T) {
	url, stop, log := startServer(t, "--models", brightModel(t))
	if status, _ := get(t, url+"healthz"); status != http.StatusOK {
		t.Fatalf("healthz: %d", status)
	}
	if status, body := get(t, url); status != http.StatusOK || !bytes.Contains(body, []byte("<html")) {
		t.Errorf("page: %d", status)
	}
	listen := strings.TrimSuffix(strings.TrimPrefix(url, "http://"), "/")
	done(t, "serve", "--healthcheck", "--listen", listen)

	// The server and the command line give the same mask.
	img, _ := phantom.Discs(7, 60, 44)
	dir, out := t.TempDir(), t.TempDir()
	file := filepath.Join(dir, "a.png")
	datasettest.WritePNG(t, file, img)
	done(t, "segment", "-i", file, "-o", out, "-m", "bright", "--models", brightModel(t), "--output", "mask")
	want := tree(t, out)["mask/a.png"]
	if got := postFile(t, url+"v1/segment?model=bright&output=mask", file); got != want {
		t.Error("the mask of the server is not that of the command line")
	}

	if code := stop(); code != exitDone {
		t.Errorf("exit %d after a signal, want 0: %s", code, log)
	}
	if code, _, _ := command(t, "serve", "--healthcheck", "--listen", listen); code != exitFailed {
		t.Errorf("health check of a server that is gone: exit %d, want %d", code, exitFailed)
	}
}

// postFile uploads a file as the page does and returns the body of the answer.
func postFile(t *testing.T, url, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var form bytes.Buffer
	m := multipart.NewWriter(&form)
	part, err := m.CreateFormFile("file", filepath.Base(path))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := part.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	resp, err := http.Post(url, m.FormDataContentType(), &form)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("status %d, %v: %.300s", resp.StatusCode, err, body)
	}
	if _, err := png.Decode(bytes.NewReader(body)); err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// A request that runs when the server is told to stop is answered.
func TestServeFinishesWhatRuns(t *testing.T) {
	url, stop, _ := startServer(t, "--models", brightModel(t), "--threads", "1")
	img, _ := phantom.Discs(3, 200, 200)
	file := filepath.Join(t.TempDir(), "a.png")
	datasettest.WritePNG(t, file, img)
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	// The body is held back until the server has been told to stop, so that
	// the request is surely under way.
	r, w := io.Pipe()
	type answer struct {
		status int
		err    error
	}
	answered := make(chan answer, 1)
	go func() {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"v1/segment?model=bright&output=mask", r)
		if err != nil {
			answered <- answer{0, err}
			return
		}
		// The server asks for the body once it has read the header.
		req.Header.Set("Content-Type", "image/png")
		req.Header.Set("Expect", "100-continue")
		client := http.Client{Transport: &http.Transport{ExpectContinueTimeout: time.Minute}}
		resp, err := client.Do(req)
		if err != nil {
			answered <- answer{0, err}
			return
		}
		_, err = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		answered <- answer{resp.StatusCode, err}
	}()
	if _, err := w.Write(b[:len(b)/2]); err != nil {
		t.Fatal(err)
	}
	code := make(chan int, 1)
	go func() { code <- stop() }()
	for address := strings.Trim(strings.TrimPrefix(url, "http://"), "/"); ; { // until nothing more is accepted
		conn, err := net.Dial("tcp", address)
		if err != nil {
			break
		}
		_ = conn.Close()
	}
	if _, err := w.Write(b[len(b)/2:]); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(answer{http.StatusOK, nil}, <-answered, cmp.AllowUnexported(answer{})); diff != "" {
		t.Error(diff)
	}
	if c := <-code; c != exitDone {
		t.Errorf("exit %d, want 0", c)
	}
}

func TestServeAddressInUse(t *testing.T) {
	url, _, _ := startServer(t)
	listen := strings.TrimSuffix(strings.TrimPrefix(url, "http://"), "/")
	if code, _, stderr := command(t, "serve", "--listen", listen); code != exitFailed || !strings.Contains(stderr, "in use") {
		t.Errorf("exit %d, %q", code, stderr)
	}
}
