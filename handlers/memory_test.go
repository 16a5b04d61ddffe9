package handlers

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"segd"
	"segd/dicomio/dicomtest"
	"segd/internal/nifti/niftitest"
)

func (s *share) inUse() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.used
}

// inUse is what requests hold by the books, bodies apart.
func (m *memory) inUse() (n int64) {
	return m.scans.inUse() + m.frames.inUse()
}

func (l lanes) inUse() (n int64) {
	for _, part := range l {
		n += part.inUse()
	}
	return n
}

// wantNothingHeld checks that everything was given back.
func wantNothingHeld(t testing.TB, s *Server) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		n := s.memory.inUse() + s.memory.bodies.inUse() + s.memory.spool.inUse()
		if n == 0 {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%d bytes are still held", n)
		}
	}
}

func TestShare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLanes(8192) // 256 for up to 2, 512 up to 64, 1024 up to 256, and 6400
		ctx := t.Context()
		take := func(ctx context.Context, n int64) *holding {
			t.Helper()
			h, err := l.take(ctx, n, "it")
			if err != nil {
				t.Fatal(err)
			}
			return h
		}
		if _, err := l.take(ctx, 6401, "it"); !errors.Is(err, segd.ErrTooLarge) {
			t.Errorf("more than there is: %v", err)
		}
		big := take(ctx, 6000)
		var mu sync.Mutex
		var order []string
		soFar := func() string {
			mu.Lock()
			defer mu.Unlock()
			return fmt.Sprint(order)
		}
		done := func(name string) {
			mu.Lock()
			defer mu.Unlock()
			order = append(order, name)
		}
		go func() { defer done("second"); take(ctx, 5000).Release() }()
		synctest.Wait()
		short, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		go func() {
			if _, err := l.take(short, 6300, "it"); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("waiting beyond the end: %v", err)
			}
			done("late")
		}()
		synctest.Wait()
		go func() { defer done("third"); take(ctx, 300).Release() }() // would fit, but is not first
		synctest.Wait()
		for range 4 {
			defer take(ctx, 256).Release()
		}
		for range 8 { // wait neither for what is large nor for what is not so small
			defer take(ctx, 64).Release()
		}
		for range 128 {
			defer take(ctx, 2).Release()
		}
		if got := soFar(); got != "[]" {
			t.Errorf("%s went ahead", got)
		}
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		big.Release()
		synctest.Wait()
		if got := soFar(); got != "[late second third]" && got != "[late third second]" {
			t.Errorf("order %v", got)
		}
		if n := l.last().inUse(); n != 0 {
			t.Errorf("%d held in the end", n)
		}
	})
}

// Memory goes back once, when it has been quiet for a while.
func TestQuiet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var freed atomic.Int64
		q := &quiet{after: 5 * time.Second, free: func() { freed.Add(1) }}
		for range 3 {
			q.enter()
			q.enter()
			q.leave()
			time.Sleep(time.Minute)
			q.leave()
			time.Sleep(time.Second)
		}
		synctest.Wait()
		if n := freed.Load(); n != 0 {
			t.Errorf("freed %d times between requests", n)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := freed.Load(); n != 1 {
			t.Errorf("freed %d times, want 1", n)
		}
	})
}

// zeroVolume is a NIfTI file of zeros, compressed.
func zeroVolume(width, height, planes int) []byte {
	return niftitest.Write(niftitest.Volume{Width: width, Height: height, Depth: planes, Values: make([]int16, width*height*planes)})
}

// What never fits is refused with the figures, before it is decoded.
func TestNeverFits(t *testing.T) {
	s := newServer(t, func(c *Config) { c.MaxMemory = 64 << 20 })
	url := start(t, s)
	volume := zeroVolume(256, 256, 100) // 13 MB, of 10 for the largest
	wantOK(t, post(t, url+"/v1/segment?model=bright&output=json", zeroVolume(64, 64, 4)), "application/json")
	grown := watchMemory(t)
	for _, path := range []string{"/v1/segment?model=bright", "/v1/segment?model=bright&frame=1", "/v1/inspect"} {
		a := post(t, url+path, volume)
		wantProblem(t, a, 413, "the file takes about 13 MiB of memory, the server has 10 MiB for it")
	}
	wantProblem(t, post(t, url+"/v1/segment", disc(t, 2000)), 413, "a frame takes about")
	if n := grown(); n > 40<<20 {
		t.Errorf("memory grew by %d MiB for what is refused", n>>20)
	}
	wantNothingHeld(t, s)
}

