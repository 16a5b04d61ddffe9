package models

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"segd"
)

// Any input is either a manifest that survives a round trip, or an error of a known
// kind.
func FuzzManifest(f *testing.F) {
	man := tiny("m").complete()
	man.WeightsSHA256 = strings.Repeat("0a", 32)
	man.Training = &Training{Steps: 3, Seed: 1 << 63}
	good, err := json.Marshal(man)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte(`{"segd_format": 9}`))
	f.Add([]byte(`{"segd_format": 1, "classes": null}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := decodeManifest(b)
		if err != nil {
			if !errors.Is(err, segd.ErrFormat) && !errors.Is(err, segd.ErrUnsupported) {
				t.Fatalf("no kind: %v", err)
			}
			return
		}
		text, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		again, err := decodeManifest(text)
		if err != nil {
			t.Fatalf("not read again: %v\n%s", err, text)
		}
		// An empty optional list is read back as nil.
		other, err := json.Marshal(again)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(text), string(other)); diff != "" {
			t.Fatal(diff)
		}
	})
}
