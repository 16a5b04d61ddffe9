package handlers

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/gif"
	"io"
	"math"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"segd"
	"segd/dicomio"
	"segd/dicomio/dicomtest"
	"segd/internal/engine"
)

const side = 60

// inputs are scans of the same disc.
func inputs(t testing.TB) map[string][]byte {
	wide := image.NewGray16(image.Rect(0, 0, side, side))
	for i := range side * side {
		v := uint16(1000)
		if onDisc(side, i/side, i%side) {
			v = 30000
		}
		wide.SetGray16(i%side, i/side, color.Gray16{Y: v})
	}
	inverse := dicomtest.Disc(side)
	inverse.Photometric = "MONOCHROME1"
	inverse.Pixels = bytes.Clone(inverse.Pixels)
	for i := 0; i < len(inverse.Pixels); i += 2 {
		binary.LittleEndian.PutUint16(inverse.Pixels[i:], 4095-binary.LittleEndian.Uint16(inverse.Pixels[i:]))
	}
	// The window applies to the values before they are inverted.
	inverse.Elements = append(inverse.Elements, dicomtest.Element{Tag: 0x00281050}, dicomtest.Element{Tag: 0x00281051})
	implicit, deflated := dicomtest.Disc(side), dicomtest.Disc(side)
	implicit.Syntax, deflated.Syntax = dicomtest.ImplicitLE, dicomtest.DeflatedLE
	var asGIF bytes.Buffer
	if err := gif.Encode(&asGIF, decodePNG(t, disc(t, side)), nil); err != nil {
		t.Fatal(err)
	}
	header := fmt.Sprintf("P5 %d %d 65535\n", side, side)
	return map[string][]byte{
		"gif":               asGIF.Bytes(),
		"pgm":               append([]byte(header), wide.Pix...),
		"png 8":             disc(t, side),
		"png 16":            encodePNG(t, wide),
		"dicom 16":          dicomtest.Write(dicomtest.Disc(side)),
		"dicom MONOCHROME1": dicomtest.Write(inverse),
		"dicom implicit":    dicomtest.Write(implicit),
		"dicom deflated":    dicomtest.Write(deflated),
	}
}

func wantDisc(t *testing.T, b []byte) {
	t.Helper()
	if depth, kind := b[24], b[25]; depth != 8 || kind != 3 {
		t.Errorf("PNG of depth %d, colour type %d; want 8, 3", depth, kind)
	}
	m, ok := decodePNG(t, b).(*image.Paletted)
	if !ok || m.Rect != image.Rect(0, 0, side, side) {
		t.Fatalf("mask is %T", m)
	}
	for y := range side {
		for x := range side {
			if got := m.ColorIndexAt(x, y); (got == 1) != onDisc(side, y, x) || got > 1 {
				t.Fatalf("class %d at x %d, y %d", got, x, y)
			}
		}
	}
	if got, want := color.NRGBAModel.Convert(m.Palette[1]), (color.NRGBA{255, 92, 56, 255}); got != want {
		t.Errorf("palette has %v for class 1, want %v", got, want)
	}
}

func TestSegment(t *testing.T) {
	url := start(t, newServer(t, nil)) + "/v1/segment"
	for name, b := range inputs(t) {
		t.Run(name, func(t *testing.T) {
			for i, a := range []answer{
				post(t, url+"?output=mask", b),
				post(t, url+"?output=mask&model=bright&threshold=0.5&min_size=10", b),
				do(t, form(t, url+"?output=mask", "scan", b)),
				do(t, form(t, url, "scan", b, "output", "mask", "model", "bright")),
			} {
				wantOK(t, a, "image/png")
				wantDisc(t, a.body)
				if ms := a.header.Get("Segd-Network-Ms"); a.header.Get("Segd-Model") != "bright" || a.header.Get("Segd-Model-Version") != "1" || ms == "" {
					t.Errorf("request %d: headers %v", i, a.header)
				}
			}
			wantOverlay(t, post(t, url, b))
			wantMeasured(t, post(t, url+"?output=json", b), strings.HasPrefix(name, "dicom"))
		})
	}
}

