package models_test

import (
	"context"
	"fmt"
	"os"

	"segd"
	"segd/internal/segment"
	"segd/models"
	"segd/models/modelstest"
)

// A model is written, found in its directory, and segments an image.
func Example() {
	dir, err := os.MkdirTemp("", "segd")
	if err != nil {
		panic(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if err := models.Save(dir, modelstest.Manifest("bright"), modelstest.Params(), true); err != nil {
		panic(err)
	}

	catalogue, err := models.Embedded()
	if err != nil {
		panic(err)
	}
	m, err := catalogue.Resolve(dir)
	if err != nil {
		panic(err)
	}
	img := &segd.Image{Width: 4, Height: 1, Channels: 1, Pix: []float32{10, 200, 180, 20}}
	r, err := segment.Frame(context.Background(), m, nil, img, segment.Options{})
	if err != nil {
		panic(err)
	}
	fmt.Println(r.Model, r.Mask.Pix)
	// Output: bright [0 1 1 0]
}

func ExampleNameFrom() {
	fmt.Println(models.NameFrom("out/My first model/"))
	// Output: My-first-model
}
