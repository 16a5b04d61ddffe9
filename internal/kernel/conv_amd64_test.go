//go:build amd64 && !purego

package kernel

import (
	"os"
	"regexp"
	"testing"
)

// TestAssemblyIsAVX2 looks for registers that only AVX-512 has: the generator's
// allocator would use them without warning if it ran out of 16.
func TestAssemblyIsAVX2(t *testing.T) {
	for _, name := range []string{"avx2_amd64.s", "winograd_avx2_amd64.s"} {
		s, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if m := regexp.MustCompile(`\b([XY](1[6-9]|2\d|3[01])|Z\d+|K\d)\b`).Find(s); m != nil {
			t.Errorf("%s: register %s", name, m)
		}
	}
}