// wantOverlay checks an outline in the class's colour, the fill's share of it,
// and grey outside of the disc.
func wantOverlay(t *testing.T, a answer) {
	t.Helper()
	wantOK(t, a, "image/png")
	m := decodePNG(t, a.body)
	if m.Bounds() != image.Rect(0, 0, side, side) {
		t.Fatalf("overlay of %v", m.Bounds())
	}
	at := func(x, y int) color.NRGBA { return color.NRGBAModel.Convert(m.At(x, y)).(color.NRGBA) }
	if c := at(50, 50); c.R != c.G || c.R > 30 {
		t.Errorf("background is %v", c)
	}
	if c := at(18, 24); c.R < c.B+40 || c.B < 100 {
		t.Errorf("inside is %v", c)
	}
	if c := at(18, 14); c != (color.NRGBA{255, 92, 56, 255}) {
		t.Errorf("outline is %v", c)
	}
}

func wantMeasured(t *testing.T, a answer, dicom bool) {
	t.Helper()
	wantOK(t, a, "application/json")
	var r engine.Result
	if err := json.Unmarshal(a.body, &r); err != nil {
		t.Fatal(err)
	}
	if r.Model != "bright" || r.Version != "1" || r.Width != side || r.Height != side || r.FrameCount != 1 || len(r.Frames) != 1 || len(r.Steps) == 0 || !(*r.NetworkMS > 0) {
		t.Fatalf("result %s", a.body)
	}
	pixels := 0
	for i := range side * side {
		if onDisc(side, i/side, i%side) {
			pixels++
		}
	}
	f := r.Frames[0]
	if f.Frame != 1 || f.Width != side || f.Height != side || len(f.Steps) == 0 || f.Confidence == nil || *f.Confidence < 0.9 || len(f.Classes) != 1 {
		t.Fatalf("frame %+v", f)
	}
	c := f.Classes[0]
	if c.Name != "bright" || c.Index != 1 || c.Pixels != pixels || c.Components != 1 || *c.MeanProbability < 0.9 {
		t.Errorf("class %+v, want %d pixels", c, pixels)
	}
	if math.Abs(c.Centroid[0]-0.3*side) > 0.5 || math.Abs(c.Centroid[1]-0.4*side) > 0.5 {
		t.Errorf("centroid %v", *c.Centroid)
	}
	if !dicom {
		if f.Spacing != nil || c.AreaMM2 != nil || !slices.Contains([]string{"png", "gif", "pnm"}, r.Format) {
			t.Errorf("a picture has %s spacing %v, area %v", r.Format, f.Spacing, c.AreaMM2)
		}
		return
	}
	want := &segd.Spacing{RowMM: 0.5, ColMM: 0.75, Source: "PixelSpacing (0028,0030)"}
	if diff := cmp.Diff(want, f.Spacing); diff != "" {
		t.Error(diff)
	}
	if c.AreaMM2 == nil || math.Abs(*c.AreaMM2-0.375*float64(pixels)) > 1e-6 {
		t.Errorf("area %v", c.AreaMM2)
	}
	if r.Format != "dicom" || r.Modality != "CT" || !strings.HasPrefix(r.TransferSyntax, "1.2.840.10008.1.2") {
		t.Errorf("format %s, modality %s, transfer syntax %s", r.Format, r.Modality, r.TransferSyntax)
	}
}

