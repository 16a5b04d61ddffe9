package nifti

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"io"
	"math"

	"segd"
)

// Writer collects the masks of the planes of a volume, in their order, and
// writes them as a compressed NIfTI file of uint8. Masks are compressed as they
// come, so the memory it takes is small. It is not safe for concurrent use.
type Writer struct {
	width, height, planes int
	added                 int
	b                     bytes.Buffer
	z                     *gzip.Writer
}

// LikeWriter returns a Writer for masks of the volume that h is of. The file
// has its size, byte order and geometry, bit for bit; what the header says in
// words, and extensions, are left out, since they may say who the patient is.
func LikeWriter(h *Header) *Writer {
	b := bytes.Clone(h.raw)
	f := fields{b: b, order: h.order, wide: h.Version == 2}
	// What is not kept: texts, intent and statistics of the old values.
	if f.wide {
		clear(b[80:104])  // intent_p1 to intent_p3
		clear(b[192:208]) // cal_max, cal_min
		clear(b[240:344]) // descrip, aux_file
		clear(b[504:524]) // intent_code, intent_name
		h.order.PutUint16(b[12:], 2)
		h.order.PutUint16(b[14:], 8)
		h.order.PutUint64(b[168:], size2+4)
		h.order.PutUint64(b[176:], math.Float64bits(1))
		h.order.PutUint64(b[184:], 0)
	} else {
		clear(b[4:39])    // fields of ANALYZE 7.5: data_type, db_name …
		clear(b[56:70])   // intent_p1 to intent_code
		clear(b[124:132]) // cal_max, cal_min
		clear(b[140:252]) // glmax, glmin, descrip, aux_file
		clear(b[328:344]) // intent_name
		h.order.PutUint16(b[70:], 2)
		h.order.PutUint16(b[72:], 8)
		h.order.PutUint32(b[108:], math.Float32bits(size1+4))
		h.order.PutUint32(b[112:], math.Float32bits(1))
		h.order.PutUint32(b[116:], 0)
	}
	return newWriter(b, h.Width, h.Height, h.Planes())
}

// NewWriter returns a Writer for masks of planes of width×height pixels.
// affine maps pixel (column, row, plane) to a point in mm, right, anterior and
// superior rising; nil where that is not known, and spacing then says what is.
func NewWriter(width, height, planes int, affine *[3][4]float64, spacing segd.Spacing) *Writer {
	b := make([]byte, size1)
	le := binary.LittleEndian
	float := func(at int, v float64) { le.PutUint32(b[at:], math.Float32bits(float32(v))) }
	le.PutUint32(b, size1)
	for i, n := range []int{3, width, height, planes, 1, 1, 1, 1} {
		le.PutUint16(b[40+2*i:], uint16(n))
	}
	le.PutUint16(b[70:], 2) // uint8
	le.PutUint16(b[72:], 8)
	float(108, size1+4)
	float(112, 1)
	copy(b[344:], "n+1\x00")
	distance := [3]float64{1, 1, 1}
	float(76, 1)
	switch {
	case affine != nil:
		h := Header{Affine: *affine}
		distance = [3]float64{h.distance(0), h.distance(1), h.distance(2)}
		b[123] = 2               // mm
		le.PutUint16(b[252:], 1) // qform_code: scanner
		le.PutUint16(b[254:], 1) // sform_code: scanner
		q, qfac := quaternion(affine, distance)
		float(76, qfac)
		for i := range 3 {
			float(256+4*i, q[i])
			float(268+4*i, affine[i][3])
			for c := range 4 {
				float(280+16*i+4*c, affine[i][c])
			}
		}
	case spacing.Known():
		distance = [3]float64{spacing.ColMM, spacing.RowMM, 1}
		b[123] = 2
	}
	for i, d := range distance {
		float(80+4*i, d)
	}
	for i := 4; i < 8; i++ {
		float(76+4*i, 1)
	}
	return newWriter(b, width, height, planes)
}

func newWriter(head []byte, width, height, planes int) *Writer {
	w := &Writer{width: width, height: height, planes: planes}
	w.z = gzip.NewWriter(&w.b)
	_, _ = w.z.Write(head)            // a buffer takes everything
	_, _ = w.z.Write(make([]byte, 4)) // no extensions
	return w
}

// Add adds the mask of the next plane, which is not kept. One of another size,
// or one too many, is segd.ErrUnprocessable.
func (w *Writer) Add(m *segd.Mask) error {
	if m.Width != w.width || m.Height != w.height || w.added == w.planes {
		return fmt.Errorf("nifti: %w: plane %d of %d×%d pixels, want %d of %d×%d", segd.ErrUnprocessable,
			w.added+1, m.Width, m.Height, w.planes, w.width, w.height)
	}
	w.added++
	_, _ = w.z.Write(m.Pix)
	return nil
}

// Write writes the file, once. Planes that are missing are
// segd.ErrUnprocessable; errors of out are passed on as they are.
func (w *Writer) Write(out io.Writer) error {
	if w.added != w.planes {
		return fmt.Errorf("nifti: %w: %d of %d planes", segd.ErrUnprocessable, w.added, w.planes)
	}
	if err := w.z.Close(); err != nil {
		return err
	}
	_, err := out.Write(w.b.Bytes())
	return err
}

// quaternion returns b, c and d of the qform of an affine whose axes are at
// right angles, and its qfac: -1 where they are left-handed (nifti1.h,
// nifti_mat44_to_quatern).
func quaternion(affine *[3][4]float64, distance [3]float64) (q [3]float64, qfac float64) {
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
