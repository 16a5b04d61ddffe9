package main

import (
	"encoding/json"
	"fmt"
	"image"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"segd"
	"segd/dicomio/dicomtest"
	"segd/internal/engine"
	"segd/internal/nifti"
	"segd/internal/nifti/niftitest"
	"segd/internal/phantom"
	"segd/train/dataset/datasettest"
)

// inPlace checks that every reader finds what is marked in a mask at its place
// in the patient: of the volume, at some time, the class of each marked pixel.
func inPlace(t *testing.T, name, volume string, mask *image.Paletted, lies segd.Affine) {
	t.Helper()
	v, err := nifti.Read([]byte(volume))
	if err != nil {
		t.Fatal(err)
	}
	w, marked := mask.Rect.Dx(), 0
	for _, reader := range niftitest.Readers() {
		place, err := reader.Place([]byte(volume))
		if err != nil {
			t.Fatalf("%s, %s: %v", name, reader.Name, err)
		}
		inverse, _ := place.Inverse()
		for i, class := range mask.Pix {
			if class == 0 {
				continue
			}
			marked++
			voxel := inverse.Apply(lies.Apply([3]float64{float64(i % w), float64(i / w), 0}))
			var near [3]int
			for r := range 3 {
				near[r] = int(math.Round(voxel[r]))
			}
			found := false
			for time := 0; time < v.Times && near[2] >= 0 && near[2] < v.Depth; time++ {
				plane, err := v.Labels(time*v.Depth + near[2])
				if err != nil {
					t.Fatal(err)
				}
				found = found || near[0] >= 0 && near[0] < v.Width && near[1] >= 0 && near[1] < v.Height && plane.Pix[near[1]*v.Width+near[0]] == class
			}
			if !found {
				t.Fatalf("%s, %s: pixel (%d, %d) is not at voxel %v", name, reader.Name, i%w, i/w, near)
			}
		}
	}
	if marked == 0 {
		t.Fatalf("%s: nothing is marked", name)
	}
}

// frameAt is a frame whose first pixel lies at a point, axial or coronal.
func frameAt(x, y, z float64, coronal bool) (dicomtest.Frame, segd.Affine) {
	f := dicomtest.Frame{Position: fmt.Sprintf(`%g\%g\%g`, x, y, z)}
	if coronal {
		f.Orientation = `1\0\0\0\0\-1`
		return f, segd.Affine{{2, 0, 0, x}, {0, 0, 3, y}, {0, -2, 0, z}}
	}
	return f, segd.Affine{{2, 0, 0, x}, {0, 2, 0, y}, {0, 0, 3, z}}
}

// The frames of an enhanced file are volumes that lie where they do, in whichever
// order they come, or none is written and the reason given.
func TestSegmentEnhancedNIfTI(t *testing.T) {
	type frame struct {
		y, z    float64
		coronal bool
		time    int
	}
	for name, tt := range map[string]struct {
		frames  []frame
		volumes []string
		times   int
		said    string // on standard error
	}{
		"falling":  {[]frame{{0, 6, false, 1}, {0, 3, false, 1}, {0, 0, false, 1}}, []string{"s"}, 1, ""},
		"phases":   {[]frame{{0, 6, false, 1}, {0, 6, false, 2}, {0, 3, false, 2}, {0, 3, false, 1}}, []string{"s"}, 2, ""},
		"tilted":   {[]frame{{0, 0, false, 1}, {1.4, 3, false, 1}, {2.8, 6, false, 1}, {4.2, 9, false, 1}}, []string{"s"}, 1, "tilted by 25.0 degrees"},
		"backward": {[]frame{{4.2, 0, false, 1}, {2.8, 3, false, 1}, {1.4, 6, false, 1}, {0, 9, false, 1}}, []string{"s"}, 1, "tilted by 25.0 degrees"},
		"split":    {[]frame{{0, 0, true, 1}, {3, 0, true, 1}, {0, 6, false, 1}, {0, 3, false, 1}}, []string{"s_1", "s_2"}, 1, "_1: frames 1 to 2; nifti _2: frames 4 to 3"},
		"gap":      {[]frame{{0, 0, false, 1}, {0, 3, false, 1}, {0, 9, false, 1}, {0, 12, false, 1}}, nil, 0, "1 slice is missing along the normal: between 2 and 3, at 6 mm"},
		"missing":  {[]frame{{0, 0, false, 1}, {0, 0, false, 2}, {0, 3, false, 1}}, nil, 0, "temporal position (0020,9128) 2 is missing"},
	} {
		var list []dicomtest.Frame
		var lies []segd.Affine
		for _, f := range tt.frames {
			x, m := frameAt(-10, f.y, f.z, f.coronal)
			x.Temporal = f.time
			list, lies = append(list, x), append(lies, m)
		}
		in, out := t.TempDir(), t.TempDir()
		write(t, filepath.Join(in, "s.dcm"), dicomtest.Write(dicomtest.Enhanced(16, list)))
		code, _, stderr := command(t, "segment", "-i", in, "-o", out, "-m", brightModel(t), "--output", "nifti,mask,json", "--progress", "none")
		want := exitDone
		if tt.volumes == nil {
			want = exitPartial
		}
		if code != want || !strings.Contains(stderr, tt.said) {
			t.Errorf("%s: exit %d: %s", name, code, stderr)
		}
		files := tree(t, out)
		var got []string
		for _, n := range names(files) {
			if stem, ok := strings.CutPrefix(n, "nifti/"); ok {
				got = append(got, strings.TrimSuffix(stem, ".nii.gz"))
			}
		}
		if !slices.Equal(got, tt.volumes) {
			t.Errorf("%s: volumes %v, want %v", name, got, tt.volumes)
			continue
		}
		var r engine.Result
		if err := json.Unmarshal([]byte(files["json/s.json"]), &r); err != nil || len(r.Frames) != len(list) || (r.Refused != "") != (tt.volumes == nil) {
			t.Errorf("%s: %v, %+v", name, err, r)
		}
		if len(r.Volumes) != len(tt.volumes)*tt.times {
			t.Errorf("%s: %d volumes are measured", name, len(r.Volumes))
		}
		for _, v := range r.Volumes { // a square of 4×4 in each of its frames
			if k := v.Classes[0]; k.Voxels != 16*v.Depth || *k.VolumeMM3 < float64(k.Voxels) {
				t.Errorf("%s: volume %d, time %d: %+v of %d planes", name, v.Volume, v.Time, k, v.Depth)
			}
		}
		for i, m := range lies {
			mask := readPNG(t, filepath.Join(out, "mask", fmt.Sprintf("s_%04d.png", i+1))).(*image.Paletted)
			if len(got) > 0 {
				volume := "nifti/s.nii.gz"
				if len(got) > 1 {
					volume = fmt.Sprintf("nifti/s_%d.nii.gz", 1+i/2)
				}
				if v, err := nifti.Read([]byte(files[volume])); err != nil || v.Times != tt.times {
					t.Errorf("%s: %v, %+v", name, err, v)
				}
				inPlace(t, fmt.Sprintf("%s, frame %d", name, i+1), files[volume], mask, m)
			}
		}
	}
}

