package nifti

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"io"
	"math"

	"segd"
)

// Content is what a Writer's planes hold.
type Content int

// Kinds of Content.
const (
	Masks  Content = iota // class indices, uint8
	Values                // float32
)

// code and bits are datatype and bitpix of the header.
func (c Content) code() (code, bits uint16) {
	if c == Values {
		return 16, 32
	}
	return 2, 8
}

// Writer collects the masks or the values of the planes of a volume, in their
// order, and writes them as a compressed NIfTI file. Planes are compressed as
// they come, so the memory that masks take is small. It is not safe for
// concurrent use.
type Writer struct {
	width, height, planes int // as they are added
	content               Content
	order                 binary.ByteOrder
	added                 int // planes that have been compressed
	b                     bytes.Buffer
	z                     *gzip.Writer
	early                 map[int][]byte // planes that came before their turn, deflated
	tilt                  *tilt          // nil: planes are written as they come
	depth                 int            // planes of each time
	header                int            // its size
	grid                  Grid           // as the file has it
	closed                bool           // the compressed data has its end
}

// LikeWriter returns a Writer for a volume that lies where the one of h does. The
// file has its size, byte order and geometry, bit for bit; what the header says in
// words, and extensions, are left out, since they may say who the patient is.
func LikeWriter(h *Header, content Content) *Writer {
	b := bytes.Clone(h.raw)
	f := fields{b: b, order: h.order, wide: h.Version == 2}
	code, bits := content.code()
	// What is not kept: texts, intent and statistics of the old values.
	if f.wide {
		clear(b[80:104])  // intent_p1 to intent_p3
		clear(b[192:208]) // cal_max, cal_min
		clear(b[240:344]) // descrip, aux_file
		clear(b[504:524]) // intent_code, intent_name
		h.order.PutUint16(b[12:], code)
		h.order.PutUint16(b[14:], bits)
		h.order.PutUint64(b[168:], size2+4)
		h.order.PutUint64(b[176:], math.Float64bits(1))
		h.order.PutUint64(b[184:], 0)
	} else {
		clear(b[4:39])    // fields of ANALYZE 7.5: data_type, db_name …
		clear(b[56:70])   // intent_p1 to intent_code
		clear(b[124:132]) // cal_max, cal_min
		clear(b[140:252]) // glmax, glmin, descrip, aux_file
		clear(b[328:344]) // intent_name
		h.order.PutUint16(b[70:], code)
		h.order.PutUint16(b[72:], bits)
		h.order.PutUint32(b[108:], math.Float32bits(size1+4))
		h.order.PutUint32(b[112:], math.Float32bits(1))
		h.order.PutUint32(b[116:], 0)
	}
	w := newWriter(b, h.Width, h.Height, h.Planes(), content, h.order)
	w.grid = Grid{Width: h.Width, Height: h.Height, Depth: h.Depth, Times: h.Times, Spacing: h.Spacing()}
	if g, ok := h.Grid(); ok {
		w.grid.Affine = &g.Affine
	}
	return w
}

// Grid is where the planes of a volume lie.
type Grid struct {
	Width, Height int // pixels of a plane
	Depth         int // planes
	Times         int // of each plane, one after the other for the whole volume; 0: 1
	// Affine maps pixel (column, row, plane) to the patient; nil where that is not
	// known, and Spacing then says what is.
	Affine  *segd.Affine
	Spacing segd.Spacing
}

// NewWriter returns a Writer for the planes of a grid, whose sform and qform
// are the same map.
//
// A qform cannot hold a shear, and programs that read the sform alone are as
// many as those that read the qform. The planes of a grid that is sheared, as a
// tilted gantry makes them, are therefore moved within themselves until they
// stand upright on each other: masks by whole pixels, values by linear
// interpolation. The file is then larger than the grid, so that nothing is cut
// off; what is added is 0. Grid.Tilt describes it.
//
// Errors are segd.ErrUnprocessable for an affine that flattens space or whose
// rows and columns are not at right angles, and segd.ErrTooLarge for more than
// the format holds.
func NewWriter(g Grid, content Content) (*Writer, error) {
	width, height := g.Width, g.Height
	g, tilt, err := g.upright(content)
	if err != nil {
		return nil, err
	}
	w := newWriter(g.header(content), width, height, g.Depth*max(1, g.Times), content, binary.LittleEndian)
	w.tilt, w.depth, w.grid = tilt, g.Depth, g
	return w, nil
}

