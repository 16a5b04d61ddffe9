package segment

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"segd"
	"segd/internal/orient"
	"segd/internal/scanio"
	"segd/models"
	"segd/train/metric"
	"segd/unet"
)

// sagittal is the plane of the tests' models.
var sagittal = segd.Plane{Name: "sagittal", Right: "A", Down: "I"}

// wanting opens the model of model, which wants sagittal planes.
func wanting(t *testing.T) *models.Model {
	return model(t, func(m *models.Manifest) { m.Planes = &models.Planes{Wants: &sagittal} })
}

// solid is a volume, stored as turn says, of which each voxel is a function of its
// place: the range of each plane differs from that of the next, so that a network
// that takes the range of its image finds other voxels in other planes.
func solid(turn orient.Turn, size [3]int, affine segd.Affine, times int) *segd.Scan {
	stored := turn.Size()
	m := turn.Affine(affine)
	s := &segd.Scan{Format: "nifti", Width: stored[0], Height: stored[1], Depth: stored[2], Times: times, Frames: stored[2] * times, Affine: &m}
	s.Frame = func(i int) (*segd.Image, error) {
		img := &segd.Image{Width: stored[0], Height: stored[1], Channels: 1, Pix: make([]float32, stored[0]*stored[1])}
		img.Spacing = segd.Spacing{RowMM: m.SpacingMM(1), ColMM: m.SpacingMM(0), Source: "sform"}
		for y := range stored[1] {
			for x := range stored[0] {
				v := turn.At([3]int{x, y, i % stored[2]})
				img.Pix[y*stored[0]+x] = value(v[0], v[1], v[2], i/stored[2])
			}
		}
		return img, nil
	}
	return s
}

func value(x, y, z, time int) float32 {
	return float32((7*x+11*y+13*z+3*x*y+5*time)%29) * float32(1+x+2*y)
}

// upright is where solid's volume lies as it is: axial, columns to the left and
// rows to the back.
var upright = segd.Affine{{0.5, 0, 0, -10}, {0, 0.5, 0, 20}, {0, 0, 0.5, 3}}

// TestScanTurns segments a volume in all 48 orientations: the voxels that are
// marked are those that the model marks in its own planes, whatever is stored, and
// probabilities go with them.
func TestScanTurns(t *testing.T) {
	t.Parallel()
	m := wanting(t)
	size := [3]int{5, 6, 7}
	want := map[[4]int]uint8{}
	for _, turn := range everyTurn(size) {
		s := solid(turn, size, upright, 2)
		run, err := NewScan(m, nil, s, Options{})
		if err != nil {
			t.Fatal(err)
		}
		first := len(want) == 0
		for i := range s.Frames {
			r, err := run.Frame(context.Background(), i)
			if err != nil {
				t.Fatal(err)
			}
			if r.Image.Width != s.Width || r.Mask.Width != s.Width || r.Mask.Height != s.Height || r.Probabilities.H != s.Height {
				t.Fatalf("frame of %d×%d: mask of %d×%d", s.Width, s.Height, r.Mask.Width, r.Mask.Height)
			}
			for y := range s.Height {
				for x := range s.Width {
					v := turn.At([3]int{x, y, i % s.Depth})
					at := [4]int{v[0], v[1], v[2], i / s.Depth}
					got := r.Mask.Pix[y*s.Width+x]
					if first {
						want[at] = expected(size, at)
					}
					if got != want[at] {
						t.Fatalf("%+v: voxel %v is of class %d, want %d", turn, at, got, want[at])
					}
					if p := r.Probabilities.Plane(0, 1)[y*s.Width+x]; (p > 0.5) != (got == 1) {
						t.Fatalf("%+v: voxel %v of class %d has a probability of %g", turn, at, got, p)
					}
				}
			}
			turned := strings.Contains(strings.Join(r.Steps, "; "), "turned from")
			if have, _ := orient.PlaneOf(*s.Affine); turned != (have != sagittal) {
				t.Errorf("%+v: steps %q of %v planes", turn, r.Steps, have)
			}
			if r.Model != "bright" || r.Image.Spacing.RowMM != 0.5 {
				t.Errorf("%+v", r)
			}
		}
	}
}

