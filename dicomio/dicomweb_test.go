package dicomio

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"segd"
	"segd/dicomio/dicomtest"
	"segd/dicomio/tag"
)

// dicomwebPlugin is where Debian has it.
const dicomwebPlugin = "/usr/share/orthanc/plugins/libOrthancDicomWeb.so"

// dicomwebScript stores what NAME.post holds over STOW-RS and asks for the
// segmentation, at the path in NAME.path, what DICOMweb has of it: QIDO-RS
// (NAME.qido), the instance (NAME.head and NAME.body), its pixels as bulk data
// (NAME.bulk.*) and all frames, those of NAME.list (NAME.frames.*).
const dicomwebScript = `
cd "$1"; shift; ip link set lo up
Orthanc orthanc.json >log 2>&1 & pid=$!
trap 'kill $pid; wait $pid' EXIT
u=http://127.0.0.1:8042/dicom-web
for i in $(seq 200); do curl -sf $u/studies >/dev/null && break; sleep 0.2; done
fetch() { curl -s -D "$1.head" -o "$1.body" -H "Accept: multipart/related; type=\"$2\"; transfer-syntax=*" "$3" || exit 4; }
for name in "$@"; do
	path=$(cat "$name.path")
	curl -sf -H 'Content-Type: multipart/related; type="application/dicom"; boundary=segd' --data-binary "@$name.post" $u/studies >"$name.stow" || exit 2
	curl -sf "$u/instances?Modality=SEG&SOPInstanceUID=${path##*/}" >"$name.qido" || exit 3
	fetch "$name" application/dicom "$u/$path"
	fetch "$name.bulk" application/octet-stream "$u/$path/bulk/7fe00010"
	fetch "$name.frames" application/octet-stream "$u/$path/frames/$(cat "$name.list")"
done
`

// A stowed segmentation is stored with its sources over DICOMweb.
type stowed struct {
	sources []dicomtest.File
	seg     []byte
	values  []byte // of all frames, a byte a pixel
	bits    int    // of a value
	frame   int    // values of a frame
}

// stow makes a segmentation of both classes in every frame of files.
func stow(t *testing.T, fractional bool, files ...dicomtest.File) stowed {
	t.Helper()
	var sources []*Source
	for _, f := range files {
		sources = append(sources, openSource(t, f))
	}
	s := stowed{sources: files, bits: 1, frame: files[0].Rows * files[0].Columns}
	if !fractional {
		var masks []*segd.Mask
		s.seg, masks = writeSEG(t, origin(sources...))
		s.values = wantBits(masks)
		return s
	}
	seg, err := NewFractionalSEG(origin(sources...))
	if err != nil {
		t.Fatal(err)
	}
	s.bits = 8
	values := make([][]byte, len(classes))
	for i, source := range sources {
		for j := range source.frames {
			p := segd.NewTensor(1, len(classes), source.rows, source.cols)
			for k := range classes[1:] {
				for n := range p.Plane(0, k+1) {
					v := byte(n + 60*k + 7*(i+j))
					p.Plane(0, k+1)[n] = float32(v) / 255
					values[k+1] = append(values[k+1], v)
				}
			}
			if err := seg.AddProbabilities(i, j, p); err != nil {
				t.Fatal(err)
			}
		}
	}
	var b bytes.Buffer
	if err := seg.Write(&b); err != nil {
		t.Fatal(err)
	}
	s.seg, s.values = b.Bytes(), bytes.Join(values, nil)
	return s
}

// stack is a series of n slices.
func stack(n int) []dicomtest.File {
	var files []dicomtest.File
	for i := range n {
		files = append(files, identified("1.2.840.10008.5.1.4.1.1.2", "CT", 40+i, placed(3*float64(i))...))
	}
	return files
}

