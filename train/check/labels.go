package check

import (
	"fmt"

	"segd"
	"segd/train"
	"segd/train/dataset"
	"segd/unet"
)

// labels abstracts what the labels of data sets hold: classes or values. Nothing else
// in the package distinguishes the two.
type labels interface {
	head() unet.Head
	// read reads the label of a case.
	read(k *checked)
	// whole reports whether a label can be read and fits its image.
	whole(k *checked) bool
	// judge reports faults that spoil training or its figures.
	judge(c *checker) error
	// content records what the label of a case holds, and sums up the totals.
	content(k *checked, r *Result)
	sum(c *checker, r *Result)
	// substance says how much there is to learn from a case.
	substance(k *checked) float64
	// what names the labels in advice.
	what() string
	// fixable returns nil if Fix can correct the labels.
	fixable() error
	// overfit writes the result of the overfit test in words.
	overfit(t *train.OverfitResult) string
}

// kinds maps each head to the labels that it learns from.
var kinds = map[unet.Head]labels{unet.HeadClasses: maskLabels{}, unet.HeadRegression: valueLabels{}}

// readAny reads a label as a mask and, if it may not be one, as values too.
func (c *checked) readAny() {
	c.readMask()
	if c.labelErr != nil || c.distinct() > dataset.MaxClass+1 {
		c.readValues()
	}
}

// maskLabels hold the index of a class for each pixel.
type maskLabels struct{}

func (maskLabels) head() unet.Head { return unet.HeadClasses }
func (maskLabels) read(k *checked) { k.readMask() }
func (maskLabels) whole(k *checked) bool {
	return k.labelErr == nil && k.width == k.mw && k.height == k.mh
}

func (maskLabels) judge(c *checker) error {
	c.sizes()
	if err := c.masks(); err != nil {
		return err
	}
	c.classes()
	return nil
}

func (maskLabels) content(k *checked, r *Result) {
	for v, n := range k.counts {
		if n > 0 && k.clear() { // else values are not classes
			r.Classes[v] += n
		}
	}
}

func (maskLabels) sum(_ *checker, r *Result) { r.Classes = map[int]int64{} }

func (maskLabels) substance(k *checked) (n float64) {
	for v, c := range k.counts {
		if v > 0 {
			n += float64(c)
		}
	}
	return n
}

func (maskLabels) fixable() error { return nil }

func (maskLabels) what() string { return "masks" }

func (maskLabels) overfit(t *train.OverfitResult) string { return fmt.Sprintf("Dice %.3f", t.Dice) }

// valueLabels hold a value for each pixel.
type valueLabels struct{}

func (valueLabels) head() unet.Head           { return unet.HeadRegression }
func (valueLabels) read(k *checked)           { k.readValues() }
func (valueLabels) whole(k *checked) bool     { return k.look.err == nil }
func (valueLabels) judge(c *checker) error    { c.valueLabels(); return nil }
func (valueLabels) content(*checked, *Result) {}
func (valueLabels) sum(c *checker, r *Result) { r.Values = c.summary() }

func (valueLabels) substance(k *checked) float64 {
	return k.look.known.Squares / float64(max(1, k.look.known.N))
}

func (valueLabels) fixable() error {
	return fmt.Errorf("train: %w: masks can be corrected, but these labels hold values", segd.ErrOption)
}

func (valueLabels) what() string { return "labels" }

func (valueLabels) overfit(t *train.OverfitResult) string {
	return fmt.Sprintf("mean absolute error %.4g (a constant: %.4g)", t.MAE, t.Constant)
}
