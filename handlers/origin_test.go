package handlers

import (
	"bytes"
	"net/http"
	"testing"
)

// TestForeignPages sends what a browser sends for a page of another site, and
// for one whose owner has its name resolve to this machine.
func TestForeignPages(t *testing.T) {
	file := disc(t, side)
	url := start(t, newServer(t, func(c *Config) {
		c.AllowOrigins = []string{"https://viewer.example"}
		c.AllowHosts = []string{"segd.example"}
	}))
	for name, tt := range map[string]struct {
		host   string
		header http.Header
		status int
	}{
		"a program":                       {"", nil, 200},
		"localhost":                       {"LOCALHOST:8080", nil, 200},
		"an address of version 6":         {"[::1]:8080", nil, 200},
		"the server's own page":           {"", http.Header{"Sec-Fetch-Site": {"same-origin"}}, 200},
		"a page of another site":          {"", http.Header{"Sec-Fetch-Site": {"cross-site"}, "Origin": {"https://evil.example"}}, 403},
		"another server of this machine":  {"", http.Header{"Sec-Fetch-Site": {"same-site"}, "Origin": {"http://localhost:3000"}}, 403},
		"an old browser":                  {"", http.Header{"Origin": {"https://evil.example"}}, 403},
		"a page without an origin":        {"", http.Header{"Origin": {"null"}}, 403},
		"an allowed site":                 {"", http.Header{"Sec-Fetch-Site": {"cross-site"}, "Origin": {"https://viewer.example"}}, 200},
		"an allowed name":                 {"Segd.Example:8443", nil, 200},
		"a name that resolves here":       {"evil.example", http.Header{"Origin": {"http://evil.example"}}, 403},
		"a name that begins with ours":    {"localhost.evil.example:8080", nil, 403},
		"a name that begins like address": {"127.0.0.1.evil.example", nil, 403},
	} {
		t.Run(name, func(t *testing.T) {
			r := request(t, http.MethodPost, url+"/v1/segment?output=mask", bytes.NewReader(file))
			r.Header = tt.header.Clone()
			r.Host = tt.host
			if a := do(t, r); a.status != tt.status {
				t.Errorf("status %d, want %d: %.200s", a.status, tt.status, a.body)
			} else if tt.status == 403 {
				wantProblem(t, a, 403, "--allow-")
			}
		})
	}
}

// TestRebinding holds answers without a body to the check too: they could be
// read by the page.
func TestRebinding(t *testing.T) {
	url := start(t, newServer(t, nil))
	for path, status := range map[string]int{"/": 403, "/v1/models": 403, "/nothing": 403, "/healthz": 200, "/readyz": 200} {
		r := request(t, http.MethodGet, url+path, nil)
		r.Host = "evil.example"
		if a := do(t, r); a.status != status {
			t.Errorf("%s: status %d, want %d", path, a.status, status)
		}
	}
	any := start(t, newServer(t, func(c *Config) { c.AllowHosts = []string{"*"} }))
	r := request(t, http.MethodGet, any+"/v1/models", nil)
	r.Host = "whatever.example"
	if a := do(t, r); a.status != 200 {
		t.Errorf("any name: status %d", a.status)
	}
}

// TestCrossOrigin asks as a viewer of another site does, with the preflight
// that a browser sends before it.
func TestCrossOrigin(t *testing.T) {
	url := start(t, newServer(t, func(c *Config) { c.AllowOrigins = []string{"https://viewer.example"} }))
	preflight := func(origin string) answer {
		r := request(t, http.MethodOptions, url+"/v1/segment", nil)
		r.Header.Set("Origin", origin)
		r.Header.Set("Access-Control-Request-Method", http.MethodPost)
		return do(t, r)
	}
	if a := preflight("https://viewer.example"); a.status != 204 || a.header.Get("Access-Control-Allow-Origin") != "https://viewer.example" {
		t.Errorf("preflight of the viewer: status %d, %v", a.status, a.header)
	}
	if a := preflight("https://evil.example"); a.header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("preflight of another site: %v", a.header)
	}
	r := request(t, http.MethodPost, url+"/v1/segment?output=json", bytes.NewReader(disc(t, side)))
	r.Header.Set("Origin", "https://viewer.example")
	a := do(t, r)
	wantOK(t, a, "application/json")
	if a.header.Get("Access-Control-Allow-Origin") != "https://viewer.example" || a.header.Get("Access-Control-Expose-Headers") == "" {
		t.Errorf("the viewer cannot read its answer: %v", a.header)
	}
}
