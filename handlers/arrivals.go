package handlers

import (
	"fmt"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/labstack/echo/v4"

	"segd"
)

// maxArriving is how many bodies may be on their way at once.
const maxArriving = 1024

// arrivals are the places of requests whose bodies are on their way, and the count
// of all requests of each client. Where there is no place left, a body that comes
// slowly makes room.
type arrivals struct {
	most, mostEach int // bodies on their way; requests of one client

	mu     sync.Mutex
	coming map[*arrival]struct{}
	of     map[netip.Prefix]int
}

func newArrivals(most, mostEach int) *arrivals {
	return &arrivals{most: most, mostEach: mostEach, coming: map[*arrival]struct{}{}, of: map[netip.Prefix]int{}}
}

// arrival is the place of one request.
type arrival struct {
	all    *arrivals
	client netip.Prefix
	start  time.Time
	// deadline sets until when the next bytes may come.
	deadline func(time.Time) error

	n   int64 // bytes of the body so far
	cut bool  // it made room
}

// clientOf is the address that a request comes from; of IPv6 the network, in which
// one client has as many addresses as it likes.
func clientOf(r *http.Request) netip.Prefix {
	a, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Prefix{}
	}
	addr := a.Addr().Unmap().WithZone("")
	bits := addr.BitLen()
	if addr.Is6() {
		bits = 64
	}
	p, _ := addr.Prefix(bits) // bits are in range
	return p
}

// enter gives a request a place, or segd.ErrBusy. It ends with received, and with
// leave.
func (s *arrivals) enter(client netip.Prefix, deadline func(time.Time) error) (*arrival, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.of[client] >= s.mostEach && !s.makeRoom(client) {
		return nil, fmt.Errorf("handlers: %w: %d requests of this client are in progress, which is the limit", segd.ErrBusy, s.mostEach)
	}
	if len(s.coming) >= s.most && !s.makeRoom(netip.Prefix{}) {
		return nil, fmt.Errorf("handlers: %w: %d requests are being received, which is the limit", segd.ErrBusy, s.most)
	}
	a := &arrival{all: s, client: client, start: time.Now(), deadline: deadline}
	s.coming[a] = struct{}{}
	s.of[client]++
	return a, nil
}

// full reports whether no place can be had.
func (s *arrivals) full() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.coming) >= s.most && s.slowest(netip.Prefix{}) == nil
}

// makeRoom takes the place of the slowest body, of a client or of all.
func (s *arrivals) makeRoom(client netip.Prefix) bool {
	a := s.slowest(client)
	if a == nil {
		return false
	}
	a.cut = true
	_ = a.deadline(time.Now())
	delete(s.coming, a)
	s.forget(a)
	return true
}

// slowest is the body that comes most slowly, of a client or of all, among those
// slower than leastRate that have had a second to show it.
func (s *arrivals) slowest(client netip.Prefix) *arrival {
	var found *arrival
	slowest := float64(leastRate)
	for a := range s.coming {
		age := time.Since(a.start).Seconds()
		if age < 1 || client.IsValid() && a.client != client {
			continue
		}
		if rate := float64(a.n) / age; rate < slowest {
			found, slowest = a, rate
		}
	}
	return found
}

func (s *arrivals) forget(a *arrival) {
	if s.of[a.client]--; s.of[a.client] <= 0 {
		delete(s.of, a.client)
	}
}

// wait sets until when the next bytes may come, unless the place is gone.
func (a *arrival) wait(until time.Time) {
	a.all.mu.Lock()
	defer a.all.mu.Unlock()
	if !a.cut {
		_ = a.deadline(until)
	}
}

// got counts bytes that came.
func (a *arrival) got(n int) {
	a.all.mu.Lock()
	defer a.all.mu.Unlock()
	a.n += int64(n)
}

// gone reports whether the place was taken to make room.
func (a *arrival) gone() bool {
	a.all.mu.Lock()
	defer a.all.mu.Unlock()
	return a.cut
}

// received says that the body is there, or will not come.
func (a *arrival) received() {
	a.all.mu.Lock()
	defer a.all.mu.Unlock()
	delete(a.all.coming, a)
}

// leave says that the request is done with.
func (a *arrival) leave() {
	a.all.mu.Lock()
	defer a.all.mu.Unlock()
	delete(a.all.coming, a)
	if !a.cut {
		a.all.forget(a)
	}
}

// arrive gives a request a place to receive its body in. What cannot be taken on
// anyway is refused before.
func (s *Server) arrive(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if err := s.saturated(); err != nil {
			return err
		}
		r := c.Request()
		a, err := s.arrivals.enter(clientOf(r), http.NewResponseController(c.Response()).SetReadDeadline)
		if err != nil {
			return err
		}
		defer a.leave()
		s.quiet.enter()
		defer s.quiet.leave()
		if b, ok := r.Body.(*body); ok {
			b.place = a
			defer b.release()
		}
		err = next(c)
		s.Models.Trim(s.memory.whole / 16)
		return err
	}
}

// admit gives a request whose body is there a place among those in progress.
func (s *Server) admit() (leave func(), err error) {
	select {
	case s.inFlight <- struct{}{}:
		return func() { <-s.inFlight }, nil
	default:
		return nil, s.busy()
	}
}

func (s *Server) busy() error {
	return fmt.Errorf("handlers: %w: %d requests are in progress, which is the limit", segd.ErrBusy, cap(s.inFlight))
}

// saturated is why no request can be taken on at present; nil where one can.
func (s *Server) saturated() error {
	switch {
	case len(s.inFlight) == cap(s.inFlight):
		return s.busy()
	case s.memory.bodies.full(1):
		return fmt.Errorf("handlers: %w: the server holds as many bytes of requests as it may (%s)", segd.ErrBusy, inMiB(s.memory.bodies.size))
	case s.arrivals.full():
		return fmt.Errorf("handlers: %w: %d requests are being received, which is the limit", segd.ErrBusy, s.arrivals.most)
	}
	return nil
}
