package unet

// GFLOP returns the work of one forward pass over an image of h×w pixels,
// multiples of the stride, in 10⁹ floating-point operations. It counts two for
// each multiplication with a weight, and ignores bias, normalisation, ReLU,
// pooling, interpolation and addition. The plain network with width 32, depth
// 4, one channel and two classes needs 24.07 at 256².
func (c Config) GFLOP(h, w int) float64 {
	macs := 0
	for _, p := range c.layout() {
		if p.shape.Dims() > 1 {
			macs += p.shape.TotalSize() * (h >> p.level) * (w >> p.level)
		}
	}
	return 2e-9 * float64(macs)
}
