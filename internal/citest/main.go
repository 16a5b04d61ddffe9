// Command citest reads the events of "go test -json" from standard input, prints
// what failed and a line for each package, and says at the end which tests were
// left out and why:
//
//	go test -json ./... | go run ./internal/citest -allow 'no Chromium found'
//
// It exits with 1 where a test failed, where a package did not build, and where a
// test was left out for a reason that no -allow names: the machine could have run
// it.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
)

// event is one of test2json's (go doc test2json).
type event struct {
	Action, Package, Test, Output string
	Elapsed                       float64
}

func main() {
	var allow patterns
	flag.Var(&allow, "allow", "reason, a regular expression, that may leave a test out; may be given again")
	flag.Parse()
	if !report(os.Stdin, os.Stdout, allow) {
		os.Exit(1)
	}
}

type patterns []*regexp.Regexp

func (p *patterns) String() string { return fmt.Sprint(*p) }
func (p *patterns) Set(s string) error {
	r, err := regexp.Compile(s)
	*p = append(*p, r)
	return err
}

// results are what the events say.
type results struct {
	output  map[string][]string // of a test or package that has not ended
	skipped map[string][]string // tests by reason
	passed  int
	failed  int
}

// report prints the results of the events in r, and returns whether all is well.
func report(r io.Reader, w io.Writer, allow patterns) bool {
	all := results{output: map[string][]string{}, skipped: map[string][]string{}}
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		var e event
		if json.Unmarshal(lines.Bytes(), &e) != nil { // of the build
			_, _ = fmt.Fprintln(w, lines.Text())
			continue
		}
		all.add(w, e)
	}
	ok := all.failed == 0 && lines.Err() == nil
	_, _ = fmt.Fprintf(w, "\n%d passed, %d failed, %d skipped\n", all.passed, all.failed, all.count())
	for _, reason := range slices.Sorted(maps.Keys(all.skipped)) {
		tests, mark := all.skipped[reason], ""
		if !slices.ContainsFunc(allow, func(p *regexp.Regexp) bool { return p.MatchString(reason) }) {
			mark, ok = "NOT ALLOWED HERE: ", false
		}
		_, _ = fmt.Fprintf(w, "left out: %s%s (%d, such as %s)\n", mark, reason, len(tests), tests[0])
	}
	return ok
}

func (a *results) add(w io.Writer, e event) {
	key := e.Package + "." + e.Test
	switch e.Action {
	case "output", "build-output":
		if e.Package == "" {
			_, _ = fmt.Fprint(w, e.Output)
			return
		}
		a.output[key] = append(a.output[key], e.Output)
		return
	case "pass":
		if e.Test != "" {
			a.passed++
		} else {
			_, _ = fmt.Fprintf(w, "ok\t%s\t%.1fs\n", e.Package, e.Elapsed)
		}
	case "fail", "build-fail":
		a.failed++
		_, _ = fmt.Fprint(w, strings.Join(a.output[key], ""))
	case "skip":
		if e.Test != "" {
			reason := reasonOf(a.output[key])
			a.skipped[reason] = append(a.skipped[reason], key)
		}
	default:
		return
	}
	delete(a.output, key)
}

func (a *results) count() (n int) {
	for _, tests := range a.skipped {
		n += len(tests)
	}
	return n
}

var position = regexp.MustCompile(`^\s*[\w./-]+_test\.go:\d+: `)

// reasonOf is what a test said before it was left out.
func reasonOf(output []string) string {
	for _, line := range slices.Backward(output) {
		if at := position.FindString(line); at != "" {
			return strings.TrimSpace(line[len(at):])
		}
	}
	return "no reason given"
}
