package handlers

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/labstack/echo/v4"
)

// serve runs s as the program does. stop ends it and returns what Serve does.
func serve(t testing.TB, s *Server) (addr string, stop func() error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx, l) }()
	stop = func() error {
		cancel()
		select {
		case err := <-served:
			served <- err
			return err
		case <-time.After(30 * time.Second):
			return errors.New("the server does not stop")
		}
	}
	t.Cleanup(func() { _ = stop() })
	return l.Addr().String(), stop
}

// send opens a connection, which the test closes, and sends text.
func send(t testing.TB, addr, text string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	return conn
}

// receiveAnswer reads the next answer of a connection.
func receiveAnswer(t testing.TB, r *bufio.Reader) answer {
	t.Helper()
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if resp.Close { // which takes the header out
		resp.Header.Set("Connection", "close")
	}
	return answer{resp.StatusCode, resp.Header, resp.Trailer, b}
}

// wantClosed checks that a connection ends after what has been read of it.
func wantClosed(t testing.TB, r *bufio.Reader) {
	t.Helper()
	if b, err := io.ReadAll(r); err != nil || len(b) > 0 {
		t.Errorf("the connection goes on: %v, %.100q", err, b)
	}
}

// bodiless are requests that promise a body, and what is sent of it.
var bodiless = []struct{ name, head, body string }{
	{"nothing", "Content-Length: 1000\r\n", ""},
	{"nothing of much", "Content-Length: 100000000\r\n", ""},
	{"some bytes", "Content-Length: 1000\r\n", "\x89PNG\r\n\x1a\n"},
	{"no chunk", "Transfer-Encoding: chunked\r\n", ""},
	{"half a chunk", "Transfer-Encoding: chunked\r\n", "20\r\n\x89PNG\r\n\x1a\n"},
	{"no last chunk", "Transfer-Encoding: chunked\r\n", "8\r\n\x89PNG\r\n\x1a\n\r\n"},
	{"half a form", "Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 1000\r\n", "--x\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\n\x89PNG"},
	{"a form's end missing", "Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 1000\r\n", "--x\r\nContent-Disposition: form-data; name=\"output\"\r\n\r\njson\r\n"},
	{"what follows a form", "Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 1000\r\n", "--x\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\n\x89PNG\r\n\x1a\n\r\n--x--\r\n"},
}

