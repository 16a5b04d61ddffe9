package main

import (
	"encoding/json"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"segd/dicomio"
	"segd/dicomio/dicomtest"
	"segd/internal/engine"
	"segd/internal/metaimage"
	"segd/internal/nifti"
	"segd/internal/nifti/niftitest"
	"segd/internal/nrrd"
)

// image is a slice of a series: the file's name, where it lies, and what tells it
// from others.
type oneSlice struct {
	name     string
	number   int // instance number, and the last part of its UID
	z        float64
	coronal  bool
	taken    int // acquisition number; 0: none
	rows     int // 0: 24
	repeated bool
}

func (s oneSlice) write(t *testing.T, dir string) {
	t.Helper()
	f := slice(1, s.number, s.z)
	if s.rows > 0 {
		f = dicomtest.Disc(s.rows)
		f.Elements = slice(1, s.number, s.z).Elements
	}
	more := map[uint32]string{0x00200013: fmt.Sprint(s.number)}
	if s.taken > 0 {
		more[0x00200012] = fmt.Sprint(s.taken)
	}
	f = with(f, "IS", more)
	if s.coronal {
		f = with(f, "DS", map[uint32]string{0x00200032: fmt.Sprintf(`0\%g\0`, s.z), 0x00200037: `1\0\0\0\0\-1`})
	}
	write(t, filepath.Join(dir, s.name), dicomtest.Write(f))
}

func row(first int, zs ...float64) (list []oneSlice) {
	for i, z := range zs {
		list = append(list, oneSlice{name: fmt.Sprintf("%02d.dcm", first+i), number: first + i, z: z})
	}
	return list
}

func each(list []oneSlice, change func(*oneSlice)) []oneSlice {
	for i := range list {
		change(&list[i])
	}
	return list
}

// TestSegmentSeriesForms holds what becomes of a series: which volumes it makes, how
// many frames its segmentation has, and what is said, with every output.
func TestSegmentSeriesForms(t *testing.T) {
	t.Parallel()
	coronal := func(s *oneSlice) { s.coronal = true }
	taken := func(n int) func(*oneSlice) { return func(s *oneSlice) { s.taken = n } }
	model := brightModel(t)
	for name, tt := range map[string]struct {
		list    []oneSlice
		volumes []string // names, with planes and times
		frames  string   // of each segmentation
		said    []string
	}{
		"sorted":        {row(1, 9, 3, 6, 0), []string{"01 4×1"}, "01 4", nil},
		"a gap":         {row(1, 0, 3, 6, 12, 15), nil, "01 5", []string{"01.dcm and 4 more: 5 slices of the series make up no volume: 1 slice is missing along the normal: between 3 and 4, at 9 mm; the others lie 3 mm apart"}},
		"uneven":        {row(1, 0, 3, 7, 12, 15), nil, "01 5", []string{"unevenly spaced: 3 to 5 mm apart"}},
		"rounded":       {row(1, 0, 0.6, 1.3, 1.9, 2.5), []string{"01 5×1"}, "01 5", []string{"off even steps of 0.625 mm: they count as even"}},
		"a copy":        {append(row(1, 0, 3, 6), oneSlice{name: "copy.dcm", number: 2, z: 3}), []string{"01 3×1"}, "01 3", []string{"copy.dcm: not segmented: it is a copy of ", "each image counts once", "3 of 3 images"}},
		"a stolen UID":  {append(row(1, 0, 3, 6), oneSlice{name: "other.dcm", number: 2, z: 3, repeated: true}), nil, "01 4", []string{"1 file of the series: the SOP Instance UID (0008,0018) is that of another file with other pixels"}},
		"phases":        {append(row(1, 0, 3, 6), row(4, 0, 3, 6)...), []string{"01 3×2"}, "01 6", nil},
		"acquisitions":  {append(each(row(1, 0, 3, 6), taken(1)), each(row(4, 0, 3, 6, 9), taken(2))...), []string{"01 3×1", "04 4×1"}, "01 7", []string{"they are 2 stacks, with 3, 4 slices"}},
		"a localizer":   {append(each(row(1, 0), coronal), row(2, 0, 3, 6)...), []string{"01 1×1", "02 3×1"}, "01 4", []string{"they are 2 stacks, with 1, 3 slices"}},
		"mixed sizes":   {append(row(1, 0, 3, 6), each(row(4, 9, 12), func(s *oneSlice) { s.rows = 32 })...), []string{"01 3×1", "04 2×1"}, "01 3 04 2", nil},
		"a phase short": {append(row(1, 0, 3, 6), row(4, 0, 3)...), nil, "01 5", []string{"2 slices at one position but 1 at another, 6 mm along the normal"}},
	} {
		for _, output := range []string{"seg", "mask,seg,nifti,nrrd,mha,csv,json"} {
			in, out := t.TempDir(), t.TempDir()
			for _, s := range tt.list {
				s.write(t, in)
				if s.repeated {
					f := slice(1, s.number, s.z)
					f.Pixels = make([]byte, len(f.Pixels))
					write(t, filepath.Join(in, s.name), dicomtest.Write(with(f, "IS", map[uint32]string{0x00200013: "9"})))
				}
			}
			code, _, stderr := command(t, "segment", "-i", in, "-o", out, "-m", model, "--output", output, "--progress", "none")
			for _, text := range tt.said {
				if !strings.Contains(stderr, text) && text != "3 of 3 images" {
					t.Errorf("%s, %s: %q does not say %q", name, output, stderr, text)
				}
			}
			if code != exitDone || tt.said == nil && strings.Contains(stderr, "warning") && name != "mixed sizes" {
				t.Errorf("%s, %s: exit %d, %s", name, output, code, stderr)
			}
			files := tree(t, out)
			var frames []string
			for _, n := range names(files) {
				if stem, ok := strings.CutPrefix(n, "seg/"); ok {
					scan, err := dicomio.Read([]byte(files[n]))
					if err != nil {
						t.Fatal(name, err)
					}
					frames = append(frames, fmt.Sprint(strings.TrimSuffix(stem, ".dcm"), " ", scan.Frames))
				}
			}
			if got := strings.Join(frames, " "); got != tt.frames {
				t.Errorf("%s, %s: segmentations %q, want %q", name, output, got, tt.frames)
			}
			if output != "seg" && tt.volumes != nil {
				sameVolumes(t, name, files, tt.volumes)
			}
		}
	}
}

