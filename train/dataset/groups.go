package dataset

import (
	"cmp"
	"fmt"
	"regexp"
	"strings"
)

// groups joins the cases of data sets into subjects, and names their groups.
//
// Cases belong to one subject if ids.csv gives them the same group, in one data set
// or several; if their DICOM headers have the same PatientID (from the same issuer,
// or if some files omit the issuer), study or series; if their BIDS names have the
// same subject (sub-01); or if they are frames of one file. These links are
// transitive: a patient with two studies, one of them in an ids.csv, stays whole.
//
// A group is named after ids.csv or BIDS, or else after the stem of its first image,
// but never after the patient.
type groups struct {
	parent  map[string]string // union-find of joined keys
	unclear map[link]bool     // links in headers that ids.csv contradicts
}

// link is a header value in a data set. kind is p, s or r for patient, study and
// series.
type link struct {
	set  int
	kind byte
	key  string
}

// Contradiction reports that ids.csv separates cases that the headers join.
type Contradiction struct {
	Set         int
	kind        byte
	A, B        *Case // of two groups
	Placeholder bool  // the same in all files of different groups, so it says nothing
}

// String names the shared attribute and two of the files.
func (c Contradiction) String() string {
	what := map[byte]string{'p': "PatientID", 's': "study", 'r': "series"}[c.kind]
	if c.Placeholder {
		return fmt.Sprintf("all DICOM images have the same %s, but ids.csv has several groups: the %s is assumed to be a placeholder", what, what)
	}
	return fmt.Sprintf("ids.csv puts %s and %s in different groups, but their headers have the same %s: a split keeps both groups on one side", c.A.Image, c.B.Image, what)
}

// Group sets Group and subject of cases, and returns the contradictions between
// ids.csv and headers.
func Group(cases []*Case) []Contradiction {
	g := &groups{parent: map[string]string{}, unclear: map[link]bool{}}
	issuers := openIssuers(cases)
	found := g.contradictions(cases, issuers)
	for _, c := range cases {
		own := c.ownKey()
		for _, l := range c.links(issuers) {
			if !g.unclear[l] {
				g.join(own, l.key)
			}
		}
	}
	subjects, names := map[string]string{}, map[string]string{} // by root
	for _, c := range cases {
		root := g.root(c.ownKey())
		if subjects[root] == "" {
			subjects[root] = c.ownKey()
		}
		c.subject = subjects[root]
		c.Group = c.ownGroup()
		if !c.identified() {
			continue
		}
		if names[root] == "" {
			names[root] = c.Group
		}
		if c.named == "" && bidsSubject(c.stem) == "" {
			c.Group = names[root]
		}
	}
	return found
}

// contradictions compares ids.csv with the headers, starting with the patient. A
// study belongs to one patient, so one line per data set is enough.
func (g *groups) contradictions(cases []*Case, issuers map[string]bool) (list []Contradiction) {
	type seen struct {
		first, other *Case // of two groups
		files        int
	}
	values := map[link]*seen{}
	count := map[link]int{} // number of values of a kind in a set; key is empty
	var order []link
	for _, c := range cases {
		for _, l := range c.links(issuers) {
			s := values[l]
			if s == nil {
				s = &seen{first: c}
				values[l] = s
				count[link{set: l.set, kind: l.kind}]++
				order = append(order, l)
			}
			s.files++
			if s.first.named == "" {
				s.first = c
			}
			if s.other == nil && c.named != "" && c.named != s.first.named {
				s.other = c
			}
		}
	}
	type line struct {
		set         int
		placeholder bool
	}
	told := map[line]bool{} // one is enough
	for _, l := range order {
		s := values[l]
		if s.other == nil {
			continue
		}
		alone := count[link{set: l.set, kind: l.kind}] == 1
		g.unclear[l] = alone
		if at := (line{l.set, alone}); !told[at] {
			told[at] = true
			list = append(list, Contradiction{Set: l.set, kind: l.kind, A: s.first, B: s.other, Placeholder: alone})
		}
	}
	return list
}

// join merges two keys.
func (g *groups) join(a, b string) {
	if ra, rb := g.root(a), g.root(b); ra != rb {
		g.parent[rb] = ra
	}
}

func (g *groups) root(key string) string {
	for g.parent[key] != "" {
		key = g.parent[key]
	}
	return key
}

// openIssuers lists the patients for whom some file omits the issuer. Only the ID
// then identifies them.
func openIssuers(cases []*Case) map[string]bool {
	open := map[string]bool{}
	for _, c := range cases {
		if c.who.Patient != "" && c.who.Issuer == "" {
			open[c.who.Patient] = true
		}
	}
	return open
}

// links returns what the headers of a case say about its subject.
func (c *Case) links(openIssuers map[string]bool) (list []link) {
	if p := c.who.Patient; p != "" {
		if !openIssuers[p] {
			p += " " + c.who.Issuer
		}
		list = append(list, link{c.Set, 'p', "patient " + p})
	}
	if c.who.Study != "" {
		list = append(list, link{c.Set, 's', "study " + c.who.Study})
	}
	if c.who.Series != "" {
		list = append(list, link{c.Set, 'r', "series " + c.who.Series})
	}
	return list
}

// identified reports whether the headers of a case say anything about its subject.
func (c *Case) identified() bool { return c.who.Patient+c.who.Study+c.who.Series != "" }

// Subject returns a key that a split never divides. As far as ids.csv, headers and
// names show, all cases of one patient have the same key. It must not be shown.
func (c *Case) Subject() string { return c.subject }

// Stem is the path of the image, or of the files of its channels, below the folder of
// the images: without extension, with slashes.
func (c *Case) Stem() string { return c.stem }

// Grouped reports whether anything other than its own name determines the group of a
// case.
func (c *Case) Grouped() bool {
	return c.named != "" || c.identified() || c.Frames > 1 || bidsSubject(c.stem) != ""
}

// ownKey returns the key that joins a case to others in any data set: its group in
// ids.csv, its BIDS subject or its stem. If a file has headers, the key includes its
// data set, because files of two patients often have the same names.
func (c *Case) ownKey() string {
	switch name := cmp.Or(c.named, bidsSubject(c.stem)); {
	case name != "":
		return "group " + name
	case c.identified():
		return fmt.Sprintf("file %d %s", c.Set, c.stem)
	}
	return "group " + c.stem
}

// ownGroup returns the name of a case's group if no header says more.
func (c *Case) ownGroup() string {
	name := cmp.Or(cmp.Or(c.named, bidsSubject(c.stem)), c.stem)
	if c.setName != "" {
		name = c.setName + "/" + name
	}
	return name
}

var (
	bidsPart    = regexp.MustCompile(`^sub-[A-Za-z0-9]+$`)
	bidsSession = regexp.MustCompile(`^ses-[A-Za-z0-9]+$`)
)

// bidsSubject returns the subject of a BIDS stem, such as sub-01 for
// sub-01/ses-2/anat/sub-01_ses-2_T1w. The result includes the folders above the
// subject, which may name a site, but not the session. It is empty for other names.
func bidsSubject(stem string) string {
	var above []string
	for _, part := range strings.Split(stem, "/") {
		first, _, _ := strings.Cut(part, "_")
		if bidsPart.MatchString(first) {
			return strings.Join(append(above, first), "/")
		}
		if !bidsSession.MatchString(part) {
			above = append(above, part)
		}
	}
	return ""
}
