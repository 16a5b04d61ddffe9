package web_test

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/png"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	cdpbrowser "github.com/chromedp/cdproto/browser"
	"github.com/chromedp/chromedp"

	"segd"
	"segd/dicomio/dicomtest"
	"segd/internal/overlay"
	"segd/internal/scanio"
)

func (readCloser) Close() error { return nil }

// saves has the page's downloads go to a folder.
func (p *tab) saves() string {
	p.Helper()
	dir := p.TempDir()
	p.run(command(cdpbrowser.SetDownloadBehavior, cdpbrowser.SetDownloadBehaviorParams{Behavior: "allow", DownloadPath: dir}))
	return dir
}

// settle gives what comes late the time to do harm.
func (p *tab) settle() { time.Sleep(400 * time.Millisecond) }

// stack is a DICOM file of n frames whose discs have different sizes in different
// files.
func stack(size, n int) []byte {
	f := dicomtest.Disc(size)
	still := f.Pixels
	f.Pixels, f.Frames = nil, n
	for i := range n {
		for at := 0; at < len(still); at += 2 * f.Columns {
			row, shift := still[at:at+2*f.Columns], 2*2*i
			f.Pixels = append(append(f.Pixels, row[len(row)-shift:]...), row[:len(row)-shift]...)
		}
	}
	return dicomtest.Write(f)
}

// wantFrame compares the screen, its label and its panel with frame i, from 0, of a file.
func wantFrame(p *tab, name string, file []byte, i int) {
	p.Helper()
	scan, err := scanio.Read(file)
	if err != nil {
		p.Fatal(err)
	}
	img, err := scan.Frame(i)
	if err != nil {
		p.Fatal(err)
	}
	mask := segd.NewMask(img.Width, img.Height)
	for j, v := range img.Pix {
		if v > 0 {
			mask.Pix[j] = 1
		}
	}
	wantCanvas(p, overlay.Render(img), mask, 0.35)
	if got := eval[string](p, `document.getElementById("canvas").getAttribute("aria-label")`); !strings.HasPrefix(got, name+", ") {
		p.Errorf("the picture is labelled %q, want %s", got, name)
	}
	if got := p.text("#facts"); !strings.Contains(got, name) {
		p.Errorf("facts %q do not name %s", got, name)
	}
}

// nothingShown wants neither picture nor figures on the screen.
func nothingShown(p *tab, when string) {
	p.Helper()
	for _, id := range []string{"#canvas", "#found", "#how", "#tools", "#problem"} {
		if p.visible(id) {
			p.Errorf("%s: %s is visible", when, id)
		}
	}
}

// put hands the page a file, and does not wait for anything.
func (p *tab) put(name string, b []byte) {
	p.Helper()
	path := filepath.Join(p.TempDir(), name)
	if err := os.WriteFile(path, b, 0o600); err != nil {
		p.Fatal(err)
	}
	p.run(chromedp.SetUploadFiles(chromedp.CSS("#file"), []string{path}))
}

func (p *tab) click(id string) {
	p.Helper()
	eval[chromedp.Void](p, fmt.Sprintf("document.getElementById(%q).click()", id))
}

// choose picks a model.
func (p *tab) choose(model string) {
	p.Helper()
	eval[chromedp.Void](p, fmt.Sprintf(`{ const m = document.getElementById("model"); m.value = %q; m.dispatchEvent(new Event("change")); }`, model))
}

// TestSessions: what comes late of a file must not get into the next one.
func TestSessions(t *testing.T) {
	b := browser(t)
	t.Run("late frame", func(t *testing.T) { testLateFrame(t, b) })
	t.Run("while loading", func(t *testing.T) { testWhileLoading(t, b) })
	t.Run("late object", func(t *testing.T) { testLateObject(t, b) })
	t.Run("late picture", func(t *testing.T) { testLatePicture(t, b) })
	t.Run("late sample", func(t *testing.T) { testLateSample(t, b) })
	t.Run("model while loading", func(t *testing.T) { testModelWhileLoading(t, b) })
	t.Run("quick steps", func(t *testing.T) { testQuickSteps(t, b) })
	t.Run("late models", func(t *testing.T) { testLateModels(t, b) })
	t.Run("names", func(t *testing.T) { testNames(t, b) })
}