// header is that of a file of version 1, in little endian. Affine is at right
// angles.
func (g Grid) header(content Content) []byte {
	b := make([]byte, size1)
	le := binary.LittleEndian
	dimensions, times := 3, max(1, g.Times)
	if times > 1 {
		dimensions = 4
	}
	code, bits := content.code()
	float := func(at int, v float64) { le.PutUint32(b[at:], math.Float32bits(float32(v))) }
	le.PutUint32(b, size1)
	for i, n := range []int{dimensions, g.Width, g.Height, g.Depth, times, 1, 1, 1} {
		le.PutUint16(b[40+2*i:], uint16(n))
	}
	le.PutUint16(b[70:], code)
	le.PutUint16(b[72:], bits)
	float(108, size1+4)
	float(112, 1)
	copy(b[344:], "n+1\x00")
	distance := [3]float64{1, 1, 1}
	float(76, 1)
	switch {
	case g.Affine != nil:
		affine := g.Affine.RAS()
		distance = [3]float64{affine.SpacingMM(0), affine.SpacingMM(1), affine.SpacingMM(2)}
		b[123] = 2               // mm
		le.PutUint16(b[252:], 1) // qform_code: scanner
		le.PutUint16(b[254:], 1) // sform_code: scanner
		q, qfac := quaternion(&affine, distance)
		float(76, qfac)
		for i := range 3 {
			float(256+4*i, q[i])
			float(268+4*i, affine[i][3])
			for c := range 4 {
				float(280+16*i+4*c, affine[i][c])
			}
		}
	case g.Spacing.Known():
		distance = [3]float64{g.Spacing.ColMM, g.Spacing.RowMM, 1}
		b[123] = 2
	}
	for i, d := range distance {
		float(80+4*i, d)
	}
	for i := 4; i < 8; i++ {
		float(76+4*i, 1)
	}
	return b
}

func newWriter(head []byte, width, height, planes int, content Content, order binary.ByteOrder) *Writer {
	w := &Writer{width: width, height: height, planes: planes, content: content, order: order, header: len(head)}
	w.z = gzip.NewWriter(&w.b)
	_, _ = w.z.Write(head)            // a buffer takes everything
	_, _ = w.z.Write(make([]byte, 4)) // no extensions
	return w
}

// Add adds the mask of the next plane, which is not kept. One of another size,
// or one too many, is segd.ErrUnprocessable.
func (w *Writer) Add(m *segd.Mask) error { return w.AddAt(w.added, m) }

// AddAt is Add for plane k, counted from 0 through all times; planes may come in
// any order, each once.
func (w *Writer) AddAt(k int, m *segd.Mask) error {
	if err := w.check(k, Masks, m.Width, m.Height); err != nil {
		return err
	}
	pix := m.Pix
	if w.tilt != nil {
		pix = w.tilt.mask(k%w.depth, m)
	}
	w.put(k, pix)
	return nil
}

// AddValues is Add for a Writer of values, width×height of them.
func (w *Writer) AddValues(values []float32, width, height int) error {
	return w.AddValuesAt(w.added, values, width, height)
}

// AddValuesAt is AddAt for a Writer of values.
func (w *Writer) AddValuesAt(k int, values []float32, width, height int) error {
	if err := w.check(k, Values, width, height); err != nil {
		return err
	}
	if w.tilt != nil {
		values = w.tilt.values(k%w.depth, values, width, height)
	}
	b := make([]byte, 4*len(values))
	for i, v := range values {
		w.order.PutUint32(b[4*i:], math.Float32bits(v))
	}
	w.put(k, b)
	return nil
}

// check returns an error unless plane k is still wanted.
func (w *Writer) check(k int, content Content, width, height int) error {
	if content != w.content {
		panic("nifti: masks and values in one volume")
	}
	_, early := w.early[k]
	if width != w.width || height != w.height || k < w.added || k >= w.planes || early {
		return fmt.Errorf("nifti: %w: plane %d of %d×%d pixels, want %d of %d×%d, each once", segd.ErrUnprocessable,
			k+1, width, height, w.planes, w.width, w.height)
	}
	return nil
}

