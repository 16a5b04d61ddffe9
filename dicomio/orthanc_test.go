package dicomio

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"segd/dicomio/dicomtest"
)

// orthancScript stores NAME.src and NAME.seg of every NAME it is given, each
// alone, and fetches of the segmentation what viewers ask for: the file
// (NAME.file), the pixels as a whole (NAME.pixels), and of NAME.wide, which is
// there where Orthanc unpacks them, every frame's (NAME.0.bits and so on).
const orthancScript = `
cd "$1"; shift; ip link set lo up
Orthanc orthanc.json >log 2>&1 & pid=$!
trap 'kill $pid; wait $pid' EXIT
u=http://127.0.0.1:8042
for i in $(seq 200); do curl -sf $u/system >/dev/null && break; sleep 0.2; done
for name in "$@"; do
	curl -sf --data-binary "@$name.src" $u/instances >src.json || exit 2
	curl -sf --data-binary "@$name.seg" $u/instances >seg.json || exit 3
	id=$(sed -n 's/^ *"ID" : "\(.*\)",*$/\1/p' seg.json)
	curl -sf $u/studies >"$name.studies"
	curl -sf -o "$name.file" $u/instances/$id/file || exit 4
	curl -sf -o "$name.pixels" $u/instances/$id/content/7fe0-0010/0 || exit 5
	code=$(curl -s -o "$name.0.bits" -w '%{http_code}' $u/instances/$id/frames/0/raw)
	if [ -e "$name.wide" ]; then
		for i in $(seq 0 $(cat "$name.wide")); do curl -sf -o "$name.$i.bits" $u/instances/$id/frames/$i/raw || exit 6; done
	elif [ $code != 400 ]; then
		exit 7
	fi
	for p in $(grep -o '[0-9a-f-]\{44\}' "$name.studies"); do curl -sf -X DELETE $u/studies/$p >deleted.json || exit 8; done
done
`

// TestOrthanc sends segmentations to an archive, which has to find each under
// the study of its source and give its masks back: in the file, in the pixels as
// a whole and frame by frame. Frames alone it only gives where a row fills whole
// bytes: all else is "Bad number of columns for a black-and-white image" to it.
// The archive runs in a network of its own.
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
	dir := t.TempDir()
	save := func(name string, b []byte) {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	read := func(name string) []byte {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	save("orthanc.json", []byte(fmt.Sprintf(`{"StorageDirectory": %q, "IndexDirectory": %q, "HttpPort": 8042, "DicomServerEnabled": false, "Plugins": []}`, dir, dir)))
	segs, want := map[string][]byte{}, map[string][]byte{} // want: a byte a pixel
	wide := map[string]int{}                               // bytes a frame
	args := []string{"-n", "sh", "-c", orthancScript, "sh", dir}
	for _, kind := range []string{"CT", "enhanced MR", "US cine", "CR"} {
		for _, columns := range []int{13, 24} {
			f := images()[kind]
			f.Columns, f.Pixels = columns, make([]byte, 2*columns*f.Rows*max(1, f.Frames))
			s := openSource(t, f)
			seg, masks := writeSEG(t, origin(s))
			name := strings.ReplaceAll(fmt.Sprint(kind, columns), " ", "_")
			save(name+".src", dicomtest.Write(f))
			save(name+".seg", seg)
			segs[name], want[name] = seg, wantBits(masks)
			if columns%8 == 0 {
				wide[name] = columns * f.Rows / 8
				save(name+".wide", []byte(fmt.Sprint(len(want[name])/8/wide[name]-1)))
			}
			args = append(args, name)
		}
	}
	if out, err := exec.Command("unshare", args...).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s %.2000s", err, out, read("log"))
	}
	for name, seg := range segs {
		if !bytes.Equal(read(name+".file"), seg) {
			t.Errorf("%s: the archive gives another file back", name)
		}
		if n := bytes.Count(read(name+".studies"), []byte(`"`)); n != 2 {
			t.Errorf("%s is not filed under the study of its source: %s", name, read(name+".studies"))
		}
		if got := bitsOf(read(name + ".pixels"))[:len(want[name])]; !bytes.Equal(got, want[name]) {
			t.Errorf("%s: the archive reads other pixels", name)
		}
		if wide[name] == 0 {
			continue
		}
		for i, mask := range slices.Collect(slices.Chunk(want[name], 8*wide[name])) {
			if got := bitsOf(read(fmt.Sprintf("%s.%d.bits", name, i))); !bytes.Equal(got, mask) {
				t.Errorf("%s: the archive reads other pixels of frame %d", name, i+1)
			}
		}
	}
}

// bitsOf is a byte for every bit of b, the lowest of a byte first.
func bitsOf(b []byte) []byte {
	out := make([]byte, 8*len(b))
	for i := range out {
		out[i] = b[i/8] >> (i % 8) & 1
	}
	return out
}
