package models

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"

	"segd"
	"segd/internal/output"
	"segd/internal/turns"
	"segd/unet"
)

// Member is another network of an ensemble: the same architecture with
// different weights. Such a model averages the probabilities of its networks.
type Member struct {
	File   string `json:"file"`   // next to model.json
	SHA256 string `json:"sha256"` // lower-case hex
}

// maxMembers limits the networks of an ensemble, including the first.
const maxMembers = 16

var memberPattern = regexp.MustCompile(`^weights-[0-9a-f]{12}\.safetensors$`)

func (m *Manifest) checkMembers() error {
	if n := len(m.Members) + 1; n > maxMembers {
		return fmt.Errorf("ensemble has %d networks, limit %d", n, maxMembers)
	}
	for i, f := range m.Members {
		if !memberPattern.MatchString(f.File) || !validSum(f.SHA256) || f.SHA256[:12] != f.File[8:20] {
			return fmt.Errorf("member %d is named %.80q, want weights-….safetensors with its SHA-256", i, f.File)
		}
	}
	return nil
}

// SaveEnsemble is Save for a model with several networks that differ only in
// their weights. The weights of the second and later networks are separate
// files, named by their content, so that the old model stays complete until the
// manifest is replaced.
func SaveEnsemble(dir string, man Manifest, members []*unet.Params, half bool) error {
	if len(members) < 2 || len(members) > maxMembers {
		return fmt.Errorf("models: %w: ensemble has %d networks, want 2 to %d", segd.ErrOption, len(members), maxMembers)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("models: %w", err)
	}
	man.Members = nil
	for _, p := range members[1:] {
		if p.Config() != members[0].Config() {
			return fmt.Errorf("models: %w: the networks of the ensemble differ, want the same architecture", segd.ErrOption)
		}
		var b bytes.Buffer
		if err := p.Write(&b, half); err != nil {
			return fmt.Errorf("models: weights: %w", err)
		}
		s := sum(b.Bytes())
		f := Member{File: fmt.Sprintf("weights-%s.safetensors", s[:12]), SHA256: s}
		if err := output.WriteSynced(filepath.Join(dir, f.File), b.Bytes()); err != nil {
			return fmt.Errorf("models: %w", err)
		}
		man.Members = append(man.Members, f)
	}
	return Save(dir, man, members[0], half)
}

// AllParams returns the weights of every network of the model: one, or several
// for an ensemble. Otherwise it is like Params.
func (m *Model) AllParams() ([]*unet.Params, error) {
	all := []*unet.Params{}
	for _, f := range append([]Member{{weightsFile, m.WeightsSHA256}}, m.Members...) {
		p, err := m.params(f)
		if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return all, nil
}

// Mirrors reports whether Predict may mirror images, that is, whether the
// network was trained on mirrored images. segd trains on them unless told
// otherwise.
func (m *Model) Mirrors() bool { return m.Training == nil || !m.Training.NoFlip }

// Predict returns the class probabilities of each pixel of x: see
// unet.Predictor.Predict. An ensemble averages over its networks. With mirror,
// the result is the mean over x and its mirror images, left to right, upside
// down and both, each result mirrored back (test-time augmentation). If Mirrors
// is false, that is a segd.ErrOption. Sums have a fixed order, so the result
// does not depend on the number of threads. Predict returns when ctx ends;
// shorter requests may overtake that of ctx meanwhile, see package turns.
func (m *Model) Predict(ctx context.Context, pool *unet.Pool, x *segd.Tensor, mirror bool) (*segd.Tensor, error) {
	if mirror && !m.Mirrors() {
		return nil, fmt.Errorf("models: %w: tta averages over mirrored images, but model %s was trained without them because left and right differ in its data", segd.ErrOption, m.Name)
	}
	list, err := m.networks(ctx, pool)
	if err != nil {
		return nil, err
	}
	ways := 1
	if mirror {
		ways = 4
	}
	var total *segd.Tensor
	for _, q := range list {
		for way := range ways {
			p, err := predictMirrored(ctx, q, x, way)
			if err != nil {
				return nil, err
			}
			if total == nil {
				total = p
				continue
			}
			for i, v := range p.Data {
				total.Data[i] += v
			}
		}
	}
	if err := turns.Next(ctx); err != nil {
		return nil, fmt.Errorf("models: %w", err)
	}
	if n := len(list) * ways; n > 1 {
		for i := range total.Data {
			total.Data[i] /= float32(n)
		}
	}
	return total, nil
}

// predictMirrored computes the probabilities of x from its mirror image.
func predictMirrored(ctx context.Context, q *unet.Predictor, x *segd.Tensor, way int) (*segd.Tensor, error) {
	if err := turns.Next(ctx); err != nil {
		return nil, fmt.Errorf("models: %w", err)
	}
	p, err := q.Predict(ctx, mirrored(x, way))
	if err != nil {
		return nil, err
	}
	if err := turns.Next(ctx); err != nil {
		return nil, fmt.Errorf("models: %w", err)
	}
	return mirrored(p, way), nil
}

// mirrored returns t mirrored left to right if bit 0 of way is set, and upside
// down if bit 1 is. With neither it returns t itself.
func mirrored(t *segd.Tensor, way int) *segd.Tensor {
	if way == 0 {
		return t
	}
	out := segd.NewTensor(t.N, t.C, t.H, t.W)
	for n := range t.N {
		for c := range t.C {
			src, dst := t.Plane(n, c), out.Plane(n, c)
			for y := range t.H {
				from := y
				if way&2 != 0 {
					from = t.H - 1 - y
				}
				row, to := src[from*t.W:(from+1)*t.W], dst[y*t.W:(y+1)*t.W]
				copy(to, row)
				if way&1 != 0 {
					for x, v := range row {
						to[t.W-1-x] = v
					}
				}
			}
		}
	}
	return out
}
