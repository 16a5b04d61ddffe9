package main

import (
	"bytes"
	"regexp"
	"strings"
	"testing"
)

const events = `{"Action":"output","Package":"p","Test":"TestA","Output":"=== RUN   TestA\n"}
{"Action":"output","Package":"p","Test":"TestA","Output":"    a_test.go:12: no Chromium found\n"}
{"Action":"output","Package":"p","Test":"TestA","Output":"--- SKIP: TestA (0.00s)\n"}
{"Action":"skip","Package":"p","Test":"TestA"}
{"Action":"pass","Package":"p","Test":"TestB"}
{"Action":"pass","Package":"p","Elapsed":1.5}
`

func TestReport(t *testing.T) {
	fail := `{"Action":"output","Package":"q","Test":"TestC","Output":"    c_test.go:1: got 1\n"}
{"Action":"fail","Package":"q","Test":"TestC"}
`
	for name, tt := range map[string]struct {
		events, allow string
		ok            bool
		want          string
	}{
		"allowed":     {events, "Chromium", true, "1 passed, 0 failed, 1 skipped\nleft out: no Chromium found (1, such as p.TestA)"},
		"not allowed": {events, "Orthanc", false, "NOT ALLOWED HERE: no Chromium found"},
		"a failure":   {events + fail, "Chromium", false, "c_test.go:1: got 1"},
		"no build":    {`{"Action":"build-output","ImportPath":"q","Output":"q.go:1:1: syntax error\n"}` + "\n" + `{"Action":"build-fail","ImportPath":"q"}` + "\n", "x", false, "syntax error"},
	} {
		var out bytes.Buffer
		if ok := report(strings.NewReader(tt.events), &out, patterns{regexp.MustCompile(tt.allow)}); ok != tt.ok || !strings.Contains(out.String(), tt.want) {
			t.Errorf("%s: %v, want %v and %q in\n%s", name, ok, tt.ok, tt.want, &out)
		}
	}
}
