// Package check finds faults in data sets that would spoil training, and corrects
// masks.
//
//	found, err := check.Run(ctx, check.Options{Datasets: []string{"nuclei/train"}}, nil)
//
// Run reports unreadable files, labels that are not class indices, subjects on both
// sides of a split and more, each as a Finding. Fix writes a copy of a data set in
// which masks hold class indices.
package check

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"sort"
	"strings"
	"sync"
	"time"

	"segd"
	"segd/train"
	"segd/train/dataset"
	"segd/train/internal/parallel"
	"segd/unet"
)

// Finding is one thing that Run reports about a data set.
type Finding struct {
	Fault bool   `json:"fault"`           // spoils training or its figures; else a warning
	Kind  string `json:"kind"`            // stable: one of the Kind constants
	File  string `json:"file,omitempty"`  // or folder
	Cause string `json:"cause"`           // the fault, with measured values
	Fix   string `json:"fix,omitempty"`   // the remedy
	Count int    `json:"count,omitempty"` // number of similar files, if they share a line
}

// Kinds of findings.
const (
	KindFolder      = "folder"       // no data set, or ids.csv cannot be read
	KindUnreadable  = "unreadable"   // a file that cannot be decoded
	KindNoLabel     = "no-label"     // an image without a label
	KindNoImage     = "no-image"     // a label without an image
	KindPassed      = "passed-over"  // files that are not read
	KindOutlines    = "outlines"     // labels that are drawn from outlines
	KindSize        = "size"         // image and label differ in size
	KindPlace       = "place"        // image and label have different positions, or one of them gives two
	KindColourMask  = "colour-mask"  // a label in colour
	KindScaledMask  = "scaled-mask"  // a label of 0 and 255, or of values beyond the classes
	KindSmoothMask  = "smooth-mask"  // an antialiased or lossily compressed label
	KindInstances   = "instances"    // a label whose values number objects
	KindPalette     = "palette"      // labels with contradictory palettes
	KindEmptyMask   = "empty-mask"   // a label without foreground
	KindFullMask    = "full-mask"    // a label without background
	KindOpenPixels  = "open-pixels"  // labels with ignored pixels
	KindDuplicate   = "duplicate"    // the same image twice
	KindLeakage     = "leakage"      // a group or an image on both sides of a split
	KindImbalance   = "imbalance"    // a class that is rare or missing
	KindConstant    = "constant"     // an image of one value
	KindUngrouped   = "ungrouped"    // images that ids.csv does not name
	KindClassNames  = "class-names"  // data sets that name different classes
	KindOverfit     = "overfit"      // a network that cannot even memorise a few images
	KindFewSubjects = "few-subjects" // too few groups to say anything about new ones

	// Findings about labels that are values.
	KindValues        = "values"         // labels that were recognised as values
	KindConstantLabel = "constant-label" // a label of one value
	KindRange         = "range"          // values that are infinite, outliers, or without a common unit
	KindSaturated     = "saturated"      // values at the limit of their format
)

// Options says what to check.
type Options struct {
	Datasets []string      // folders, see dataset.Open
	Head     *unet.Head    // whether labels are classes or values; nil: detect
	Pool     *unet.Pool    // for the overfit test; nil: one thread
	Overfit  time.Duration // limit for the overfit test; 0: a minute, negative: no test
}

// Result is what Run found.
type Result struct {
	Findings []Finding            `json:"findings"` // faults first
	Cases    int                  `json:"cases"`    // images with a label
	Groups   int                  `json:"groups"`
	Classes  map[int]int64        `json:"classes,omitzero"` // pixels by class index
	Values   *ValueSummary        `json:"values,omitempty"` // instead of classes, if labels are values
	Overfit  *train.OverfitResult `json:"overfit,omitempty"`

	labels labels // how they were read
}

// Faults is the number of findings that are faults.
func (r *Result) Faults() (n int) {
	for _, f := range r.Findings {
		if f.Fault {
			n++
		}
	}
	return n
}

// Fixable returns nil if Fix can correct the labels, and segd.ErrOption if they hold
// values.
func (r *Result) Fixable() error { return r.labels.fixable() }

