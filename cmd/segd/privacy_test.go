package main

import (
	"bytes"
	"fmt"
	"image"
	"io"
	"maps"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"segd/dicomio/dicomtest"
	"segd/train/dataset/datasettest"
)

// An attribute is one to plant a value in.
type attribute struct {
	tag uint32
	vr  string
}

// planted are the attributes of the patient module (PS3.3 C.7.1.1, 2026c, but
// those of its sequences alone) and of the patient's part of a study, each with a
// value that is found again. Those whose VR asks for numbers get text all the
// same, in another file the right kind.
var planted = []attribute{
	{0x00100010, "PN"}, {0x00100020, "LO"}, {0x00100021, "LO"}, {0x00100022, "CS"}, {0x00100026, "SQ"}, {0x00100027, "SQ"},
	{0x00100030, "DA"}, {0x00100032, "TM"}, {0x00100033, "LO"}, {0x00100034, "LO"}, {0x00100035, "CS"}, {0x00100040, "CS"},
	{0x00100200, "CS"}, {0x00100212, "UC"}, {0x00100213, "LO"}, {0x00100216, "SQ"}, {0x00100218, "SQ"}, {0x00100221, "SQ"},
	{0x00101000, "LO"}, {0x00101001, "PN"}, {0x00101002, "SQ"}, {0x00102160, "SH"}, {0x00102201, "LO"}, {0x00102292, "LO"},
	{0x00102297, "PN"}, {0x00102298, "CS"}, {0x00102299, "LO"}, {0x00104000, "LT"}, {0x00081120, "SQ"},
	{0x00100011, "SQ"}, {0x00100014, "SQ"}, {0x00100024, "SQ"}, {0x00100041, "SQ"}, {0x00100043, "SQ"}, {0x00100219, "SQ"},
	{0x00101100, "SQ"}, {0x00102161, "SQ"}, {0x00102162, "UC"}, {0x00102202, "SQ"}, {0x00102293, "SQ"}, {0x00102294, "SQ"},
	{0x00120062, "CS"}, {0x00120063, "LO"}, {0x00120064, "SQ"},
	{0x00101010, "AS"}, {0x00101020, "DS"}, {0x00101030, "DS"}, {0x00102180, "SH"}, {0x001021b0, "LT"}, {0x00080050, "SH"},
	{0x00080090, "PN"}, {0x00081030, "LO"}, {0x00081080, "LO"}, {0x00120040, "LO"}, {0x00380010, "LO"}, {0x00380500, "LO"},
	{0x00080080, "LO"}, {0x00091010, "LO"}, {0x0020000d, "UI"}, {0x0020000e, "UI"}, {0x00080018, "UI"}, {0x00200052, "UI"},
}

// secret finds any planted value: text, numbers of a date, a UID.
var secret = regexp.MustCompile(`(?i)QZ_\d{3}K|19470817|3680043\.777`)

// patientFile is a scan with every attribute planted; proper gives those that
// are dates and numbers a value that is one.
func patientFile(proper bool, more ...dicomtest.Element) dicomtest.File {
	f := plant(dicomtest.Disc(24), planted, proper)
	f.Elements = append(f.Elements, dicomtest.Element{Tag: 0x00080016, VR: "UI", Value: "1.2.840.10008.5.1.4.1.1.2"})
	f.Elements = append(f.Elements, more...)
	return f
}

// plant puts a value into each of attributes.
func plant(f dicomtest.File, attributes []attribute, proper bool) dicomtest.File {
	for i, p := range attributes {
		mark := fmt.Sprintf("QZ_%03dK", i)
		e := dicomtest.Element{Tag: p.tag, VR: p.vr, Value: mark}
		switch {
		case p.vr == "SQ":
			e.Value = []dicomtest.Item{{{Tag: 0x00100020, VR: "LO", Value: mark}, {Tag: 0x00104000, VR: "LT", Value: mark}}}
		case p.vr == "UI":
			e.Value = fmt.Sprint("1.2.826.0.1.3680043.777.", i)
		case proper && p.vr == "DA":
			e.Value = "19470817"
		}
		f.Elements = append(f.Elements, e)
	}
	return f
}

// profiled are the attributes that the de-identification profile acts on, with
// VR vr: those that dicomio's tables name.
func profiled(t *testing.T, vr string) []attribute {
	t.Helper()
	b, err := os.ReadFile("../../dicomio/profile.go")
	if err != nil {
		t.Fatal(err)
	}
	var all []attribute
	for _, tag := range regexp.MustCompile(`\b0x[0-9a-f]{8}\b`).FindAllString(string(b), -1) {
		n, err := strconv.ParseUint(tag, 0, 32)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, attribute{uint32(n), vr})
	}
	if len(all) < 500 {
		t.Fatalf("dicomio/profile.go names %d attributes", len(all))
	}
	return all
}

