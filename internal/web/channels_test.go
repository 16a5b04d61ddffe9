package web_test

import (
	"bytes"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// putAll hands the page several files at once.
func (p *tab) putAll(files map[string][]byte, order ...string) {
	p.Helper()
	dir := p.TempDir()
	var paths []string
	for _, name := range order {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, files[name], 0o600); err != nil {
			p.Fatal(err)
		}
		paths = append(paths, path)
	}
	eval[chromedp.Void](p, `document.getElementById("status").textContent = ""; document.getElementById("problem").hidden = true`)
	p.run(chromedp.SetUploadFiles(chromedp.CSS("#file"), paths))
}

// column is a picture of 40×30 pixels that is bright from column low to below high.
func column(t *testing.T, low, high int) []byte {
	t.Helper()
	m := image.NewGray(image.Rect(0, 0, 40, 30))
	for i := range m.Pix {
		if x := i % 40; x >= low && x < high {
			m.Pix[i] = 200
		}
	}
	return encode(t, m)
}

// TestChannels: files of an image's channels go up together where the model takes
// them, and a message says what becomes of several files that are not.
func TestChannels(t *testing.T) {
	b := browser(t)
	_, url := gated(t, "bright", "lesions")
	p := open(t, b, url, viewport(1280, 900, "light"))
	dir := p.saves()
	files := map[string][]byte{
		"Case_0000.png": column(t, 5, 20), "Case_0001.png": column(t, 12, 30), "Case_0002.png": column(t, 0, 39),
		"Other_0000.png": column(t, 1, 2), "loose.png": column(t, 2, 30), "more.png": column(t, 3, 9),
	}
	p.choose("lesions")
	p.putAll(files, "Case_0001.png", "Case_0000.png", "Case_0002.png")
	p.done()
	p.shoot("channels")
	if p.visible("#problem") || p.visible("#notice") {
		t.Fatalf("%s %s", p.text("#problem"), p.text("#notice"))
	}
	if got := p.text("#facts"); !strings.Contains(got, "File\nCase\n") {
		t.Errorf("facts %q", got)
	}
	if got := p.text("#steps"); !strings.Contains(got, "T1, T2, FLAIR") {
		t.Errorf("steps %q", got)
	}
	m, err := png.Decode(bytes.NewReader(p.download("get-mask", dir, "Case-mask.png")))
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range m.(*image.Paletted).Pix {
		if x := i % 40; (v == 1) != (x >= 5 && x < 12) {
			t.Fatalf("class %d at column %d, want 1 from 5 to 11", v, x)
		}
	}
	// What lies beneath the mask is the first channel, in grey.
	_, _, pix := p.canvas()
	if got := [3]uint8(pix[4*15 : 4*15+3]); got != [3]uint8{200, 200, 200} {
		t.Errorf("colour %v of a bright pixel of the first channel", got)
	}

	// The same files for a model of one image: the first, with a word.
	p.choose("bright")
	p.done()
	p.shoot("left-out")
	if got := p.text("#notice"); !strings.Contains(got, "3 files") || !strings.Contains(got, "it opened Case_0001.png") {
		t.Errorf("notice %q", got)
	}
	if got := p.text("#facts"); !strings.Contains(got, "Case_0001.png") {
		t.Errorf("facts %q", got)
	}
	p.choose("lesions")
	p.done()
	if p.visible("#notice") || p.visible("#problem") {
		t.Errorf("back at the model of channels: %s %s", p.text("#notice"), p.text("#problem"))
	}

	// Automatic: the server takes the model that takes them.
	p.choose("auto")
	p.putAll(files, "Case_0000.png", "Case_0001.png", "Case_0002.png", "Other_0000.png")
	p.done()
	if got := p.text("#facts"); !strings.Contains(got, "File\nCase\n") {
		t.Errorf("facts %q; %s", got, p.text("#problem"))
	}
	if got := p.text("#notice"); !strings.Contains(got, "4 files") || strings.Contains(got, "Other") {
		t.Errorf("notice %q", got)
	}
	// A single file is no case for it, also one whose name looks like a channel's.
	p.putAll(files, "Other_0000.png")
	p.done()
	if got := p.text("#facts"); !strings.Contains(got, "Other_0000.png") || p.visible("#notice") {
		t.Errorf("facts %q, notice %q", got, p.text("#notice"))
	}

	// Files that have nothing to do with each other.
	p.putAll(files, "loose.png", "more.png")
	p.done()
	if got := p.text("#notice"); !strings.Contains(got, "2 files") || !strings.Contains(got, "loose.png") {
		t.Errorf("notice %q", got)
	}
	p.putAll(files, "loose.png")
	p.done()
	if p.visible("#notice") {
		t.Errorf("notice %q of the files before", p.text("#notice"))
	}

	// What lacks is said.
	p.choose("lesions")
	p.done()
	if got := p.text("#problem"); !strings.Contains(got, "T1, T2, FLAIR") {
		t.Errorf("problem %q", got)
	}
	p.putAll(files, "Case_0000.png", "Case_0002.png")
	p.done()
	p.shoot("channel-missing")
	if got := p.text("#problem-detail"); !strings.Contains(got, "file_0001 is missing") {
		t.Errorf("problem %q", got)
	}
}
