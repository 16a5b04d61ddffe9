// Package check finds what spoils trainings in data sets, and mends masks.
//
//	found, err := check.Run(ctx, check.Options{Datasets: []string{"nuclei/train"}}, nil)
//
// Run reports files that cannot be read, labels that are no class indices, subjects on
// both sides of a split and more, each as a Finding. Fix writes a copy of a data set
// with masks of class indices.
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

// Finding is one thing that Run has to say of a data set.
type Finding struct {
	Fault bool   `json:"fault"`           // spoils a training or its figures; else a warning
	Kind  string `json:"kind"`            // stable, one of the Kind constants
	File  string `json:"file,omitempty"`  // or folder
	Cause string `json:"cause"`           // what is wrong, with what was measured
	Fix   string `json:"fix,omitempty"`   // what to do about it
	Count int    `json:"count,omitempty"` // of files like it, where they share a line
}

// Kinds of findings.
const (
	KindFolder      = "folder"       // no data set, or ids.csv cannot be read
	KindUnreadable  = "unreadable"   // a file that cannot be decoded
	KindNoLabel     = "no-label"     // an image without a label
	KindNoImage     = "no-image"     // a label without an image
	KindPassed      = "passed-over"  // files that are not read
	KindSize        = "size"         // image and label differ in size
	KindPlace       = "place"        // image and label lie in different places, or one of them says two
	KindColourMask  = "colour-mask"  // a label in colour
	KindScaledMask  = "scaled-mask"  // a label of 0 and 255, or of values beyond the classes
	KindSmoothMask  = "smooth-mask"  // an antialiased or lossily compressed label
	KindInstances   = "instances"    // a label whose values number objects
	KindPalette     = "palette"      // labels whose palettes contradict each other
	KindEmptyMask   = "empty-mask"   // a label without foreground
	KindFullMask    = "full-mask"    // a label without background
	KindOpenPixels  = "open-pixels"  // labels with pixels left open
	KindDuplicate   = "duplicate"    // the same image twice
	KindLeakage     = "leakage"      // a group or an image on both sides of a split
	KindImbalance   = "imbalance"    // a class that is rare or missing
	KindConstant    = "constant"     // an image of one value
	KindUngrouped   = "ungrouped"    // images that ids.csv does not name
	KindClassNames  = "class-names"  // data sets that name other classes than each other
	KindOverfit     = "overfit"      // a network that cannot even learn a few images by heart
	KindFewSubjects = "few-subjects" // too few groups to say anything of new ones

	// Of labels that are values.
	KindValues        = "values"         // labels that were taken for values
	KindConstantLabel = "constant-label" // a label of one value
	KindRange         = "range"          // values that are infinite, far off, or of no common unit
	KindSaturated     = "saturated"      // values at the end of what their format holds
)

// Options says what to look at.
type Options struct {
	Datasets []string      // folders, see dataset.Open
	Head     *unet.Head    // whether labels are classes or values; nil: as they look
	Pool     *unet.Pool    // for the overfit test; nil: one thread
	Overfit  time.Duration // at most, for the overfit test; 0: a minute, negative: none
}

// Result is what Run found.
type Result struct {
	Findings []Finding            `json:"findings"` // faults first
	Cases    int                  `json:"cases"`    // images with a label
	Groups   int                  `json:"groups"`
	Classes  map[int]int64        `json:"classes,omitzero"` // pixels by class index
	Values   *ValueSummary        `json:"values,omitempty"` // in place of classes: labels are values
	Overfit  *train.OverfitResult `json:"overfit,omitempty"`

	labels labels // what they were looked at as
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

// Fixable returns nil if Fix can correct the labels, and a segd.ErrOption if they hold
// values.
func (r *Result) Fixable() error { return r.labels.fixable() }

// Run looks for what spoils trainings in data sets: it reads every file,
// goes on after each fault, and then, where there is none, lets a small
// network learn a few of the images by heart (see OverfitResult).
//
// report, which may be nil, hears how far it is, one call at a time. The error is
// that of ctx; whatever is wrong with the data is a Finding.
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
		r.Findings = append(r.Findings, Finding{Kind: KindOverfit, Fix: "look at " + c.labels.what() + " over their images: are they of these images, and in place?",
			Cause: fmt.Sprintf("after %.0f s and %d steps on %d images a network has %s on these very images", test.Seconds, test.Steps, test.Cases, test)})
	}
	return r, nil
}

// checker collects findings.
type checker struct {
	sets     int        // how many there are
	labels   labels     // as asked for, or settled when all files have been read
	options  FixOptions // what is known of the labels
	meaning  *meaning   // of the last set's labels
	findings []Finding
	cases    []*checked
	joined   dataset.Dataset // the classes of the data sets so far
}

// checked is a case as Run sees it.
type checked struct {
	dataset.Case
	side                  string // of a split, see side
	imageErr, labelErr    error
	width, height, mw, mh int
	digest                [sha256.Size]byte // of the image's size and values
	low, high             float32
	values                [256]bool
	counts                [256]int64
	form, tinted          *labelForm // how the label is drawn, and by its palette's colours; nil: not read
	verdict               verdict    // what that means
	look                  valueLook  // of a label that was read as values
}

func (c *checker) fault(kind, file, fix, cause string, args ...any) {
	c.findings = append(c.findings, Finding{Fault: true, Kind: kind, File: file, Cause: fmt.Sprintf(cause, args...), Fix: fix})
}

// warn adds a warning that stands for count files.
func (c *checker) warn(kind, file string, count int, fix, cause string, args ...any) {
	c.findings = append(c.findings, Finding{Kind: kind, File: file, Cause: fmt.Sprintf(cause, args...), Fix: fix, Count: count})
}

// cause is the text of an error without the package and the kind before it.
func cause(err error) string {
	text := err.Error()
	for _, kind := range []error{segd.ErrFormat, segd.ErrNotFound, segd.ErrUnsupported, segd.ErrUnprocessable, segd.ErrTooLarge} {
		if _, rest, ok := strings.Cut(text, kind.Error()+": "); ok && errors.Is(err, kind) {
			return rest
		}
	}
	return text
}

// read decodes all files; memory is that of a few of them.
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
				_, _ = h.Write(b) // a hash never fails
				b = b[:0]
			}
		}
		_, _ = h.Write(b)
		c.digest = [sha256.Size]byte(h.Sum(nil))
	}
}

// whole are the cases whose files can both be read and fit each other.
func (c *checker) whole() (list []*checked) {
	for _, k := range c.cases {
		if k.imageErr == nil && c.labels.whole(k) {
			list = append(list, k)
		}
	}
	return list
}

// result sums up, faults first and otherwise in the order they were found.
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