// What does not fit at present waits, and gives up with its time; what is small
// goes on.
func TestMemoryWaits(t *testing.T) {
	s := newServer(t, func(c *Config) { c.MaxMemory, c.Timeout = 256<<20, 2*time.Second })
	url := start(t, s)
	volume := zeroVolume(32, 32, 2048)
	h, err := s.memory.scans.take(t.Context(), s.memory.scans.last().size, "it")
	if err != nil {
		t.Fatal(err)
	}
	a := post(t, url+"/v1/segment?model=bright&output=json&frame=1", volume)
	wantProblem(t, a, 503, "waiting for 4 MiB of memory")
	if a.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	wantOK(t, post(t, url+"/v1/segment", disc(t, 32)), "image/png")
	h.Release()
	wantOK(t, post(t, url+"/v1/segment?model=bright&output=json&frame=1", volume), "application/json")
	wantNothingHeld(t, s)
}

// A decoded volume counts until its request ends, and not only while a frame is
// computed.
func TestHeldBetweenFrames(t *testing.T) {
	s := newServer(t, nil)
	url := start(t, s)
	volume := zeroVolume(64, 64, 60)
	resp, err := http.Post(url+"/v1/segment?model=bright&output=mask", "application/octet-stream", bytes.NewReader(volume))
	if err != nil {
		t.Fatal(err)
	}
	if n := s.memory.scans.inUse(); n < 2*64*64*60 {
		t.Errorf("%d bytes held while the answer goes out, want those of the volume", n)
	}
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		t.Error(err)
	}
	_ = resp.Body.Close()
	wantNothingHeld(t, s)
}

// Bodies on their way count, and nothing is lost of what is refused midway.
func TestBodiesCount(t *testing.T) {
	s := newServer(t, func(c *Config) { c.MaxMemory = 32 << 20 }) // 2 MiB of bodies
	addr, _ := serve(t, s)
	s.memory.spool.size = 1 << 20
	b := append(disc(t, 32), make([]byte, 4<<20)...)
	wantProblem(t, post(t, "http://"+addr+"/v1/segment", b), 503, "as many bytes of requests as it may")
	wantNothingHeld(t, s)
	if !s.memory.bodies.try(2 << 20) {
		t.Fatal("not empty")
	}
	wantProblem(t, get(t, "http://"+addr+"/readyz"), 503, "as many bytes of requests as it may")
	wantProblem(t, post(t, "http://"+addr+"/v1/segment", disc(t, 32)), 503, "as many bytes of requests as it may")
	s.memory.bodies.give(2 << 20)
	wantOK(t, post(t, "http://"+addr+"/v1/segment", disc(t, 32)), "image/png")
	wantNothingHeld(t, s)
}

// A client that goes while its request waits for memory keeps nothing.
func TestGoneWhileWaiting(t *testing.T) {
	s := newServer(t, nil)
	url := start(t, s)
	h, err := s.memory.frames.take(t.Context(), s.memory.frames.last().size, "it")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		for {
			s.memory.frames.last().mu.Lock()
			n := len(s.memory.frames.last().waiting)
			s.memory.frames.last().mu.Unlock()
			if n > 0 {
				cancel()
				return
			}
			time.Sleep(time.Millisecond)
		}
	}()
	r := request(t, http.MethodPost, url+"/v1/segment", bytes.NewReader(disc(t, 1500))).WithContext(ctx)
	if resp, err := http.DefaultClient.Do(r); err == nil {
		_ = resp.Body.Close()
		t.Error("answered without memory")
	}
	h.Release()
	wantNothingHeld(t, s)
}

// Files that promise more than they hold are refused by what they are, and book
// nothing that they do not take.
func TestMeasured(t *testing.T) {
	s := newServer(t, func(c *Config) { c.MaxMemory = 64 << 20 })
	url := start(t, s)
	for name, b := range map[string][]byte{
		"a PNG of 8192²":    pngHeader(8192, 8192),
		"a text":            []byte(strings.Repeat("no image ", 20)),
		"a DICOM of no end": dicomtest.Write(dicomtest.Disc(64))[:300],
	} {
		if a := post(t, url+"/v1/segment", b); a.status < 400 || a.status >= 500 {
			t.Errorf("%s: status %d", name, a.status)
		}
	}
	wantNothingHeld(t, s)
}
