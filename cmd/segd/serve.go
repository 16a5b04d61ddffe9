package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"time"

	"github.com/spf13/cobra"

	"segd"
	"segd/handlers"
	"segd/internal/memory"
	"segd/models"
)

// serveSettings are the flags of segd serve.
type serveSettings struct {
	listen, models string
	maxBody        byteSize
	maxMemory      byteSize // 0: memory.Default
	timeout        time.Duration
	perClient      int
	healthcheck    bool
	origins, hosts []string
}

// leastMemory is what --max-memory must be: the weights of the models and the
// pixels of small images.
const leastMemory = 512 << 20

func newServe(a *app) *cobra.Command {
	s := serveSettings{maxBody: segd.MaxFile, perClient: 128}
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Serve the HTTP API and the web page",
		Long: "Serve the HTTP API and the web page. On an interrupt or SIGTERM the server stops\n" +
			"accepting requests, finishes those in progress, and exits with status 0.",
		Example: "  segd serve\n  curl -F file=@scan.dcm 'http://127.0.0.1:8080/v1/segment?output=overlay' -o overlay.png",
		Args:    cobra.NoArgs,
	}
	f := cmd.Flags()
	f.StringVar(&s.listen, "listen", "127.0.0.1:8080", "address and port to listen on; port 0 picks a free port")
	f.StringVar(&s.models, "models", "", "directory of additional models")
	f.Var(&s.maxBody, "max-body", "size limit of a request body")
	f.Var(&s.maxMemory, "max-memory", "memory limit of the server (default: three quarters of its cgroup's limit, else half of the machine's memory)")
	f.DurationVar(&s.timeout, "timeout", 2*time.Minute, "time limit of a request")
	f.StringSliceVar(&s.origins, "allow-origin", nil, "site whose pages may call the server, such as https://viewer.example")
	f.StringSliceVar(&s.hosts, "allow-host", nil, "host name that clients may use, in addition to localhost and this machine's name; * allows any name")
	f.Var(newIntRange(&s.perClient, 1, 1<<20), "max-per-client", "concurrent requests from one client address; a proxy counts as one client")
	f.BoolVar(&s.healthcheck, "healthcheck", false, "check the health of the server at --listen and exit")
	a.addThreads(cmd)
	a.addRounding(cmd)
	cmd.RunE = a.do(func(cmd *cobra.Command, _ []string) error {
		if s.timeout <= 0 {
			return optionError("--timeout %s, want more than 0", s.timeout)
		}
		for _, origin := range s.origins {
			if err := new(http.CrossOriginProtection).AddTrustedOrigin(origin); err != nil {
				return optionError("--allow-origin: %v; want a site such as https://viewer.example", err)
			}
		}
		if s.maxMemory == 0 {
			s.maxMemory = max(byteSize(memory.Default(os.DirFS("/"))), leastMemory)
		}
		if s.maxMemory < leastMemory {
			return optionError("--max-memory %s, want at least %s", &s.maxMemory, new(byteSize(leastMemory)))
		}
		if s.healthcheck {
			return checkHealth(cmd.Context(), s.listen)
		}
		return a.serve(cmd.Context(), s)
	})
	return cmd
}

func (a *app) serve(ctx context.Context, s serveSettings) error {
	log := slog.New(slog.NewTextHandler(a.stderr, nil))
	options := a.modelOptions()
	options.Log = log
	catalogue, err := loadCatalogue(options, s.models)
	if err != nil {
		return err
	}
	for _, b := range catalogue.Broken() {
		log.Error("cannot open a model; serving the others", "model", b.Name, "directory", b.Origin, "error", b.Err.Error())
	}
	if os.Getenv("GOMEMLIMIT") == "" { // an operator's own goes before
		debug.SetMemoryLimit(int64(s.maxMemory))
	}
	pool := a.newPool()
	defer pool.Close()
	server := handlers.New(handlers.Config{
		Models: catalogue, Pool: pool, Log: log, MaxBody: int64(s.maxBody), Timeout: s.timeout, MaxEach: s.perClient, MaxMemory: int64(s.maxMemory),
		Version: version, AllowOrigins: s.origins, AllowHosts: s.hosts,
	})
	listener, err := net.Listen("tcp", s.listen)
	if err != nil {
		return err
	}
	url := "http://" + listener.Addr().String() + "/"
	log.Info("listening", "url", url, "models", len(catalogue.List()), "threads", pool.Threads(), "max_memory", s.maxMemory.String(), "kernel", pool.Kernels().Name(), "precision", a.precision)
	if _, err := fmt.Fprintln(a.stdout, url); err != nil {
		return errors.Join(err, listener.Close())
	}
	return server.Serve(ctx, listener)
}

// checkHealth asks a running server for /healthz, for container images that
// hold no other program to do so.
func checkHealth(ctx context.Context, listen string) error {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return optionError("--listen %s: %v", listen, err)
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	url := "http://" + net.JoinHostPort(host, port) + "/healthz"
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answered %s, want 200 OK", url, resp.Status)
	}
	return nil
}

// openCatalogue holds the embedded models and those in dir, if one is given, and
// warns of those that cannot be opened.
func (a *app) openCatalogue(dir string) (*models.Catalogue, error) {
	c, err := loadCatalogue(a.modelOptions(), dir)
	if err != nil {
		return nil, err
	}
	for _, b := range c.Broken() {
		say(a.stderr, "segd: warning: cannot open model %s: %v\n", b.Origin, b.Err)
	}
	return c, nil
}

func loadCatalogue(o models.Options, dir string) (*models.Catalogue, error) {
	c, err := o.Embedded()
	if err != nil {
		return nil, err
	}
	if dir != "" {
		if err := c.AddDir(dir); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// resolveModel finds a model by name, embedded or in modelsDir, or by its
// directory.
func (a *app) resolveModel(nameOrDir, modelsDir string) (*models.Model, error) {
	c, err := a.openCatalogue(modelsDir)
	if err != nil {
		return nil, err
	}
	return c.Resolve(nameOrDir)
}