// put compresses plane k and those behind it that came before, or keeps it
// until its turn.
func (w *Writer) put(k int, b []byte) {
	if k > w.added {
		if w.early == nil {
			w.early = map[int][]byte{}
		}
		var held bytes.Buffer
		z, _ := flate.NewWriter(&held, flate.BestSpeed) // the level is valid
		_, _ = z.Write(b)                               // a buffer takes everything
		_ = z.Close()
		w.early[k] = held.Bytes()
		return
	}
	_, _ = w.z.Write(b)
	for w.added++; w.early[w.added] != nil; w.added++ {
		_, _ = io.Copy(w.z, flate.NewReader(bytes.NewReader(w.early[w.added])))
		delete(w.early, w.added)
	}
}

// Write writes the file. Planes that are missing are segd.ErrUnprocessable; errors of
// out are passed on as they are. Nothing can be added afterwards.
func (w *Writer) Write(out io.Writer) error {
	if err := w.close(); err != nil {
		return err
	}
	_, err := out.Write(w.b.Bytes())
	return err
}

// Depth is the number of planes of each time.
func (w *Writer) Depth() int { return w.grid.Depth }

// Planes is the number of planes, through all times.
func (w *Writer) Planes() int { return w.planes }

// close ends the compressed data.
func (w *Writer) close() error {
	if w.added != w.planes {
		return fmt.Errorf("nifti: %w: %d of %d planes", segd.ErrUnprocessable, w.added, w.planes)
	}
	if w.closed {
		return nil
	}
	w.closed = true
	return w.z.Close()
}

// Voxels returns the volume without its header, for files of other formats: how its
// values lie, and the values in that order. The errors are those of Write.
func (w *Writer) Voxels() (Layout, io.Reader, error) {
	l := Layout{Grid: w.grid, Type: "uint8", BigEndian: w.order == binary.BigEndian}
	if w.content == Values {
		l.Type = "float32"
	}
	if err := w.close(); err != nil {
		return l, nil, err
	}
	z, err := gzip.NewReader(bytes.NewReader(w.b.Bytes()))
	if err == nil {
		_, err = io.CopyN(io.Discard, z, int64(w.header)+4)
	}
	return l, z, err
}

// quaternion returns b, c and d of the qform of an affine whose axes are at
// right angles, and its qfac: -1 where they are left-handed (nifti1.h,
// nifti_mat44_to_quatern).
func quaternion(affine *segd.Affine, distance [3]float64) (q [3]float64, qfac float64) {
	var m [3][3]float64
	for r := range 3 {
		for c := range 3 {
			if distance[c] > 0 {
				m[r][c] = affine[r][c] / distance[c]
			}
		}
	}
	qfac = 1
	if determinant(m) < 0 {
		qfac = -1
		for r := range 3 {
			m[r][2] = -m[r][2]
		}
	}
	a := 1 + m[0][0] + m[1][1] + m[2][2]
	if a > 0.5 {
		a = 0.5 * math.Sqrt(a)
		return [3]float64{(m[2][1] - m[1][2]) / (4 * a), (m[0][2] - m[2][0]) / (4 * a), (m[1][0] - m[0][1]) / (4 * a)}, qfac
	}
	// a is small: begin with the largest of the others.
	x, y, z := 1+m[0][0]-(m[1][1]+m[2][2]), 1+m[1][1]-(m[0][0]+m[2][2]), 1+m[2][2]-(m[0][0]+m[1][1])
	switch {
	case x > 1:
		q[0] = 0.5 * math.Sqrt(x)
		q[1], q[2] = (m[0][1]+m[1][0])/(4*q[0]), (m[0][2]+m[2][0])/(4*q[0])
		a = (m[2][1] - m[1][2]) / (4 * q[0])
	case y > 1:
		q[1] = 0.5 * math.Sqrt(y)
		q[0], q[2] = (m[0][1]+m[1][0])/(4*q[1]), (m[1][2]+m[2][1])/(4*q[1])
		a = (m[0][2] - m[2][0]) / (4 * q[1])
	default:
		q[2] = 0.5 * math.Sqrt(z)
		q[0], q[1] = (m[0][2]+m[2][0])/(4*q[2]), (m[1][2]+m[2][1])/(4*q[2])
		a = (m[1][0] - m[0][1]) / (4 * q[2])
	}
	if a < 0 {
		q = [3]float64{-q[0], -q[1], -q[2]}
	}
	return q, qfac
}

func determinant(m [3][3]float64) float64 {
	return m[0][0]*(m[1][1]*m[2][2]-m[1][2]*m[2][1]) - m[0][1]*(m[1][0]*m[2][2]-m[1][2]*m[2][0]) + m[0][2]*(m[1][0]*m[2][1]-m[1][1]*m[2][0])
}
