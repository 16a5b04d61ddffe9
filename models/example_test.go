package models_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"segd"
	"segd/models"
	"segd/models/modelstest"
	"segd/unet"
)

// example writes a model to a new directory. Its class is everything brighter than
// half of the image's range.
func example() (dir string) {
	dir, err := os.MkdirTemp("", "segd")
	if err != nil {
		panic(err)
	}
	if err := models.Save(filepath.Join(dir, "bright"), modelstest.Manifest("bright"), modelstest.Params(), true); err != nil {
		panic(err)
	}
	return dir
}

// Segment an image with a model from a directory: its recipe prepares the pixels, and
// the placement maps the probabilities back onto them.
func Example() {
	dir := example()
	defer func() { _ = os.RemoveAll(dir) }()
	catalogue, err := models.Embedded()
	if err != nil {
		panic(err)
	}
	if err := catalogue.AddDir(dir); err != nil {
		panic(err)
	}
	m, err := catalogue.Get("bright")
	if err != nil {
		panic(err)
	}
	pool := unet.NewPool(0)
	defer pool.Close()

	img := &segd.Image{Width: 4, Height: 1, Channels: 1, Pix: []float32{10, 200, 180, 20}}
	x, place, err := m.Recipe.Apply(img)
	if err != nil {
		panic(err)
	}
	onGrid, err := m.Predict(context.Background(), pool, x, false)
	if err != nil {
		panic(err)
	}
	probabilities, err := place.ToImage(onGrid)
	if err != nil {
		panic(err)
	}
	for i, p := range probabilities.Plane(0, 1) { // of class 1, the first after background
		fmt.Printf("pixel %d: %s %t\n", i, m.Classes[1].Name, p > 0.5)
	}
	// Output:
	// pixel 0: bright false
	// pixel 1: bright true
	// pixel 2: bright true
	// pixel 3: bright false
}

// Let the catalogue choose the model for a scan.
func ExampleCatalogue_Auto() {
	catalogue, err := models.Embedded()
	if err != nil {
		panic(err)
	}
	m, err := catalogue.Auto(&segd.Scan{Format: "dicom", Modality: "MR", Frames: 1})
	if err != nil {
		panic(err)
	}
	fmt.Println(m.Name, m.ForegroundNames())
	// Output: cardiac-lv [left ventricle]
}

// Every model of this catalogue uses direct convolution.
func ExampleOptions() {
	catalogue, err := models.Options{Exact: true}.Embedded()
	if err != nil {
		panic(err)
	}
	for _, m := range catalogue.List() {
		if !m.Options().Exact {
			fmt.Println(m.Name)
		}
	}
	// Output:
}

// Promote a model to the next version of a store. An open catalogue serves it from
// then on.
func ExamplePromote() {
	dir := example()
	defer func() { _ = os.RemoveAll(dir) }()
	m, err := models.Open(filepath.Join(dir, "bright"))
	if err != nil {
		panic(err)
	}
	served := filepath.Join(dir, "served")
	for range 2 {
		done, err := models.Promote(filepath.Join(served, "cells"), "cells", m, models.Promotion{Time: time.Now()})
		if err != nil {
			panic(err)
		}
		fmt.Printf("version %d serves in place of %d\n", done.Version, done.Previous)
	}
	// Output:
	// version 1 serves in place of 0
	// version 2 serves in place of 1
}

func ExampleNameFrom() {
	fmt.Println(models.NameFrom("out/My first model/"))
	// Output: My-first-model
}
