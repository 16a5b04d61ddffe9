package main

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"segd/internal/bench"
	"segd/models"
	"segd/unet"
)

// Each choice of the command line trains, resumes without being said again,
// serves and is on the card.
func TestTrainNetworkChoices(t *testing.T) {
	training, test := discSet(t, 0, 8), discSet(t, 100, 1)
	for _, tt := range []struct {
		args string
		want unet.Config
		card string
	}{
		{"--block residual --skip add", unet.Config{Block: unet.BlockResidual, Skip: unet.SkipAdd}, "residual blocks of 2, add skips, transposed up"},
		{"--block dense --growth 3 --convs 2 --up bilinear", unet.Config{Block: unet.BlockDense, Growth: 3, Convs: 2, Up: unet.UpBilinear}, "dense blocks of 2 growing by 3, concat skips, bilinear up"},
		{"--block preact --attention", unet.Config{Block: unet.BlockPreact, Attention: true}, "preact blocks of 2, concat skips with attention"},
		{"--norm group --groups 2 --skip add", unet.Config{Norm: unet.NormGroup, Groups: 2, Skip: unet.SkipAdd}, "group norm, plain blocks of 2, add skips"},
		{"--norm instance --block residual", unet.Config{Norm: unet.NormInstance, Block: unet.BlockResidual}, "instance norm, residual blocks"},
		{"--skip nested --convs 1", unet.Config{Skip: unet.SkipNested, Convs: 1}, "plain blocks of 1, nested skips"},
	} {
		t.Run(tt.args, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "m")
			args := []string{"train", "-d", training, "-o", dir, "--steps", "2", "--batch", "2", "--patch", "32", "--progress", "none"}
			done(t, append(append(args, "--width", "4", "--depth", "2"), strings.Fields(tt.args)...)...)
			done(t, append(args, "--resume")...)
			m, err := models.Open(dir)
			if err != nil {
				t.Fatal(err)
			}
			want := tt.want
			want.Channels, want.Classes, want.Width, want.Depth = 1, 2, 4, 2
			if want = want.WithDefaults(); m.Network != want {
				t.Errorf("network %+v, want %+v", m.Network, want)
			}
			if card := done(t, "model", "show", dir); !strings.Contains(card, tt.card) {
				t.Errorf("card %q, want %q", card, tt.card)
			}
			done(t, "segment", "-i", filepath.Join(test, "images"), "-o", t.TempDir(), "-m", dir)
		})
	}
}

func TestBenchNetworkChoices(t *testing.T) {
	for _, args := range []string{
		"", "--block residual", "--block preact --convs 4", "--block dense", "--skip add", "--skip none", "--skip nested", "--attention", "--up bilinear", "--norm batch", "--norm group --groups 2",
		"--train --batch 1 --block residual --skip add --attention",
	} {
		all := append([]string{"bench", "--base-width", "2", "--depth", "2", "--size", "16", "--runs", "1", "--format", "json"}, strings.Fields(args)...)
		var r bench.Result
		if err := json.Unmarshal([]byte(done(t, all...)), &r); err != nil {
			t.Fatal(err)
		}
		for _, choice := range strings.Fields(args) {
			if b, err := json.Marshal(r.Network); err != nil || strings.Trim(choice, "abcdefghijklmnopqrstuvwxyz") == "" && !strings.Contains(string(b), choice) {
				t.Errorf("%s: network %s (%v)", args, b, err)
			}
		}
		if c := r.Network; c.Width != 2 || c.Depth != 2 || (c.Norm == unet.NormNone) == strings.Contains(args, "--norm") {
			t.Errorf("%s: network %+v", args, c)
		}
	}
}

func TestNetworkUsage(t *testing.T) {
	for args, want := range map[string]string{
		"--block res":                  "plain, residual, preact, dense",
		"--skip nest":                  "concat, add, none, nested",
		"--up nearest":                 "transposed, bilinear",
		"--attention --skip none":      "attention",
		"--block residual --convs 3":   "even",
		"--growth 4":                   "growth",
		"--block dense --growth -1":    "growth",
		"-m nuclei --block dense":      "[model block]",
		"--model x --attention --runs": "needs an argument",
	} {
		if code, _, stderr := command(t, append([]string{"bench", "--size", "16", "--runs", "1", "--base-width", "2"}, strings.Fields(args)...)...); code != exitUsage || !strings.Contains(stderr, want) {
			t.Errorf("%s: exit %d, %q; want %d and %q", args, code, stderr, exitUsage, want)
		}
	}
}
