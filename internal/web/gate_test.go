package web_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// gate stands before a server and holds requests back, so that what comes late
// comes when a test wants it.
type gate struct {
	http.Handler

	mu   sync.Mutex
	next []*held
}

// held is a request that waits in a gate.
type held struct {
	match   string // in its address
	arrived chan struct{}
	release chan struct{}
	status  int // answered in place of the server where it is not 0
}

// hold has the next request whose address contains match wait.
func (g *gate) hold(match string) *held {
	h := &held{match: match, arrived: make(chan struct{}), release: make(chan struct{})}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.next = append(g.next, h)
	return h
}

func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if h := g.take(r.URL.String()); h != nil {
		// The body is read first: the page's own part of the exchange is over.
		var b bytes.Buffer
		if _, err := b.ReadFrom(r.Body); err != nil {
			return
		}
		r.Body = http.NoBody
		if b.Len() > 0 {
			r.Body = readCloser{&b}
		}
		close(h.arrived)
		select {
		case <-h.release:
		case <-time.After(time.Minute):
		}
		if h.status != 0 {
			http.Error(w, "{}", h.status)
			return
		}
	}
	g.Handler.ServeHTTP(w, r)
}

type readCloser struct{ *bytes.Buffer }

func (g *gate) take(url string) *held {
	g.mu.Lock()
	defer g.mu.Unlock()
	for i, h := range g.next {
		if strings.Contains(url, h.match) {
			g.next = append(g.next[:i], g.next[i+1:]...)
			return h
		}
	}
	return nil
}

// waitFor waits until the request is in the gate.
func (h *held) waitFor(t *testing.T) {
	t.Helper()
	select {
	case <-h.arrived:
	case <-time.After(30 * time.Second):
		t.Fatalf("no request for %s", h.match)
	}
}

// gated starts a server behind a gate.
func gated(t *testing.T, names ...string) (*gate, string) {
	t.Helper()
	g := &gate{Handler: handler(t, names...)}
	s := httptest.NewServer(g)
	t.Cleanup(s.Close)
	return g, s.URL + "/"
}
