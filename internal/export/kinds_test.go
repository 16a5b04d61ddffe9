package export

import (
	"slices"
	"strings"
	"testing"
)

// Each kind says all that an edge asks.
func TestKinds(t *testing.T) {
	seen := map[string]bool{}
	for _, k := range Kinds(func(Kind) bool { return true }) {
		switch {
		case seen[k.Name] || k.Name == "" || k.Help == "":
			t.Errorf("%+v", k)
		case !strings.HasPrefix(k.Ext, ".") || !strings.Contains(k.Media, "/") || len(k.Heads) == 0:
			t.Errorf("%s: extension %q, media type %q, heads %q", k.Name, k.Ext, k.Media, k.Heads)
		case k.Scope == Run && k.HTTP, k.DICOM != (k.Media == DICOMMedia), !k.HTTP && !k.CommandLine && !k.Bundled:
			t.Errorf("%s: %+v", k.Name, k)
		}
		seen[k.Name] = true
		if got, ok := KindOf(k.Name); !ok || got.Name != k.Name {
			t.Errorf("%s: %+v", k.Name, got)
		}
	}
	if _, ok := KindOf("masks"); ok {
		t.Error("masks is a kind")
	}
	if got := Names(Kinds(func(k Kind) bool { return k.Bundled && k.Scope == Frame })); !slices.Equal(got, []string{Image, Mask, Overlay, Value, TIFF}) {
		t.Errorf("a zip holds %q of each frame", got)
	}
}
