package segment

import (
	"segd"
	"segd/models"
	"segd/unet"
)

// Memory is about how many bytes Frame holds at its peak, and the caller
// with its Result, for an image of width×height pixels and that many channels: the
// image, the network's input, what it computes in, and what is made of its output.
// The model is loaded for it. Errors are those of Frame.
func Memory(m *models.Model, pool *unet.Pool, width, height, channels int, spacing segd.Spacing, o Options) (int64, error) {
	p, err := m.Recipe.Grid(width, height, spacing)
	if err != nil {
		return 0, err
	}
	network, err := m.Memory(pool, p.GridHeight, p.GridWidth, o.TTA)
	if err != nil {
		return 0, err
	}
	pixels, grid := int64(width)*int64(height), int64(p.GridWidth)*int64(p.GridHeight)
	in, out := 4*int64(m.Recipe.Channels), 4*int64(m.Network.Classes)
	image := pixels * (4*int64(channels) + 1) // with its padding

	// Normalising takes a copy of a plane's values, and which of them count.
	prepare := pixels * (in + 4 + 1)
	after := pixels * (out + 4 + 1 + 8) // Labels, its mask, components
	if !p.Identity() {
		// A line of one size by the other's lies between the two.
		prepare = max(prepare, pixels*in+grid*in+4*int64(height)*int64(p.GridWidth))
		after = max(after, grid*out+pixels*out+4*int64(p.GridHeight)*int64(width))
	}
	n := image + max(prepare, network, after)
	return n + n/16, nil // what kernels keep for each thread, and the like
}
