package handlers

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image"
	"image/png"
	"mime/multipart"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"segd/dicomio/dicomtest"
	"segd/internal/engine"
	"segd/internal/nifti"
	"segd/internal/nifti/niftitest"
	"segd/models"
	"segd/models/modelstest"
)

const channelSide = 16

// withChannels adds the model lesions, of the channels T1, T2 and FLAIR: foreground is
// where T1 is bright and T2 is not.
func withChannels(t *testing.T, c *Config) {
	t.Helper()
	dir := t.TempDir()
	if err := modelstest.SaveChannels(filepath.Join(dir, "lesions"), "lesions"); err != nil {
		t.Fatal(err)
	}
	if err := modelstest.Save(filepath.Join(dir, "bright"), "bright"); err != nil {
		t.Fatal(err)
	}
	catalogue := &models.Catalogue{}
	if err := catalogue.AddDir(dir); err != nil {
		t.Fatal(err)
	}
	c.Models = catalogue
}

// bars is a channel: bright from column low to below high.
func bars(low, high int) *image.Gray {
	m := image.NewGray(image.Rect(0, 0, channelSide, channelSide))
	for i := range m.Pix {
		if x := i % channelSide; x >= low && x < high {
			m.Pix[i] = 200
		}
	}
	return m
}

func barsPNG(t *testing.T, low, high int) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, bars(low, high)); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// barsNIfTI is a channel of two planes, beside mm to the side.
func barsNIfTI(low, high int, beside float64) []byte {
	v := niftitest.Volume{Width: channelSide, Height: channelSide, Depth: 2, Affine: [3][4]float64{{-1, 0, 0, beside}, {0, -1, 0, 0}, {0, 0, 3, 0}}}
	for range 2 {
		for _, p := range bars(low, high).Pix {
			v.Values = append(v.Values, int16(p))
		}
	}
	return niftitest.Write(v)
}

// part is a file part of a form.
type part struct {
	name string
	file []byte
}

