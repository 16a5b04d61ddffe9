package kernel

import "math"

// Gate computes y = x · σ(a), where σ is the logistic function. a has one
// channel, and its coefficient σ(a) applies to all channels of a pixel. y has
// x's shape and may be x.
func Gate[T Float](p *Pool, y, x, a Act[T]) {
	checkGate(y, x, a)
	gateRows(p, a, func(n, r int, s []T) {
		for b := range x.Blocks() {
			xr, yr := x.row(n*x.Blocks()+b, r), y.row(n*x.Blocks()+b, r)
			for i, v := range s {
				xv, yv := (*[Lanes]T)(xr[i*Lanes:]), (*[Lanes]T)(yr[i*Lanes:])
				for l := range Lanes {
					yv[l] = xv[l] * v
				}
			}
		}
	})
}

// GateGrad computes da, the gradient of Gate with respect to a, from x, a and
// dy: the sum over the channels of dy·x, times σ'(a). The gradient with respect
// to x is Gate of dy.
func GateGrad[T Float](p *Pool, da, x, a, dy Act[T]) {
	checkGate(dy, x, a)
	da.check("gate gradient", a.Shape)
	gateRows(p, a, func(n, r int, s []T) {
		out := da.row(n, r)
		clear(out)
		for b := range x.Blocks() {
			xr, dr := x.row(n*x.Blocks()+b, r), dy.row(n*x.Blocks()+b, r)
			for i := range s {
				xv, dv := (*[Lanes]T)(xr[i*Lanes:]), (*[Lanes]T)(dr[i*Lanes:])
				var sum T
				for l := range Lanes {
					sum += xv[l] * dv[l]
				}
				out[i*Lanes] += sum
			}
		}
		for i, v := range s {
			out[i*Lanes] *= v * (1 - v)
		}
	})
}

// gateRows calls f for every row of every image with the row's σ(a).
func gateRows[T Float](p *Pool, a Act[T], f func(n, y int, s []T)) {
	per := max(1, taskPixels/a.W)
	rows := a.N * a.H
	p.Run((rows+per-1)/per, func(t int) {
		s := make([]T, a.W)
		for r := t * per; r < min(rows, (t+1)*per); r++ {
			n, y := r/a.H, r%a.H
			in := a.row(n, y)
			for i := range s {
				s[i] = T(1 / (1 + math.Exp(-float64(in[i*Lanes]))))
			}
			f(n, y, s)
		}
	})
}

func checkGate[T Float](y, x, a Act[T]) {
	x.check("gate: input", x.Shape)
	y.check("gate: output", x.Shape)
	a.check("gate: attention", x.with(1))
}