// testLateFrame: the answer for a frame is there, and being decoded, when the next
// file is opened. The page must not keep it as the next file's frame.
func testLateFrame(t *testing.T, b context.Context) {
	_, url := gated(t)
	first, second := stack(64, 3), stack(40, 3)
	p := open(t, b, url)
	p.put("first.dcm", first)
	p.done()
	eval[chromedp.Void](p, `{
		const decode = window.createImageBitmap;
		window.createImageBitmap = async (...a) => {
			window.decoding = true;
			await new Promise((go) => window.release = go);
			return decode(...a);
		};
		window.restore = () => window.createImageBitmap = decode;
	}`)
	p.click("frame-on")
	p.wait(`window.decoding === true`)
	eval[chromedp.Void](p, `window.restore()`)
	p.upload("second.dcm", second)
	p.done()
	wantFrame(p, "second.dcm", second, 0)
	eval[chromedp.Void](p, `window.release()`)
	p.settle()
	wantFrame(p, "second.dcm", second, 0)
	p.click("frame-on")
	p.wait(`document.getElementById("canvas").dataset.frame === "2"`)
	p.done()
	wantFrame(p, "second.dcm", second, 1)
}

// testWhileLoading: between the files nothing of the first is on the screen or to
// be had under the name of the second.
func testWhileLoading(t *testing.T, b context.Context) {
	g, url := gated(t)
	first, second := stack(64, 3), stack(40, 3)
	p := open(t, b, url, viewport(1280, 900, "light"))
	dir := p.saves()
	p.put("first.dcm", first)
	p.done()
	h := g.hold("output=zip")
	p.put("second.dcm", second)
	h.waitFor(t)
	p.shoot("waiting")
	nothingShown(p, "while the second file loads")
	for _, id := range []string{"get-mask", "get-overlay", "get-json", "frame-on"} {
		p.click(id)
	}
	eval[chromedp.Void](p, `document.querySelector("[data-output=seg]").click()`)
	p.settle()
	if entries, _ := os.ReadDir(dir); len(entries) > 0 {
		t.Errorf("%v were saved while the second file loaded", entries)
	}
	close(h.release)
	p.done()
	wantFrame(p, "second.dcm", second, 0)
}

// testLateObject: neither an object of the first file nor its error is for the second.
func testLateObject(t *testing.T, b context.Context) {
	for _, status := range []int{0, http.StatusServiceUnavailable} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			g, url := gated(t)
			second := stack(40, 3)
			p := open(t, b, url)
			dir := p.saves()
			p.put("first.dcm", stack(64, 3))
			p.done()
			h := g.hold("output=seg")
			h.status = status
			eval[chromedp.Void](p, `document.querySelector("[data-output=seg]").click()`)
			h.waitFor(t)
			p.upload("second.dcm", second)
			p.done()
			close(h.release)
			p.settle()
			if entries, _ := os.ReadDir(dir); len(entries) > 0 {
				t.Errorf("%v were saved", entries)
			}
			if p.visible("#problem") {
				t.Errorf("the second file is said to have failed: %s", p.text("#problem"))
			}
			if got := p.text("#status"); !strings.HasPrefix(got, "second.dcm: done") {
				t.Errorf("status %q", got)
			}
			wantFrame(p, "second.dcm", second, 0)
		})
	}
}

// testLatePicture: the overlay of the first file is encoded when the second is opened.
func testLatePicture(t *testing.T, b context.Context) {
	_, url := gated(t)
	img, _ := squares(70, 60)
	p := open(t, b, url)
	dir := p.saves()
	p.put("first.png", encode(t, img))
	p.done()
	eval[chromedp.Void](p, `{
		const toBlob = HTMLCanvasElement.prototype.toBlob;
		HTMLCanvasElement.prototype.toBlob = function (done) { toBlob.call(this, (b) => { window.release = () => done(b); }); };
	}`)
	p.click("get-overlay")
	p.wait(`typeof window.release === "function"`)
	second, _ := squares(90, 80)
	p.upload("second.png", encode(t, second))
	p.done()
	eval[chromedp.Void](p, `window.release()`)
	p.settle()
	if entries, _ := os.ReadDir(dir); len(entries) > 0 {
		t.Errorf("%v were saved of the first file, whose picture came when the second was open", entries)
	}
}

// testLateSample: a sample that comes when a file is open does not take its place.
func testLateSample(t *testing.T, b context.Context) {
	for _, status := range []int{0, http.StatusInternalServerError} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			g, url := gated(t)
			file := stack(40, 1)
			p := open(t, b, url)
			h := g.hold("sample.png")
			h.status = status
			p.click("sample")
			h.waitFor(t)
			p.upload("file.dcm", file)
			p.done()
			close(h.release)
			p.settle()
			p.done()
			if p.visible("#problem") {
				t.Errorf("the file is said to have failed: %s", p.text("#problem"))
			}
			wantFrame(p, "file.dcm", file, 0)
		})
	}
}