// parts is a multipart form of files.
func parts(t *testing.T, url string, list ...part) *http.Request {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for _, p := range list {
		f, err := w.CreateFormFile(p.name, "Zyxwvut.png")
		if err != nil {
			t.Fatal(err)
		}
		_, _ = f.Write(p.file) // a buffer takes all
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	r := request(t, http.MethodPost, url, &b)
	r.Header.Set("Content-Type", w.FormDataContentType())
	return r
}

func TestSegmentChannels(t *testing.T) {
	url := start(t, newServer(t, func(c *Config) { withChannels(t, c) })) + "/v1/segment"
	first, second, third := barsPNG(t, 3, 12), barsPNG(t, 7, 14), barsPNG(t, 0, 15)
	want := func(t *testing.T, m image.Image) {
		t.Helper()
		p, ok := m.(*image.Paletted)
		if !ok {
			t.Fatalf("mask is a %T", m)
		}
		for i, v := range p.Pix {
			if x := i % channelSide; (v == 1) != (x >= 3 && x < 7) {
				t.Fatalf("class %d at column %d, want 1 from 3 to 6", v, x)
			}
		}
	}
	// In whatever order they come.
	a := do(t, parts(t, url+"?model=lesions&output=mask", part{"file_0002", third}, part{"file_0000", first}, part{"file_0001", second}))
	wantOK(t, a, "image/png")
	want(t, decodePNG(t, a.body))
	// auto takes the one model that takes them, whatever the file's kind.
	a = do(t, parts(t, url+"?output=json", part{"file_0000", barsNIfTI(3, 12, 0)}, part{"file_0001", barsNIfTI(7, 14, 0)}, part{"file_0002", barsNIfTI(0, 15, 0)}))
	wantOK(t, a, "application/json")
	var r engine.Result
	if err := json.Unmarshal(a.body, &r); err != nil || r.Model != "lesions" || r.FrameCount != 2 || r.Frames[1].Classes[0].Pixels != 4*channelSide {
		t.Errorf("%v: %.600s", err, a.body)
	}
	// One channel alone is a file.
	a = do(t, parts(t, url+"?model=bright&output=mask", part{"file_0000", first}))
	wantOK(t, a, "image/png")
	// Channels that lie on the disk; what follows a picture is not looked at.
	large := make([]byte, inMemory)
	a = do(t, parts(t, url+"?model=lesions&output=mask", part{"file_0000", append(first, large...)}, part{"file_0001", append(second, large...)}, part{"file_0002", third}))
	wantOK(t, a, "image/png")
	want(t, decodePNG(t, a.body))
	// The volume lies as the first channel does.
	a = do(t, parts(t, url+"?model=lesions&output=nifti", part{"file_0000", barsNIfTI(3, 12, 7)}, part{"file_0001", barsNIfTI(7, 14, 7)}, part{"file_0002", barsNIfTI(0, 15, 7)}))
	wantOK(t, a, "application/gzip")
	if h, err := nifti.ReadHeader(a.body); err != nil || h.Affine[0][3] != 7 || h.Depth != 2 {
		t.Errorf("volume %+v, %v", h, err)
	}
}

func TestSegmentChannelsRefused(t *testing.T) {
	server := start(t, newServer(t, func(c *Config) { withChannels(t, c) }))
	url := server + "/v1/segment"
	first, second, third := barsPNG(t, 3, 12), barsPNG(t, 7, 14), barsPNG(t, 0, 15)
	patient := func(id string) []byte {
		f := dicomtest.Disc(channelSide)
		f.Elements = append(f.Elements, dicomtest.Element{Tag: 0x00100020, VR: "LO", Value: id})
		return dicomtest.Write(f)
	}
	for _, tt := range []struct {
		name, query string
		list        []part
		status      int
		want        string
	}{
		{"missing", "model=lesions", []part{{"file_0000", first}, {"file_0002", third}}, 422, "file_0000, file_0002 are there, file_0001 is missing"},
		{"missing first", "model=lesions", []part{{"file_0001", first}}, 422, "file_0000 is missing"},
		{"twice", "model=lesions", []part{{"file_0000", first}, {"file_0000", second}}, 422, "file_0000 comes twice"},
		{"digits", "model=lesions", []part{{"file_1", first}}, 400, "want file_0000"},
		{"both", "model=lesions", []part{{"file", first}, {"file_0000", first}}, 400, "one or the other"},
		{"both, turned", "model=lesions", []part{{"file_0000", first}, {"file", first}}, 400, "one or the other"},
		{"too few", "model=lesions", []part{{"file_0000", first}, {"file_0001", second}}, 422, "2 channels for model lesions, which takes 3: T1, T2, FLAIR"},
		{"single part", "model=lesions", []part{{"file_0000", first}}, 422, "a single image for model lesions"},
		{"single file", "model=lesions", []part{{"file", first}}, 422, "T1, T2, FLAIR"},
		{"too many", "model=lesions", []part{{"file_0000", first}, {"file_0001", second}, {"file_0002", third}, {"file_0003", third}}, 422, "4 channels for model lesions"},
		{"a model of one", "model=bright", []part{{"file_0000", first}, {"file_0001", second}}, 422, "takes a single image"},
		{"auto without such a model", "", []part{{"file_0000", first}, {"file_0001", second}}, 422, "no model"},
		{"sizes", "model=lesions", []part{{"file_0000", first}, {"file_0001", dicomtest.Write(dicomtest.Disc(30))}, {"file_0002", third}}, 422, "file_0001 has 30×30 pixels"},
		{"beside", "model=lesions", []part{{"file_0000", barsNIfTI(3, 12, 0)}, {"file_0001", barsNIfTI(7, 14, 8)}, {"file_0002", barsNIfTI(0, 15, 0)}}, 422, "file_0001 lies 8 mm"},
		{"patients", "model=lesions", []part{{"file_0000", patient("Q1")}, {"file_0001", patient("Q2")}, {"file_0002", patient("Q1")}}, 422, "another patient"},
		{"damaged", "model=lesions", []part{{"file_0000", first}, {"file_0001", second[:40]}, {"file_0002", third}}, 400, "file_0001"},
		{"no scan", "model=lesions", []part{{"file_0000", first}, {"file_0001", []byte(strings.Repeat("text ", 30))}}, 415, "file_0001"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := do(t, parts(t, url+"?output=mask&"+tt.query, tt.list...))
			p := wantProblem(t, a, tt.status, tt.want)
			for _, private := range append(dicomtest.Patient, "Q1", "Q2", "Zyxwvut") {
				if strings.Contains(p.Detail, private) {
					t.Errorf("detail %q holds %q", p.Detail, private)
				}
			}
		})
	}
	t.Run("inspect", func(t *testing.T) {
		a := do(t, parts(t, server+"/v1/inspect?model=lesions", part{"file_0000", first}, part{"file_0001", second}, part{"file_0002", third}))
		wantOK(t, a, "application/json")
		if !strings.Contains(string(a.body), "channels taken as T1, T2, FLAIR") {
			t.Errorf("%s", a.body)
		}
		wantProblem(t, do(t, parts(t, server+"/v1/inspect?model=lesions", part{"file", first})), 422, "T1, T2, FLAIR")
	})
	t.Run("many parts", func(t *testing.T) {
		var list []part
		for k := range maxFields + 2 {
			list = append(list, part{fmt.Sprintf("file_%04d", k), first})
		}
		wantProblem(t, do(t, parts(t, url+"?model=lesions", list...)), 413, "parts")
	})
}
