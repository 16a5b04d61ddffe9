package dataset

import (
	"bufio"
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"segd"
	"segd/train/metric"
)

// naming gives the class names in a data set's files of outlines their indices.
//
// If the data set names its classes (classes.txt, dataset.json), their order counts.
// Else the numbers that the files give their classes count, as the ids of COCO's
// categories or of regions in RT Structure Sets, provided that all files agree. Else
// names that end in a number ("class 3") have that number. Else they are sorted.
type naming struct {
	given   []string                // the data set's own names; nil: none
	numbers map[string]map[int]bool // the numbers that files give a name; 0: none
	called  map[int]map[string]bool // the names that files give a number
	shown   map[string]string       // names as the files first write them, by key
	unnamed string                  // the first file with a shape of no class; empty: none
	index   map[string]uint8        // the result, by key
}

func newNaming(given []string) *naming {
	return &naming{given: given, numbers: map[string]map[int]bool{}, called: map[int]map[string]bool{}, shown: map[string]string{}}
}

// classKey is the form of a class name in which names are compared.
func classKey(name string) string { return strings.ToLower(plainStem(strings.TrimSpace(name))) }

// Keys of names that mean no class.
var (
	backgroundNames = []string{"background", "_background_", "__background__"}
	openNames       = []string{"ignore", "ignore*", "__ignore__", "_ignore_"}
)

// add records a name in a file, and the number that the file gives it; 0: none.
func (n *naming) add(path, name string, number int) {
	key := classKey(name)
	switch {
	case key == "":
		n.unnamed = cmp.Or(n.unnamed, path)
		return
	case slices.Contains(backgroundNames, key), slices.Contains(openNames, key):
		return
	}
	if n.numbers[key] == nil {
		n.numbers[key], n.shown[key] = map[int]bool{}, strings.TrimSpace(name)
	}
	n.numbers[key][number] = true
	if n.called[number] == nil {
		n.called[number] = map[string]bool{}
	}
	n.called[number][key] = true
}

// settle gives each name its index, and returns the names in order. Shapes without a
// class among others with one, and more names than a network has classes, are
// segd.ErrFormat.
func (n *naming) settle() ([]string, error) {
	n.index = map[string]uint8{}
	keys := slices.SortedFunc(maps.Keys(n.numbers), compareNatural)
	if n.unnamed != "" {
		if len(keys) > 0 || len(n.given) > 1 {
			return nil, fmt.Errorf("train: label %s: %w: a shape has no class, but others have: give it one, or remove it", n.unnamed, segd.ErrFormat)
		}
		n.index[""] = 1
	}
	if n.given != nil {
		for i, name := range n.given {
			n.index[classKey(name)] = uint8(i + 1)
		}
		return n.given, nil
	}
	byNumber := func(a, b string) int { return cmp.Compare(n.only(a), n.only(b)) }
	numbered := !slices.ContainsFunc(keys, func(key string) bool { return n.only(key) == 0 })
	names := make([]string, 0, len(keys))
	switch last := lastNumbers(keys); {
	case numbered:
		slices.SortFunc(keys, byNumber)
	case last != nil: // with names for the numbers between
		highest := slices.Max(last)
		at := map[int]string{}
		for i, key := range keys {
			at[last[i]] = key
		}
		keys = keys[:0]
		for i := 1; i <= highest; i++ {
			key := at[i]
			if key == "" {
				key = fmt.Sprint("class ", i)
				n.shown[key] = key
			}
			keys = append(keys, key)
		}
	}
	if len(keys) > MaxClass {
		return nil, fmt.Errorf("train: %w: the outlines of the data set have %d class names, limit %d: if they name objects, list the classes in classes.txt, a name in each line", segd.ErrFormat, len(keys), MaxClass)
	}
	for i, key := range keys {
		n.index[key] = uint8(i + 1)
		names = append(names, n.shown[key])
	}
	return names, nil
}