func TestFrames(t *testing.T) {
	url := start(t, newServer(t, nil)) + "/v1/segment?output="
	b := dicomtest.Write(frames(side, 3))

	for _, output := range []string{"mask", "overlay"} {
		a := post(t, url+output, b)
		wantOK(t, a, "application/zip")
		if a.trailer.Get("Segd-Network-Ms") == "" {
			t.Errorf("%s: no time in the trailer %v", output, a.trailer)
		}
		z, err := zip.NewReader(bytes.NewReader(a.body), int64(len(a.body)))
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for i, f := range z.File {
			names = append(names, f.Name)
			r, err := f.Open()
			if err != nil {
				t.Fatal(err)
			}
			inside, err := io.ReadAll(r)
			if err != nil {
				t.Fatal(err)
			}
			one := post(t, fmt.Sprintf("%s%s&frame=%d", url, output, i+1), b)
			wantOK(t, one, "image/png")
			if !bytes.Equal(inside, one.body) {
				t.Errorf("%s: frame %d of the zip differs from that alone", output, i+1)
			}
			if output == "mask" {
				wantDisc(t, inside)
			}
		}
		want := []string{output + "_0001.png", output + "_0002.png", output + "_0003.png"}
		if diff := cmp.Diff(want, names); diff != "" {
			t.Error(diff)
		}
	}

	var all, second engine.Result
	for to, query := range map[*engine.Result]string{&all: "json", &second: "json&frame=2"} {
		a := post(t, url+query, b)
		wantOK(t, a, "application/json")
		if err := json.Unmarshal(a.body, to); err != nil {
			t.Fatal(err)
		}
	}
	if all.FrameCount != 3 || len(all.Frames) != 3 || second.FrameCount != 3 || len(second.Frames) != 1 || second.Frames[0].Frame != 2 {
		t.Fatalf("%d frames of %d, and %d of %d", len(all.Frames), all.FrameCount, len(second.Frames), second.FrameCount)
	}
	if diff := cmp.Diff(all.Frames[1].Classes, second.Frames[0].Classes); diff != "" {
		t.Error(diff)
	}
	wantProblem(t, post(t, url+"mask&frame=4", b), http.StatusNotFound, "frame 4 of 3")
}

func TestAccept(t *testing.T) {
	url := start(t, newServer(t, nil)) + "/v1/segment"
	b := disc(t, side)
	for _, tt := range []struct {
		accept, media string
	}{
		{"", "image/png"},
		{"*/*", "image/png"},
		{"application/json", "application/json"},
		{"text/html, application/json;q=0.9, image/*;q=0.3", "application/json"},
		{"image/*, application/json;q=0.3", "image/png"},
		{"*/*, image/png;q=0, application/zip;q=0", "application/json"},
	} {
		r := request(t, http.MethodPost, url, bytes.NewReader(b))
		if tt.accept != "" {
			r.Header.Set("Accept", tt.accept)
		}
		wantOK(t, do(t, r), tt.media)
	}
	r := request(t, http.MethodPost, url, bytes.NewReader(b))
	r.Header.Set("Accept", "text/csv")
	wantProblem(t, do(t, r), http.StatusNotAcceptable, "application/json")
	r = request(t, http.MethodPost, url+"?output=mask", bytes.NewReader(b))
	r.Header.Set("Accept", "text/csv") // output says more
	wantOK(t, do(t, r), "image/png")
}

