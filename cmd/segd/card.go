package main

import (
	"fmt"
	"os"

	"segd/internal/engine/folder"
	"segd/models"
)

// readCard reads a card; an empty path gives an empty one.
func readCard(path string) (models.Card, error) {
	if path == "" {
		return models.Card{}, nil
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return models.Card{}, folder.NotThere(err)
	}
	c, err := models.ParseCard(b)
	if err != nil {
		return c, fmt.Errorf("%w (%s)", err, path)
	}
	return c, nil
}
