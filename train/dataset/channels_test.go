package dataset_test

import (
	"errors"
	"fmt"
	"image"
	"image/color"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"segd"
	"segd/models"
	"segd/train"
	"segd/train/dataset"
	"segd/train/dataset/datasettest"
	"segd/unet"
)

// channelSet writes an nnU-Net data set of n images with three channels. The first
// two together determine the label.
func channelSet(t *testing.T, n int, names string) string {
	t.Helper()
	dir := t.TempDir()
	for i := range n {
		label := image.NewGray(image.Rect(0, 0, 32, 32))
		for k := range 3 {
			m := image.NewGray(image.Rect(0, 0, 32, 32))
			for y := range 32 {
				for x := range 32 {
					bright := x >= 4+4*k+i%5 && x < 20+4*k
					m.SetGray(x, y, color.Gray{Y: uint8(50 + 7*((x+y)%3))})
					if bright {
						m.SetGray(x, y, color.Gray{Y: 200})
					}
					if k == 0 && bright && x < 8+i%5 {
						label.SetGray(x, y, color.Gray{Y: 1})
					}
				}
			}
			datasettest.Put(t, dir, fmt.Sprintf("imagesTr/case_%02d_%04d.png", i, k), nil)
			datasettest.WritePNG(t, filepath.Join(dir, "imagesTr", fmt.Sprintf("case_%02d_%04d.png", i, k)), m)
		}
		datasettest.Put(t, dir, fmt.Sprintf("labelsTr/case_%02d.png", i), nil)
		datasettest.WritePNG(t, filepath.Join(dir, "labelsTr", fmt.Sprintf("case_%02d.png", i)), label)
	}
	datasettest.Put(t, dir, "dataset.json", []byte(`{"channel_names":`+names+`,"labels":{"background":0,"lesion":1},"numTraining":8,"file_ending":".png"}`))
	return dir
}

const threeNames = `{"0":"T1","1":"T2","2":"FLAIR"}`

// TestRunChannels: the model names the channels it was trained on, and training that
// starts from it accepts only the same ones.
func TestRunChannels(t *testing.T) {
	dir, out := channelSet(t, 8, threeNames), filepath.Join(t.TempDir(), "m")
	if _, err := train.Run(t.Context(), brief(dir, out, 2), nil); err != nil {
		t.Fatal(err)
	}
	m, err := models.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"T1", "T2", "FLAIR"}
	if !slices.Equal(m.Channels, want) || m.NetworkDataFormat.Inputs["image"].ChannelDef["2"] != "FLAIR" {
		t.Errorf("channels %q, %v", m.Channels, m.NetworkDataFormat.Inputs["image"].ChannelDef)
	}
	for name, data := range map[string]string{
		"another order": channelSet(t, 8, `{"0":"T2","1":"T1","2":"FLAIR"}`),
		"single images": datasettest.Discs(t, 8, 32),
	} {
		o := brief(data, filepath.Join(t.TempDir(), "tuned"), 2)
		o.From, o.Network = m, unet.Config{}
		if _, err := train.Run(t.Context(), o, nil); !errors.Is(err, segd.ErrUnprocessable) || !strings.Contains(err.Error(), "T1, T2, FLAIR") {
			t.Errorf("%s: %v", name, err)
		}
	}
	// Two data sets must have the same channels.
	o := brief(dir, filepath.Join(t.TempDir(), "both"), 2)
	o.Datasets = append(o.Datasets, datasettest.Discs(t, 8, 32))
	if _, err := train.Run(t.Context(), o, nil); !errors.Is(err, segd.ErrFormat) || !strings.Contains(err.Error(), "a single image") {
		t.Errorf("two data sets: %v", err)
	}
	// A colour model names no channels.
	dir, out = channelSet(t, 1, threeNames), filepath.Join(t.TempDir(), "grey")
	if _, err := train.Run(t.Context(), brief(datasettest.Discs(t, 8, 32), out, 2), nil); err != nil {
		t.Fatal(err)
	}
	if m, err = models.Open(out); err != nil || m.Channels != nil {
		t.Errorf("a model of single images has channels %q, %v", m.Channels, err)
	}
	warning, err := mustOpen(t, dir).FitChannels(m.Name, m.Channels)
	if err == nil {
		t.Errorf("a model of single images is evaluated on three channels; warning %q", warning)
	}
}

func mustOpen(t *testing.T, dir string) *dataset.Dataset {
	t.Helper()
	d, err := dataset.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// TestOpenChannels: all channel files must exist and share one grid.
func TestOpenChannels(t *testing.T) {
	dir := t.TempDir()
	plane := func(spacing float64) []byte {
		return datasettest.Volume(4, 4, 2, spacing, func(x, _, _ int) int { return x })
	}
	set := func(spacings ...float64) {
		for k, s := range spacings {
			datasettest.Put(t, dir, fmt.Sprintf("imagesTr/a_%04d.nii.gz", k), plane(s))
		}
	}
	datasettest.Put(t, dir, "labelsTr/a.nii.gz", datasettest.Volume(4, 4, 2, 1, func(x, _, _ int) int { return x % 2 }))
	datasettest.Put(t, dir, "dataset.json", []byte(`{"channel_names":`+threeNames+`,"labels":{"background":0,"x":1},"file_ending":".nii.gz"}`))

	// One single-channel file where three channels are named is not read as grey
	// repeated three times.
	set(1)
	d := mustOpen(t, dir)
	if _, err := d.Cases[0].ReadClasses(); !errors.Is(err, segd.ErrFormat) || !strings.Contains(err.Error(), "T1, T2, FLAIR") {
		t.Errorf("one file of three: %v", err)
	}
	set(1, 1)
	if _, err := dataset.Open(dir); !errors.Is(err, segd.ErrUnprocessable) || !strings.Contains(err.Error(), "a_0002 (FLAIR) is missing") {
		t.Errorf("two files of three: %v", err)
	}
	set(1, 1, 1)
	d = mustOpen(t, dir)
	if img, err := d.Cases[0].ReadImage(); err != nil || !img.Separate || img.Channels != 3 {
		t.Errorf("three files: %v", err)
	}
	set(1, 1, 2)
	if _, err := dataset.Open(dir); !errors.Is(err, segd.ErrUnprocessable) || !strings.Contains(err.Error(), "a_0002.nii.gz lies 3 mm from") {
		t.Errorf("a channel on another grid: %v", err)
	}
	// Red, green and blue are stored in one file, which may be grey.
	rgb := t.TempDir()
	m := image.NewNRGBA(image.Rect(0, 0, 8, 8))
	datasettest.Put(t, rgb, "imagesTr/a_0000.png", nil)
	datasettest.Put(t, rgb, "labelsTr/a.png", nil)
	datasettest.WritePNG(t, filepath.Join(rgb, "imagesTr", "a_0000.png"), m)
	datasettest.WritePNG(t, filepath.Join(rgb, "labelsTr", "a.png"), image.NewGray(m.Rect))
	datasettest.Put(t, rgb, "dataset.json", []byte(`{"channel_names":{"0":"R","1":"G","2":"B"},"labels":{"background":0,"x":1},"file_ending":".png"}`))
	if img, err := mustOpen(t, rgb).Cases[0].ReadImage(); err != nil || img.Separate {
		t.Errorf("a picture in colour: %v", err)
	}
}