func TestOptions(t *testing.T) {
	url := start(t, newServer(t, nil)) + "/v1/segment?"
	b := disc(t, side)
	for _, tt := range []struct {
		query  string
		status int
		detail string
	}{
		{"output=hologram", 400, "mask, overlay, json"},
		{"model=unheard-of", 404, "have bright"},
		{"alpha=2", 400, "alpha 2, want 0 to 1"},
		{"alpha=NaN", 400, "alpha"},
		{"alpha=half", 400, `"half" is not a number`},
		{"threshold=-0.1", 400, "threshold"},
		{"threshold=1e400", 400, "threshold"},
		{"tta=perhaps", 400, "tta"},
		{"min_size=-1", 400, "min_size"},
		{"min_size=99999999999", 400, "min_size"},
		{"frame=0", 400, "frame"},
		{"frame=1.5", 400, "frame"},
		{"frame=2", 404, "frame 2 of 1"},
		{"treshold=0.4", 400, "threshold"},
		{"output=mask&output=json", 400, "output is given 2 times"},
	} {
		wantProblem(t, post(t, url+tt.query, b), tt.status, tt.detail)
	}
	wantProblem(t, do(t, form(t, url, "a", b, "output", "hologram")), 400, "mask, overlay, json")
	wantProblem(t, do(t, form(t, url, "a", b, "outptu", "mask")), 400, "outptu")
	// Where both speak, the query is heard.
	wantOK(t, do(t, form(t, url+"output=json", "a", b, "output", "mask")), "application/json")
	// The network of the test looks at each pixel alone: mirrors change nothing.
	plain, mirrored := post(t, url+"output=mask", b), post(t, url+"output=mask&tta=1", b)
	if wantOK(t, mirrored, "image/png"); !bytes.Equal(plain.body, mirrored.body) {
		t.Error("with tta the mask is another")
	}
	if a := post(t, url+"output=json&tta=1", b); !strings.Contains(string(a.body), "mirror images") {
		t.Error("the answer does not say that tta was used")
	}
	// Nothing is left of the disc.
	a := post(t, url+"output=mask&min_size=100000", b)
	wantOK(t, a, "image/png")
	if w := a.header.Get("Segd-Warnings"); !strings.Contains(w, "nothing was found") {
		t.Errorf("warnings %q", w)
	}
}

// A file that is kept on the disk gives the same as one in memory, and leaves
// nothing there.
func TestLargeFile(t *testing.T) {
	dir := ""
	s := newServer(t, func(c *Config) { dir = c.TempDir })
	url := start(t, s) + "/v1/segment?output=mask"
	f := dicomtest.Disc(side)
	f.Elements = append(f.Elements, dicomtest.Element{Tag: 0x00091001, VR: "OB", Value: make([]byte, inMemory+1<<20)})
	b := dicomtest.Write(f)
	a := post(t, url, b)
	wantOK(t, a, "image/png")
	wantDisc(t, a.body)
	a = do(t, form(t, url, "scan", b))
	wantOK(t, a, "image/png")
	wantDisc(t, a.body)
	wantEmpty(t, dir)
}

// TestSegmentDICOM asks for each kind of DICOM object.
func TestSegmentDICOM(t *testing.T) {
	url := start(t, newServer(t, nil)) + "/v1/segment"
	f := dicomtest.Disc(side)
	f.Frames, f.Pixels = 2, append(f.Pixels, f.Pixels...)
	f.Elements = append(f.Elements, dicomtest.Element{Tag: 0x0020000e, VR: "UI", Value: "1.2.826.0.1.3680043.10.543.2"})
	file := dicomtest.Write(f)
	for output, modality := range map[string]string{"seg": "SEG", "segprob": "SEG", "sc&frame=2": "OT", "sr": "", "gsps": ""} {
		a := post(t, url+"?output="+output, file)
		wantOK(t, a, "application/dicom")
		if len(a.body) < 132 || string(a.body[128:132]) != "DICM" || a.header.Get("Segd-Model") != "bright" {
			t.Fatalf("%s: %d bytes, headers %v", output, len(a.body), a.header)
		}
		if modality == "" {
			continue
		}
		scan, err := dicomio.Read(a.body)
		if err != nil || scan.Modality != modality || scan.Width != side {
			t.Errorf("%s: %+v: %v", output, scan, err)
		}
	}
	if a := post(t, url+"?output=sc", file); a.header.Get("Content-Type") != "application/zip" {
		t.Errorf("two captures are %s", a.header.Get("Content-Type"))
	}
	for _, bad := range []answer{
		post(t, url+"?output=seg", disc(t, side)),
		post(t, url+"?output=rtstruct", file),
	} {
		if bad.status != 422 {
			t.Errorf("status %d: %s", bad.status, bad.body)
		}
	}
}
