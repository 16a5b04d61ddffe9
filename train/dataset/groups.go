package dataset

import (
	"cmp"
	"fmt"
	"regexp"
	"strings"
)

// groups joins the cases of data sets to subjects, and names their groups.
//
// Cases are of one subject where ids.csv gives them one group, in one data set
// or in several; where their DICOM headers have one PatientID (of one issuer,
// or of an issuer that some do not name), one study or one series; where their
// BIDS names have one subject (sub-01); and where they are frames of one file.
// Each of that joins on, so that a patient of two studies, one of them with an
// ids.csv, stays whole.
//
// The name of a group is that of ids.csv or of BIDS, else the stem of its first
// image, and never the patient's.
type groups struct {
	parent  map[string]string // of keys that are joined
	unclear map[link]bool     // what the headers say and ids.csv denies
}

// link is a value of the headers in a data set: kind is p, s or r for patient,
// study and series.
type link struct {
	set  int
	kind byte
	key  string
}

// Contradiction is where ids.csv parts what the headers join.
type Contradiction struct {
	Set         int
	kind        byte
	A, B        *Case // of two groups
	Placeholder bool  // the same in all files, of different groups: it says nothing
}

// String names what the files share, and two of them.
func (c Contradiction) String() string {
	what := map[byte]string{'p': "PatientID", 's': "study", 'r': "series"}[c.kind]
	if c.Placeholder {
		return fmt.Sprintf("all DICOM images have one %s, and ids.csv has several groups: the %s is taken for a placeholder", what, what)
	}
	return fmt.Sprintf("ids.csv has %s and %s in different groups, and their headers have one %s: the groups are kept on one side of a split", c.A.Image, c.B.Image, what)
}

// Group fills in Group and subject of cases, and returns where ids.csv
// and headers contradict each other.
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

// contradictions compares ids.csv with the headers, patient first: a study is one
// patient's, so that one line is enough.
func (g *groups) contradictions(cases []*Case, issuers map[string]bool) (list []Contradiction) {
	type seen struct {
		first, other *Case // of two groups
		files        int
	}
	values := map[link]*seen{}
	count := map[link]int{} // values of a kind in a set: key is empty
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

// join makes two keys one.
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

// openIssuers lists the patients whose issuer some file does not name: their ID
// alone then tells who they are.
func openIssuers(cases []*Case) map[string]bool {
	open := map[string]bool{}
	for _, c := range cases {
		if c.who.Patient != "" && c.who.Issuer == "" {
			open[c.who.Patient] = true
		}
	}
	return open
}

// links are what the headers of a case say of its subject.
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

// identified reports whether the headers of a case say anything of its subject.
func (c *Case) identified() bool { return c.who.Patient+c.who.Study+c.who.Series != "" }

// Subject is what is never on both sides of a split: cases of one subject are one
// patient's as far as ids.csv, headers and names tell. It is not to be shown.
func (c *Case) Subject() string { return c.subject }

// Stem is the path of the image, or of the files of its channels, below the folder of
// the images: without extension, with slashes.
func (c *Case) Stem() string { return c.stem }

// Grouped reports whether anything but its own name says which group a case is of.
func (c *Case) Grouped() bool {
	return c.named != "" || c.identified() || c.Frames > 1 || bidsSubject(c.stem) != ""
}

// ownKey is what a case is joined to others by, in whatever data set: its group
// in ids.csv, its BIDS subject, or its stem. Files of headers are told apart by
// these, since two patients often have files of the same names.
func (c *Case) ownKey() string {
	switch name := cmp.Or(c.named, bidsSubject(c.stem)); {
	case name != "":
		return "group " + name
	case c.identified():
		return fmt.Sprintf("file %d %s", c.Set, c.stem)
	}
	return "group " + c.stem
}

// ownGroup is the name of the group of a case where no header tells more.
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

// bidsSubject returns the subject of a stem in the form of BIDS, such as sub-01 of
// sub-01/ses-2/anat/sub-01_ses-2_T1w, with the folders above except sessions, which
// may be those of a site; empty for other names.
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