// sameVolumes checks that the volumes are those that are wanted in each format, and
// that the figures of the table and the JSON are those of their voxels.
func sameVolumes(t *testing.T, name string, files map[string]string, want []string) {
	t.Helper()
	var got []string
	for _, n := range names(files) {
		stem, ok := strings.CutPrefix(n, "nifti/")
		if !ok {
			continue
		}
		stem = strings.TrimSuffix(stem, ".nii.gz")
		v, err := nifti.Read([]byte(files[n]))
		if err != nil {
			t.Fatal(name, err)
		}
		got = append(got, fmt.Sprintf("%s %d×%d", stem, v.Depth, v.Times))
		other, err := nrrd.Read([]byte(files["nrrd/"+stem+".nrrd"]))
		if err != nil {
			t.Fatal(name, err)
		}
		third, err := metaimage.Read([]byte(files["mha/"+stem+".mha"]))
		if err != nil {
			t.Fatal(name, err)
		}
		for _, w := range []*nifti.Volume{other, third} {
			a, okA := v.Grid()
			b, okB := w.Grid()
			if !okA || !okB || a.Size != b.Size || v.Times != w.Times || far(a.Affine, b.Affine) > 1e-5 {
				t.Errorf("%s: %s lies at %v, want %v", name, stem, b, a)
			}
			for k := range v.Planes() {
				x, errX := v.Labels(k)
				y, errY := w.Labels(k)
				if errX != nil || errY != nil || !slices.Equal(x.Pix, y.Pix) {
					t.Fatalf("%s: plane %d of %s differs: %v, %v", name, k, stem, errX, errY)
				}
			}
		}
		if v.Depth > 1 {
			sameFigures(t, name+" "+stem, files, stem, v)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("%s: volumes %v, want %v", name, got, want)
	}
}

func far(a, b [3][4]float64) (d float64) {
	for r := range 3 {
		for c := range 4 {
			d = max(d, math.Abs(a[r][c]-b[r][c]))
		}
	}
	return d
}

// sameFigures checks rows of the table and the JSON of the first file of a volume.
func sameFigures(t *testing.T, name string, files map[string]string, stem string, v *nifti.Volume) {
	t.Helper()
	var r engine.Result
	if err := json.Unmarshal([]byte(files["json/"+stem+".json"]), &r); err != nil || len(r.Volumes) != v.Times || len(r.Frames) != 1 {
		t.Fatalf("%s: %v, %d volumes", name, err, len(r.Volumes))
	}
	var rows []map[string]string
	for _, row := range readCSV(t, files["segd.csv"]) {
		if row["file"] == stem+".dcm" && row["frame"] == "" {
			rows = append(rows, row)
		}
	}
	if len(rows) != v.Times {
		t.Fatalf("%s: %d rows", name, len(rows))
	}
	for time := range v.Times {
		voxels := 0
		for k := range v.Depth {
			m, err := v.Labels(time*v.Depth + k)
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range m.Pix {
				voxels += int(c)
			}
		}
		k, row := r.Volumes[time].Classes[0], rows[time]
		mm3 := float64(voxels) * v.Affine.VoxelMM3()
		if k.Voxels != voxels || math.Abs(*k.VolumeMM3-mm3) > 1e-3*mm3 || k.Components != 1 || k.LargestVoxels != voxels || k.MeanProbability == nil {
			t.Errorf("%s: measured %+v, want %d voxels", name, k, voxels)
		}
		got, err := strconv.ParseFloat(row["volume_mm3"], 64)
		if err != nil || math.Abs(got-mm3) > 1e-3*mm3 || row["pixels"] != fmt.Sprint(voxels) || row["volume"] != "1" || row["components"] != "1" ||
			row["area_mm2"] != "" || (row["time"] == "") != (v.Times == 1) {
			t.Errorf("%s: row %v, want %d voxels, %g mm³", name, row, voxels, mm3)
		}
	}
}

// A volume in one file is measured too: two balls that touch in no plane and at no
// corner are two components, and a column through all planes is one.
func TestSegmentMeasuresVolume(t *testing.T) {
	t.Parallel()
	const w, h, d = 20, 12, 5
	v := niftitest.Volume{Width: w, Height: h, Depth: d, Distance: [3]float64{0.5, 0.75, 3},
		Affine: [3][4]float64{{-0.5, 0, 0, 10}, {0, 0.75, 0, -20}, {0, 0, 3, 7}}, Values: make([]int16, w*h*d)}
	for k := range d {
		v.Values[(k*h+5)*w+3+k] = 900 // leans from plane to plane
	}
	v.Values[(1*h+9)*w+15], v.Values[(1*h+9)*w+16] = 900, 900
	in, out := t.TempDir(), t.TempDir()
	write(t, filepath.Join(in, "vol.nii.gz"), niftitest.Write(v))
	v.Affine, v.Distance = [3][4]float64{}, [3]float64{2, 1, 1}
	write(t, filepath.Join(in, "nowhere.nii.gz"), niftitest.Write(v))
	done(t, "segment", "-i", in, "-o", out, "-m", brightModel(t), "--output", "json,csv", "--progress", "none")
	files := tree(t, out)
	for name, mm3 := range map[string]float64{"vol": 0.5 * 0.75 * 3, "nowhere": 2} {
		var r engine.Result
		if err := json.Unmarshal([]byte(files["json/"+name+".json"]), &r); err != nil || len(r.Volumes) != 1 || len(r.Frames) != d {
			t.Fatalf("%s: %v, %+v", name, err, r.Volumes)
		}
		m := r.Volumes[0]
		k := m.Classes[0]
		if *m.VoxelMM3 != mm3 || m.Depth != d || k.Voxels != d+2 || math.Abs(*k.VolumeMM3-mm3*(d+2)) > 1e-9 || k.Components != 2 || k.LargestVoxels != d || *k.LargestMM3 != mm3*d {
			t.Errorf("%s: measured %+v of %+v", name, k, m)
		}
		if *k.Box != [6]int{3, 5, 0, 14, 5, 5} {
			t.Errorf("%s: box %v", name, *k.Box)
		}
	}
	rows := readCSV(t, files["segd.csv"])
	if len(rows) != 2*(d+1) || rows[d]["frame"] != "" || rows[d]["components"] != "2" {
		t.Errorf("rows %v", rows)
	}
}
