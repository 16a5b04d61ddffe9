package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"

	"segd"
	"segd/internal/engine/folder"
	"segd/models"
)

// card is what a person says of a model and a training cannot know: the keys
// of model.json that --card may hold. What it leaves out stays as it is.
type card struct {
	Version     string            `json:"version"`
	Title       string            `json:"title"`
	Description string            `json:"description"`
	Authors     string            `json:"authors"`
	Licence     string            `json:"license"`
	References  []string          `json:"references"`
	Match       *models.Match     `json:"match"`
	Channels    []string          `json:"channels"`
	Classes     []segd.Class      `json:"classes"` // background first, as in model.json
	Data        []models.DataCard `json:"data"`
	Metrics     []models.Metric   `json:"metrics"`
	Planes      *models.Planes    `json:"planes"`        // of images that don't say how they lie
	Recipe      *margin           `json:"preprocessing"` // what was done to the images before
}

// margin is what a card may say of the recipe: the size that images smaller than it
// were given with a margin before they were trained on.
type margin struct {
	MinWidth  int `json:"min_width"`
	MinHeight int `json:"min_height"`
}

// readCard reads a card; an empty path gives an empty one.
func readCard(path string) (card, error) {
	var c card
	if path == "" {
		return c, nil
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return c, folder.NotThere(err)
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields() // a misspelt key would be lost in silence
	if err := d.Decode(&c); err != nil {
		return c, fmt.Errorf("%w: card %s: %v", segd.ErrFormat, path, err)
	}
	for i, k := range c.Classes {
		if k.Index != i {
			return c, fmt.Errorf("%w: card %s: class %d has index %d, want consecutive indices from 0, the background", segd.ErrFormat, path, i, k.Index)
		}
	}
	return c, nil
}

// merge puts what the card says into a manifest.
func (c card) merge(m models.Manifest) models.Manifest {
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

// foreground are the names of the card's classes without background.
func (c card) foreground() []string {
	var names []string
	for _, k := range c.Classes[min(1, len(c.Classes)):] {
		names = append(names, k.Name)
	}
	return names
}
