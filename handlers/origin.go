package handlers

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"
)

// Kinds of refusal that keep other sites' pages out of a browser's reach.
var (
	errForeignHost   = errors.New("unknown host name")
	errForeignOrigin = errors.New("request from another site")
)

// anyHost in Config.AllowHosts accepts every name.
const anyHost = "*"

// originCheck refuses what a page of another site has a browser send.
//
// A page can post to a server on its visitor's machine (cross-site request
// forgery), and the owner of a name can have it resolve to that machine, so that
// the browser takes server and page for one site (DNS rebinding). The first is
// told by Sec-Fetch-Site and Origin, which browsers set and pages cannot
// (http.CrossOriginProtection); the second by Host, which then holds a name that
// the server does not go by. Programs other than browsers send neither header.
func (s *Server) originCheck() echo.MiddlewareFunc {
	var sites http.CrossOriginProtection
	for _, origin := range s.AllowOrigins {
		if err := sites.AddTrustedOrigin(origin); err != nil {
			panic("handlers: Config.AllowOrigins: " + err.Error())
		}
	}
	names := []string{"localhost"}
	if name, err := os.Hostname(); err == nil {
		names = append(names, strings.ToLower(name))
	}
	for _, name := range s.AllowHosts {
		names = append(names, strings.ToLower(name))
	}
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			r := c.Request()
			if err := sites.Check(r); err != nil {
				return fmt.Errorf("handlers: %w: a page may send requests to its own server alone; --allow-origin names other sites that may", errForeignOrigin)
			}
			// Whoever asks for these learns nothing, and orchestrators ask by
			// names of their own.
			if p := c.Path(); p == "/healthz" || p == "/readyz" {
				return next(c)
			}
			if !knownHost(r.Host, names) {
				return fmt.Errorf("handlers: %w: the Host header is neither an address nor localhost nor this machine's name; --allow-host adds the name that the server is reached by", errForeignHost)
			}
			return next(c)
		}
	}
}

// knownHost reports whether a Host header is an IP address, which nobody can
// have resolve elsewhere, or one of names. A request of HTTP/1.0 may have none.
func knownHost(host string, names []string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.ToLower(strings.TrimSuffix(strings.Trim(host, "[]"), "."))
	address, _, _ := strings.Cut(host, "%") // without the zone
	return host == "" || net.ParseIP(address) != nil || slices.Contains(names, anyHost) || slices.Contains(names, host)
}

// crossOrigin lets pages of the allowed origins read what they ask for
// (the Fetch standard's CORS protocol).
func (s *Server) crossOrigin() echo.MiddlewareFunc {
	return middleware.CORSWithConfig(middleware.CORSConfig{
		AllowOrigins:  s.AllowOrigins,
		AllowMethods:  []string{http.MethodGet, http.MethodHead, http.MethodPost},
		AllowHeaders:  []string{"Accept", "Content-Type"},
		ExposeHeaders: []string{idHeader, modelHeader, versionHeader, networkHeader, warningsHeader, "Content-Disposition"},
		MaxAge:        600,
	})
}
