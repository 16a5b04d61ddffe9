package unet

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"segd"
	"segd/unet/op"
)

// The terms of a loss; op.Terms has the formulas.
const (
	LossCE      = "ce"      // cross-entropy
	LossFocal   = "focal"   // cross-entropy in which correct pixels count less: Lin et al. 2017
	LossBorder  = "border"  // cross-entropy weighted by U-Net's border map: Ronneberger et al. 2015
	LossDice    = "dice"    // soft Dice: Milletari et al. 2016
	LossTversky = "tversky" // soft Dice with separate weights for false positives and negatives: Salehi et al. 2017
	LossL1      = "l1"      // mean absolute error, only of values
	LossL2      = "l2"      // mean squared error, only of values
)

// pixelTerms and overlapTerms are the two kinds of terms; a loss has at most one
// of each.
var (
	pixelTerms   = []string{LossCE, LossFocal, LossBorder}
	overlapTerms = []string{LossDice, LossTversky}
)

// Loss describes the training objective. It is written to plan.json. The zero
// value is cross-entropy plus soft Dice.
type Loss struct {
	Terms string `json:"terms"` // names joined by +, for example "ce+dice"

	Gamma float64 `json:"focal_gamma,omitempty"`   // of focal; default 2
	Alpha float64 `json:"tversky_alpha,omitempty"` // weight of false positives; default 0.3
	Beta  float64 `json:"tversky_beta,omitempty"`  // weight of false negatives; default 0.7

	// BorderWeight and BorderSigma belong to LossBorder, equation 2 of the paper:
	// w = 1 + w0·exp(-(d1+d2)²/2σ²), with the distances in pixels to the nearest
	// and second nearest object. The caller computes the map (Batch.Weights).
	BorderWeight float64 `json:"border_weight,omitempty"` // w0; default 10
	BorderSigma  float64 `json:"border_sigma,omitempty"`  // σ; default 5

	Classes []float64 `json:"class_weights,omitempty"` // background first; empty: equal weights
}

// WithDefaults fills in empty fields that the loss uses.
func (l Loss) WithDefaults() Loss {
	l.Terms = cmp.Or(l.Terms, LossCE+"+"+LossDice)
	if l.has(LossFocal) {
		l.Gamma = cmp.Or(l.Gamma, 2)
	}
	if l.has(LossTversky) {
		if l.Alpha == 0 && l.Beta == 0 {
			l.Alpha, l.Beta = 0.3, 0.7
		}
	}
	if l.has(LossBorder) {
		l.BorderWeight, l.BorderSigma = cmp.Or(l.BorderWeight, 10), cmp.Or(l.BorderSigma, 5)
	}
	return l
}

func (l Loss) has(term string) bool { return slices.Contains(strings.Split(l.Terms, "+"), term) }

// Weighted reports whether the loss needs a weight for each pixel.
func (l Loss) Weighted() bool { return l.has(LossBorder) }

// Validate returns a segd.ErrOption if the loss is invalid for this number of
// classes.
func (l Loss) Validate(classes int) error {
	bad := func(field string, v any, want string) error {
		return fmt.Errorf("unet: %w: %s %v, want %s", segd.ErrOption, field, v, want)
	}
	l = l.WithDefaults()
	pixel, overlap := 0, 0
	for _, t := range strings.Split(l.Terms, "+") {
		switch {
		case slices.Contains(pixelTerms, t):
			pixel++
		case slices.Contains(overlapTerms, t):
			overlap++
		default:
			pixel = 2
		}
	}
	in := func(v, low, high float64) bool { return v >= low && v <= high } // false for NaN
	switch {
	case pixel > 1 || overlap > 1:
		return bad("loss", l.Terms, fmt.Sprintf("one of %s, one of %s, or one of each joined by +",
			strings.Join(pixelTerms, ", "), strings.Join(overlapTerms, ", ")))
	case l.Gamma != 0 && !l.has(LossFocal), l.Alpha+l.Beta != 0 && !l.has(LossTversky),
		(l.BorderWeight != 0 || l.BorderSigma != 0) && !l.has(LossBorder):
		return bad("loss", l.Terms, "the term whose parameter is given")
	case !in(l.Gamma, 0, 10):
		return bad("focal gamma", l.Gamma, "0 to 10")
	case !in(l.Alpha, 0, 10) || !in(l.Beta, 0, 10):
		return bad("Tversky alpha and beta", []float64{l.Alpha, l.Beta}, "0 to 10")
	case l.has(LossBorder) && (!in(l.BorderWeight, 0, 1000) || !in(l.BorderSigma, 0.1, 1000)):
		return bad("border weight and sigma", []float64{l.BorderWeight, l.BorderSigma}, "0 to 1000 and 0.1 to 1000")
	case len(l.Classes) != 0 && len(l.Classes) != classes:
		return bad("number of class weights", len(l.Classes), fmt.Sprintf("%d, background first", classes))
	}
	for c, w := range l.Classes {
		if !in(w, 0, 1e6) || c > 0 && slices.Max(l.Classes[1:]) == 0 {
			return bad("class weights", l.Classes, "0 to 1000000, one of the foreground at least above 0")
		}
	}
	return nil
}

// ValidateFor returns a segd.ErrOption if the loss is invalid for the output of
// c, given by its Head and Classes.
func (l Loss) ValidateFor(c Config) error {
	if c.Head == HeadClasses {
		return l.Validate(c.Classes)
	}
	if plain := (Loss{Terms: l.Terms}); l.Terms != LossL1 && l.Terms != LossL2 || !reflect.DeepEqual(l, plain) {
		return fmt.Errorf("unet: %w: loss %q with head %s, want %s or %s and no settings of other losses", segd.ErrOption, l.Terms, c.Head, LossL1, LossL2)
	}
	return nil
}

// terms returns the terms of the loss for package op.
func (l Loss) terms() op.Terms {
	l = l.WithDefaults()
	t := op.Terms{Gamma: l.Gamma, Classes: l.Classes}
	t.Pixel = l.has(LossCE) || l.has(LossFocal) || l.has(LossBorder)
	switch {
	case l.has(LossTversky):
		t.Overlap, t.Alpha, t.Beta = true, l.Alpha, l.Beta
	case l.has(LossDice):
		t.Overlap, t.Alpha, t.Beta = true, 0.5, 0.5
	}
	return t
}

// String describes the loss in words.
func (l Loss) String() string {
	names := map[string]string{
		LossCE: "cross-entropy", LossDice: "soft Dice", LossL1: "mean absolute error", LossL2: "mean squared error",
		LossFocal:   fmt.Sprintf("focal loss (gamma %g)", l.Gamma),
		LossTversky: fmt.Sprintf("Tversky (alpha %g, beta %g)", l.Alpha, l.Beta),
		LossBorder:  fmt.Sprintf("cross-entropy with border weights (w0 %g, sigma %g)", l.BorderWeight, l.BorderSigma),
	}
	var s []string
	for _, t := range strings.Split(l.Terms, "+") {
		s = append(s, names[t])
	}
	text := strings.Join(s, " and ")
	if len(l.Classes) > 0 {
		text += fmt.Sprintf(", class weights %v", l.Classes)
	}
	return text
}
