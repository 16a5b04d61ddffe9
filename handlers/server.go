// Package handlers is segd's HTTP interface: segmentation, the models, health,
// the API's own description, and the page.
//
//	s := handlers.New(handlers.Config{Models: catalogue, Pool: pool, Log: log})
//	err := s.Serve(ctx, listener) // until ctx ends; what runs is finished
//
// A handler decodes a request, calls internal/engine, sends on what that makes and
// returns errors; errors.go alone turns an error into an answer, problem+json
// of RFC 9457. openapi.json describes every route, and a test holds it to
// that.
//
// Limits, all of Config: the size of a request, the time it may take, how many
// there may be, of one client too, and the memory that they hold. A request takes
// a place when its body is there, and memory before its file is decoded, by what
// the header says. A body is looked at before it is read on, and beyond a few MiB
// goes to an unlinked file, so that what is refused costs no memory. Clients that
// stall are cut off. No error, log or header holds anything of a patient, nor a
// file's name.
//
// Source: RFC 9110, RFC 9457; OpenAPI 3.1.
package handlers

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/labstack/echo/v4"

	"segd"
	"segd/internal/engine"
	"segd/internal/turns"
	"segd/internal/web"
	"segd/models"
	"segd/unet"
)

// Config is what a Server is made of. Only Models is needed.
type Config struct {
	Models *models.Catalogue // not to be added to any more
	Pool   *unet.Pool        // the networks run on it; nil: on the request's goroutine
	Log    *slog.Logger      // nil: nothing is logged

	MaxBody     int64         // bytes of a request; 0: 256 MiB
	Timeout     time.Duration // of a request, from its header to its answer; 0: two minutes
	MaxInFlight int           // requests whose body is there that are accepted at once; 0: 256
	MaxEach     int           // requests of one client's address, their bodies on the way or there; 0: 128
	MaxRunning  int           // of those, how many are computed at once, and as many short ones beside long ones (package turns); 0: the threads of Pool
	MaxMemory   int64         // that requests may hold, in bytes; 0: 4 GiB
	TempDir     string        // for bodies on their way; "": the system's
	Version     string        // of the program, for /healthz

	// AllowOrigins are sites, such as https://viewer.example, whose pages may
	// send requests and read the answers. New panics where one is no origin.
	AllowOrigins []string
	// AllowHosts are names that the server is reached by, beside localhost, IP
	// addresses and the machine's own name; "*" stands for every name.
	AllowHosts []string
}

func (c Config) withDefaults() Config {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.MaxBody <= 0 {
		c.MaxBody = segd.MaxFile
	}
	if c.Timeout <= 0 {
		c.Timeout = 2 * time.Minute
	}
	if c.MaxInFlight <= 0 {
		c.MaxInFlight = 256
	}
	if c.MaxEach <= 0 {
		c.MaxEach = 128
	}
	if c.MaxMemory <= 0 {
		c.MaxMemory = 4 << 30
	}
	if c.MaxRunning <= 0 {
		c.MaxRunning = c.Pool.Threads()
	}
	return c
}

// spool is how many bytes of bodies may lie in the folder for temporary files. One
// in memory has an eighth of that.
func (c Config) spool() int64 {
	dir := c.TempDir
	if dir == "" {
		dir = os.TempDir()
	}
	if memoryFolder(dir) {
		return c.MaxMemory / 8
	}
	return 16 * c.MaxBody
}

// Server answers HTTP requests. It is an http.Handler, safe for concurrent use.
type Server struct {
	Config
	echo     *echo.Echo
	arrivals *arrivals
	memory   *memory
	quiet    *quiet
	inFlight chan struct{} // a place for each request that is accepted
	turns    *turns.Queue  // who computes
	engine   *engine.Engine
	stopping atomic.Bool
	page     map[string]asset // by name
	sample   func() ([]byte, error)
}

// New returns a server. It panics where c.Models is nil.
func New(c Config) *Server {
	if c.Models == nil {
		panic("handlers: Config.Models is nil")
	}
	c = c.withDefaults()
	s := &Server{
		Config:   c,
		echo:     echo.New(),
		arrivals: newArrivals(maxArriving, c.MaxEach),
		memory:   newMemory(c.MaxMemory, c.spool()),
		inFlight: make(chan struct{}, c.MaxInFlight),
		turns:    turns.New(c.MaxRunning),
		page:     assets(web.Files()),
		sample:   sync.OnceValues(sampleImage),
	}
	s.quiet = &quiet{after: quietTime, free: s.freeMemory}
	secret := make([]byte, 32) // that UIDs of what is de-identified are made with
	_, _ = rand.Read(secret)   // never fails (crypto/rand)
	s.engine = engine.New(engine.Config{Models: c.Models, Pool: c.Pool, Software: "segd " + c.Version, Offers: outputs, Secret: secret, Budget: s.memory})
	e := s.echo
	e.HideBanner, e.HidePort = true, true
	e.HTTPErrorHandler = s.answerError
	e.Use(s.withID, s.accessLog, s.limitTime, s.receive, s.recovered, s.originCheck())
	if len(s.AllowOrigins) > 0 {
		e.Use(s.crossOrigin())
	}
	e.Use(s.checkQuery)
	s.routes()
	return s
}

// routes names every route; openapi.json describes them.
func (s *Server) routes() {
	get := func(path string, h echo.HandlerFunc) {
		s.echo.GET(path, h)
		s.echo.HEAD(path, h)
	}
	s.echo.POST("/v1/segment", s.segment, s.arrive)
	s.echo.POST("/v1/inspect", s.inspect, s.arrive)
	get("/v1/models", s.listModels)
	get("/v1/models/:name", s.getModel)
	get("/v1/sample.png", s.getSample)
	get("/healthz", s.healthy)
	get("/readyz", s.ready)
	get("/openapi.json", s.openAPI)
	get("/", s.index)
	get("/static/*", s.static)
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.echo.ServeHTTP(w, r) }

// Serve answers requests from the listener, which it closes, until ctx ends;
// then it takes no new ones, finishes those that run, and returns nil. Each
// ends by itself within the timeout; one that does not is cut off a few
// seconds later, with an error. A Server serves once.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	server := &http.Server{
		Handler:           s,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(s.Log.Handler(), slog.LevelWarn),
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(l) }()
	select {
	case err := <-failed:
		return fmt.Errorf("handlers: %w", err)
	case <-ctx.Done():
	}
	s.stopping.Store(true)
	s.Log.Info("stopping, what runs is finished")
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.Timeout+writeTime+5*time.Second)
	defer cancel()
	if err := server.Shutdown(grace); err != nil {
		return fmt.Errorf("handlers: requests were cut off: %w", errors.Join(err, server.Close()))
	}
	s.Log.Info("stopped")
	return nil
}

// asset is a file of the page.
type asset struct {
	body []byte
	etag string
}

// assets reads the files of the page. They are part of the binary, so one that
// cannot be read is a programmer's mistake.
func assets(files fs.FS) map[string]asset {
	all := map[string]asset{}
	err := fs.WalkDir(files, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := fs.ReadFile(files, path)
		sum := sha256.Sum256(b)
		all[path] = asset{b, `"` + hex.EncodeToString(sum[:12]) + `"`}
		return err
	})
	if err != nil {
		panic("handlers: page: " + err.Error())
	}
	return all
}
