package kernel

import "fmt"

// RunPlain computes a 1×1 convolution whose result is a plain tensor: dst, [N,
// channels, H, W], receives the result of Run and Unpack. Each row is unpacked
// as soon as it is computed.
func (f *Filter[T]) RunPlain(p *Pool, dst []T, in Act[T], bias []T) {
	if f.g != Conv1x1 || len(f.sources) != 1 {
		panic(fmt.Sprintf("kernel: plain result of %v of %d sources, want %v of one", f.g, len(f.sources), Conv1x1))
	}
	in.check("convolution: source", in.with(f.sources[0]))
	checkLen("convolution: bias", len(bias), f.out)
	checkLen("convolution: plain output", len(dst), in.N*f.out*in.H*in.W)
	row := Shape{N: 1, C: f.out, H: 1, W: in.W}
	bands := (in.H*in.W + taskPixels - 1) / taskPixels
	o := opsOf[T](p)
	p.Run(in.N*bands, func(t int) {
		n, b := t/bands, t%bands
		buf := f.scratch.take(row.Len() + row.Blocks()*Lanes)
		defer f.scratch.give(buf)
		r := convRun[T]{f: f, ops: o, in: []Act[T]{in}, bias: buf[row.Len():], out: Act[T]{Shape: row, Data: buf}, oneRow: true}
		clear(r.bias[copy(r.bias, bias):])
		for y := b * in.H / bands; y < (b+1)*in.H/bands; y++ {
			for pair := range pairs(f.out) {
				r.task(n, y, y+1, pair)
			}
			for c := range f.out {
				line := r.out.row(c/Lanes, 0)
				d := dst[((n*f.out+c)*in.H+y)*in.W:][:in.W]
				for x := range d {
					d[x] = line[x*Lanes+c%Lanes]
				}
			}
		}
	})
}