// The volume of a series under a tilted gantry is upright, its slices where they
// lie, and so is each file of one that makes up none.
func TestSegmentTiltedSeries(t *testing.T) {
	for name, tt := range map[string]struct {
		ys, zs []float64
		files  int
		said   string
	}{
		"tilted": {[]float64{0, 1.1, 2.2, 3.3}, []float64{0, 3, 6, 9}, 1, "a tilted gantry"},
		"gap":    {[]float64{0, 0, 0, 0}, []float64{0, 3, 9, 12}, 4, "1 slice is missing along the normal: between 2 and 3, at 6 mm"},
		"copy":   {[]float64{0, 0, 0, 0}, []float64{0, 3, 3, 6}, 4, "nothing says which comes first"},
	} {
		in, out := t.TempDir(), t.TempDir()
		for i := range tt.zs {
			f := with(slice(1, i+1, 0), "DS", map[uint32]string{0x00200032: fmt.Sprintf(`0\%g\%g`, tt.ys[i], tt.zs[i])})
			write(t, filepath.Join(in, fmt.Sprintf("%d.dcm", i+1)), dicomtest.Write(f))
		}
		code, _, stderr := command(t, "segment", "-i", in, "-o", out, "-m", brightModel(t), "--output", "nifti,mask", "--progress", "none")
		files := tree(t, out)
		if code != exitDone || !strings.Contains(stderr, tt.said) || len(files) != 4+tt.files {
			t.Errorf("%s: exit %d, %s, %v", name, code, stderr, names(files))
			continue
		}
		for i := range tt.zs {
			volume := "nifti/1.nii.gz"
			if tt.files > 1 {
				volume = fmt.Sprintf("nifti/%d.nii.gz", i+1)
			}
			mask := readPNG(t, filepath.Join(out, "mask", fmt.Sprintf("%d.png", i+1))).(*image.Paletted)
			inPlace(t, fmt.Sprintf("%s, slice %d", name, i+1), files[volume], mask, segd.Affine{{0.75, 0, 0, 0}, {0, 0.5, 0, tt.ys[i]}, {0, 0, 3, tt.zs[i]}})
		}
	}
}

// A scan that lies nowhere is a volume that says so.
func TestSegmentNIfTINowhere(t *testing.T) {
	in, out := t.TempDir(), t.TempDir()
	img, _ := phantom.Discs(1, 32, 32)
	datasettest.WritePNG(t, filepath.Join(in, "a.png"), img)
	write(t, filepath.Join(in, "b.dcm"), dicomtest.Write(dicomtest.Disc(32)))
	code, _, stderr := command(t, "segment", "-i", in, "-o", out, "-m", brightModel(t), "--output", "nifti", "--progress", "none")
	if code != exitDone || !strings.Contains(stderr, "a.png and 1 more: the nifti has no position") {
		t.Errorf("exit %d: %s", code, stderr)
	}
	for name, file := range tree(t, out) {
		b, err := niftitest.Unzip([]byte(file))
		if err != nil || b[252]|b[253]|b[254]|b[255] != 0 {
			t.Errorf("%s: codes %v, %v", name, b[252:256], err)
		}
	}
}
