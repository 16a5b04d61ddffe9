package models_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"segd"
	"segd/models"
	"segd/models/modelstest"
)

// TestChannels: a model of several channels accepts only scans with that number of
// channels, and only such a model accepts them.
func TestChannels(t *testing.T) {
	dir := t.TempDir()
	if err := errors.Join(modelstest.SaveChannels(filepath.Join(dir, "lesions"), "lesions"), modelstest.Save(filepath.Join(dir, "bright"), "bright")); err != nil {
		t.Fatal(err)
	}
	var c models.Catalogue
	if err := c.AddDir(dir); err != nil {
		t.Fatal(err)
	}
	lesions, err := c.Get("lesions")
	if err != nil {
		t.Fatal(err)
	}
	if def := lesions.NetworkDataFormat.Inputs["image"].ChannelDef; def["0"] != "T1" || def["1"] != "T2" || def["2"] != "FLAIR" {
		t.Errorf("channel_def %v", def)
	}
	for channels, want := range map[int]string{0: "bright", 3: "lesions"} {
		if m, err := c.Auto(&segd.Scan{Format: "png", Channels: channels}); err != nil || m.Name != want {
			t.Errorf("%d channels: %v, want %s", channels, err, want)
		}
	}
	if _, err := c.Auto(&segd.Scan{Format: "png", Channels: 2}); !errors.Is(err, segd.ErrUnprocessable) {
		t.Errorf("2 channels: %v", err)
	}
	for _, tt := range []struct {
		separate int
		want     string
	}{{0, "a single image"}, {2, "2 channels"}, {4, "4 channels"}, {3, ""}} {
		err := lesions.CheckChannels(tt.separate)
		if tt.want == "" && err != nil || tt.want != "" && (!errors.Is(err, segd.ErrUnprocessable) || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "T1, T2, FLAIR")) {
			t.Errorf("%d channels: %v", tt.separate, err)
		}
	}
	man := lesions.Manifest
	for _, names := range [][]string{{"T1"}, {"T1", "T2"}, {"T1", "", "FLAIR"}, {"T1", "a\nb", "FLAIR"}} {
		man.Channels = names
		if err := man.Validate(); !errors.Is(err, segd.ErrFormat) {
			t.Errorf("channels %q: %v", names, err)
		}
	}
}
