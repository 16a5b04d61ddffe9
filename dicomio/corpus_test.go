package dicomio

import (
	"bytes"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"segd"
	"segd/dicomio/dicomtest"
)

// shared returns a folder that lies beside the repository, or skips the test.
func shared(t testing.TB, name string) string {
	t.Helper()
	dir := filepath.Join("..", "..", "shared", name)
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("no %s beside the repository", name)
	}
	return dir
}

// TestCorpus reads 248 public files. The stored values of each must be those
// that at least two of pydicom, dcmtk and gdcm agree on, where two agree; any
// other is read or refused with a typed error.
func TestCorpus(t *testing.T) {
	dir := shared(t, "dicom-corpus")
	list, err := os.ReadFile(filepath.Join(dir, "MANIFEST.csv"))
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(bytes.NewReader(list)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	column := map[string]int{}
	for i, c := range rows[0] {
		column[c] = i
	}
	var slowest time.Duration
	var most uint64
	matched, refused, other := map[string]int{}, map[string]int{}, map[string]int{}
	for _, row := range rows[1:] {
		get := func(c string) string { return row[column[c]] }
		t.Run(get("path"), func(t *testing.T) {
			b, err := os.ReadFile(filepath.Join(dir, get("path")))
			if err != nil {
				t.Fatal(err)
			}
			syntax := get("ts")
			start := time.Now()
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			scan, err := Read(b)
			if err == nil {
				for i := range scan.Frames {
					if _, err = scan.Frame(i); err != nil {
						break
					}
				}
			}
			runtime.ReadMemStats(&after)
			took := time.Since(start)
			if took > dicomtest.Hung {
				t.Errorf("took %v", took)
			}
			n := after.TotalAlloc - before.TotalAlloc
			if n > 512<<20 {
				t.Errorf("allocated %d MiB", n>>20)
			}
			slowest, most = max(slowest, took), max(most, n)
			if err != nil && kind(err) == nil {
				t.Errorf("error without a kind: %v", err)
			}
			reference := get("h_ref") != "" && get("agree") >= "2"
			switch {
			case errors.Is(err, segd.ErrUnsupported):
				refused[syntax]++
				if !strings.Contains(err.Error(), syntax) {
					t.Errorf("%v does not name %s", err, syntax)
				}
				if readable(syntax) {
					t.Errorf("refused: %v", err)
				}
			case reference:
				h := sha256.New()
				if err := WriteStored(h, b); err != nil {
					t.Errorf("%s %s: %v", syntax, get("pi"), err)
					return
				}
				if got := hex.EncodeToString(h.Sum(nil))[:32]; got != get("h_ref") {
					t.Errorf("%s %s: stored values are %s, want %s (%s, %s)", syntax, get("pi"), got, get("h_ref"), get("dtype"), get("shape"))
					return
				}
				if err != nil {
					t.Logf("stored values match, but: %v", err)
				}
				matched[syntax]++
			default:
				other[syntax]++
				t.Logf("%s %s, pixels %s, agree %s: %v", syntax, get("sop"), get("haspix"), get("agree"), err)
			}
		})
	}
	t.Logf("matched %v, refused %v, without reference %v", matched, refused, other)
	t.Logf("the slowest took %v, the largest allocated %d KiB", slowest, most>>10)
}

func readable(syntax string) bool {
	switch syntax {
	case implicitLE, explicitLE, explicitBE, deflatedLE:
		return true
	}
	_, ok := encapsulations[syntax]
	return ok
}

// kind returns which of the root's kinds err is.
func kind(err error) error {
	for _, k := range []error{segd.ErrFormat, segd.ErrTooLarge, segd.ErrUnsupported, segd.ErrUnprocessable, segd.ErrNotFound} {
		if errors.Is(err, k) {
			return k
		}
	}
	return nil
}

// TestCorpusPairs reads files that hold the same frames, compressed and not.
func TestCorpusPairs(t *testing.T) {
	dir := filepath.Join(shared(t, "dicom-corpus"), "pydicom+pydicom-data")
	stored := func(name string) []byte {
		t.Helper()
		found, err := filepath.Glob(filepath.Join(dir, "*", name))
		if more, _ := filepath.Glob(filepath.Join(dir, "*", "*", name)); more != nil {
			found = append(found, more...)
		}
		if err != nil || len(found) == 0 {
			t.Fatalf("%s is not in the corpus", name)
		}
		b, err := os.ReadFile(found[0])
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		if err := WriteStored(&out, b); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		return out.Bytes()
	}
	for plain, compressed := range map[string][]string{
		"liver.dcm":                 {"liver_rle.dcm", "liver_deflate.dcm", "liver_j2k.dcm"},
		"liver_nonbyte_aligned.dcm": {"liver_nonbyte_aligned_rle.dcm", "liver_nonbyte_aligned_deflate.dcm", "liver_nonbyte_aligned_j2k.dcm"},
	} {
		want := stored(plain)
		for _, name := range compressed {
			if !bytes.Equal(stored(name), want) {
				t.Errorf("%s: stored values are not those of %s", name, plain)
			}
		}
	}
}