// patientFiles are scans of that patient, among them such as fail at each stage:
// of the structure, of the attributes, of the pixels, of the objects.
func patientFiles(t *testing.T) map[string][]byte {
	t.Helper()
	const mark = "QZ_999K"
	whole := dicomtest.Write(patientFile(true))
	all := map[string][]byte{
		"whole": whole, "text": dicomtest.Write(patientFile(false)),
		"cut in the patient": whole[:bytes.Index(whole, []byte("QZ_001K"))+3],
		"cut in the pixels":  whole[:len(whole)-100],
		"no preamble":        whole[128+4:],
	}
	of := func(name string, change func(*dicomtest.File)) {
		f := patientFile(true)
		change(&f)
		all[name] = dicomtest.Write(f)
	}
	for _, vr := range []string{"LO", "UI", "SQ"} {
		for name, more := range map[string][]dicomtest.Element{"": nil, ", without a size": {{Tag: 0x00280010}}} {
			f := plant(dicomtest.Disc(24), profiled(t, vr), false)
			f.Elements = append(f.Elements, more...)
			all["profile as "+vr+name] = dicomtest.Write(f)
		}
	}
	of("no pixels", func(f *dicomtest.File) { f.NoPixels = true })
	of("transfer syntax", func(f *dicomtest.File) { f.Syntax = mark })
	of("video", func(f *dicomtest.File) {
		f.Syntax, f.Encapsulated = "1.2.840.10008.1.2.4.102", [][]byte{nil, []byte(mark)}
	})
	for _, syntax := range []string{dicomtest.ImplicitLE, dicomtest.ExplicitBE, dicomtest.DeflatedLE} {
		of("syntax "+syntax, func(f *dicomtest.File) { f.Syntax = syntax })
	}
	deflated := all["syntax "+dicomtest.DeflatedLE]
	all["damaged deflate"] = append(bytes.Clone(deflated[:len(deflated)/2]), mark...)
	for _, syntax := range []string{"1.2.840.10008.1.2.5", "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.70", "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.201"} {
		of("frame "+syntax, func(f *dicomtest.File) {
			f.Syntax, f.Encapsulated = syntax, [][]byte{nil, []byte(strings.Repeat(mark, 20))}
		})
	}
	// The patient where something else should be.
	for _, tag := range []uint32{
		0x00080005, 0x00080060, 0x00280002, 0x00280004, 0x00280008, 0x00280010, 0x00280030, 0x00280100, 0x00280103, 0x00280120, 0x00280301,
		0x00281050, 0x00281051, 0x00281052, 0x00281053, 0x00281056, 0x00283000, 0x00283010, 0x20500020, 0x52009229, 0x52009230,
		0x00080016, 0x00080018, 0x0020000d, 0x0020000e, 0x00200052, 0x00200032, 0x00200037, 0x00180050,
	} {
		for _, vr := range []string{"CS", "DS", "SQ", "UN", "US", "UI"} {
			of(fmt.Sprintf("%08x as %s", tag, vr), func(f *dicomtest.File) {
				f.Elements = append(f.Elements, dicomtest.Element{Tag: tag, VR: vr, Value: mark})
			})
		}
	}
	return all
}

// wantNoSecret fails where text, that name says where it comes from, holds a
// planted value.
func wantNoSecret(t *testing.T, name, text string) {
	t.Helper()
	if found := secret.FindString(text); found != "" {
		t.Errorf("%s holds %q: %.300q", name, found, text)
	}
}

// TestPrivacy looks through a whole run of the server and of the command line
// (logs, errors, metrics, headers, answers, names and contents of files; segd has
// no traces) for every value of the patient module and of what de-identification
// takes out. Objects that are not de-identified hold them on purpose: of those all
// else is looked through.
func TestPrivacy(t *testing.T) {
	files := patientFiles(t)
	if testing.Short() {
		for name := range files {
			if strings.Contains(name, " as ") && !strings.HasSuffix(name, " as DS") {
				delete(files, name)
			}
		}
	}
	if !secret.Match(files["whole"]) || len(secret.FindAll(files["whole"], -1)) < len(planted) {
		t.Fatal("the test plants nothing")
	}
	t.Run("serve", func(t *testing.T) { privateServe(t, files) })
	t.Run("segment", func(t *testing.T) { privateSegment(t, files) })
	t.Run("training", func(t *testing.T) { privateTraining(t, files) })
}

