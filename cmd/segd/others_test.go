package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"segd"
	"segd/dicomio"
	"segd/dicomio/dicomtest"
	"segd/internal/nifti/niftitest"
	"segd/internal/pythontest"
)

// readPlane is a plane as testdata/volumes.py takes it.
type readPlane struct {
	Mask   string     `json:"mask"`
	Source string     `json:"source"`
	Frame  int        `json:"frame"`
	Origin [3]float64 `json:"origin"`
	Right  [3]float64 `json:"right"`
	Down   [3]float64 `json:"down"`
}

// planeOf is that of a plane of a volume that lies at m.
func planeOf(m segd.Affine, k int) readPlane {
	return readPlane{Origin: m.Apply([3]float64{0, 0, float64(k)}), Right: m.Column(0), Down: m.Column(1)}
}

// TestOthersReadVolumes has nibabel, SimpleITK, pynrrd and highdicom read the volumes
// and segmentations of scans of every form, and compares each voxel with the masks.
func TestOthersReadVolumes(t *testing.T) {
	t.Parallel()
	const modules = "numpy, SimpleITK, nrrd, nibabel, highdicom, PIL"
	python := pythontest.Find(modules)
	if python == "" {
		t.Skipf("no Python with %s; SEGD_PYTHON names an interpreter", modules)
	}
	model := brightModel(t)
	for name, make := range map[string]func(t *testing.T, in string) (planes []readPlane, pictures []string, volume string){
		"a series": func(t *testing.T, in string) (planes []readPlane, pictures []string, volume string) {
			stacked(t, in, 9, 3, 6, 12)
			return seriesPlanes(t, in, 4)
		},
		"phases": func(t *testing.T, in string) (planes []readPlane, pictures []string, volume string) {
			stacked(t, in, 9, 3, 3, 9) // numbers fall from file to file
			planes, pictures, volume = seriesPlanes(t, in, 4)
			planes[0], planes[3] = planes[3], planes[0]
			planes[1], planes[2] = planes[2], planes[1]
			pictures[0], pictures[3] = pictures[3], pictures[0]
			pictures[1], pictures[2] = pictures[2], pictures[1]
			return planes, pictures, volume
		},
		"an enhanced file": func(t *testing.T, in string) (planes []readPlane, pictures []string, volume string) {
			var list []dicomtest.Frame
			for i, z := range []float64{6, 3, 0, 9} {
				f, m := frameAt(-10, 5, z, false)
				list, planes, pictures = append(list, f), append(planes, planeOf(m, 0)), append(pictures, fmt.Sprintf("s_%04d", i+1))
			}
			b := dicomtest.Write(dicomtest.Enhanced(16, list))
			write(t, filepath.Join(in, "s.dcm"), b)
			source, err := dicomio.OpenSource(b)
			if err != nil {
				t.Fatal(err)
			}
			for i := range planes {
				planes[i].Source, planes[i].Frame = source.Instance(), i+1
			}
			return planes, pictures, "s"
		},
		"an oblique NIfTI file": func(t *testing.T, in string) (planes []readPlane, pictures []string, volume string) {
			v := niftitest.Volume{Width: 9, Height: 7, Depth: 5, Distance: [3]float64{0.5, 0.5, 3}, Affine: [3][4]float64{{0, -0.3, 2.4, -12.25}, {0.5, 0, 0, 31.5}, {0, 0.4, 1.8, 7.125}}}
			for i := range 9 * 7 * 5 {
				v.Values = append(v.Values, int16(900*(i*7%5/3)))
			}
			write(t, filepath.Join(in, "v.nii.gz"), niftitest.Write(v))
			m := segd.Affine(v.Affine).RAS()
			for k := range v.Depth {
				planes, pictures = append(planes, planeOf(m, k)), append(pictures, fmt.Sprintf("v_%04d", k+1))
			}
			return planes, pictures, "v"
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in, out := t.TempDir(), t.TempDir()
			planes, pictures, volume := make(t, in)
			kinds := "mask,nifti,nrrd,mha"
			spec := map[string]any{"volume": name != "phases", "files": map[string]string{
				"nifti": filepath.Join(out, "nifti", volume+".nii.gz"), "nrrd": filepath.Join(out, "nrrd", volume+".nrrd"), "mha": filepath.Join(out, "mha", volume+".mha"),
			}}
			if planes[0].Source != "" {
				kinds += ",seg"
				spec["files"].(map[string]string)["seg"] = filepath.Join(out, "seg", volume+".dcm")
			}
			done(t, "segment", "-i", in, "-o", out, "-m", model, "--output", kinds, "--progress", "none")
			for i := range planes {
				planes[i].Mask = filepath.Join(out, "mask", pictures[i]+".png")
			}
			spec["planes"] = planes
			b, err := json.Marshal(spec)
			if err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(t.TempDir(), "spec.json")
			if err := os.WriteFile(file, b, 0o600); err != nil {
				t.Fatal(err)
			}
			said, err := exec.Command(python, filepath.Join("testdata", "volumes.py"), file).CombinedOutput()
			if err != nil || len(strings.TrimSpace(string(said))) > 0 {
				t.Errorf("%v: %s", err, said)
			}
		})
	}
}

// seriesPlanes are the planes of the first n files of a folder, 1.dcm and so on.
func seriesPlanes(t *testing.T, in string, n int) (planes []readPlane, pictures []string, volume string) {
	t.Helper()
	for i := range n {
		b, err := os.ReadFile(filepath.Join(in, fmt.Sprintf("%d.dcm", i+1)))
		if err != nil {
			t.Fatal(err)
		}
		source, err := dicomio.OpenSource(b)
		if err != nil {
			t.Fatal(err)
		}
		origin, right, down, ok := source.FramePlane(0)
		if !ok {
			t.Fatal("a slice without a place")
		}
		planes = append(planes, readPlane{Source: source.Instance(), Origin: origin, Right: right, Down: down})
		pictures = append(pictures, fmt.Sprint(i+1))
	}
	return planes, pictures, "1"
}
