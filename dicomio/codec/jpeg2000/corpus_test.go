package jpeg2000

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/csv"
	"encoding/hex"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"segd/dicomio/codec"
)

const corpus = "../../../../shared/dicom-corpus"

// A corpusFile is a line of MANIFEST.csv.
type corpusFile struct {
	path   string
	layout codec.Layout
	frames int
	hashes []string // of the stored values, the first half of SHA-256: any is right
}

// openJPEG are the hashes of files that no reference of the corpus decodes;
// opj_decompress 2.5.0 does. An empty one stands for a stream that it refuses.
var openJPEG = map[string]string{
	"HTJ2KLossless_08_RGB.dcm":                  "9d87240604f5d7522c6a8056ace6cefc",
	"HTJ2K_08_RGB.dcm":                          "16463ac9d0b0c70eed678971adf20768",
	"emri_small_jpeg_2k_lossless_too_short.dcm": "9719c5d0f62ce971a1039c9cd73a6785",
	"liver_j2k.dcm":                             "86ceb97b138085d01b005c48e893bb43",
	"liver_nonbyte_aligned_j2k.dcm":             "842dd64c92ce1a92a823bd219ae4a079",
	"JPEG2000-embedded-sequence-delimiter.dcm":  "",
}

// corpusFiles lists the JPEG 2000 files of the corpus.
func corpusFiles(t testing.TB) []corpusFile {
	t.Helper()
	f, err := os.Open(filepath.Join(corpus, "MANIFEST.csv"))
	if err != nil {
		t.Skip("shared/dicom-corpus is not there")
	}
	defer func() { _ = f.Close() }()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	column := map[string]int{}
	for i, name := range rows[0] {
		column[name] = i
	}
	var files []corpusFile
	for _, row := range rows[1:] {
		get := func(name string) string { return row[column[name]] }
		number := func(name string) int { n, _ := strconv.Atoi(get(name)); return n }
		ts := get("ts")
		if !strings.HasPrefix(ts, "1.2.840.10008.1.2.4.9") && !strings.HasPrefix(ts, "1.2.840.10008.1.2.4.20") {
			continue
		}
		hashes := []string{get("h_ref")}
		if get("agree") < "2" { // each has its own idea of signs
			hashes = []string{get("h_pydicom"), get("h_dcmtk"), get("h_gdcm")}
		}
		if h, ok := openJPEG[filepath.Base(get("path"))]; ok {
			hashes = []string{h}
		}
		files = append(files, corpusFile{
			path: filepath.Join(corpus, get("path")),
			layout: codec.Layout{
				Rows: number("rows"), Columns: number("cols"), Samples: number("spp"),
				BitsAllocated: max(8, number("ba")),
			},
			frames: max(1, number("frames")),
			hashes: hashes,
		})
	}
	return files
}

// codestreams returns the codestreams of a file: a fragment for each frame, or all
// of them together where there is one frame.
func (f corpusFile) codestreams(t testing.TB) [][]byte {
	t.Helper()
	b, err := os.ReadFile(f.path)
	if err != nil {
		t.Skip(err)
	}
	start := bytes.Index(b, []byte{0xE0, 0x7F, 0x10, 0x00, 'O'})
	if start < 0 {
		t.Fatal("no pixel data")
	}
	b = b[start+12:]
	var items [][]byte
	for len(b) >= 8 && bytes.HasPrefix(b, []byte{0xFE, 0xFF, 0x00, 0xE0}) {
		n := min(int(binary.LittleEndian.Uint32(b[4:])), len(b)-8)
		items = append(items, b[8:8+n])
		b = b[8+n:]
	}
	if len(items) < 2 {
		t.Fatal("no fragments")
	}
	items = items[1:] // behind the basic offset table
	if f.frames == 1 {
		return [][]byte{bytes.Join(items, nil)}
	}
	return items
}

// TestCorpus holds the decoded pixels of the corpus against the references'.
func TestCorpus(t *testing.T) {
	for _, f := range corpusFiles(t) {
		t.Run(filepath.Base(f.path), func(t *testing.T) {
			hash := sha256.New()
			for i, src := range f.codestreams(t) {
				dst := make([]byte, f.layout.Bytes())
				_, err := Decode(dst, src, f.layout)
				if f.hashes[0] == "" && kind(err) != nil {
					return
				}
				if err != nil {
					t.Fatalf("frame %d: %v", i, err)
				}
				hash.Write(dst)
			}
			if got := hex.EncodeToString(hash.Sum(nil))[:32]; !slices.Contains(f.hashes, got) {
				t.Errorf("SHA-256 %s, want one of %q", got, f.hashes)
			}
		})
	}
}
