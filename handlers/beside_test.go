package handlers

import (
	"bytes"
	"compress/gzip"
	"errors"
	"image"
	"mime/multipart"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// gz packs a file.
func gz(t testing.TB, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	_, err := z.Write(b)
	if err := errors.Join(err, z.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// formOf is a form of files in their order, each with its name.
func formOf(t *testing.T, url string, files ...named) *http.Request {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for _, f := range files {
		part, err := w.CreateFormFile("file", f.name)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = part.Write(f.b) // a buffer takes all
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	r := request(t, http.MethodPost, url, &b)
	r.Header.Set("Content-Type", w.FormDataContentType())
	return r
}

const apart = "ObjectType = Image\nNDims = 3\nDimSize = 24 20 2\nElementType = MET_UCHAR\nElementSpacing = 1 1 3\nElementDataFile = "

// A volume in two files comes as two parts, in any order, or in an archive, and gives the
// mask that the one file of both gives.
func TestSegmentFilesApart(t *testing.T) {
	s := newServer(t, nil)
	url := start(t, s) + "/v1/segment?model=bright&frame=2&output=mask"
	values := make([]byte, 24*20*2)
	for i := range values {
		if i%24 < 9 {
			values[i] = 200
		}
	}
	whole := append([]byte(apart+"LOCAL\n"), values...)
	a := post(t, url, whole)
	wantOK(t, a, "image/png")
	want := decodePNG(t, a.body).(*image.Paletted).Pix
	header, raw := named{"v.mhd", []byte(apart + "v.raw\n")}, named{"v.raw", values}
	list := named{"v.mhd", []byte(apart + "LIST\nb.dat\na.dat\n")}
	pair := make([]byte, 348)
	pair[0], pair[1], pair[40], pair[42], pair[44], pair[46], pair[70], pair[72] = 0x5c, 1, 3, 24, 20, 2, 2, 8
	for name, r := range map[string]*http.Request{
		"header first":   formOf(t, url, header, raw),
		"values first":   formOf(t, url, raw, header),
		"and a text":     formOf(t, url, header, named{"read.me", []byte("text")}, raw),
		"a list":         formOf(t, url, list, named{"a.dat", values[480:]}, named{"b.dat", values[:480]}),
		"analyze":        formOf(t, url, named{"p.hdr", pair}, named{"p.img", values}),
		"packed pair":    formOf(t, url, named{"p.img.gz", gz(t, values)}, named{"p.hdr.gz", gz(t, pair)}),
		"archive":        request(t, http.MethodPost, url, bytes.NewReader(archived(t, named{"s/v.raw", values}, named{"s/v.mhd", header.b}, named{"v.raw", []byte("no")}))),
		"gzip":           request(t, http.MethodPost, url, bytes.NewReader(gz(t, whole))),
		"gzip in a form": formOf(t, url, named{"v.mha.gz", gz(t, whole)}),
		"gzip in a zip":  request(t, http.MethodPost, url, bytes.NewReader(archived(t, named{"v.mha.gz", gz(t, whole)}))),
	} {
		a := do(t, r)
		if wantOK(t, a, "image/png"); !slices.Equal(decodePNG(t, a.body).(*image.Paletted).Pix, want) {
			t.Errorf("%s: another mask", name)
		}
	}
	inspect := strings.Replace(strings.Split(url, "?")[0], "segment", "inspect", 1)
	if a := do(t, formOf(t, inspect, header, raw)); !bytes.Contains(a.body, []byte(`"metaimage"`)) {
		t.Errorf("inspected: %s", a.body)
	}
	for name, tt := range map[string]struct {
		r      *http.Request
		status int
		detail string
	}{
		"header alone":     {formOf(t, url, header), 422, "did not come with it"},
		"header as a body": {request(t, http.MethodPost, url, bytes.NewReader(header.b)), 422, "did not come with it"},
		"another name":     {formOf(t, url, header, named{"w.raw", values}), 422, "did not come with it"},
		"values alone":     {formOf(t, url, raw), 415, "no image among the files"},
		"a path":           {formOf(t, url, named{"v.mhd", []byte(apart + "../v.raw\n")}, raw), 415, "another folder"},
		"two volumes":      {formOf(t, url, header, raw, named{"w.mha", whole}), 422, "one by one"},
		"gzip of text":     {request(t, http.MethodPost, url, bytes.NewReader(gz(t, []byte("text")))), 415, "content is not"},
		"cut gzip":         {request(t, http.MethodPost, url, bytes.NewReader(gz(t, whole)[:60])), 400, "truncated"},
	} {
		a := do(t, tt.r)
		if p := wantProblem(t, a, tt.status, tt.detail); strings.Contains(p.Detail, "v.raw") {
			t.Errorf("%s: a name in %q", name, p.Detail)
		}
	}
	// A series in gzip is one series, and nothing of it is left behind.
	var series [][]byte
	for i := range 3 {
		series = append(series, gz(t, sliceOf(1, i+1, float64(3*i))))
	}
	a = do(t, parts(t, strings.Replace(url, "frame=2&output=mask", "output=nifti", 1), sent(series...)...))
	wantOK(t, a, "application/gzip")
	if free := s.memory.spool.size; !s.memory.spool.try(free) {
		t.Error("bytes of requests are still counted")
	}
}