// Run looks for faults in data sets that would spoil training. It reads every file
// and goes on after each fault. If it finds none, it trains a small network to
// memorise a few of the images (see OverfitResult).
//
// report, which may be nil, receives the progress, one call at a time. The error is
// that of ctx; every fault of the data is a Finding.
func Run(ctx context.Context, o Options, report func(done, cases int)) (*Result, error) {
	if len(o.Datasets) == 0 {
		return nil, fmt.Errorf("train: %w: no data set given", segd.ErrOption)
	}
	if report == nil {
		report = func(int, int) {}
	}
	c := &checker{sets: len(o.Datasets)}
	if o.Head != nil {
		if c.labels = kinds[*o.Head]; c.labels == nil {
			return nil, fmt.Errorf("train: %w: head %q, want regression or none", segd.ErrOption, *o.Head)
		}
	}
	for i, dir := range o.Datasets {
		if err := c.list(ctx, i, dir); err != nil {
			return nil, err
		}
	}
	c.join(o.Datasets)
	if err := c.read(ctx, report); err != nil {
		return nil, err
	}
	c.remark()
	c.settleHead()
	c.images()
	if err := c.labels.judge(c); err != nil {
		return nil, err
	}
	c.subjects()
	c.duplicates()
	c.leakage(ctx, o.Datasets)
	r := c.result()
	if r.Faults() > 0 || r.Cases == 0 || o.Overfit < 0 {
		return r, nil
	}
	test, err := train.Overfit(ctx, c.worthKnowing(), c.labels.head(), cmp.Or(o.Overfit, time.Minute), o.Pool)
	if err != nil {
		return nil, err
	}
	r.Overfit = test
	if !test.Enough() {
		r.Findings = append(r.Findings, Finding{Kind: KindOverfit, Fix: "look at " + c.labels.what() + " over their images: do they belong to these images, and are they in the right place?",
			Cause: fmt.Sprintf("after %.0f s and %d steps on %d images a network reaches %s on those same images", test.Seconds, test.Steps, test.Cases, test)})
	}
	return r, nil
}

// checker collects findings.
type checker struct {
	sets     int        // number of data sets
	labels   labels     // as asked for, or settled when all files have been read
	options  FixOptions // what is known about the labels
	meaning  *meaning   // of the last set's labels
	findings []Finding
	cases    []*checked
	joined   dataset.Dataset // the classes of the data sets so far
}

// checked is what Run knows about a case.
type checked struct {
	dataset.Case
	side                  string // of a split, see side
	imageErr, labelErr    error
	width, height, mw, mh int
	digest                [sha256.Size]byte // of the image's size and values
	low, high             float32
	values                [256]bool
	counts                [256]int64
	form, tinted          *labelForm // how the label is drawn, by value and by palette colour; nil: not read
	verdict               verdict    // what that means
	look                  valueLook  // of a label that was read as values
}

func (c *checker) fault(kind, file, fix, cause string, args ...any) {
	c.findings = append(c.findings, Finding{Fault: true, Kind: kind, File: file, Cause: fmt.Sprintf(cause, args...), Fix: fix})
}

// warn adds a warning about count files.
func (c *checker) warn(kind, file string, count int, fix, cause string, args ...any) {
	c.findings = append(c.findings, Finding{Kind: kind, File: file, Cause: fmt.Sprintf(cause, args...), Fix: fix, Count: count})
}

// cause returns the text of an error without the leading package and kind.
func cause(err error) string {
	text := err.Error()
	for _, kind := range []error{segd.ErrFormat, segd.ErrNotFound, segd.ErrUnsupported, segd.ErrUnprocessable, segd.ErrTooLarge} {
		if _, rest, ok := strings.Cut(text, kind.Error()+": "); ok && errors.Is(err, kind) {
			return rest
		}
	}
	return text
}

// read decodes all files, and keeps only a few in memory at a time.
func (c *checker) read(ctx context.Context, report func(done, cases int)) error {
	var mu sync.Mutex
	done := 0
	return parallel.Do(ctx, len(c.cases), func(i int) error {
		k := c.cases[i]
		k.readImage()
		if c.labels != nil {
			c.labels.read(k)
		} else {
			k.readAny()
		}
		mu.Lock()
		defer mu.Unlock()
		done++
		report(done, len(c.cases))
		return nil
	})
}

func (c *checked) readImage() {
	if img, err := c.ReadImage(); err != nil {
		c.imageErr = err
	} else {
		c.width, c.height = img.Width, img.Height
		c.low, c.high = img.Pix[0], img.Pix[0]
		h := sha256.New()
		b := binary.LittleEndian.AppendUint64(nil, uint64(img.Width)<<32|uint64(img.Channels))
		for _, v := range img.Pix {
			c.low, c.high = min(c.low, v), max(c.high, v)
			if b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v)); len(b) > 1<<16 {
				_, _ = h.Write(b) // writing to a hash never fails
				b = b[:0]
			}
		}
		_, _ = h.Write(b)
		c.digest = [sha256.Size]byte(h.Sum(nil))
	}
}

// whole returns the cases whose two files are readable and fit each other.
func (c *checker) whole() (list []*checked) {
	for _, k := range c.cases {
		if k.imageErr == nil && c.labels.whole(k) {
			list = append(list, k)
		}
	}
	return list
}

// result sums up: faults first, otherwise in the order found.
func (c *checker) result() *Result {
	r := &Result{Findings: append([]Finding{}, c.findings...), labels: c.labels}
	c.labels.sum(c, r)
	sort.SliceStable(r.Findings, func(i, j int) bool { return r.Findings[i].Fault && !r.Findings[j].Fault })
	groups := map[string]bool{}
	for _, k := range c.whole() {
		r.Cases++
		groups[k.Subject()] = true
		c.labels.content(k, r)
	}
	r.Groups = len(groups)
	return r
}
