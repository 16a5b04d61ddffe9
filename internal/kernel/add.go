package kernel

import "fmt"

// Add computes y = Σ x and, with relu, max(0, ·) of it (NaN stays NaN). All
// have y's shape. There are at least two summands, added in order, and y may be
// the first.
func Add[T Float](p *Pool, y Act[T], x []Act[T], relu bool) {
	if len(x) < 2 {
		panic(fmt.Sprintf("kernel: sum of %d activations, want at least 2", len(x)))
	}
	y.check("add: output", y.Shape)
	for _, a := range x {
		a.check("add: summand", y.Shape)
	}
	o := opsOf[T](p)
	forRows(p, y.Shape, func(nb, r int) {
		out := y.row(nb, r)
		a := x[0].row(nb, r)
		for i, b := range x[1:] {
			o.add(out, a, b.row(nb, r), relu && i == len(x)-2)
			a = out
		}
	})
}

func addGeneric[T Float](y, a, b []T, relu bool) {
	for i := 0; i+Lanes <= len(y); i += Lanes {
		yv, av, bv := (*[Lanes]T)(y[i:]), (*[Lanes]T)(a[i:]), (*[Lanes]T)(b[i:])
		for l := range Lanes {
			v := av[l] + bv[l]
			if relu && v < 0 {
				v = 0
			}
			yv[l] = v
		}
	}
}
