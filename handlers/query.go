package handlers

import (
	"fmt"
	"maps"
	"net/url"
	"strings"

	"github.com/labstack/echo/v4"

	"segd"
)

// checkQuery refuses a request whose query cannot be parsed. url.URL.Query
// leaves out what it cannot parse, so that an option would be dropped with the
// answer looking right: "deidentify=1%" would keep the patient's name.
func (s *Server) checkQuery(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		raw := c.Request().URL.RawQuery
		if _, err := url.ParseQuery(raw); err != nil {
			hint := "write % as %25, and a value as RFC 3986 has it"
			if strings.Contains(raw, ";") {
				hint = "separate options with &, and write ; in a value as %3B"
			}
			// The parser's own words repeat the value.
			return fmt.Errorf("handlers: %w: the query cannot be parsed: %s", segd.ErrOption, hint)
		}
		return next(c)
	}
}

// mergeOptions returns the options of the query and those of the form's fields;
// of one that both give, the query's.
func mergeOptions(query, form url.Values) url.Values {
	all := url.Values{}
	maps.Copy(all, form)
	maps.Copy(all, query)
	return all
}
