package handlers

import (
	"bytes"
	"fmt"
	"io"
	"mime/multipart"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"segd/dicomio/dicomtest"
)

func wantEmpty(t testing.TB, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 0 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}

// hostile are requests that must each get a 4xx that says what is wrong.
func hostile(t testing.TB) []struct {
	name   string
	body   []byte
	status int
	detail string
} {
	cut := func(b []byte, n int) []byte { return b[:n] }
	scan := dicomtest.Write(dicomtest.Disc(200))
	bare := dicomtest.Disc(64)
	bare.NoPixels = true
	video, jpeg, run := dicomtest.Disc(64), dicomtest.Disc(64), dicomtest.Disc(64)
	video.Syntax, video.Encapsulated = "1.2.840.10008.1.2.4.102", [][]byte{nil, {0, 0}}
	jpeg.Syntax, jpeg.Encapsulated = "1.2.840.10008.1.2.4.70", [][]byte{nil, {0xff, 0xd8, 0xff, 0xd9}}
	run.Syntax, run.Encapsulated = "1.2.840.10008.1.2.5", [][]byte{nil, make([]byte, 64)}
	long := dicomtest.Disc(2000)
	micrograph := disc(t, 300)
	return []struct {
		name   string
		body   []byte
		status int
		detail string
	}{
		{"text", bytes.Repeat([]byte("no image! "), 10), 415, "not DICOM, NIfTI, NRRD, MetaImage, MGH, PNG, JPEG, TIFF, JPEG 2000, BMP, GIF, WebP or PNM"},
		{"empty", nil, 400, "empty"},
		{"one byte", []byte{0x89}, 415, "not DICOM"},
		{"truncated PNG", cut(micrograph, len(micrograph)/2), 400, "png"},
		{"PNG signature", cut(micrograph, 8), 400, "png"},
		{"truncated DICOM", cut(scan, len(scan)/2), 400, "truncated"},
		{"truncated DICOM on disk", cut(dicomtest.Write(long), inMemory+1000), 400, "truncated"},
		{"DICOM header", cut(scan, 140), 400, "dicomio"},
		{"DICOM without pixels", dicomtest.Write(bare), 422, "pixel"},
		{"DICOM video", dicomtest.Write(video), 415, "1.2.840.10008.1.2.4.102"},
		{"empty JPEG in DICOM", dicomtest.Write(jpeg), 400, "jpeg"},
		{"run lengths of nothing in DICOM", dicomtest.Write(run), 422, "0 segments, want 2"},
		{"PNG of 20000×20000", pngHeader(20000, 20000), 413, "20000×20000"},
		{"PNG of 16000×4000", pngHeader(16000, 4000), 400, "truncated"},
	}
}

func TestHostile(t *testing.T) {
	dir := ""
	s := newServer(t, func(c *Config) { dir = c.TempDir })
	url := start(t, s) + "/v1/segment"
	wantOK(t, post(t, url, disc(t, 64)), "image/png") // what is only made once
	bad := hostile(t)
	debug.FreeOSMemory() // or what is free already would hide what is taken
	grown := watchMemory(t)

	for _, tt := range bad {
		t.Run(tt.name, func(t *testing.T) {
			wantProblem(t, post(t, url, tt.body), tt.status, tt.detail)
			wantProblem(t, do(t, form(t, url, "scan.dcm", tt.body)), tt.status, tt.detail)
		})
	}
	const size = 300 << 20
	magics := map[string]string{"zeros": "\x00\x00\x00\x00\x00\x00\x00\x00", "PNG": "\x89PNG\r\n\x1a\n", "DICOM": strings.Repeat("\x00", 128) + "DICM"}
	for name, magic := range magics {
		t.Run("300 MB by length, "+name, func(t *testing.T) {
			r := request(t, http.MethodPost, url, io.MultiReader(strings.NewReader(magic), zeros(size)))
			r.ContentLength = int64(size + len(magic))
			wantProblem(t, do(t, r), http.StatusRequestEntityTooLarge, "limit 268435456")
		})
		t.Run("300 MB in chunks, "+name, func(t *testing.T) {
			status, detail := 413, "268435456"
			if name == "zeros" { // known by its first bytes
				status, detail = 415, "not DICOM"
			}
			body := struct{ io.Reader }{io.MultiReader(strings.NewReader(magic), zeros(size))}
			wantProblem(t, do(t, request(t, http.MethodPost, url, body)), status, detail)
		})
	}
	t.Run("300 MB in a form", func(t *testing.T) {
		head := "--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\n" + magics["PNG"]
		r := request(t, http.MethodPost, url, struct{ io.Reader }{io.MultiReader(strings.NewReader(head), zeros(size))})
		r.Header.Set("Content-Type", "multipart/form-data; boundary=x")
		wantProblem(t, do(t, r), 413, "268435456")
	})
	t.Run("300 MB with Expect", func(t *testing.T) {
		r := request(t, http.MethodPost, url, zeros(size))
		r.ContentLength = size
		r.Header.Set("Expect", "100-continue")
		wantProblem(t, do(t, r), 413, "limit 268435456")
	})
	const limit = 64 << 20
	if n := grown(); n > limit {
		t.Errorf("resident memory grew by %d MiB, want at most %d", n>>20, limit>>20)
	} else {
		t.Logf("resident memory grew by %d MiB", n>>20)
	}
	wantEmpty(t, dir)
}