// only returns the one number of a name, if no other name has it; else 0.
func (n *naming) only(key string) int {
	if len(n.numbers[key]) != 1 {
		return 0
	}
	for number := range n.numbers[key] {
		if number > 0 && len(n.called[number]) == 1 {
			return number
		}
	}
	return 0
}

// endNumber splits a name like "class 12".
var endNumber = regexp.MustCompile(`^(.*?)[-_ ]*([0-9]+)$`)

// lastNumbers returns the numbers at the end of names that differ in nothing else; nil
// if they do, or if a number is 0 or no class index.
func lastNumbers(keys []string) (list []int) {
	var stem string
	for i, key := range keys {
		m := endNumber.FindStringSubmatch(key)
		if m == nil || i > 0 && m[1] != stem {
			return nil
		}
		v, err := strconv.Atoi(m[2])
		if err != nil || v < 1 || v > MaxClass || slices.Contains(list, v) {
			return nil
		}
		stem, list = m[1], append(list, v)
	}
	return list
}

// number returns the value with which a class is drawn. ok is false for a name that
// the data set does not list.
func (n *naming) number(name string) (value uint8, ok bool) {
	key := classKey(name)
	switch {
	case slices.Contains(backgroundNames, key):
		return 0, true
	case slices.Contains(openNames, key):
		return metric.Ignore, true
	}
	value, ok = n.index[key]
	return value, ok
}

// compareNatural compares names, and numbers in them by their value.
func compareNatural(a, b string) int {
	digits := func(s string) int { return len(s) - len(strings.TrimLeft(s, "0123456789")) }
	for a != "" && b != "" {
		if m, n := digits(a), digits(b); m > 0 && n > 0 {
			x, y := strings.TrimLeft(a[:m], "0"), strings.TrimLeft(b[:n], "0")
			if c := cmp.Or(cmp.Compare(len(x), len(y)), cmp.Compare(x, y), cmp.Compare(m, n)); c != 0 {
				return c
			}
			a, b = a[m:], b[n:]
			continue
		}
		if a[0] != b[0] {
			return cmp.Compare(a[0], b[0])
		}
		a, b = a[1:], b[1:]
	}
	return cmp.Compare(len(a), len(b))
}

// names returns the names that the indices stand for, in order.
func (n *naming) names() []string {
	if n.given != nil {
		return n.given
	}
	list := make([]string, len(n.index))
	for key, i := range n.index {
		list[i-1] = n.shown[key]
	}
	return slices.DeleteFunc(list, func(name string) bool { return name == "" })
}

// classList is the file that names the classes of outlines, a name in each line.
const classList = "classes.txt"

// maxClassList limits classes.txt.
const maxClassList = 1 << 20

// readClassList reads classes.txt of a data set; nil: there is none.
func readClassList(dir string) ([]string, error) {
	path := filepath.Join(dir, classList)
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() {
		return nil, nil
	}
	if info.Size() > maxClassList {
		return nil, fmt.Errorf("train: %w: %s has %d bytes, limit %d", segd.ErrTooLarge, path, info.Size(), maxClassList)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("train: %w", err)
	}
	var names []string
	for s := bufio.NewScanner(bytes.NewReader(bytes.TrimPrefix(b, []byte("\xef\xbb\xbf")))); s.Scan(); {
		name := strings.TrimSpace(s.Text())
		key := classKey(name)
		switch {
		case name == "", name[0] == '#', slices.Contains(backgroundNames, key), slices.Contains(openNames, key):
			continue
		case slices.ContainsFunc(names, func(other string) bool { return classKey(other) == key }):
			return nil, fmt.Errorf("train: %w: %s has the class %q twice", segd.ErrFormat, path, name)
		}
		names = append(names, name)
	}
	if n := len(names); n == 0 || n > MaxClass {
		return nil, fmt.Errorf("train: %w: %s names %d classes, want 1 to %d, each on a line", segd.ErrFormat, path, n, MaxClass)
	}
	return names, nil
}