func privateServe(t *testing.T, files map[string][]byte) {
	url, stop, log := startServer(t, "--models", brightModel(t))
	answers := map[int]int{}
	for name, b := range files {
		for _, route := range []string{
			"v1/segment?model=bright&output=json", "v1/segment?model=auto&output=overlay", "v1/segment?model=bright&output=seg&deidentify=1",
			"v1/segment?model=bright&output=sr&deidentify=1", "v1/segment?model=bright&output=gsps&deidentify=1", "v1/inspect?model=bright",
		} {
			status, head, body := postNamed(t, url+route, "QZ_998K.dcm", b)
			answers[status]++
			wantNoSecret(t, name+": "+route, head+"\n"+body)
			if status >= 500 {
				t.Errorf("%s: %s: status %d: %s", name, route, status, body)
			}
		}
		// An object that is not de-identified holds the patient, and nothing about
		// it does.
		for _, kind := range []string{"seg", "segprob", "sc", "sr", "gsps", "rtstruct"} {
			status, head, body := postNamed(t, url+"v1/segment?model=bright&output="+kind, "QZ_998K.dcm", b)
			answers[status]++
			wantNoSecret(t, name+": head of "+kind, head)
			if status != http.StatusOK {
				wantNoSecret(t, name+": "+kind, body)
			} else if name == "whole" && !secret.MatchString(body) {
				t.Errorf("%s has no patient", kind)
			}
		}
	}
	for _, route := range []string{"metrics", "healthz", "v1/models"} {
		if _, body := get(t, url+route); secret.Match(body) {
			t.Errorf("%s holds a planted value", route)
		}
	}
	stop()
	wantNoSecret(t, "log", log.String())
	if answers[http.StatusOK] == 0 || answers[http.StatusBadRequest] == 0 || answers[http.StatusUnprocessableEntity] == 0 || answers[http.StatusUnsupportedMediaType] == 0 {
		t.Errorf("answers by status %v: not every stage was reached", answers)
	}
	t.Logf("%d files, answers by status %v", len(files), answers)
}

// postNamed uploads b under a file name and returns status, headers and body.
func postNamed(t *testing.T, url, name string, b []byte) (status int, head, body string) {
	t.Helper()
	var form bytes.Buffer
	w := multipart.NewWriter(&form)
	part, err := w.CreateFormFile("file", name)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = part.Write(b) // a buffer takes all
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	resp, err := http.Post(url, w.FormDataContentType(), &form)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, fmt.Sprint(resp.Header, resp.Trailer), string(answer)
}

func privateSegment(t *testing.T, files map[string][]byte) {
	dir, model := t.TempDir(), brightModel(t)
	names := make([]string, 0, len(files))
	for name := range files {
		names = append(names, name)
	}
	slices.Sort(names)
	for i, name := range names {
		write(t, filepath.Join(dir, fmt.Sprintf("%03d.dcm", i)), files[name])
	}
	for _, args := range [][]string{
		{"--output", "mask,overlay,json,csv"},
		{"--output", "mask,json,csv,seg,segprob,sc,sr,gsps,rtstruct"},
		{"--output", "mask,json,csv,seg,segprob,sc,sr,gsps,rtstruct", "--deidentify", "--progress", "json"},
	} {
		out := t.TempDir()
		code, stdout, stderr := command(t, append([]string{"segment", "-i", dir, "-o", out, "-m", model}, args...)...)
		if code != exitPartial {
			t.Fatalf("exit %d: %s", code, stderr)
		}
		wantNoSecret(t, "standard output and error", stdout+stderr)
		for name, content := range tree(t, out) {
			if strings.HasSuffix(name, ".dcm") && !slices.Contains(args, "--deidentify") {
				content = "" // keeps the patient
			}
			wantNoSecret(t, name, name+"\n"+content)
		}
	}
	for _, args := range [][]string{{}, {"--json"}, {"-m", model}} {
		paths, err := filepath.Glob(filepath.Join(dir, "*.dcm"))
		if err != nil {
			t.Fatal(err)
		}
		_, stdout, stderr := command(t, append(append([]string{"inspect"}, args...), paths...)...)
		wantNoSecret(t, "inspect", stdout+stderr)
	}
}

// privateTraining has images of the patient, and such as fail, checked, trained
// on and evaluated.
func privateTraining(t *testing.T, files map[string][]byte) {
	model, data, faulty := brightModel(t), t.TempDir(), t.TempDir()
	label := image.NewGray(image.Rect(0, 0, 24, 24))
	label.Pix[100] = 1
	for i := range 4 {
		write(t, filepath.Join(data, "images", fmt.Sprintf("%03d.dcm", i)), files["whole"])
		datasettest.WritePNG(t, filepath.Join(data, "labels", fmt.Sprintf("%03d.png", i)), label)
	}
	i := 0
	for _, b := range files {
		i++
		write(t, filepath.Join(faulty, "images", fmt.Sprintf("%03d.dcm", i)), b)
		datasettest.WritePNG(t, filepath.Join(faulty, "labels", fmt.Sprintf("%03d.png", i)), label)
	}
	out := t.TempDir()
	for _, args := range [][]string{
		{"check", "--overfit", "0", "-d"},
		{"evaluate", "-m", model, "--report", filepath.Join(out, "report.json"), "--html", filepath.Join(out, "report.html"), "-d"},
		{"train", "--steps", "1", "-o", filepath.Join(out, "model"), "-d"},
	} {
		for _, dir := range []string{data, faulty} {
			code, stdout, stderr := command(t, append(args, dir)...)
			if (code == exitDone) != (dir == data) {
				t.Errorf("%s of %s: exit %d: %s", args[0], dir, code, stderr)
			}
			wantNoSecret(t, args[0], stdout+stderr)
		}
	}
	written := tree(t, out)
	for name, content := range written {
		wantNoSecret(t, name, name+"\n"+content)
	}
	if written["report.json"] == "" || written["model/model.json"] == "" {
		t.Errorf("wrote %q", slices.Collect(maps.Keys(written)))
	}
}
