package unet

import (
	"fmt"
	"slices"
	"testing"
)

// Every variant is listed completely: each tensor once, each layer after those it
// reads, and the logits last.
func TestLayers(t *testing.T) {
	for name, v := range variants() {
		for _, norm := range []Norm{NormNone, NormBatch, NormInstance, NormGroup} {
			t.Run(fmt.Sprint(name, ", ", norm), func(t *testing.T) {
				c := v.with(3, 6, 3, norm)
				layers, err := c.Layers()
				if err != nil {
					t.Fatal(err)
				}
				var params []string
				read := map[int]bool{}
				for i, l := range layers {
					params = append(params, l.Params...)
					if (l.Kind == KindImage) != (i == 0) || l.Level < 0 || l.Level > c.Depth {
						t.Errorf("layer %d: %+v", i, l)
					}
					for _, in := range l.In {
						read[in] = true
						if in >= i {
							t.Errorf("layer %d reads layer %d", i, in)
						}
					}
				}
				if len(read) != len(layers)-1 || read[len(layers)-1] {
					t.Errorf("%d of %d layers are read", len(read), len(layers))
				}
				last := layers[len(layers)-1]
				if last.Level != 0 || last.Width != c.Classes || !slices.Equal(last.Params, []string{"head.weight", "head.bias"}) {
					t.Errorf("the last layer is %+v", last)
				}
				want := NewParams(c, 1).Names()
				slices.Sort(want)
				slices.Sort(params)
				if !slices.Equal(params, want) {
					t.Errorf("layers have the tensors %v, want %v", params, want)
				}
			})
		}
	}
	if _, err := (Config{}).Layers(); err == nil {
		t.Error("an invalid network has layers")
	}
}