// A body that does not come is answered with 408 in time, in the log once, and
// its connection ends.
func TestBodyNeverComes(t *testing.T) {
	var log lines
	s := newServer(t, func(c *Config) { c.Timeout, c.Log = 200*time.Millisecond, log.logger() })
	addr, stop := serve(t, s)
	open := map[string]*bufio.Reader{} // all at once, for they take their time
	for _, path := range []string{"/v1/segment", "/v1/inspect"} {
		for _, tt := range bodiless {
			open[path+" "+tt.name] = bufio.NewReader(send(t, addr, "POST "+path+" HTTP/1.1\r\nHost: localhost\r\n"+tt.head+"\r\n"+tt.body))
		}
	}
	for name, r := range open {
		t.Run(name, func(t *testing.T) {
			a := receiveAnswer(t, r)
			wantProblem(t, a, 408, "in time")
			if a.header.Get("Connection") != "close" {
				t.Error("the answer does not say that the connection ends")
			}
			wantClosed(t, r)
		})
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	if n := strings.Count(log.String(), `"status":408`); n != len(open) || strings.Count(log.String(), `"msg":"request"`) != n {
		t.Errorf("%d lines of 408 in the log for %d requests: %s", n, len(open), &log)
	}
}

// Clients whose bodies do not come do not keep the server from stopping.
func TestStopWithoutBody(t *testing.T) {
	s := newServer(t, func(c *Config) { c.Timeout = 300 * time.Millisecond })
	arrived := make(chan struct{})
	s.echo.POST("/arrived", func(c echo.Context) error {
		close(arrived)
		return s.inspect(c)
	})
	addr, stop := serve(t, s)
	r := bufio.NewReader(send(t, addr, "POST /arrived HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n"))
	<-arrived
	if err := stop(); err != nil {
		t.Error(err)
	}
	wantProblem(t, receiveAnswer(t, r), 408, "in time")
	wantClosed(t, r)
}

// What is refused by the header alone is refused before the body is sent, with
// Expect: 100-continue and without.
func TestRefusedByHeader(t *testing.T) {
	addr, _ := serve(t, newServer(t, func(c *Config) { c.MaxBody = 1 << 20 }))
	var checks []func() // once all are on their way, for they take their time
	for _, tt := range []struct {
		name, line, length string
		status             int
		detail             string
	}{
		{"unknown model", "POST /v1/segment?model=dark", "1000", 404, "have bright"},
		{"wrong option", "POST /v1/segment?threshold=2", "1000", 400, "threshold"},
		{"unknown option", "POST /v1/segment?treshold=0.2", "1000", 400, "treshold"},
		{"large", "POST /v1/segment", "2000000", 413, "limit 1048576"},
		{"unknown route", "POST /v1/nothing", "1000", 404, "nothing at this address"},
		{"wrong method", "PUT /v1/segment", "1000", 405, "method"},
		{"inspect, unknown model", "POST /v1/inspect?model=dark", "1000", 404, "have bright"},
		{"inspect, unknown option", "POST /v1/inspect?frame=2", "1000", 400, "frame"},
		{"no boundary", "POST /v1/segment HTTP/1.1\r\nContent-Type: multipart/form-data\r\nX:", "1000", 400, "boundary"},
	} {
		for _, expect := range []string{"", "Expect: 100-continue\r\n"} {
			line := tt.line
			if !strings.Contains(line, "HTTP") {
				line += " HTTP/1.1"
			}
			r := bufio.NewReader(send(t, addr, fmt.Sprintf("%s\r\nHost: localhost\r\n%sContent-Length: %s\r\n\r\n", line, expect, tt.length)))
			checks = append(checks, func() {
				t.Run(tt.name+" "+expect, func(t *testing.T) {
					wantProblem(t, receiveAnswer(t, r), tt.status, tt.detail)
					wantClosed(t, r)
				})
			})
		}
	}
	for _, check := range checks {
		check()
	}
}

// A request that is not refused gets 100 Continue, and then its answer on a
// connection that goes on.
func TestContinue(t *testing.T) {
	addr, _ := serve(t, newServer(t, nil))
	b := disc(t, side)
	conn := send(t, addr, fmt.Sprintf("POST /v1/segment?output=mask HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n", len(b)))
	r := bufio.NewReader(conn)
	if a := receiveAnswer(t, r); a.status != http.StatusContinue {
		t.Fatalf("status %d, want 100", a.status)
	}
	if _, err := conn.Write(b); err != nil {
		t.Fatal(err)
	}
	a := receiveAnswer(t, r)
	wantOK(t, a, "image/png")
	wantDisc(t, a.body)
	if _, err := io.WriteString(conn, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	wantOK(t, receiveAnswer(t, r), "application/json")
}

// A route that wants no body does not wait for one.
func TestBodyNotWanted(t *testing.T) {
	addr, _ := serve(t, newServer(t, nil))
	r := bufio.NewReader(send(t, addr, "GET /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n"))
	wantOK(t, receiveAnswer(t, r), "application/json")
	wantClosed(t, r)
}

// Requests that follow each other without waiting are each answered.
func TestPipelining(t *testing.T) {
	addr, _ := serve(t, newServer(t, nil))
	b := string(disc(t, side))
	one := fmt.Sprintf("POST /v1/segment?output=mask HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s", len(b), b)
	r := bufio.NewReader(send(t, addr, strings.Repeat(one, 3)+"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"))
	for range 3 {
		wantOK(t, receiveAnswer(t, r), "image/png")
	}
	wantOK(t, receiveAnswer(t, r), "application/json")
}

// A client that does not take its answer is let go of.
func TestAnswerNotTaken(t *testing.T) {
	s := newServer(t, nil)
	failed := make(chan error, 1)
	s.echo.GET("/endless", func(c echo.Context) error {
		w, ok := c.Response().Writer.(*pacedWriter)
		if !ok {
			return errors.New("not paced")
		}
		w.end = time.Now().Add(100 * time.Millisecond)
		_, err := io.Copy(c.Response(), zeros(1<<30))
		failed <- err
		return err
	})
	addr, stop := serve(t, s)
	conn := send(t, addr, "GET /endless HTTP/1.1\r\nHost: localhost\r\n\r\n")
	if err := <-failed; err == nil {
		t.Error("an answer that nobody takes is written")
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	_ = conn.Close()
}
