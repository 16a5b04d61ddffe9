package exchange

import (
	"segd/models"
	"segd/preprocess"
)

// Description supplies what the file of a network leaves open, or replaces it.
type Description struct {
	Name    string   // of the model; empty: that in the file
	Classes []string // names of the foreground classes, index 1 first; nil: those in the file, else class 1, class 2 …
	Card    models.Card

	// Recipe is the preprocessing. If the file has its own recipe, the named
	// parts replace those of the file.
	Recipe                   preprocess.Recipe
	Normalise, Clip, Spacing bool
}

// Describe returns the manifest of the network as a model. Class names that do
// not fit the network are segd.ErrOption.
func (n *Net) Describe(d Description) (models.Manifest, error) {
	var man models.Manifest
	c := n.Params.Config()
	own := n.Manifest != nil
	if own {
		man = *n.Manifest
	} else {
		man.Version, man.Description = "1", "Imported: "+n.Source+"."
		man.Network, man.Recipe.Channels = c, c.Channels
	}
	if d.Name != "" {
		man.Name = d.Name
	}
	r := &man.Recipe
	if !own || d.Normalise {
		r.Normalise, r.Window = d.Recipe.Normalise, d.Recipe.Window
	}
	if !own || d.Clip {
		r.ClipLow, r.ClipHigh = d.Recipe.ClipLow, d.Recipe.ClipHigh
	}
	if !own || d.Spacing {
		r.SpacingMM = d.Recipe.SpacingMM
	}
	man = d.Card.Merge(man)
	err := heads[c.Head].describe(&man, c, d.Classes)
	return man, err
}
