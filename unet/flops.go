package unet

// GFLOP is the work of one forward pass over an image of h×w pixels, multiples
// of the stride, in units of 10⁹ floating-point operations: two for each
// multiplication with a weight; bias, normalisation, ReLU, pooling,
// interpolation and addition are not counted. At width 32, depth 4, one channel
// in and two classes the plain network has 24.07 at 256².
func (c Config) GFLOP(h, w int) float64 {
	macs := 0
	for _, p := range c.layout() {
		if p.shape.Dims() > 1 {
			macs += p.shape.TotalSize() * (h >> p.level) * (w >> p.level)
		}
	}
	return 2e-9 * float64(macs)
}
