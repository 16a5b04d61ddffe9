package jpeg2000

import (
	"path/filepath"
	"testing"
)

// BenchmarkDecode decodes files of the corpus: a CT slice and a colour picture,
// lossless, and the latter in HTJ2K, lossless and lossy. Bytes are those of the
// decoded pixels.
func BenchmarkDecode(b *testing.B) {
	files := map[string]bool{
		"J2K_pixelrep_mismatch.dcm": true, "examples_jpeg2k.dcm": true,
		"HTJ2KLossless_08_RGB.dcm": true, "HTJ2K_08_RGB.dcm": true,
	}
	for _, f := range corpusFiles(b) {
		name := filepath.Base(f.path)
		if !files[name] {
			continue
		}
		b.Run(name, func(b *testing.B) {
			src := f.codestreams(b)[0]
			dst := make([]byte, f.layout.Bytes())
			b.SetBytes(int64(len(dst)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Decode(dst, src, f.layout); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
