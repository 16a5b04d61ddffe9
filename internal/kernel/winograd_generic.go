package kernel

import "unsafe"

// winogradGeneric is the reference of Winograd's algorithm in bfloat16, on vectors of
// a block. For plain T, direct convolution is the reference.
func winogradGeneric[T Float]() *winogradOps[T] {
	return &winogradOps[T]{
		name:    "generic",
		lanes:   Lanes,
		number:  rounded,
		filter:  winogradFilterGeneric[T],
		input:   winogradInputGeneric[T],
		output:  winogradOutputGeneric[T],
		product: [][]winogradProduct[T]{nil, {winogradProductGeneric[T]}},
	}
}

// The points of the transforms are 0, ±a, ±b and ∞, as in _asm/winograd, where
// the notation is explained.
const (
	pointA, pointB = 0.75, 1.5
	squareA        = pointA * pointA
	squareB        = pointB * pointB
)

// vectorAt returns the vector at the given offset from p, in bytes, as if elements
// had 4 bytes. Elements of another size are placed accordingly.
func vectorAt[T Float](p *T, bytes int) *[Lanes]T {
	return (*[Lanes]T)(unsafe.Add(unsafe.Pointer(p), bytes/4*int(unsafe.Sizeof(*p))))
}

// vectorBytes is the size of a vector as counted by strides.
const vectorBytes = Lanes * 4

// winogradFilterGeneric does what winogradFilterAVX2 does.
func winogradFilterGeneric[T Float](u, w, _ *T, wTap, wRow, uPlane, uRow, n int) {
	const (
		norm  = 1 / (squareA * squareB)
		normA = pointA / (2 * squareA * (squareA - squareB))
		normB = pointB / (2 * squareB * (squareB - squareA))
	)
	line := func(g [3]T) [6]T {
		evenA, oddA := normA*g[0]+normA*squareA*g[2], normA*pointA*g[1]
		evenB, oddB := normB*g[0]+normB*squareB*g[2], normB*pointB*g[1]
		return [6]T{norm * g[0], evenA + oddA, evenA - oddA, evenB + oddB, evenB - oddB, g[2]}
	}
	for i := range n {
		for l := range Lanes {
			var half [3][6]T
			for kx := range half {
				var g [3]T
				for ky := range g {
					g[ky] = vectorAt(w, (3*ky+kx)*wTap+i*wRow)[l]
				}
				half[kx] = line(g)
			}
			for y := range 6 {
				for x, v := range line([3]T{half[0][y], half[1][y], half[2][y]}) {
					vectorAt(u, (6*y+x)*uPlane+i*uRow)[l] = v
				}
			}
		}
	}
}

// winogradInputGeneric does what winogradInputAVX2 does.
func winogradInputGeneric[T Float](v, in, _ *T, _, inRow, vPlane, tiles int) {
	line := func(d [6]T) [6]T {
		evenA, oddA := d[4]-squareB*d[2], pointA*(d[3]-squareB*d[1])
		evenB, oddB := d[4]-squareA*d[2], pointB*(d[3]-squareA*d[1])
		return [6]T{
			squareA*squareB*d[0] - (squareA+squareB)*d[2] + d[4],
			evenA + oddA, evenA - oddA, evenB + oddB, evenB - oddB,
			squareA*squareB*d[1] - (squareA+squareB)*d[3] + d[5],
		}
	}
	for t := range tiles {
		for l := range Lanes {
			var half [6][6]T
			for x := range half {
				var d [6]T
				for y := range d {
					d[y] = vectorAt(in, y*inRow+(tilePixels*t+x)*vectorBytes)[l]
				}
				half[x] = line(d)
			}
			for y := range 6 {
				for x, e := range line([6]T{half[0][y], half[1][y], half[2][y], half[3][y], half[4][y], half[5][y]}) {
					vectorAt(v, (6*y+x)*vPlane+t*vectorBytes)[l] = e
				}
			}
		}
	}
}

// winogradOutputGeneric does what winogradOutputAVX2 does.
func winogradOutputGeneric[T Float](out, m, bias, _ *T, _, outRow, mPlane, tiles, relu int) {
	line := func(m [6]T) [4]T {
		sumA, diffA, sumB, diffB := m[1]+m[2], m[1]-m[2], m[3]+m[4], m[3]-m[4]
		return [4]T{
			m[0] + sumA/pointA + sumB/pointB,
			diffA + diffB,
			pointA*sumA + pointB*sumB,
			squareA*diffA + squareB*diffB + m[5],
		}
	}
	for t := range tiles {
		for l := range Lanes {
			var half [6][4]T
			for y := range half {
				var q [6]T
				for x := range q {
					q[x] = vectorAt(m, (6*y+x)*mPlane+t*vectorBytes)[l]
				}
				half[y] = line(q)
			}
			for x := range tilePixels {
				column := [6]T{half[0][x], half[1][x], half[2][x], half[3][x], half[4][x], half[5][x]}
				for y, v := range line(column) {
					if v += vectorAt(bias, 0)[l]; relu != 0 && v < 0 {
						v = 0
					}
					vectorAt(out, y*outRow+(tilePixels*t+x)*vectorBytes)[l] = v
				}
			}
		}
	}
}

// winogradProductGeneric does what winogradProductAVX2V1T1 does.
func winogradProductGeneric[T Float](m, v, u *T, _, mPlane, vVec, vPlane, uPlane, vectors, steps, add int) {
	for p := range planes {
		for t := range steps {
			to := vectorAt(m, p*mPlane+t*vectorBytes)
			if add == 0 {
				*to = [Lanes]T{}
			}
			for i := range vectors {
				w := unsafe.Slice(&vectorAt(u, p*uPlane+i*Lanes*vectorBytes)[0], Lanes*Lanes)
				dot(to, vectorAt(v, i*vVec+p*vPlane+t*vectorBytes)[:], w, Lanes)
			}
		}
	}
}
