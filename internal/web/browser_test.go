package web_test

import (
	"context"
	"encoding/base64"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	cdplog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

var screenshots = flag.String("screenshots", "", "folder that the browser tests write pictures of the page to")

// browser starts a Chromium for the tests, or skips where there is none.
func browser(t *testing.T) context.Context {
	t.Helper()
	if testing.Short() {
		t.Skip("no browser with -short")
	}
	if raced {
		t.Skip("no browser with the race detector")
	}
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "headless-shell"} {
		if p, err := exec.LookPath(name); err == nil {
			path = p
			break
		}
	}
	if path == "" {
		t.Skip("no Chromium found")
	}
	opts := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-sync", true),
		chromedp.Flag("no-proxy-server", true),
	)
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewExecAllocator(ctx, opts...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("%s does not start: %v", path, err)
	}
	return ctx
}

// tab is one page of the browser. What goes wrong in it that no one sees, an
// exception, a breach of the policy, a request to elsewhere, fails the test.
type tab struct {
	*testing.T
	ctx context.Context

	mu     sync.Mutex
	faults []string
}

// open opens the page of a server in a tab of its own and waits for its models.
func open(t *testing.T, browser context.Context, url string, setup ...chromedp.Action[chromedp.Void]) *tab {
	t.Helper()
	p := visit(t, browser, url, setup...)
	p.wait(`document.querySelectorAll("#model option").length > 1`)
	return p
}

// visit opens the page of a server in a tab of its own.
func visit(t *testing.T, browser context.Context, url string, setup ...chromedp.Action[chromedp.Void]) *tab {
	t.Helper()
	ctx, cancel := chromedp.NewContext(browser)
	t.Cleanup(cancel)
	p := &tab{T: t, ctx: ctx}
	err := chromedp.Listen(ctx, func(ev any) {
		switch ev := ev.(type) {
		case *runtime.EventExceptionThrown:
			p.fault("exception: %s", ev.ExceptionDetails.Text)
		case *cdplog.EventEntryAdded:
			// Answers of 4xx come here too; the page reports those itself.
			if ev.Entry.Source != "network" && ev.Entry.Level == "error" {
				p.fault("log: %s", ev.Entry.Text)
			}
		case *network.EventRequestWillBeSent:
			if u := ev.Request.URL; !strings.HasPrefix(u, url) && !strings.HasPrefix(u, "blob:") && !strings.HasPrefix(u, "data:") {
				p.fault("request to %s", u)
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		for _, f := range p.faults {
			t.Error(f)
		}
	})
	p.run(setup...)
	p.run(command(network.Enable, network.EnableParams{}), command(cdplog.Enable, cdp.Empty{}), chromedp.Navigate(url))
	return p
}

func (p *tab) fault(format string, a ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults = append(p.faults, fmt.Sprintf(format, a...))
}

func (p *tab) run(actions ...chromedp.Action[chromedp.Void]) {
	p.Helper()
	if err := chromedp.Do(p.ctx, actions...); err != nil {
		p.Fatal(err)
	}
}

// command makes an action of a command of the protocol.
func command[P any](c cdp.Command[P, cdp.Empty], params P) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, c, params)
		return err
	})
}

// eval runs a script in the page.
func eval[V any](p *tab, script string) V {
	p.Helper()
	v, err := chromedp.Run(p.ctx, chromedp.Evaluate[V](script))
	if err != nil {
		p.Fatal(err)
	}
	return v
}

// wait waits until a script is true. chromedp.Poll would need unsafe-eval.
func (p *tab) wait(script string) {
	p.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if eval[bool](p, script) {
			return
		}
	}
	p.shoot("failed")
	p.Fatalf("after a minute not yet: %s; the page says %q", script, p.text("body"))
}

func (p *tab) text(selector string) string {
	p.Helper()
	return eval[string](p, fmt.Sprintf("document.querySelector(%q).innerText", selector))
}

func (p *tab) visible(selector string) bool {
	p.Helper()
	return eval[bool](p, fmt.Sprintf("document.querySelector(%q).checkVisibility()", selector))
}

// upload puts a file of these bytes into the page's file input.
func (p *tab) upload(name string, b []byte) {
	p.Helper()
	path := filepath.Join(p.TempDir(), name)
	if err := os.WriteFile(path, b, 0o600); err != nil {
		p.Fatal(err)
	}
	// What the page says of the file before must not be taken for this one's.
	eval[chromedp.Void](p, `document.getElementById("status").textContent = ""; document.getElementById("problem").hidden = true`)
	p.run(chromedp.SetUploadFiles(chromedp.CSS("#file"), []string{path}))
}

// done waits until the server's answer is on the screen.
func (p *tab) done() {
	p.Helper()
	p.wait(`document.getElementById("view").getAttribute("aria-busy") === "false" &&
		(!document.getElementById("problem").hidden || document.getElementById("status").innerText.includes("done in"))`)
}

// download presses a button and returns the file that it gives.
func (p *tab) download(button, dir, name string) []byte {
	p.Helper()
	eval[chromedp.Void](p, fmt.Sprintf("document.getElementById(%q).click()", button))
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		// Chromium writes to another name and renames when it is done.
		if b, err := os.ReadFile(filepath.Join(dir, name)); err == nil && len(b) > 0 {
			return b
		}
	}
	entries, _ := os.ReadDir(dir)
	p.Fatalf("no download %s, but %v", name, entries)
	return nil
}

// canvas returns the pixels on the screen, RGBA, row-major.
func (p *tab) canvas() (width, height int, pix []byte) {
	p.Helper()
	s := eval[[]string](p, `(() => {
		const c = document.getElementById("canvas");
		const d = c.getContext("2d").getImageData(0, 0, c.width, c.height).data;
		let s = "";
		for (const v of d) s += String.fromCharCode(v);
		return [String(c.width), String(c.height), btoa(s)];
	})()`)
	pix, err := base64.StdEncoding.DecodeString(s[2])
	if err != nil {
		p.Fatal(err)
	}
	if _, err := fmt.Sscan(s[0]+" "+s[1], &width, &height); err != nil {
		p.Fatal(err)
	}
	return width, height, pix
}

// shoot writes a picture of the whole page where -screenshots asks for it.
func (p *tab) shoot(name string) {
	p.Helper()
	if *screenshots == "" {
		return
	}
	b, err := chromedp.Run(p.ctx, chromedp.FullScreenshot(100))
	if err != nil {
		p.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(*screenshots, name+".png"), b, 0o644); err != nil {
		p.Fatal(err)
	}
}

// viewport is a screen of a width and height, in a colour scheme.
func viewport(width, height int64, scheme string) chromedp.Action[chromedp.Void] {
	return chromedp.Steps(
		command(emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{
			Width: width, Height: height, DeviceScaleFactor: 1, Mobile: width < 600,
		}),
		command(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
		}),
	)
}
