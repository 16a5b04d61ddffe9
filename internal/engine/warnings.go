package engine

import (
	"fmt"
	"regexp"
	"slices"
)

// figures are the numbers in a text, and what stands before them of a sign.
var figures = regexp.MustCompile(`-?\d+([.,]\d+)*`)

// Warnings lists what the results of sources warn of, a line for those that are alike:
// how many sources there are and the first of them, with its text. Texts are alike
// that differ in figures only. A result that is nil warns of nothing.
func Warnings(sources []*Source, results []*Result) []string {
	type group struct {
		first, text string
		n           int  // sources
		differ      bool // in figures
	}
	var groups []*group
	known := map[string]*group{}
	for i, r := range results {
		if r == nil {
			continue
		}
		counted := map[*group]bool{}
		for _, text := range distinct(r.warnings()) {
			key := figures.ReplaceAllString(text, "#")
			g := known[key]
			if g == nil {
				g = &group{first: sources[i].Origin, text: text}
				known[key] = g
				groups = append(groups, g)
			}
			g.differ = g.differ || text != g.text
			if !counted[g] {
				g.n++
			}
			counted[g] = true
		}
	}
	var lines []string
	for _, g := range groups {
		line := g.first + ": " + g.text
		switch {
		case g.n > 1 && g.differ:
			line = fmt.Sprintf("%s: %s (and %d more with other figures)", g.first, g.text, g.n-1)
		case g.n > 1:
			line = fmt.Sprintf("%s and %d more: %s", g.first, g.n-1, g.text)
		case g.differ:
			line += " (and more with other figures)"
		}
		lines = append(lines, line)
	}
	return lines
}

// distinct are the texts of list, each once and sorted.
func distinct(list []string) []string {
	slices.Sort(list)
	return slices.Compact(list)
}
