package main

import (
	"bytes"
	"fmt"
	"image"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"segd"
	"segd/dicomio/dicomtest"
	"segd/internal/nifti"
	"segd/internal/nifti/niftitest"
	"segd/models"
	"segd/models/modelstest"
)

// TestSegmentNIfTI segments a volume plane by plane, and gets its masks back
// as PNGs and as a volume that lies where it does.
func TestSegmentNIfTI(t *testing.T) {
	const w, h, d = 20, 12, 3
	v := niftitest.Volume{Width: w, Height: h, Depth: d, Distance: [3]float64{0.5, 0.75, 3},
		Affine: [3][4]float64{{-0.5, 0, 0, 10}, {0, 0.75, 0, -20}, {0, 0, 3, 7}}}
	want := make([]uint8, w*h*d)
	for k := range d {
		for y := range h {
			for x := range w {
				value := int16(-1000)
				if x >= 3+k && x < 9 && y >= 2 && y < 5+k {
					value = 500
					want[(k*h+y)*w+x] = 1
				}
				v.Values = append(v.Values, value)
			}
		}
	}
	in, out := t.TempDir(), filepath.Join(t.TempDir(), "out")
	write(t, filepath.Join(in, "sub", "vol.nii.gz"), niftitest.Write(v))
	write(t, filepath.Join(in, "one.dcm"), dicomtest.Write(dicomtest.Disc(32)))
	done(t, "segment", "-i", in, "-o", out, "-m", brightModel(t), "--output", "nifti,mask", "--progress", "none")
	files := tree(t, out)
	if diff := cmp.Diff([]string{
		"mask/one.png", "mask/sub/vol_0001.png", "mask/sub/vol_0002.png", "mask/sub/vol_0003.png", "nifti/one.nii.gz", "nifti/sub/vol.nii.gz",
	}, names(files)); diff != "" {
		t.Fatal(diff)
	}
	got, err := nifti.Read([]byte(files["nifti/sub/vol.nii.gz"]))
	if err != nil {
		t.Fatal(err)
	}
	if got.Affine != v.Affine || got.Width != w || got.Height != h || got.Planes() != d {
		t.Errorf("header %+v", got.Header)
	}
	for k := range d {
		m, err := got.Labels(k)
		if err != nil || !bytes.Equal(m.Pix, want[k*w*h:(k+1)*w*h]) {
			t.Errorf("plane %d differs (%v)", k, err)
		}
	}
	if one, err := nifti.Read([]byte(files["nifti/one.nii.gz"])); err != nil || one.Width != 32 || one.Planes() != 1 {
		t.Errorf("of a DICOM file: %v", err)
	}
}

// stacked writes slices of a series to a folder: z mm up, of a time, the marked
// disc the more cut the higher its number.
func stacked(t *testing.T, dir string, zs ...float64) {
	t.Helper()
	for i, z := range zs {
		f := slice(1, i+1, z)
		f.Elements = append(f.Elements, dicomtest.Element{Tag: 0x00200013, VR: "IS", Value: fmt.Sprint(10 - i)})
		f.Pixels = bytes.Clone(f.Pixels)
		clear(f.Pixels[:100*i])
		write(t, filepath.Join(dir, fmt.Sprintf("%d.dcm", i+1)), dicomtest.Write(f))
	}
}

// The slices of a series are one volume that lies where they do: along their
// normal, and with a fourth axis where several lie at each place.
func TestSegmentSeriesNIfTI(t *testing.T) {
	for name, tt := range map[string]struct {
		zs           []float64
		order        []int // slices by plane
		depth, times int
	}{
		"volume": {[]float64{9, 3, 6}, []int{2, 3, 1}, 3, 1},
		"phases": {[]float64{9, 3, 3, 9}, []int{3, 4, 2, 1}, 2, 2}, // numbers fall from file to file
	} {
		for _, threads := range []string{"1", "3"} {
			in, out := t.TempDir(), t.TempDir()
			stacked(t, filepath.Join(in, "s"), tt.zs...)
			write(t, filepath.Join(in, "t.dcm"), dicomtest.Write(slice(2, 1, 0)))
			done(t, "segment", "-i", in, "-o", out, "-m", brightModel(t), "--output", "nifti,mask,seg", "--threads", threads, "--progress", "none")
			files := tree(t, out)
			var volumes []string
			for _, n := range names(files) {
				if strings.HasPrefix(n, "nifti/") {
					volumes = append(volumes, n)
				}
			}
			if diff := cmp.Diff([]string{"nifti/s/1.nii.gz", "nifti/t.nii.gz"}, volumes); diff != "" {
				t.Fatal(diff)
			}
			v, err := nifti.Read([]byte(files["nifti/s/1.nii.gz"]))
			if err != nil {
				t.Fatal(err)
			}
			// dicomtest has 0.5 mm between rows and 0.75 mm between columns; what DICOM
			// counts to the left and to the back NIfTI counts to the right and to the front.
			step := (slices.Max(tt.zs) - 3) / float64(tt.depth-1)
			want := [3][4]float64{{-0.75, 0, 0, 0}, {0, -0.5, 0, 0}, {0, 0, step, 3}}
			if v.Affine != want || v.Depth != tt.depth || v.Times != tt.times {
				t.Errorf("%s: affine %v, want %v; %d planes, %d times", name, v.Affine, want, v.Depth, v.Times)
			}
			for k, from := range tt.order {
				m, err := v.Labels(k)
				if err != nil {
					t.Fatal(err)
				}
				if mask := readPNG(t, filepath.Join(out, "mask", "s", fmt.Sprint(from)+".png")).(*image.Paletted); !bytes.Equal(mask.Pix, m.Pix) {
					t.Errorf("%s: plane %d is not slice %d", name, k, from)
				}
			}
		}
	}
}