// expected is what the model of modelstest marks of solid's volume: what is
// brighter than half of the range of its sagittal plane.
func expected(size [3]int, at [4]int) uint8 {
	low, high := float32(math.Inf(1)), float32(math.Inf(-1))
	for y := range size[1] {
		for z := range size[2] {
			v := value(at[0], y, z, at[3])
			low, high = min(low, v), max(high, v)
		}
	}
	if v := value(at[0], at[1], at[2], at[3]); (v-low)/(high-low) > 0.5 {
		return 1
	}
	return 0
}

// everyTurn is all 48 ways to store a volume.
func everyTurn(size [3]int) (list []orient.Turn) {
	for _, p := range [][3]int{{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}} {
		for bits := range 8 {
			list = append(list, orient.Turn{Axis: p, Flip: [3]bool{bits&1 == 1, bits&2 == 2, bits&4 == 4}, Stored: size})
		}
	}
	return list
}

// TestScanWarns says what cannot be turned, and leaves pictures alone.
func TestScanWarns(t *testing.T) {
	t.Parallel()
	m := wanting(t)
	size := [3]int{5, 6, 1}
	oblique := segd.Affine{{0, 0, 0.5, 0}, {0.4, 0.3, 0, 0}, {0.3, -0.4, 0, 0}}
	unplaced := solid(orient.Keep(size), size, upright, 1)
	unplaced.Affine = nil
	picture := solid(orient.Keep(size), size, upright, 1)
	picture.Affine, picture.Format = nil, "png"
	thick := upright
	thick[2][2] = 4
	for name, tt := range map[string]struct {
		scan   *segd.Scan
		warns  []string
		turned bool
	}{
		"one axial image": {solid(orient.Keep(size), size, upright, 1), []string{"axial (columns to L, rows to P), and one image cannot be turned to sagittal"}, false},
		"not placed":      {unplaced, []string{"does not say that its frames"}, false},
		"picture":         {picture, nil, false},
		"oblique":         {solid(orient.Keep([3]int{5, 6, 3}), [3]int{5, 6, 3}, oblique, 1), []string{"37° oblique"}, true},
		"thick":           {solid(orient.Keep([3]int{5, 6, 3}), [3]int{5, 6, 3}, thick, 1), []string{"pixels of 0.5×4 mm"}, true},
	} {
		img, err := tt.scan.Frame(0)
		if err != nil {
			t.Fatal(err)
		}
		steps, warnings, err := Explain(m, tt.scan, img, Options{})
		if err != nil {
			t.Fatal(err)
		}
		run, err := NewScan(m, nil, tt.scan, Options{})
		if err != nil {
			t.Fatal(err)
		}
		r, err := run.Frame(context.Background(), 0)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(r.Steps, steps) || len(r.Warnings) < len(warnings) || !slices.Equal(r.Warnings[:len(warnings)], warnings) {
			t.Errorf("%s: Explain says %q and %q, the result %q and %q", name, steps, warnings, r.Steps, r.Warnings)
		}
		if len(warnings) != len(tt.warns) {
			t.Errorf("%s: warnings %q, want %d", name, warnings, len(tt.warns))
			continue
		}
		for i, w := range tt.warns {
			if !strings.Contains(warnings[i], w) {
				t.Errorf("%s: warning %q, want %q in it", name, warnings[i], w)
			}
		}
		if run.turned != tt.turned {
			t.Errorf("%s: turned %v", name, run.turned)
		}
	}
}