// TestDICOMweb stores images and their segmentations in an archive over STOW-RS,
// finds them by QIDO-RS, and has WADO-RS give them back byte for byte: as an
// instance, as bulk data and frame by frame, but frames of single bits only where
// they fill whole bytes (TestOrthanc). pydicom, dcmtk, gdcm and ReadSEG then read
// from what came back the masks that were sent. The archive runs in a network of
// its own.
func TestDICOMweb(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a server")
	}
	for name, pack := range map[string]string{"Orthanc": "orthanc", "unshare": "util-linux", "curl": "curl"} {
		program(t, name, "Debian package "+pack)
	}
	if _, err := os.Stat(dicomwebPlugin); err != nil {
		t.Skip("no DICOMweb plugin (Debian package orthanc-dicomweb)")
	}
	if err := exec.Command("unshare", "-n", "true").Run(); err != nil {
		t.Skip("no right to a network of its own")
	}
	dir := t.TempDir()
	save := func(name string, b []byte) {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	save("orthanc.json", fmt.Appendf(nil, `{"StorageDirectory": %q, "IndexDirectory": %q, "HttpPort": 8042,
		"DicomServerEnabled": false, "Plugins": [%q]}`, dir, dir, dicomwebPlugin))
	wide := stack(3)
	for i := range wide {
		wide[i].Columns, wide[i].Pixels = 24, make([]byte, 2*24*wide[i].Rows)
	}
	cases := map[string]stowed{
		"binary":               stow(t, false, images()["CT"]),
		"fractional":           stow(t, true, stack(2)...),
		"2D":                   stow(t, false, images()["CR"]),
		"2D-fractional":        stow(t, true, images()["MG"]),
		"volume":               stow(t, false, stack(3)...),
		"volume-of-whole-rows": stow(t, false, wide...),
		"multi-frame":          stow(t, false, images()["enhanced MR"]),
	}
	args := []string{"-n", "sh", "-c", dicomwebScript, "sh", dir}
	for name, c := range cases {
		d := parse(t, c.seg)
		save(name+".path", fmt.Appendf(nil, "studies/%s/series/%s/instances/%s", d.text(tag.StudyInstanceUID), d.text(tag.SeriesInstanceUID), d.text(tag.SOPInstanceUID)))
		save(name+".post", posted(t, c))
		var list []string
		for i := range len(c.values) / c.frame {
			list = append(list, fmt.Sprint(i+1))
		}
		save(name+".list", []byte(strings.Join(list, ",")))
		args = append(args, name)
	}
	out, err := exec.Command("unshare", args...).CombinedOutput()
	if err != nil {
		log, _ := os.ReadFile(filepath.Join(dir, "log")) // for the message
		t.Fatalf("%v: %s %.2000s", err, out, log)
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(dir, name)
			c.stored(t, path)
			c.read(t, path+".dcm")
		})
	}
}