// zeros is n bytes of zeros.
func zeros(n int64) io.Reader { return io.LimitReader(zeroReader{}, n) }

type zeroReader struct{}

func (zeroReader) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// watchMemory follows the resident memory of this process, and returns the
// most by which it has been above that at the start.
func watchMemory(t testing.TB) (grown func() int64) {
	read := func() int64 {
		b, err := os.ReadFile("/proc/self/statm")
		if err != nil {
			return 0 // not on Linux
		}
		var size, resident int64
		if _, err := fmt.Sscan(string(b), &size, &resident); err != nil {
			t.Error(err)
		}
		return resident * int64(os.Getpagesize())
	}
	first := read()
	var most atomic.Int64
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			if n := read() - first; n > most.Load() {
				most.Store(n)
			}
			select {
			case <-stop:
				return
			case <-time.After(5 * time.Millisecond):
			}
		}
	}()
	return func() int64 {
		close(stop)
		<-done
		return most.Load()
	}
}

func TestForms(t *testing.T) {
	url := start(t, newServer(t, nil)) + "/v1/segment"
	send := func(media, body string) answer {
		r := request(t, http.MethodPost, url, strings.NewReader(body))
		r.Header.Set("Content-Type", media)
		return do(t, r)
	}
	file := "--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\n" + string(disc(t, 32)) + "\r\n"
	field := func(name, value string) string {
		return "--x\r\nContent-Disposition: form-data; name=\"" + name + "\"\r\n\r\n" + value + "\r\n"
	}
	const multipart = "multipart/form-data; boundary=x"
	wantOK(t, send(multipart, field("output", "json")+file+"--x--\r\n"), "application/json")
	for _, tt := range []struct {
		name, media, body string
		status            int
		detail            string
	}{
		{"no boundary", "multipart/form-data", file, 400, "boundary"},
		{"no form", multipart, "hello", 400, "truncated"},
		{"empty", multipart, "", 400, "form"},
		{"no file", multipart, field("model", "bright") + "--x--\r\n", 400, "part named file"},
		{"two files", multipart, file + file + "--x--\r\n", 422, "several files are the slices of one DICOM series"},
		{"cut off behind the file", multipart, file, 400, "truncated"},
		{"cut off in the file", multipart, file[:len(file)-40], 400, "form is truncated"},
		{"long field", multipart, field("model", strings.Repeat("x", 2000)) + file + "--x--\r\n", 413, "1024 bytes"},
		{"long header", multipart, "--x\r\nX: " + strings.Repeat("a", 100<<10) + "\r\n\r\n" + file, 413, "65536 bytes in the header"},
		{"many headers", multipart, "--x\r\n" + strings.Repeat("X: abcdefgh\r\n", 10000) + "\r\n" + file, 413, "65536 bytes in the header"},
		{"much before the form", multipart, strings.Repeat("hello\r\n", 20000) + file, 413, "65536 bytes in the header"},
		{"many fields", multipart, strings.Repeat(field("model", "x"), 40) + file + "--x--\r\n", 413, "32 parts"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			wantProblem(t, send(tt.media, tt.body), tt.status, tt.detail)
		})
	}
}

// A client that sends all before it listens must get to see why it was
// refused.
func TestLinger(t *testing.T) {
	url := start(t, newServer(t, func(c *Config) { c.MaxBody = 1 << 20 }))
	const size = 20 << 20
	for name, head := range map[string]string{
		"length": fmt.Sprintf("Content-Length: %d\r\n\r\n", size),
		"chunks": "Transfer-Encoding: chunked\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = conn.Close() }()
			body := zeros(size)
			if name == "chunks" {
				body = io.MultiReader(strings.NewReader(fmt.Sprintf("%x\r\n", size)), body, strings.NewReader("\r\n0\r\n\r\n"))
			}
			if _, err := io.Copy(conn, io.MultiReader(strings.NewReader("POST /v1/segment HTTP/1.1\r\nHost: localhost\r\n"+head), body)); err != nil {
				t.Fatalf("the server does not listen to the end: %v", err)
			}
			_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
			b, err := io.ReadAll(conn)
			if err != nil || !bytes.Contains(b, []byte("urn:segd:problem:")) {
				t.Fatalf("%v: %.300s", err, b)
			}
		})
	}
}

// TestFileInAnotherField says which field the file is in, and which it should be.
func TestFileInAnotherField(t *testing.T) {
	url := start(t, newServer(t, nil))
	for name, file := range map[string][]byte{"small": disc(t, 16), "large": make([]byte, 100_000)} {
		var b bytes.Buffer
		w := multipart.NewWriter(&b)
		part, err := w.CreateFormFile("image", name+".png")
		if err != nil {
			t.Fatal(err)
		}
		_, _ = part.Write(file) // a buffer takes all
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		r := request(t, http.MethodPost, url+"/v1/segment", &b)
		r.Header.Set("Content-Type", w.FormDataContentType())
		p := wantProblem(t, do(t, r), 400, `"image"`)
		if !strings.Contains(p.Detail, "name the field file") || strings.Contains(p.Detail, name) {
			t.Errorf("%s: %s", name, p.Detail)
		}
	}
}