// TestScanErrors passes errors of frames on, and refuses what takes too much memory.
func TestScanErrors(t *testing.T) {
	t.Parallel()
	m := wanting(t)
	size := [3]int{5, 6, 7}
	s := solid(orient.Keep(size), size, upright, 1)
	whole := s.Frame
	broken := errors.New("broken")
	s.Frame = func(i int) (*segd.Image, error) {
		if i == 4 {
			return nil, broken
		}
		return whole(i)
	}
	run, err := NewScan(m, nil, s, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := run.Frame(context.Background(), 0); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	if n := Turned(m, s); n < 9*5*6*7 {
		t.Errorf("%d bytes for the results of %d voxels in 2 classes", n, 5*6*7)
	}
	if err := m.Load(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if n, err := run.Memory(1, segd.Spacing{}); err != nil || n < 4*5*6*7/5 {
		t.Errorf("%d bytes for a frame, %v", n, err)
	}
	s.Width, s.Height, s.Depth = 2000, 2000, 100
	if _, err := NewScan(m, nil, s, Options{}); !errors.Is(err, segd.ErrTooLarge) {
		t.Errorf("got %v", err)
	}
	if _, err := NewScan(m, nil, s, Options{Threshold: 2}); !errors.Is(err, segd.ErrOption) {
		t.Errorf("got %v", err)
	}
}

// TestHippocampusVolumes segments volumes as the Decathlon ships them, axial as
// they are stored, with the model that was trained on sagittal slices of others,
// and the same volumes stored otherwise: the first in all 48 ways.
func TestHippocampusVolumes(t *testing.T) {
	t.Parallel()
	if testing.Short() || (unet.Kernels{}).Winograd() == "" {
		t.Skip("segments fifty volumes, which takes minutes with the pure Go kernels")
	}
	root := filepath.Join("..", "..", "..", "shared", "data", "hippocampus_nii", "test")
	files, _ := filepath.Glob(filepath.Join(root, "images", "*.nii.gz"))
	if len(files) == 0 {
		t.Skip("hippocampus_nii does not lie beside the project")
	}
	catalogue, err := models.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	m, err := catalogue.Get("hippocampus")
	if err != nil {
		t.Fatal(err)
	}
	pool := unet.NewPool(2)
	defer pool.Close()
	for i, file := range files[:4] {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		scan, err := scanio.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		if b, err = os.ReadFile(filepath.Join(root, "labels", filepath.Base(file))); err != nil {
			t.Fatal(err)
		}
		labels, err := scanio.ReadLabels(b)
		if err != nil {
			t.Fatal(err)
		}
		size := [3]int{scan.Width, scan.Height, scan.Depth}
		var found []string
		turns := []orient.Turn{orient.Keep(size), {Axis: [3]int{2, 0, 1}, Flip: [3]bool{true, false, true}, Stored: size}}
		if i == 0 {
			turns = everyTurn(size)
		}
		for _, turn := range turns {
			counts := make([]metric.Counts, 3)
			run, err := NewScan(m, pool, stored(scan, turn), Options{})
			if err != nil {
				t.Fatal(err)
			}
			inverse := turn.Inverse()
			masks := make([][]uint8, turn.Size()[2])
			for k := range masks {
				r, err := run.Frame(context.Background(), k)
				if err != nil {
					t.Fatal(err)
				}
				masks[k] = r.Mask.Pix
			}
			for k := range scan.Depth {
				pix, err := orient.Reslice(inverse, k, 1, 1, func(i int) ([]uint8, error) { return masks[i], nil })
				if err != nil {
					t.Fatal(err)
				}
				truth, err := labels.Mask(k)
				if err != nil {
					t.Fatal(err)
				}
				c, err := metric.Count(truth, &segd.Mask{Width: scan.Width, Height: scan.Height, Pix: pix[0]}, 3)
				if err != nil {
					t.Fatal(err)
				}
				for i := range c {
					counts[i] = counts[i].Plus(c[i])
				}
			}
			a, p := counts[1].Dice(), counts[2].Dice()
			found = append(found, fmt.Sprintf("%.6f %.6f", a, p))
			if a < 0.8 || p < 0.75 {
				t.Errorf("%s: Dice %.3f anterior, %.3f posterior, want 0.8 and 0.75", filepath.Base(file), a, p)
			}
		}
		for k, f := range found {
			if f != found[0] {
				t.Errorf("Dice %q as stored, %q by %+v", found[0], f, turns[k])
			}
		}
		t.Logf("%s: Dice %s, %d ways", filepath.Base(file), found[0], len(found))
	}
}

// stored is scan as a file would have it whose axes are those of turn.
func stored(scan *segd.Scan, turn orient.Turn) *segd.Scan {
	size := turn.Size()
	affine := turn.Affine(*scan.Affine)
	s := &segd.Scan{Format: scan.Format, Width: size[0], Height: size[1], Depth: size[2], Times: 1, Frames: size[2], Affine: &affine}
	s.Frame = func(i int) (*segd.Image, error) {
		pix, err := orient.Reslice(turn, i, 1, 1, func(k int) ([]float32, error) {
			img, err := scan.Frame(k)
			if err != nil {
				return nil, err
			}
			return img.Pix, nil
		})
		if err != nil {
			return nil, err
		}
		return &segd.Image{Width: size[0], Height: size[1], Channels: 1, Pix: pix[0]}, nil
	}
	return s
}
