package jpeg

import "segd/dicomio/codec"

// lossless is how a lossless stream is written.
type lossless struct {
	precision, predictor, pt int
	restart                  int // lines
	apart                    bool
	markers                  []byte
}

// encode compresses samples, colour interleaved, without their lowest pt bits.
func (f lossless) encode(samples []int, l codec.Layout) []byte {
	w := &writer{out: append([]byte{0xff, mSOI}, f.markers...)}
	head := []byte{byte(f.precision), byte(l.Rows >> 8), byte(l.Rows), byte(l.Columns >> 8), byte(l.Columns), byte(l.Samples)}
	for i := range l.Samples {
		head = append(head, byte(i+1), 0x11, 0)
	}
	w.segment(mSOF3, head...)
	w.tables(16)
	if f.restart > 0 {
		n := f.restart * l.Columns
		w.segment(mDRI, byte(n>>8), byte(n))
	}
	scans := [][]int{{}}
	for i := range l.Samples {
		if f.apart {
			scans = append(scans, []int{i})
		} else {
			scans[0] = append(scans[0], i)
		}
	}
	for _, scan := range scans {
		if len(scan) > 0 {
			w.losslessScan(f, scan, samples, l)
		}
	}
	return append(w.out, 0xff, mEOI)
}

func (w *writer) losslessScan(f lossless, scan, samples []int, l codec.Layout) {
	head := []byte{byte(len(scan))}
	for _, i := range scan {
		head = append(head, byte(i+1), 0)
	}
	w.segment(mSOS, append(head, byte(f.predictor), 0, byte(f.pt))...)
	for y := range l.Rows {
		first := y == 0
		if f.restart > 0 && y > 0 && y%f.restart == 0 {
			w.flush()
			w.out = append(w.out, 0xff, byte(mRST0+(y/f.restart-1)&7))
			first = true
		}
		for x := range l.Columns {
			for _, i := range scan {
				at := func(y, x int) int { return samples[(y*l.Columns+x)*l.Samples+i] >> f.pt }
				var p int
				switch {
				case first && x == 0:
					p = 1 << (f.precision - f.pt - 1)
				case first:
					p = at(y, x-1)
				case x == 0:
					p = at(y-1, x)
				default:
					a, b, c := at(y, x-1), at(y-1, x), at(y-1, x-1)
					p = [8]int{0, a, b, c, a + b - c, a + (b-c)>>1, b + (a-c)>>1, (a + b) >> 1}[f.predictor]
				}
				d := int(int16(at(y, x) - p))
				if d == -1<<15 {
					w.symbol(16)
					continue
				}
				w.symbol(size(d))
				w.value(d)
			}
		}
	}
	w.flush()
}
