package unet

import (
	"context"
	"testing"

	"segd"
)

// Memory reports what a run keeps for the next one, whole or in tiles, and Trim
// releases it.
func TestFootprint(t *testing.T) {
	if testing.Short() {
		t.Skip("images of several tiles")
	}
	c := Config{Channels: 1, Classes: 3, Width: 4, Depth: 2}.WithDefaults()
	q, err := NewPredictor(c, NewParams(c, 1), PredictorOptions{TilePixels: 64 * 64})
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range [][2]int{{32, 32}, {31, 37}, {64, 64}, {200, 150}} {
		arena, result, err := q.Memory(size[0], size[1])
		if err != nil {
			t.Fatal(err)
		}
		x := segd.NewTensor(1, 1, size[0], size[1])
		out, err := q.Predict(context.Background(), x)
		if err != nil {
			t.Fatal(err)
		}
		if got := q.Idle(); got != arena {
			t.Errorf("%v: a run keeps %d bytes, Memory says %d", size, got, arena)
		}
		if got := 4 * int64(len(out.Data)); got != result {
			t.Errorf("%v: a result of %d bytes, Memory says %d", size, got, result)
		}
		if q.Trim(); q.Idle() != 0 {
			t.Errorf("%v: %d bytes kept after Trim", size, q.Idle())
		}
	}
	if _, _, err := q.Memory(200, 150); err != nil {
		t.Error(err)
	}
	c.Norm = NormInstance
	if q, err = NewPredictor(c, NewParams(c, 1), PredictorOptions{TilePixels: 64 * 64}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := q.Memory(200, 150); err == nil {
		t.Error("beyond the limit of a network without tiling: no error")
	}
}
