package handlers

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"image"
	"image/color"
	"image/png"
	"io"
	"math"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"segd/internal/engine"
	"segd/internal/nifti/niftitest"
	"segd/internal/scanio"
	"segd/models"
	"segd/models/modelstest"
)

// valueServer serves a model that gives 1000 times an image's brightness; of it
// the darkest pixel has 0 and the brightest 1.
func valueServer(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := modelstest.SaveValues(filepath.Join(dir, "thousand"), "thousand"); err != nil {
		t.Fatal(err)
	}
	var catalogue models.Catalogue
	if err := catalogue.AddDir(dir); err != nil {
		t.Fatal(err)
	}
	return start(t, newServer(t, func(c *Config) { c.Models = &catalogue }))
}

// wedge is an image whose brightness is 0, 1 … 15 by column.
func wedge(t *testing.T) []byte {
	t.Helper()
	m := image.NewGray(image.Rect(0, 0, 16, 16))
	for i := range 256 {
		m.SetGray(i%16, i/16, color.Gray{Y: uint8(i % 16)})
	}
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// wantWedge holds values, a label of which they are read as, to the model's.
func wantWedge(t *testing.T, b []byte, slack float64) {
	t.Helper()
	scan, err := scanio.ReadValues(b)
	if err != nil {
		t.Fatal(err)
	}
	for plane := range scan.Frames {
		img, err := scan.Frame(plane)
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range img.Pix {
			if want := 1000 * float64(i%16) / 15; math.Abs(float64(v)-want) > slack {
				t.Fatalf("%s, plane %d, pixel %d: %v, want %v", scan.Format, plane, i, v, want)
			}
		}
	}
}

// A model of values is listed, answers what can be made of values, and nothing that
// is made of classes comes from it, wherever it is named.
func TestModelOfValues(t *testing.T) {
	url := valueServer(t)
	if a := get(t, url+"/v1/models/thousand"); a.status != http.StatusOK || !strings.Contains(string(a.body), `"values"`) {
		t.Errorf("card: status %d, %s", a.status, a.body)
	}
	segment := url + "/v1/segment?model=thousand"
	for _, output := range []string{"", "&output=value"} {
		a := post(t, segment+output, wedge(t))
		wantOK(t, a, "image/png")
		wantWedge(t, a.body, 0.5)
	}
	a := post(t, segment+"&output=tiff", wedge(t))
	wantOK(t, a, "image/tiff")
	wantWedge(t, a.body, 1e-3)
	volume := niftitest.Volume{Width: 16, Height: 16, Depth: 2}
	for i := range 2 * 256 {
		volume.Values = append(volume.Values, int16(i%16))
	}
	a = post(t, segment+"&output=nifti", niftitest.Write(volume))
	wantOK(t, a, "application/gzip")
	wantWedge(t, a.body, 1e-3)

	a = post(t, segment+"&output=json", wedge(t))
	wantOK(t, a, "application/json")
	var r engine.Result
	if err := json.Unmarshal(a.body, &r); err != nil || len(r.Frames) != 1 || r.Frames[0].Values == nil ||
		r.Frames[0].Values.Min != 0 || math.Abs(r.Frames[0].Values.Max-1000) > 1e-3 || math.Abs(r.Frames[0].Values.Mean-500) > 1e-3 {
		t.Errorf("%v: %s", err, a.body)
	}
	if a = do(t, form(t, url+"/v1/segment", "file", wedge(t), "model", "thousand", "output", "value")); a.status != http.StatusOK {
		t.Errorf("in a form: status %d", a.status)
	}

	for _, output := range []string{"mask", "overlay", "seg", "sr", "rtstruct", "gsps", "sc"} {
		wantProblem(t, post(t, segment+"&output="+output, wedge(t)), http.StatusBadRequest, "predicts values")
		wantProblem(t, do(t, form(t, url+"/v1/segment", "file", wedge(t), "model", "thousand", "output", output)), http.StatusBadRequest, "predicts values")
	}
	for _, option := range []string{"threshold=0.5", "min_size=4"} {
		wantProblem(t, post(t, segment+"&"+option, wedge(t)), http.StatusBadRequest, "apply to classes")
	}
	wantProblem(t, post(t, url+"/v1/segment?model=auto", wedge(t)), http.StatusUnprocessableEntity, "no model")
	wantProblem(t, post(t, url+"/v1/segment?output=tiff", wedge(t)), http.StatusBadRequest, "name one")
	classes := start(t, newServer(t, nil))
	for _, output := range []string{"value", "tiff"} {
		wantProblem(t, post(t, classes+"/v1/segment?model=bright&output="+output, wedge(t)), http.StatusBadRequest, "predicts classes")
	}
}

// unzipped is the files of an archive.
func unzipped(t *testing.T, b []byte) (files map[string][]byte, names []string) {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	files = map[string][]byte{}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		if files[f.Name], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
		names = append(names, f.Name)
	}
	return files, names
}

// A zip of everything holds what single answers are, to the byte, times aside.
func TestSegmentZip(t *testing.T) {
	url := start(t, newServer(t, nil)) + "/v1/segment?model=bright"
	volume := niftitest.Volume{Width: 16, Height: 16, Depth: 2}
	for i := range 2 * 256 {
		volume.Values = append(volume.Values, int16(i%16*(1+i/256)))
	}
	file := niftitest.Write(volume)
	a := post(t, url+"&output=zip&alpha=0.5", file)
	wantOK(t, a, "application/zip")
	files, names := unzipped(t, a.body)
	if diff := cmp.Diff([]string{"image_0001.png", "mask_0001.png", "overlay_0001.png", "image_0002.png", "mask_0002.png", "overlay_0002.png", "segd.json"}, names); diff != "" {
		t.Fatal(diff)
	}
	for _, kind := range []string{"mask", "overlay"} {
		one := post(t, url+"&alpha=0.5&frame=2&output="+kind, file)
		if !bytes.Equal(one.body, files[kind+"_0002.png"]) {
			t.Errorf("%s differs", kind)
		}
	}
	bare := post(t, url+"&alpha=0&min_size=1000000&frame=2&output=overlay", file)
	if !bytes.Equal(bare.body, files["image_0002.png"]) {
		t.Error("the image is not what the overlay is without its mask")
	}
	var want, got engine.Result
	if err := json.Unmarshal(files["segd.json"], &got); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(post(t, url+"&output=json", file).body, &want); err != nil {
		t.Fatal(err)
	}
	for _, r := range []*engine.Result{&want, &got} {
		if r.NetworkMS == nil || *r.NetworkMS <= 0 {
			t.Error("no time in the network")
		}
		r.NetworkMS = nil
		for _, f := range r.Frames {
			f.NetworkMS = nil
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("measurements (-json +zip):\n%s", diff)
	}
	if _, names := unzipped(t, post(t, url+"&output=zip&frame=2", file).body); !cmp.Equal(names, []string{"image_0002.png", "mask_0002.png", "overlay_0002.png", "segd.json"}) {
		t.Errorf("of one frame: %v", names)
	}
	values := post(t, valueServer(t)+"/v1/segment?model=thousand&output=zip", wedge(t))
	files, names = unzipped(t, values.body)
	if !cmp.Equal(names, []string{"image_0001.png", "value_0001.png", "tiff_0001.tiff", "segd.json"}) {
		t.Errorf("of values: %v", names)
	}
	wantWedge(t, files["tiff_0001.tiff"], 1e-3)
}
