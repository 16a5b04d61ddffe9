package segment

import (
	"math"
	"time"

	"segd/models"
)

// What one core of a usual machine does, for lengths in the sense of package
// turn; only the order of magnitude matters.
const (
	gflops   = 100                  // in the network, a second
	perPixel = 50 * time.Nanosecond // decoding, normalising, placing back, encoding
	longest  = 1000 * time.Hour     // of any request: no product overflows
)

// Reading is about how long it takes to read an image of so many pixels and to
// write what becomes of it.
func Reading(pixels float64) time.Duration {
	return time.Duration(min(pixels*float64(perPixel), float64(longest)))
}

// Length is about how long Frame takes in all for a number of images of
// width×height pixels, for turns.Expect.
func Length(m *models.Model, width, height, images int, o Options) time.Duration {
	w, h := width, height
	if long := m.Recipe.LongSide; long > 0 {
		scale := float64(long) / float64(max(w, h, 1))
		w, h = int(math.Ceil(float64(w)*scale)), int(math.Ceil(float64(h)*scale))
	}
	w, h = max(w, m.Recipe.MinWidth), max(h, m.Recipe.MinHeight)
	each := Reading(float64(width)*float64(height)) + length(m, w, h, o)
	return time.Duration(min(float64(images)*float64(each), float64(longest)))
}

// length is that of the network alone, on a grid of w×h pixels.
func length(m *models.Model, w, h int, o Options) time.Duration {
	runs := len(m.Members) + 1
	if o.TTA {
		runs *= 4
	}
	return time.Duration(float64(runs) * m.Network.GFLOP(h, w) / gflops * float64(time.Second))
}