// What is no volume is a file for each slice, with a warning; of a slice that fails
// none is made. Values make volumes too.
func TestSegmentSeriesNoVolume(t *testing.T) {
	for name, tt := range map[string]struct {
		zs   []float64
		want string
	}{
		"uneven": {[]float64{0, 3, 9}, "1 slice is missing along the normal: between"}, "not as many": {[]float64{0, 0, 3}, "2 slices at one position but 1 at another"},
	} {
		in, out := t.TempDir(), t.TempDir()
		stacked(t, in, tt.zs...)
		code, _, stderr := command(t, "segment", "-i", in, "-o", out, "-m", brightModel(t), "--output", "nifti")
		if code != exitDone || !strings.Contains(stderr, tt.want) || len(names(tree(t, out))) != 3 {
			t.Errorf("%s: exit %d, %s, %v", name, code, stderr, names(tree(t, out)))
		}
	}
	in, out := t.TempDir(), t.TempDir()
	stacked(t, in, 0, 3, 6)
	done(t, "segment", "-i", in, "-o", out, "-m", valueModel(t), "--output", "nifti,tiff", "--progress", "none")
	files := tree(t, out)
	if diff := cmp.Diff([]string{"nifti/1.nii.gz", "tiff/1.tiff", "tiff/2.tiff", "tiff/3.tiff"}, names(files)); diff != "" {
		t.Fatal(diff)
	}
	v, err := nifti.Read([]byte(files["nifti/1.nii.gz"]))
	if err != nil || v.Type() != "float32" || v.Planes() != 3 {
		t.Errorf("%+v, %v", v, err)
	}
	// Of the second slice the pixels are not to be had, though the rest of it is.
	second := filepath.Join(in, "2.dcm")
	b, err := os.ReadFile(second)
	if err != nil {
		t.Fatal(err)
	}
	write(t, second, bytes.Replace(b, []byte("MONOCHROME2"), []byte("MONOCHROMEX"), 1))
	out = t.TempDir()
	code, _, stderr := command(t, "segment", "-i", in, "-o", out, "-m", brightModel(t), "--output", "nifti,mask")
	if code != exitPartial || !strings.Contains(stderr, "a slice is missing") {
		t.Errorf("a slice that fails: exit %d, %s", code, stderr)
	}
	if diff := cmp.Diff([]string{"mask/1.png", "mask/3.png"}, names(tree(t, out))); diff != "" {
		t.Error(diff)
	}
}

// TestSegmentTurnsVolumes segments an axial volume and one axial slice with a model
// of sagittal planes: the volume is turned, of the slice the run warns.
func TestSegmentTurnsVolumes(t *testing.T) {
	const w, h, d = 9, 8, 7
	model := filepath.Join(t.TempDir(), "turning")
	man := modelstest.Manifest("turning")
	man.Planes = &models.Planes{Wants: &segd.Plane{Name: "sagittal", Right: "A", Down: "I"}}
	if err := models.Save(model, man, modelstest.Params(), false); err != nil {
		t.Fatal(err)
	}
	v := niftitest.Volume{Width: w, Height: h, Depth: d, Affine: [3][4]float64{{-1, 0, 0, 10}, {0, 1, 0, -20}, {0, 0, 1, 7}}}
	var want []uint8
	for i := range w * h * d {
		share := (i/w + i/w/h) % h
		v.Values = append(v.Values, int16((i%w+1)*share))
		want = append(want, uint8(2*share/h))
	}
	in, out := t.TempDir(), filepath.Join(t.TempDir(), "out")
	write(t, filepath.Join(in, "vol.nii.gz"), niftitest.Write(v))
	write(t, filepath.Join(in, "axial.dcm"), dicomtest.Write(slice(1, 1, 7)))
	code, _, printed := command(t, "segment", "-i", in, "-o", out, "-m", model, "--output", "nifti,json", "--progress", "none")
	if code != exitDone || !strings.Contains(printed, "one image cannot be turned to sagittal") {
		t.Errorf("exit %d, printed %q", code, printed)
	}
	got, err := nifti.Read([]byte(tree(t, out)["nifti/vol.nii.gz"]))
	if err != nil {
		t.Fatal(err)
	}
	for k := range d {
		m, err := got.Labels(k)
		if err != nil || !bytes.Equal(m.Pix, want[k*w*h:(k+1)*w*h]) {
			t.Errorf("plane %d differs (%v)", k, err)
		}
	}
}
