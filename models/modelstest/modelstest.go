// Package modelstest makes a model for tests. Its masks are known without training:
// foreground is everything brighter than half of an image's range.
//
//	dir := t.TempDir()
//	err := modelstest.Save(dir, "bright")
//	m, err := models.Open(dir)
//
// It is a real model of two files that goes through every stage; only its
// weights are set by hand.
package modelstest

import (
	"fmt"

	"segd/models"
	"segd/preprocess"
	"segd/unet"
)

// Slope is the weight of the brightness in the logit: the probability of the
// foreground is 1/(1+exp(-Slope·(v-0.5))) for a pixel of value v, where the
// image's lowest value is 0 and its highest 1.
const Slope = 20

// Manifest returns the manifest of the model. Its one foreground class is called
// "bright". It matches every PNG, and DICOM files of modality MR and CT.
func Manifest(name string) models.Manifest {
	return models.Manifest{
		Name: name, Version: "1", Title: "Brighter than half", Description: "For tests: marks everything brighter than half of the image's range.",
		Licence: "Apache-2.0",
		Match:   models.Match{Formats: []string{"png", "dicom"}, Modalities: []string{"", "MR", "CT"}},
		Network: unet.Config{Channels: 1, Classes: 2, Width: 1, Depth: 1, Norm: unet.NormNone}.WithDefaults(),
		Recipe:  preprocess.Recipe{Channels: 1, Normalise: preprocess.MinMax},
		Classes: models.ClassList("bright"),
		Data:    []models.DataCard{{Name: "none", Licence: "none needed", Source: "weights set by hand"}},
		Metrics: []models.Metric{{Data: "itself", Split: "test", Name: "mean_dice", Class: "bright", Cases: 1, Value: 1}},
	}
}

// Params returns the weights. Every convolution along the long skip connection passes
// on its middle pixel, the path through the bottleneck is closed, and the head
// compares with one half.
func Params() *unet.Params {
	p := unet.NewParams(Manifest("bright").Network, 1)
	for _, name := range p.Names() {
		t, _ := p.Get(name)
		w := t.Data().([]float32)
		clear(w)
		switch name {
		case "enc.0.conv1.weight", "enc.0.conv2.weight", "dec.0.conv2.weight":
			w[4] = 1 // the middle of 3×3
		case "dec.0.conv1.weight":
			w[4] = 1 // of the encoder's channel, which comes first
		case "head.weight":
			w[1] = Slope
		case "head.bias":
			w[1] = -Slope / 2
		}
	}
	return p
}

// Save writes the model to directory dir.
func Save(dir, name string) error {
	if err := models.Save(dir, Manifest(name), Params(), false); err != nil {
		return fmt.Errorf("modelstest: %w", err)
	}
	return nil
}

// ChannelNames lists the channels of the model of SaveChannels.
var ChannelNames = []string{"T1", "T2", "FLAIR"}

// SaveChannels writes a model of three channels, each a separate image, to directory
// dir. Foreground is where the first is brighter than the second by half of their
// range. The third has no effect.
func SaveChannels(dir, name string) error {
	m := Manifest(name)
	m.Match, m.Metrics, m.Channels = models.Match{}, nil, ChannelNames
	m.Network.Channels, m.Recipe.Channels = len(ChannelNames), len(ChannelNames)
	p := unet.NewParams(m.Network, 1)
	from := Params()
	for _, n := range p.Names() {
		dst, _ := p.Get(n)
		src, _ := from.Get(n)
		w := dst.Data().([]float32)
		if n == "enc.0.conv1.weight" { // [1, 3, 3, 3]
			clear(w)
			w[4], w[9+4] = 1, -1
			continue
		}
		copy(w, src.Data().([]float32))
	}
	if err := models.Save(dir, m, p, false); err != nil {
		return fmt.Errorf("modelstest: %w", err)
	}
	return nil
}

// SaveValues writes a model of values to directory dir. It is like the model of Save,
// but its values are 1000 times the brightness.
func SaveValues(dir, name string) error {
	m := Manifest(name)
	m.Network.Head, m.Network.Classes = unet.HeadRegression, 1
	m.Match, m.Classes, m.Metrics, m.Values = models.Match{}, nil, nil, &models.Values{Mean: 500, Deviation: 250}
	p := unet.NewParams(m.Network, 1)
	from := Params()
	for _, n := range p.Names() {
		dst, _ := p.Get(n)
		src, _ := from.Get(n)
		copy(dst.Data().([]float32), src.Data().([]float32))
		switch n {
		case "head.weight":
			dst.Data().([]float32)[0] = 1000
		case "head.bias":
			dst.Data().([]float32)[0] = 0
		}
	}
	if err := models.Save(dir, m, p, false); err != nil {
		return fmt.Errorf("modelstest: %w", err)
	}
	return nil
}
