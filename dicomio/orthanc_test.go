package dicomio

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"segd/dicomio/dicomtest"
)

// TestOrthanc sends a segmentation to an archive, which has to find it under the
// study of its source and give its masks back. The archive runs in a network of
// its own.
func TestOrthanc(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a server")
	}
	program(t, "Orthanc", "Debian package orthanc")
	program(t, "unshare", "Debian package util-linux")
	program(t, "curl", "Debian package curl")
	if err := exec.Command("unshare", "-n", "true").Run(); err != nil {
		t.Skip("no right to a network of its own")
	}
	// Orthanc only unpacks bits of rows that fill whole bytes.
	ct := images()["CT"]
	ct.Columns, ct.Pixels = 16, make([]byte, 2*16*ct.Rows)
	s := openSource(t, ct)
	seg, masks := writeSEG(t, origin(s))
	dir := t.TempDir()
	for name, b := range map[string][]byte{
		"seg.dcm": seg, "ct.dcm": dicomtest.Write(ct),
		"orthanc.json": []byte(fmt.Sprintf(`{"StorageDirectory": %q, "IndexDirectory": %q, "HttpPort": 8042, "DicomServerEnabled": false, "Plugins": []}`, dir, dir)),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("unshare", "-n", "sh", "-c", `
cd "$1"; ip link set lo up
Orthanc orthanc.json >log 2>&1 & pid=$!
trap 'kill $pid; wait $pid' EXIT
u=http://127.0.0.1:8042
for i in $(seq 200); do curl -sf $u/system >/dev/null && break; sleep 0.2; done
curl -sf --data-binary @ct.dcm $u/instances >ct.json || exit 2
curl -sf --data-binary @seg.dcm $u/instances >stored.json || exit 3
id=$(sed -n 's/^ *"ID" : "\(.*\)",*$/\1/p' stored.json)
curl -sf $u/studies >studies.json
curl -sf $u/instances/$id/file >back.dcm || exit 4
curl -sf -o bits $u/instances/$id/frames/0/raw || exit 5
`, "sh", dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		log, _ := os.ReadFile(filepath.Join(dir, "log"))
		t.Fatalf("%v: %s %.2000s", err, out, log)
	}
	read := func(name string) []byte {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	if !bytes.Equal(read("back.dcm"), seg) {
		t.Error("the archive gives another file back")
	}
	if n := bytes.Count(read("studies.json"), []byte(`"`)); n != 2 {
		t.Errorf("the segmentation is not filed under the study of its source: %s", read("studies.json"))
	}
	bits := wantBits(masks)[:s.rows*s.cols] // of the first frame
	got := read("bits")
	for i, v := range bits {
		if got[i/8]>>(i%8)&1 != v {
			t.Fatalf("pixel %d of frame 1 is not %d", i, v)
		}
	}
}
