package handlers

import (
	"net/http"
	"strings"
	"testing"

	"segd/dicomio/dicomtest"
)

// TestQueryThatCannotBeParsed holds every route to refusing a query that the
// parser drops parts of: the answer would look right and be another one.
func TestQueryThatCannotBeParsed(t *testing.T) {
	url := start(t, newServer(t, nil))
	file := dicomtest.Write(dicomtest.Disc(32))
	for name, query := range map[string]string{
		"a percent sign at the end":      "output=seg&deidentify=1%",
		"a semicolon":                    "output=seg;deidentify=1",
		"a percent sign in a number":     "threshold=99%",
		"a model with a semicolon":       "model=bright;output=json",
		"more parameters than are read":  "output=seg&deidentify=1" + strings.Repeat("&x", 10_000),
		"an escape that is no hex digit": "output=json&model=%zz",
		"an escaped name":                "output=seg&de%identify=1",
	} {
		t.Run(name, func(t *testing.T) {
			wantProblem(t, post(t, url+"/v1/segment?"+query, file), http.StatusBadRequest, "")
			wantProblem(t, post(t, url+"/v1/inspect?"+query, file), http.StatusBadRequest, "")
			wantProblem(t, get(t, url+"/v1/models?"+query), http.StatusBadRequest, "")
		})
	}
}

func TestOptionWithoutValue(t *testing.T) {
	url := start(t, newServer(t, nil))
	file := dicomtest.Write(dicomtest.Disc(32))
	for _, query := range []string{"output=seg&deidentify", "output=seg&deidentify=", "threshold=", "model=", "output=", "tta", "frame="} {
		wantProblem(t, post(t, url+"/v1/segment?"+query, file), http.StatusBadRequest, "")
	}
	wantProblem(t, post(t, url+"/v1/inspect?model=", file), http.StatusBadRequest, "")
	wantProblem(t, do(t, form(t, url+"/v1/segment", "a.dcm", file, "deidentify", "")), http.StatusBadRequest, "")
}
