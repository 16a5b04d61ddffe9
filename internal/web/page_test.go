package web_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	cdpbrowser "github.com/chromedp/cdproto/browser"
	"github.com/chromedp/chromedp"

	"segd"
	"segd/dicomio"
	"segd/dicomio/dicomtest"
	"segd/handlers"
	"segd/internal/overlay"
	"segd/internal/phantom"
	"segd/internal/scanio"
	"segd/models"
	"segd/models/modelstest"
	"segd/unet"
)

// handler is a server with those models of names; bright marks what is brighter than
// half of an image's range, thousand gives 1000 times how bright it is, lesions takes
// three channels and marks where the first is brighter than the second. Without names
// it has the first two.
func handler(t *testing.T, names ...string) http.Handler {
	t.Helper()
	dir := t.TempDir()
	if len(names) == 0 {
		names = []string{"bright", "thousand"}
	}
	save := map[string]func(dir, name string) error{"bright": modelstest.Save, "thousand": modelstest.SaveValues, "lesions": modelstest.SaveChannels}
	for _, name := range names {
		if err := save[name](filepath.Join(dir, name), name); err != nil {
			t.Fatal(err)
		}
	}
	pool := unet.NewPool(2)
	t.Cleanup(pool.Close)
	var c models.Catalogue // without the embedded models: auto has no choice
	if err := c.AddDir(dir); err != nil {
		t.Fatal(err)
	}
	return handlers.New(handlers.Config{Models: &c, Pool: pool})
}

// serve starts a server with both models.
func serve(t *testing.T) string {
	t.Helper()
	s := httptest.NewServer(handler(t))
	t.Cleanup(s.Close)
	return s.URL + "/"
}

func encode(t *testing.T, m image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// squares is a dark ramp with two bright squares, one touching the border, and
// their mask.
func squares(width, height int) (*image.Gray, *segd.Mask) {
	m, mask := image.NewGray(image.Rect(0, 0, width, height)), segd.NewMask(width, height)
	for y := range height {
		for x := range width {
			m.SetGray(x, y, color.Gray{Y: uint8(x / 2)})
			if x >= 20 && x < 50 && y >= 10 && y < 40 || x >= width-15 && y >= height-12 {
				m.SetGray(x, y, color.Gray{Y: uint8(200 + (x+y)%50)})
				mask.Pix[y*width+x] = 1
			}
		}
	}
	return m, mask
}

// cine is a DICOM file of three frames in which a disc moves to the right.
func cine() []byte {
	f := dicomtest.Disc(64)
	still := f.Pixels
	f.Pixels, f.Frames = nil, 3
	for i := range f.Frames {
		for at := 0; at < len(still); at += 2 * f.Columns {
			row, shift := still[at:at+2*f.Columns], 2*8*i
			f.Pixels = append(f.Pixels, row[len(row)-shift:]...)
			f.Pixels = append(f.Pixels, row[:len(row)-shift]...)
		}
	}
	return dicomtest.Write(f)
}

// wantCanvas compares the screen with the server's own drawing of the mask.
func wantCanvas(p *tab, base image.Image, mask *segd.Mask, alpha float64) {
	p.Helper()
	picture := image.NewNRGBA(base.Bounds())
	for y := range mask.Height {
		for x := range mask.Width {
			picture.Set(x, y, base.At(x, y))
		}
	}
	want := overlay.Overlay(picture, mask, models.ClassList("bright"), alpha)
	width, height, got := p.canvas()
	if width != mask.Width || height != mask.Height {
		p.Fatalf("canvas of %d×%d pixels, want %d×%d", width, height, mask.Width, mask.Height)
	}
	wrong := 0
	for i := range got {
		if got[i] != want.Pix[i] {
			wrong++
			if wrong <= 3 {
				p.Errorf("x %d, y %d, channel %d: %d, want %d", i/4%width, i/4/width, i%4, got[i], want.Pix[i])
			}
		}
	}
	if wrong > 0 {
		p.Errorf("%d of %d values differ", wrong, len(got))
	}
}

// TestPage drives the page in a real browser, each part in a tab of its own.
func TestPage(t *testing.T) {
	b, url := browser(t), serve(t)
	t.Run("upload", func(t *testing.T) { testUpload(t, b, url) })
	t.Run("sample", func(t *testing.T) { testSample(t, b, url) })
	t.Run("frames", func(t *testing.T) { testFrames(t, b, url) })
	t.Run("downloads", func(t *testing.T) { testDownloads(t, b, url) })
	t.Run("values", func(t *testing.T) { testValues(t, b, url) })
	t.Run("bad file", func(t *testing.T) { testBadFile(t, b, url) })
}

// testUpload: a file from the file input.
func testUpload(t *testing.T, b context.Context, url string) {
	img, mask := squares(130, 97)
	p := open(t, b, url, viewport(1280, 900, "light"))
	p.shoot("start")
	// The keyboard reaches what the mouse does.
	for _, want := range []string{"model", "file", "sample"} {
		p.run(chromedp.KeyEvent("\t"))
		if got := eval[string](p, "document.activeElement.id"); got != want {
			t.Errorf("tabulator key leads to %q, want %q", got, want)
		}
	}
	p.upload("squares.png", encode(t, img))
	p.done()
	wantCanvas(p, img, mask, 0.35)
	p.shoot("upload")
	// The table holds what the mask holds.
	if got, want := strings.Fields(p.text("#classes")), []string{"bright", "2", "1,080", "1.00"}; strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("classes %q, want %q", got, want)
	}
	for _, want := range []string{"Brighter than half", "version 1", "130 × 97 pixels, PNG"} {
		if got := p.text("#facts"); !strings.Contains(got, want) {
			t.Errorf("facts %q lack %q", got, want)
		}
	}
	if got := p.text("#about"); !strings.Contains(got, "1.000 mean Dice of bright (itself, test, 1 case)") || !strings.Contains(got, "Research use only") {
		t.Errorf("card %q", got)
	}
	// The slider draws again, without a request.
	eval[chromedp.Void](p, `{ const s = document.getElementById("opacity"); s.value = 80; s.dispatchEvent(new Event("input")); }`)
	wantCanvas(p, img, mask, 0.8)
	// All of that took one request, and so one run of the network.
	if n := p.requests(); n != 1 {
		t.Errorf("%d requests for a view, want 1", n)
	}
	// Without its class, the image is bare.
	eval[chromedp.Void](p, `document.querySelector("#classes input").click()`)
	wantCanvas(p, img, segd.NewMask(130, 97), 0)
}

