package handlers

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"segd"
)

// count is the number of bodies on their way.
func (s *arrivals) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.coming)
}

func TestClientOf(t *testing.T) {
	for addr, want := range map[string]string{
		"192.0.2.7:80":                  "192.0.2.7/32",
		"[::ffff:192.0.2.7]:80":         "192.0.2.7/32",
		"[2001:db8:1:2:3:4:5:6]:80":     "2001:db8:1:2::/64",
		"[fe80::1%eth0]:80":             "fe80::/64",
		"127.0.0.1:1":                   "127.0.0.1/32",
		"@":                             "invalid Prefix",
		"[2001:db8:1:2:ffff:4:5:6]:443": "2001:db8:1:2::/64",
	} {
		if got := clientOf(&http.Request{RemoteAddr: addr}).String(); got != want {
			t.Errorf("%s: got %s, want %s", addr, got, want)
		}
	}
}

// A body that comes slowly makes room for others of its client, and where all
// places are taken for anybody's; one that comes fast, or has just begun, does
// not.
func TestArrivals(t *testing.T) {
	one, other := netip.MustParsePrefix("192.0.2.1/32"), netip.MustParsePrefix("192.0.2.2/32")
	synctest.Test(t, func(t *testing.T) {
		s := newArrivals(3, 2)
		enter := func(client netip.Prefix) *arrival {
			t.Helper()
			a, err := s.enter(client, func(time.Time) error { return nil })
			if err != nil {
				t.Fatal(err)
			}
			return a
		}
		busy := func(client netip.Prefix) {
			t.Helper()
			if _, err := s.enter(client, nil); !errors.Is(err, segd.ErrBusy) {
				t.Fatalf("%v: got %v, want ErrBusy", client, err)
			}
		}
		fast, slow := enter(one), enter(one)
		busy(one) // neither has had time
		time.Sleep(2 * time.Second)
		fast.got(1 << 20)
		third := enter(one)
		if !slow.gone() || fast.gone() {
			t.Fatalf("slow made room: %t, fast: %t", slow.gone(), fast.gone())
		}
		slow.received()
		slow.leave()
		third.got(1 << 20)
		busy(one)
		time.Sleep(2 * time.Second)
		third.got(1 << 20)
		busy(one) // both are fast

		stranger := enter(other)
		if s.full() != true {
			t.Error("not full with a place for nobody")
		}
		busy(other)
		time.Sleep(2 * time.Second) // now the stranger is slow, and all places are taken
		if s.full() {
			t.Error("full with a slow body")
		}
		fast.got(1 << 20)
		third.got(1 << 20)
		last := enter(other)
		if !stranger.gone() {
			t.Error("the slow body of all keeps its place")
		}

		// A request whose body is there still counts for its client.
		fast.received()
		third.received()
		busy(one)
		fast.leave()
		enter(one).leave()
		for _, a := range []*arrival{third, last, stranger} {
			a.leave()
		}
		if n := s.count(); n != 0 || len(s.of) != 0 {
			t.Errorf("%d places taken in the end, clients %v", n, s.of)
		}
	})
}

// Connections that send a little and stall keep nobody from being served, not
// even one from their own address, and the server stays ready.
func TestStalled(t *testing.T) {
	s := newServer(t, func(c *Config) { c.MaxInFlight, c.MaxEach = 2, 20 })
	addr, _ := serve(t, s)
	var stalled []*bufio.Reader
	begin := func() {
		stalled = append(stalled, bufio.NewReader(send(t, addr, "POST /v1/segment HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n"+string(disc(t, side)[:59]))))
	}
	for range 19 {
		begin()
	}
	for s.arrivals.count() < 19 {
		time.Sleep(time.Millisecond)
	}
	url := "http://" + addr
	wantOK(t, post(t, url+"/v1/segment", disc(t, side)), "image/png")
	wantOK(t, get(t, url+"/readyz"), "application/json")
	begin() // the last place
	for s.arrivals.count() < 20 {
		time.Sleep(time.Millisecond)
	}
	time.Sleep(time.Second) // for the stalled ones to show that they are
	wantOK(t, post(t, url+"/v1/segment", disc(t, side)), "image/png")
	if n := s.arrivals.count(); n != 19 {
		t.Errorf("%d stalled bodies left of 20, want one to make room", n)
	}
}

// A server that takes no new request on says so, with the reason, before a body
// is read.
func TestSaturated(t *testing.T) {
	s := newServer(t, func(c *Config) { c.MaxInFlight = 1 })
	addr, _ := serve(t, s)
	s.inFlight <- struct{}{}
	wantProblem(t, get(t, "http://"+addr+"/readyz"), 503, "1 requests are in progress")
	r := bufio.NewReader(send(t, addr, "POST /v1/segment HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 1000\r\n\r\n"))
	wantProblem(t, receiveAnswer(t, r), 503, "1 requests are in progress")
	<-s.inFlight
	wantOK(t, get(t, "http://"+addr+"/readyz"), "application/json")
}

// Many clients at once, some of them stalled, are each answered.
func TestArrivalsConcurrent(t *testing.T) {
	s := newServer(t, func(c *Config) { c.Timeout = time.Minute })
	addr, _ := serve(t, s)
	b := disc(t, 32)
	for range 10 {
		send(t, addr, fmt.Sprintf("POST /v1/segment HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n", len(b))+string(b[:59]))
	}
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			resp, err := http.Post("http://"+addr+"/v1/segment", "image/png", bytes.NewReader(b))
			if err != nil {
				t.Error(err)
				return
			}
			_ = resp.Body.Close()
			if resp.StatusCode != http.StatusOK {
				t.Errorf("status %d", resp.StatusCode)
			}
		})
	}
	wg.Wait()
}
