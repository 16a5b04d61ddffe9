package kernel

import "math"

// roundBF16 rounds each number to the nearest bfloat16, ties to even, like
// VCVTNEPS2BF16: numbers below the normal range become zero, and NaN stays NaN
// (Intel SDM, volume 2).
func roundBF16[T Float](x []T) {
	const (
		exponent = 0xff << 23
		dropped  = 16 // bits
	)
	for i, v := range x {
		b := math.Float32bits(float32(v))
		switch b & exponent {
		case 0:
			b &= 1 << 31
		case exponent:
			if b&^(1<<31) > exponent { // NaN, which would lose its payload
				b |= 1 << 22
			}
		default:
			b += 1<<(dropped-1) - 1 + b>>dropped&1
		}
		x[i] = T(math.Float32frombits(b >> dropped << dropped))
	}
}