// requests is how often the page has asked for a segmentation.
func (p *tab) requests() int {
	return eval[int](p, `performance.getEntriesByType("resource").filter((e) => e.name.includes("v1/segment")).length`)
}

// testValues: a model that gives values in place of classes.
func testValues(t *testing.T, b context.Context, url string) {
	img, _ := squares(70, 60)
	p := open(t, b, url, viewport(1280, 900, "light"))
	dir := t.TempDir()
	p.run(command(cdpbrowser.SetDownloadBehavior, cdpbrowser.SetDownloadBehaviorParams{Behavior: "allow", DownloadPath: dir}))
	p.upload("squares.png", encode(t, img))
	p.done()
	eval[chromedp.Void](p, `{ const m = document.getElementById("model"); m.value = "thousand"; m.dispatchEvent(new Event("change")); }`)
	p.wait(`!document.getElementById("values").hidden`)
	p.done()
	p.shoot("values")
	if n := p.requests(); n != 2 {
		t.Errorf("%d requests for two views, want 2", n)
	}
	if got, want := strings.Fields(p.text("#range")), []string{"Lowest", "0", "Highest", "1,000", "Mean"}; !strings.HasPrefix(strings.Join(got, " "), strings.Join(want, " ")) {
		t.Errorf("range %q, want %q", got, want)
	}
	if p.visible("#class-table") || p.visible("#get-mask") || p.visible("#objects") || !p.visible("#get-tiff") {
		t.Error("values are shown as if they were classes")
	}
	// Opaque, the brightest pixel has the last colour of the ramp, the darkest the first.
	eval[chromedp.Void](p, `{ const s = document.getElementById("opacity"); s.value = 100; s.dispatchEvent(new Event("input")); }`)
	_, _, pix := p.canvas()
	low, high := slices.Index(img.Pix, slices.Min(img.Pix)), slices.Index(img.Pix, slices.Max(img.Pix))
	for i, want := range map[int][3]uint8{low: {68, 1, 84}, high: {253, 231, 37}} {
		if got := [3]uint8(pix[4*i : 4*i+3]); got != want {
			t.Errorf("pixel %d has colour %v, want %v", i, got, want)
		}
	}
	scan, err := scanio.ReadValues(p.download("get-tiff", dir, "squares-value.tiff"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := scan.Frame(0)
	if err != nil || got.Pix[low] != 0 || math.Abs(float64(got.Pix[high])-1000) > 1e-3 {
		t.Errorf("TIFF: %v and %v, %v", got.Pix[low], got.Pix[high], err)
	}
	if m, err := png.Decode(bytes.NewReader(p.download("get-value", dir, "squares-value.png"))); err != nil || m.(*image.Gray16).Gray16At(high%70, high/70).Y != 1000 {
		t.Errorf("PNG: %v", err)
	}
	// And back to classes.
	eval[chromedp.Void](p, `{ const m = document.getElementById("model"); m.value = "bright"; m.dispatchEvent(new Event("change")); }`)
	p.wait(`document.getElementById("values").hidden`)
	p.done()
	if !p.visible("#class-table") || !p.visible("#get-mask") || p.visible("#get-tiff") {
		t.Error("classes are shown as if they were values")
	}
}

// testSample: the button that offers a sample.
func testSample(t *testing.T, b context.Context, url string) {
	p := open(t, b, url, viewport(1280, 900, "dark"))
	eval[chromedp.Void](p, `document.getElementById("sample").click()`)
	p.done()
	p.shoot("sample-dark")
	if got := p.text("#problem"); p.visible("#problem") {
		t.Fatal(got)
	}
	_, _, pix := p.canvas()
	n := 0
	for i := 0; i < len(pix); i += 4 {
		if pix[i] == 255 && pix[i+1] == 92 && pix[i+2] == 56 {
			n++ // an outline
		}
	}
	if n < 200 {
		t.Errorf("%d pixels of outline in the sample", n)
	}
}

// testFrames: a dropped file of several frames.
func testFrames(t *testing.T, b context.Context, url string) {
	b64 := base64.StdEncoding.EncodeToString(cine())
	scan, err := scanio.Read(cine())
	if err != nil {
		t.Fatal(err)
	}
	p := open(t, b, url, viewport(1280, 900, "light"))
	eval[chromedp.Void](p, `{
		const bytes = Uint8Array.from(atob("`+b64+`"), (c) => c.charCodeAt(0));
		const data = new DataTransfer();
		data.items.add(new File([bytes], "cine.dcm"));
		document.body.dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true }));
	}`)
	for i := range 3 {
		if i > 0 {
			eval[chromedp.Void](p, `document.getElementById("frame-on").click()`)
		}
		p.wait(fmt.Sprintf(`document.getElementById("canvas").dataset.frame === "%d"`, i+1))
		p.done()
		img, err := scan.Frame(i)
		if err != nil {
			t.Fatal(err)
		}
		mask, n := segd.NewMask(img.Width, img.Height), 0
		for j, v := range img.Pix {
			if v > 0 {
				mask.Pix[j] = 1
				n++
			}
		}
		wantCanvas(p, overlay.Render(img), mask, 0.35)
		// A pixel is 0.5 mm × 0.75 mm.
		area, err := strconv.ParseFloat(strings.TrimSuffix(p.text("#classes td:nth-child(4)"), " mm²"), 64)
		if want := 0.375 * float64(n); err != nil || math.Abs(area-want) > 0.0005*want {
			t.Errorf("frame %d: area %v, %v, want %v", i+1, area, err, want)
		}
	}
	p.shoot("frames")
	if shape := eval[float64](p, `(() => { const r = document.getElementById("canvas").getBoundingClientRect(); return r.width / r.height; })()`); math.Abs(shape-1.5) > 0.01 {
		t.Errorf("64×64 pixels of 0.5 mm × 0.75 mm are shown %.3f times as wide as high, want 1.5", shape)
	}
	if eval[bool](p, `document.getElementById("frame-back").disabled`) || !eval[bool](p, `document.getElementById("frame-on").disabled`) {
		t.Error("at the last frame one must be able to step back, and not on")
	}
}

// testDownloads: the buttons that save.
func testDownloads(t *testing.T, b context.Context, url string) {
	img, mask := squares(70, 60)
	p := open(t, b, url, viewport(1280, 900, "light"))
	dir := t.TempDir()
	p.run(command(cdpbrowser.SetDownloadBehavior, cdpbrowser.SetDownloadBehaviorParams{Behavior: "allow", DownloadPath: dir}))
	p.upload("squares.png", encode(t, img))
	p.done()

	got, err := png.Decode(bytes.NewReader(p.download("get-mask", dir, "squares-mask.png")))
	if err != nil {
		t.Fatal(err)
	}
	if m, ok := got.(*image.Paletted); !ok || !bytes.Equal(m.Pix, mask.Pix) {
		t.Errorf("the mask, a %T, is not what it should be", got)
	}
	got, err = png.Decode(bytes.NewReader(p.download("get-overlay", dir, "squares-overlay.png")))
	if err != nil {
		t.Fatal(err)
	}
	if r, g, b, _ := got.At(20, 10).RGBA(); [3]uint32{r >> 8, g >> 8, b >> 8} != [3]uint32{255, 92, 56} {
		t.Errorf("outline in the overlay: %d %d %d", r>>8, g>>8, b>>8)
	}
	var result struct{ Model string }
	if err := json.Unmarshal(p.download("get-json", dir, "squares.json"), &result); err != nil || result.Model != "bright" {
		t.Errorf("JSON of model %q, %v", result.Model, err)
	}
	if !eval[bool](p, `document.getElementById("objects").hidden`) {
		t.Error("DICOM objects are offered of a PNG")
	}

	p.upload("disc.dcm", dicomtest.Write(dicomtest.Disc(40)))
	p.done()
	eval[bool](p, `(() => { for (const o of ["seg", "sc"]) { document.querySelector(`+"`[data-output=${o}]`"+`).id = "get-" + o; } return true; })()`)
	for button, modality := range map[string]string{"get-seg": "SEG", "get-sc": "OT"} {
		scan, err := dicomio.Read(p.download(button, dir, "disc-"+button[4:]+".dcm"))
		if err != nil || scan.Modality != modality || scan.Width != 40 {
			t.Errorf("%s: %+v, %v", button, scan, err)
		}
	}
	eval[bool](p, `document.getElementById("deidentify").checked = true`)
	clean := p.download("get-seg", dir, "deidentified-seg.dcm")
	for _, private := range dicomtest.Patient {
		if bytes.Contains(clean, []byte(private)) {
			t.Error("the object is not de-identified")
		}
	}
}

// testBadFile: a file that is none.
func testBadFile(t *testing.T, b context.Context, url string) {
	p := open(t, b, url, viewport(390, 800, "light"))
	p.shoot("start-narrow")
	img, _ := phantom.Micrograph(7, 300, 200)
	p.upload("good.png", encode(t, img))
	p.done()
	p.shoot("narrow")
	p.upload("notes.txt", []byte(strings.Repeat("no image ", 12)))
	p.done()
	p.shoot("bad-narrow")
	if got, want := p.text("#problem-title"), "notes.txt: This kind of file is not supported"; got != want {
		t.Errorf("title %q, want %q", got, want)
	}
	if got, want := p.text("#problem-detail"), "The content is not DICOM, NIfTI, NRRD, MetaImage, MGH, PNG, JPEG, TIFF, JPEG 2000, BMP, GIF, WebP or PNM."; got != want {
		t.Errorf("detail %q, want %q", got, want)
	}
	if p.visible("#canvas") || p.visible("#found") {
		t.Error("the result of the file before is still shown")
	}
	p.upload("good.png", encode(t, img))
	p.done()
	if p.visible("#problem") || !p.visible("#canvas") {
		t.Error("after a bad file a good one is not shown")
	}
}
