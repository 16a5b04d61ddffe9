package walk

import (
	"cmp"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"segd/internal/scanio"
)

// Passed says what a walk did not take.
type Passed struct {
	Other    map[string][]string      // files that are no images: names by extension in lower case
	Unfit    map[scanio.Kind][]string // images of a kind that was not wanted: names
	Objects  map[string][]string      // DICOM objects that are no images, such as reports: names by what they are
	Hidden   int                      // files and folders, among them what systems leave in folders
	DICOMDIR int
	Empty    int // files without a byte
	Outputs  int // of segd
	Special  int // pipes, sockets, devices
	Links    int // to folders that are read already
	Repeated int // files that are named twice
}

// NoImage notes a file that is no image.
func (p *Passed) NoImage(name string) { note(&p.Other, strings.ToLower(path.Ext(name)), name) }

// Unwanted notes an image that is not used.
func (p *Passed) Unwanted(kind scanio.Kind, name string) { note(&p.Unfit, kind, name) }

// Object notes a DICOM object that is no image: what it is, and its name.
func (p *Passed) Object(what, name string) { note(&p.Objects, what, name) }

// note adds names to those of a key.
func note[K comparable](m *map[K][]string, key K, names ...string) {
	if *m == nil {
		*m = map[K][]string{}
	}
	(*m)[key] = append((*m)[key], names...)
}

// Add adds what another walk did not take.
func (p *Passed) Add(q Passed) {
	for ext, names := range q.Other {
		note(&p.Other, ext, names...)
	}
	for kind, names := range q.Unfit {
		note(&p.Unfit, kind, names...)
	}
	for what, names := range q.Objects {
		note(&p.Objects, what, names...)
	}
	p.Hidden += q.Hidden
	p.DICOMDIR += q.DICOMDIR
	p.Empty += q.Empty
	p.Outputs += q.Outputs
	p.Special += q.Special
	p.Links += q.Links
	p.Repeated += q.Repeated
}

// Visible is how many there are, without hidden ones, which desktops leave
// everywhere.
func (p Passed) Visible() int {
	n := p.DICOMDIR + p.Empty + p.Outputs + p.Special + p.Links + p.Repeated
	for _, names := range p.Other {
		n += len(names)
	}
	for _, names := range p.Unfit {
		n += len(names)
	}
	for _, names := range p.Objects {
		n += len(names)
	}
	return n
}

// maxExtensions is how many extensions String names.
const maxExtensions = 8

// String says on a line what was skipped and why; empty: nothing was.
func (p Passed) String() string {
	var parts []string
	if others := p.others(); others != "" {
		parts = append(parts, others)
	}
	if objects := p.objects(); objects != "" {
		parts = append(parts, objects)
	}
	for _, kind := range slices.Sorted(maps.Keys(p.Unfit)) {
		parts = append(parts, fmt.Sprintf("%d %s, which this command does not read", len(p.Unfit[kind]), cmp.Or(string(kind), "unknown")))
	}
	for _, c := range []struct {
		n         int
		one, many string
	}{
		{p.Hidden, "hidden", "hidden"},
		{p.DICOMDIR, "DICOMDIR", "DICOMDIR"},
		{p.Empty, "empty file", "empty files"},
		{p.Outputs, "output of segd", "outputs of segd"},
		{p.Special, "pipe, socket or device", "pipes, sockets or devices"},
		{p.Links, "link to a folder that is read already", "links to folders that are read already"},
		{p.Repeated, "file that is named twice", "files that are named twice"},
	} {
		switch {
		case c.n == 1:
			parts = append(parts, "1 "+c.one)
		case c.n > 1:
			parts = append(parts, fmt.Sprintf("%d %s", c.n, c.many))
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return "skipped: " + strings.Join(parts, ", ")
}

// objects names the DICOM objects that are no images.
func (p Passed) objects() string {
	all := 0
	var words []string
	for _, what := range slices.Sorted(maps.Keys(p.Objects)) {
		n := len(p.Objects[what])
		all += n
		words = append(words, fmt.Sprintf("%s %d", what, n))
	}
	switch all {
	case 0:
		return ""
	case 1:
		return "1 DICOM object that is not an image (" + words[0] + ")"
	}
	return fmt.Sprintf("%d DICOM objects that are not images (%s)", all, strings.Join(words, ", "))
}

// others names the files that are no images.
func (p Passed) others() string {
	all := 0
	for _, names := range p.Other {
		all += len(names)
	}
	if all == 0 {
		return ""
	}
	list := slices.SortedFunc(maps.Keys(p.Other), func(a, b string) int {
		return cmp.Or(cmp.Compare(len(p.Other[b]), len(p.Other[a])), strings.Compare(a, b))
	})
	var words []string
	for i, ext := range list {
		if i == maxExtensions && len(list) > maxExtensions+1 {
			words = append(words, fmt.Sprintf("and %d more extensions", len(list)-i))
			break
		}
		name := ext
		if name == "" {
			name = "no extension"
		}
		words = append(words, fmt.Sprintf("%s %d", Printable(name), len(p.Other[ext])))
	}
	what := "files that are"
	if all == 1 {
		what = "file that is"
	}
	return fmt.Sprintf("%d %s not %s (%s)", all, what, scanio.Readable(), strings.Join(words, ", "))
}
