package models

import (
	"bytes"
	"encoding/json"
	"fmt"

	"segd"
)

// Card holds what only a person can say about a model, not a training or a file
// of weights: some of the keys of model.json. Missing keys leave the manifest
// unchanged.
type Card struct {
	Version     string       `json:"version"`
	Title       string       `json:"title"`
	Description string       `json:"description"`
	Authors     string       `json:"authors"`
	Licence     string       `json:"license"`
	References  []string     `json:"references"`
	Match       *Match       `json:"match"`
	Channels    []string     `json:"channels"`
	Classes     []segd.Class `json:"classes"` // background first, as in model.json
	Data        []DataCard   `json:"data"`
	Metrics     []Metric     `json:"metrics"`
	Planes      *Planes      `json:"planes"`        // of images that don't say how they lie
	Recipe      *CardRecipe  `json:"preprocessing"` // what was done to the images before
}

// CardRecipe is the part of the recipe that a card may set: the size, in
// pixels, to which smaller images were padded with a margin before training.
type CardRecipe struct {
	MinWidth  int `json:"min_width"`
	MinHeight int `json:"min_height"`
}

// ParseCard parses a card. An unknown key and classes out of order are
// segd.ErrFormat.
func ParseCard(b []byte) (Card, error) {
	var c Card
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields() // a misspelt key would have no effect
	if err := d.Decode(&c); err != nil {
		return c, fmt.Errorf("models: %w: card: %v", segd.ErrFormat, err)
	}
	for i, k := range c.Classes {
		if k.Index != i {
			return c, fmt.Errorf("models: %w: card: class %d has index %d, want consecutive indices from 0, the background", segd.ErrFormat, i, k.Index)
		}
	}
	return c, nil
}

// Merge returns m with the values of the card.
func (c Card) Merge(m Manifest) Manifest {
	take(&m.Version, c.Version)
	take(&m.Title, c.Title)
	take(&m.Description, c.Description)
	take(&m.Authors, c.Authors)
	take(&m.Licence, c.Licence)
	if c.Match != nil {
		m.Match = *c.Match
	}
	if c.Planes != nil {
		m.Planes = c.Planes
	}
	if c.Recipe != nil {
		m.Recipe.MinWidth, m.Recipe.MinHeight = c.Recipe.MinWidth, c.Recipe.MinHeight
	}
	takeList(&m.References, c.References)
	takeList(&m.Channels, c.Channels)
	takeList(&m.Classes, c.Classes)
	takeList(&m.Data, c.Data)
	takeList(&m.Metrics, c.Metrics)
	return m
}

// ForegroundNames returns the names of the card's classes without background.
func (c Card) ForegroundNames() []string {
	var names []string
	for _, k := range c.Classes[min(1, len(c.Classes)):] {
		names = append(names, k.Name)
	}
	return names
}

func take(field *string, v string) {
	if v != "" {
		*field = v
	}
}

func takeList[T any](field *[]T, v []T) {
	if v != nil {
		*field = v
	}
}
