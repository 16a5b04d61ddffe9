package handlers

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"hash/crc32"
	"image"
	"image/png"
	"io"
	"log/slog"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"segd/dicomio/dicomtest"
	"segd/models"
	"segd/models/modelstest"
	"segd/unet"
)

// newServer is a server with the one model "bright", which marks what is
// brighter than half of an image's range.
func newServer(t testing.TB, change func(*Config)) *Server {
	t.Helper()
	dir := t.TempDir()
	if err := modelstest.Save(filepath.Join(dir, "bright"), "bright"); err != nil {
		t.Fatal(err)
	}
	var catalogue models.Catalogue
	if err := catalogue.AddDir(dir); err != nil {
		t.Fatal(err)
	}
	pool := unet.NewPool(2)
	t.Cleanup(pool.Close)
	c := Config{Models: &catalogue, Pool: pool, TempDir: t.TempDir(), Version: "test"}
	if change != nil {
		change(&c)
	}
	return New(c)
}

// start serves s on a port of this machine, and gives its address.
func start(t testing.TB, s *Server) string {
	t.Helper()
	h := httptest.NewServer(s)
	t.Cleanup(h.Close)
	return h.URL
}

// answer is a response, read to its end.
type answer struct {
	status  int
	header  http.Header
	trailer http.Header
	body    []byte
}

func do(t testing.TB, r *http.Request) answer {
	t.Helper()
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, resp.Trailer, b}
}

func get(t testing.TB, url string) answer {
	t.Helper()
	return do(t, request(t, http.MethodGet, url, nil))
}

func post(t testing.TB, url string, body []byte) answer {
	t.Helper()
	return do(t, request(t, http.MethodPost, url, bytes.NewReader(body)))
}

func request(t testing.TB, method, url string, body io.Reader) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// form is a multipart form with a file and fields, given as pairs.
func form(t testing.TB, url, name string, file []byte, fields ...string) *http.Request {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	part, err := w.CreateFormFile("file", name)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = part.Write(file) // a buffer takes all
	for i := 0; i < len(fields); i += 2 {
		if err := w.WriteField(fields[i], fields[i+1]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	r := request(t, http.MethodPost, url, &b)
	r.Header.Set("Content-Type", w.FormDataContentType())
	return r
}

// wantProblem checks that an answer is a problem of a status that says what is
// wrong, and returns it.
func wantProblem(t testing.TB, a answer, status int, detail string) problem {
	t.Helper()
	if a.status != status {
		t.Fatalf("status %d, want %d: %.300s", a.status, status, a.body)
	}
	if got := a.header.Get("Content-Type"); got != "application/problem+json" {
		t.Errorf("media type %q", got)
	}
	var p problem
	if err := json.Unmarshal(a.body, &p); err != nil {
		t.Fatalf("%v: %.300s", err, a.body)
	}
	if p.Status != status || p.Title == "" || !strings.HasPrefix(p.Type, "urn:segd:problem:") {
		t.Errorf("problem %+v", p)
	}
	if p.Instance == "" || p.Instance != a.header.Get("X-Request-Id") {
		t.Errorf("instance %q, request id %q", p.Instance, a.header.Get("X-Request-Id"))
	}
	if !strings.Contains(p.Detail, detail) {
		t.Errorf("detail %q, want %q in it", p.Detail, detail)
	}
	return p
}

func wantOK(t testing.TB, a answer, media string) {
	t.Helper()
	if a.status != http.StatusOK {
		t.Fatalf("status %d: %.300s", a.status, a.body)
	}
	if got := a.header.Get("Content-Type"); got != media {
		t.Errorf("media type %q, want %q", got, media)
	}
}

func decodePNG(t testing.TB, b []byte) image.Image {
	t.Helper()
	m, err := png.Decode(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func encodePNG(t testing.TB, m image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// onDisc reports whether dicomtest.Disc(size) has its disc at a pixel.
func onDisc(size, y, x int) bool {
	dy, dx := float64(y)-0.4*float64(size), float64(x)-0.3*float64(size)
	return dy*dy+dx*dx <= float64(size*size)/36
}

// disc is a PNG of 8 bits with a disc as in dicomtest.Disc.
func disc(t testing.TB, size int) []byte {
	t.Helper()
	m := image.NewGray(image.Rect(0, 0, size, size))
	for i := range m.Pix {
		m.Pix[i] = 20
		if onDisc(size, i/size, i%size) {
			m.Pix[i] = 220
		}
	}
	return encodePNG(t, m)
}

// frames is a DICOM file of n frames, with the disc in each but less bright
// from one to the next.
func frames(size, n int) dicomtest.File {
	f := dicomtest.Disc(size)
	one := f.Pixels
	f.Frames, f.Pixels = n, nil
	for i := range n {
		for j := 0; j < len(one); j += 2 {
			v := binary.LittleEndian.Uint16(one[j:])
			f.Pixels = binary.LittleEndian.AppendUint16(f.Pixels, v/uint16(i+1))
		}
	}
	return f
}

// pngHeader is a PNG that ends after the header of an image of that size.
func pngHeader(width, height uint32) []byte {
	chunk := []byte("IHDR")
	chunk = binary.BigEndian.AppendUint32(chunk, width)
	chunk = binary.BigEndian.AppendUint32(chunk, height)
	chunk = append(chunk, 8, 0, 0, 0, 0)
	out := append([]byte("\x89PNG\r\n\x1a\n"), 0, 0, 0, 13)
	return binary.BigEndian.AppendUint32(append(out, chunk...), crc32.ChecksumIEEE(chunk))
}

// lines collects a log.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (l *lines) logger() *slog.Logger {
	return slog.New(slog.NewJSONHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug}))
}