// posted is the body of a STOW-RS request with all of c.
func posted(t *testing.T, c stowed) []byte {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	if err := w.SetBoundary("segd"); err != nil {
		t.Fatal(err)
	}
	all := [][]byte{c.seg}
	for _, f := range c.sources {
		all = append(all, dicomtest.Write(f))
	}
	for _, file := range all {
		part, err := w.CreatePart(textproto.MIMEHeader{"Content-Type": {"application/dicom"}})
		if err != nil {
			t.Fatal(err)
		}
		_, _ = part.Write(file) // a buffer takes all
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// fetched returns the status and the parts of an answer that is in path.head and
// path.body.
func fetched(t *testing.T, path string) (status string, parts [][]byte) {
	t.Helper()
	head, err := os.ReadFile(path + ".head")
	if err != nil {
		t.Fatal(err)
	}
	line, rest, _ := strings.Cut(string(head), "\r\n")
	status = strings.Fields(line)[1]
	h := http.Header{}
	for l := range strings.SplitSeq(rest, "\r\n") {
		if k, v, ok := strings.Cut(l, ": "); ok {
			h.Add(k, v)
		}
	}
	_, params, err := mime.ParseMediaType(h.Get("Content-Type"))
	if status != "200" {
		return status, nil
	}
	if err != nil || params["boundary"] == "" {
		t.Fatalf("content type %q: %v", h.Get("Content-Type"), err)
	}
	f, err := os.Open(path + ".body")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	for r := multipart.NewReader(f, params["boundary"]); ; {
		p, err := r.NextRawPart()
		if errors.Is(err, io.EOF) {
			return status, parts
		}
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(p)
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, b)
	}
}

// stored holds the answers against what was sent; path.dcm is what came back.
func (c stowed) stored(t *testing.T, path string) {
	if status, parts := fetched(t, path); len(parts) != 1 || !bytes.Equal(parts[0], c.seg) {
		t.Errorf("WADO-RS gives %d parts, status %s: not the file that was sent", len(parts), status)
	} else if err := os.WriteFile(path+".dcm", parts[0], 0o600); err != nil {
		t.Fatal(err)
	}
	found, err := os.ReadFile(path + ".qido")
	if err != nil || bytes.Count(found, []byte(parse(t, c.seg).text(tag.SOPInstanceUID))) == 0 {
		t.Errorf("QIDO-RS does not find it: %v %s", err, found)
	}
	packed := c.packed()
	if status, parts := fetched(t, path+".bulk"); len(parts) != 1 || !bytes.Equal(parts[0], packed) {
		t.Errorf("WADO-RS gives %d parts of bulk data, status %s: not the pixels that were sent", len(parts), status)
	}
	status, parts := fetched(t, path+".frames")
	if c.bits == 1 && c.sources[0].Columns%8 != 0 {
		if status != "400" {
			t.Errorf("frames of rows that fill no whole bytes: status %s", status)
		}
		return
	}
	if got := bytes.Join(parts, nil); len(parts) != len(c.values)/c.frame || !bytes.Equal(got, packed[:len(got)]) {
		t.Errorf("WADO-RS gives %d frames, status %s: not those that were sent", len(parts), status)
	}
}

// packed is the value of Pixel Data.
func (c stowed) packed() []byte {
	out := make([]byte, (len(c.values)*c.bits+15)/16*2)
	for i, v := range c.values {
		if c.bits == 8 {
			out[i] = v
		} else {
			out[i/8] |= v << (i % 8)
		}
	}
	return out
}

// read has other programs, and our own reader, read the pixels of a file.
func (c stowed) read(t *testing.T, file string) {
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	seg, err := ReadSEG(b)
	if err != nil {
		t.Fatal(err)
	}
	var own []byte
	for i := range seg.Frames {
		values, err := seg.Values(i)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range values {
			own = append(own, byte(v))
		}
	}
	if diff := cmp.Diff(c.values, own); diff != "" {
		t.Errorf("ReadSEG (-want +got):\n%s", diff)
	}
	dir := t.TempDir()
	commands := map[string][]string{
		"dcmdump": {"+W", dir, file},
		"gdcmraw": {"-i", file, "-t", "7fe0,0010", "-o", filepath.Join(dir, "gdcm.raw")},
	}
	for name, args := range commands {
		if _, err := exec.LookPath(name); err != nil {
			t.Logf("%s is not installed", name)
			delete(commands, name)
			continue
		}
		if out, err := exec.Command(name, args...).CombinedOutput(); err != nil || bytes.Contains(out, []byte("W: ")) {
			t.Errorf("%s: %v: %s", name, err, out)
		}
	}
	raw, err := filepath.Glob(filepath.Join(dir, "*.raw"))
	if err != nil || len(raw) != len(commands) {
		t.Errorf("%d programs wrote %q", len(commands), raw)
	}
	for _, name := range raw {
		if got, err := os.ReadFile(name); err != nil || !bytes.Equal(got, c.packed()) {
			t.Errorf("%s has other pixels: %v", name, err)
		}
	}
	t.Run("pydicom", func(t *testing.T) {
		p := python(t, "pydicom, numpy")
		out, err := exec.Command(p, "-c", `
import sys, pydicom
a = pydicom.dcmread(sys.argv[1]).pixel_array
sys.stdout.buffer.write(a.astype("u1").tobytes())
`, file).Output()
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c.values, out); diff != "" {
			t.Errorf("pixels (-want +got):\n%s", diff)
		}
	})
}
