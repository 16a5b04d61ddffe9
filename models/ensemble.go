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

// Member is a further network of an ensemble: the same as the first, with
// weights of its own. Such a model gives the mean of its networks'
// probabilities.
type Member struct {
	File   string `json:"file"`   // beside model.json
	SHA256 string `json:"sha256"` // lower-case hex
}

// maxMembers bounds the networks of an ensemble, the first included.
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

// SaveEnsemble is Save for a model of several networks that differ in their
// weights alone. The weights of the second and later ones are files of their
// own, named by their content, so that a model that is replaced stays whole
// until the manifest is.
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

// AllParams returns the weights of every network of the model, one unless it is
// an ensemble; else as Params.
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

// Mirrors reports whether Predict may mirror: whether the network was trained
// on mirrored images, as those of segd are unless they were told not to.
func (m *Model) Mirrors() bool { return m.Training == nil || !m.Training.NoFlip }

// Predict returns the class probabilities of each pixel of x: see
// unet.Predictor.Predict. An ensemble gives the mean over its networks. With
// mirror, it is the mean over x and its mirror images too, left to right, upside
// down and both, each result mirrored back (test-time augmentation); where
// Mirrors is false that is a segd.ErrOption. Sums are taken in one order, so
// the result is the same for any number of threads. When ctx ends, so does the
// call; shorter requests pass that of ctx on its way, see package turns.
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

// predictMirrored returns the probabilities of x by way of its mirror image.
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

// mirrored returns t left to right where bit 0 of way is set and upside down
// where bit 1 is; t itself where none is.
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
