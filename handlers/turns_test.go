package handlers

import (
	"context"
	"image"
	"net/http"
	"testing"
	"time"

	"segd"
	"segd/internal/turns"
)

// occupy takes a turn of a request of that length, until the test ends.
func occupy(t *testing.T, s *Server, length time.Duration) {
	t.Helper()
	held, release, ended := make(chan struct{}), make(chan struct{}), make(chan struct{})
	ctx := s.turns.Arrive(context.Background())
	turns.Expect(ctx, length)
	go func() {
		defer close(ended)
		_ = turns.Take(ctx, func() error { // a background context does not end
			close(held)
			<-release
			return nil
		})
	}()
	<-held
	t.Cleanup(func() {
		close(release)
		<-ended
	})
}

// While long requests hold every place, in a unit that does not end, short ones
// are answered all the same.
func TestShortBesideLong(t *testing.T) {
	s := newServer(t, func(c *Config) { c.Timeout = 10 * time.Second })
	url := start(t, s)
	for range s.turns.Places() {
		occupy(t, s, time.Hour)
	}
	for range 5 {
		wantOK(t, post(t, url+"/v1/segment?output=mask", disc(t, side)), "image/png")
		wantOK(t, post(t, url+"/v1/inspect", disc(t, side)), "application/json")
	}
}

// Short requests pass a large picture, however small its file, while it goes
// through the network, and the large one is answered, too.
func TestShortPassesLarge(t *testing.T) {
	s := newServer(t, func(c *Config) { c.MaxRunning = 1 })
	url := start(t, s)
	large := encodePNG(t, image.NewGray(image.Rect(0, 0, 800, 600)))
	answered := make(chan answer, 1)
	go func() { answered <- post(t, url+"/v1/segment?output=mask&tta=1", large) }()
	for s.turns.Running() == 0 {
		time.Sleep(time.Millisecond)
	}
	wantOK(t, post(t, url+"/v1/segment?output=mask", disc(t, 32)), "image/png")
	select {
	case <-answered:
		t.Error("the short request was answered after the large one")
	default:
		if a := <-answered; a.status != http.StatusOK {
			t.Errorf("large: status %d: %s", a.status, a.body)
		}
	}
}

// What the header of a file says of its size is known before the file is decoded.
func TestHeaderRanks(t *testing.T) {
	s := newServer(t, func(c *Config) { c.MaxRunning = 1 })
	occupy(t, s, time.Second)
	for _, tt := range []struct {
		name      string
		file      []byte
		overtakes bool
	}{
		{"small picture", disc(t, 32), true},
		{"large picture in a small file", encodePNG(t, image.NewGray(image.Rect(0, 0, 6000, 5000))), false},
		{"long volume in a small file", zeroVolume(1000, 1000, 30), false},
	} {
		ctx, cancel := context.WithTimeout(s.turns.Arrive(t.Context()), 500*time.Millisecond)
		u := &upload{bytes: tt.file}
		if got := s.engine.Look(ctx, u.source(), func(*segd.Scan, []byte) error { return nil }) == nil; got != tt.overtakes {
			t.Errorf("%s: goes before a request of a second: %v, want %v", tt.name, got, tt.overtakes)
		}
		cancel()
	}
}
