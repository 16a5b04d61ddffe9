package jpeg

import "encoding/binary"

// output writes the planes of all components to dst at the size of the image.
func (d *decoder) output() {
	l := d.layout
	width, n := l.BitsAllocated/8, l.Samples
	row := make([]uint16, 8*d.mcux*d.hmax)
	for y := range l.Rows {
		out := d.dst[y*l.Columns*n*width : (y+1)*l.Columns*n*width]
		for i := range d.components {
			samples := d.upsample(&d.components[i], y, row)[:l.Columns]
			switch {
			case width == 1 && n == 1:
				for x, v := range samples {
					out[x] = byte(v)
				}
			case width == 1 && n == 3:
				for p := out[i:]; len(samples) > 0; samples = samples[1:] {
					p[0] = byte(samples[0])
					p = p[min(3, len(p)):]
				}
			case width == 1:
				for x, v := range samples {
					out[x*n+i] = byte(v)
				}
			case width == 2:
				for x, v := range samples {
					binary.LittleEndian.PutUint16(out[2*(x*n+i):], v)
				}
			default:
				for x, v := range samples {
					binary.LittleEndian.PutUint32(out[4*(x*n+i):], uint32(v))
				}
			}
		}
	}
}

// upsample returns row y of component c at the width of the image; it may use
// row. Halves are interpolated like "fancy upsampling" in the IJG library: a
// sample lies between its neighbours, 3/4 of the near one and 1/4 of the far
// one. Other factors repeat samples.
func (d *decoder) upsample(c *component, y int, row []uint16) []uint16 {
	stride := 8 * c.stride
	line := func(y int) []uint16 { return c.plane[y*stride : y*stride+c.width : (y+1)*stride] }
	wide, high := d.hmax == 2*c.h, d.vmax == 2*c.v
	switch {
	case d.hmax == c.h && d.vmax == c.v:
		return c.plane[y*stride : (y+1)*stride]
	case wide && d.vmax == c.v && c.width > 2:
		twice(row, line(y))
		return row
	case wide && high && c.width > 2:
		near := y / 2
		far := near - 1 + y&1*2
		far = min(max(far, 0), c.height-1)
		twiceBoth(row, line(near), line(far))
		return row
	}
	src := line(y * c.v / d.vmax)
	for x := range d.layout.Columns {
		row[x] = src[x*c.h/d.hmax]
	}
	return row
}

// twice interpolates a line to twice its width. Halves are rounded down and up
// in turn.
func twice(dst, src []uint16) {
	n := len(src)
	dst = dst[:2*n]
	dst[0], dst[1] = src[0], uint16((3*int(src[0])+int(src[1])+2)>>2)
	for x := 1; x < n-1; x++ {
		v := 3 * int(src[x])
		dst[2*x] = uint16((v + int(src[x-1]) + 1) >> 2)
		dst[2*x+1] = uint16((v + int(src[x+1]) + 2) >> 2)
	}
	dst[2*n-2], dst[2*n-1] = uint16((3*int(src[n-1])+int(src[n-2])+1)>>2), src[n-1]
}

// twiceBoth interpolates two lines to one between them of twice their width.
func twiceBoth(dst, near, far []uint16) {
	n := len(near)
	dst, far = dst[:2*n], far[:n]
	sum := func(x int) int { return 3*int(near[x]) + int(far[x]) }
	before, v, next := 0, sum(0), sum(1)
	dst[0], dst[1] = uint16((4*v+8)>>4), uint16((3*v+next+7)>>4)
	for x := 1; x < n-1; x++ {
		before, v, next = v, next, sum(x+1)
		dst[2*x] = uint16((3*v + before + 8) >> 4)
		dst[2*x+1] = uint16((3*v + next + 7) >> 4)
	}
	before, v = v, next
	dst[2*n-2], dst[2*n-1] = uint16((3*v+before+8)>>4), uint16((4*v+7)>>4)
}