// testModelWhileLoading: another model for a file that is not there yet asks for that
// file's first frame, and the answer of the model before is not shown.
func testModelWhileLoading(t *testing.T, b context.Context) {
	g, url := gated(t)
	second := stack(40, 2)
	p := open(t, b, url)
	p.choose("bright")
	p.put("first.dcm", stack(64, 3))
	p.done()
	for range 2 {
		p.click("frame-on")
		p.done()
	}
	p.wait(`document.getElementById("canvas").dataset.frame === "3"`)
	h := g.hold("model=bright")
	p.put("second.dcm", second)
	h.waitFor(t)
	values := g.hold("model=thousand")
	p.choose("thousand")
	values.waitFor(t)
	nothingShown(p, "while the other model runs")
	close(h.release)
	p.settle()
	nothingShown(p, "when the first model's answer has come")
	close(values.release)
	p.done()
	if p.visible("#problem") {
		t.Fatal(p.text("#problem"))
	}
	if !p.visible("#values") || p.visible("#class-table") {
		t.Error("the model that was chosen last gives values, the page shows classes")
	}
	if got := p.text("#facts"); !strings.Contains(got, "second.dcm, frame 1 of 2") {
		t.Errorf("facts %q", got)
	}
}

// testQuickSteps: each step goes on from the one before, whether that is done or not.
func testQuickSteps(t *testing.T, b context.Context) {
	g, url := gated(t)
	file := stack(64, 4)
	p := open(t, b, url, viewport(1280, 900, "light"))
	p.put("file.dcm", file)
	p.done()
	second, third := g.hold("frame=2"), g.hold("frame=3")
	p.click("frame-on")
	second.waitFor(t)
	p.click("frame-on")
	third.waitFor(t)
	p.shoot("stepping")
	if !eval[bool](p, `document.getElementById("found").inert`) {
		t.Error("figures of the first frame beside the number of the third, as if they were its own")
	}
	p.click("frame-on")
	p.wait(`document.getElementById("canvas").dataset.frame === "4"`)
	close(third.release)
	close(second.release)
	p.settle()
	p.done()
	wantFrame(p, "file.dcm", file, 3)
	if eval[bool](p, `document.getElementById("found").inert`) {
		t.Error("the figures of the frame on the screen are dimmed")
	}
	// A step that fails leaves the frame that is shown, with its own number.
	failing := g.hold("frame=3")
	failing.status = http.StatusServiceUnavailable
	// Frame 3 was given up, and is asked for again.
	p.click("frame-back")
	failing.waitFor(t)
	close(failing.release)
	p.wait(`!document.getElementById("problem").hidden`)
	wantFrame(p, "file.dcm", file, 3)
	if got := p.text("#frame-value"); got != "4 of 4" {
		t.Errorf("frame %q, want 4 of 4", got)
	}
}

// testLateModels: the list of models comes when a file is open.
func testLateModels(t *testing.T, b context.Context) {
	g, url := gated(t, "bright")
	file := stack(40, 1)
	h := g.hold("v1/models")
	p := visit(t, b, url)
	h.waitFor(t)
	p.put("file.dcm", file)
	p.done()
	close(h.release)
	p.wait(`document.querySelectorAll("#model option").length > 1`)
	wantFrame(p, "file.dcm", file, 0)
	if !p.visible("#about") || p.visible("#models") {
		t.Error("the card of the model that made the result is not shown")
	}
	if got := p.text("#facts"); !strings.Contains(got, "Brighter than half") {
		t.Errorf("facts %q do not have the model's title", got)
	}

	h = g.hold("v1/models")
	h.status = http.StatusServiceUnavailable
	p = visit(t, b, url)
	h.waitFor(t)
	p.put("file.dcm", file)
	p.done()
	close(h.release)
	p.wait(`!document.getElementById("notice").hidden`)
	if p.visible("#problem") {
		t.Errorf("the file is said to have failed: %s", p.text("#problem"))
	}
	wantFrame(p, "file.dcm", file, 0)
}

// testNames: downloads are named like their file, and names without an extension
// keep all their parts.
func testNames(t *testing.T, b context.Context) {
	_, url := gated(t)
	p := open(t, b, url)
	dir := p.saves()
	for name, want := range map[string]string{"1.2.840.101": "1.2.840.101-mask.png", "1.2.840.102": "1.2.840.102-mask.png", "Scan.DCM": "Scan-mask.png"} {
		p.upload(name, stack(40, 1))
		p.done()
		m, err := png.Decode(bytes.NewReader(p.download("get-mask", dir, want)))
		if err != nil || m.Bounds() != image.Rect(0, 0, 40, 40) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
