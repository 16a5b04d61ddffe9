package metaimage

import (
	"bytes"
	"compress/zlib"
	"fmt"
	"io"
	"strconv"
	"strings"

	"segd/internal/nifti"
)

// Write writes a MetaImage file (.mha), header and values in one: voxels are those of
// l, compressed with zlib. The file has the place that l has, or the distances alone,
// and nothing about the patient. Several times are a fourth axis. Errors are those of
// voxels and out, as they are.
func Write(out io.Writer, l nifti.Layout, voxels io.Reader) error {
	var b bytes.Buffer // the header says how long the values are
	z := zlib.NewWriter(&b)
	if _, err := io.Copy(z, voxels); err != nil {
		return err
	}
	if err := z.Close(); err != nil {
		return err
	}
	if _, err := io.WriteString(out, writeHeader(l, b.Len())); err != nil {
		return err
	}
	_, err := out.Write(b.Bytes())
	return err
}

// names are the types of values that are written, as MetaImage calls them.
var names = map[string]string{"uint8": "MET_UCHAR", "float32": "MET_FLOAT"}

// writeHeader is the text before compressed values of so many bytes.
func writeHeader(l nifti.Layout, compressed int) string {
	sizes := []float64{float64(l.Width), float64(l.Height), float64(l.Depth)}
	if l.Times > 1 {
		sizes = append(sizes, float64(l.Times))
	}
	n := len(sizes)
	spacing, offset, matrix := make([]float64, n), make([]float64, n), make([]float64, n*n)
	for axis := range n {
		spacing[axis], matrix[axis*n+axis] = 1, 1
	}
	switch {
	case l.Affine != nil:
		for axis := range 3 {
			spacing[axis] = l.Affine.SpacingMM(axis)
			for r, v := range l.Affine.Column(axis) {
				matrix[axis*n+r] = v / spacing[axis]
			}
			offset[axis] = l.Affine[axis][3]
		}
	case l.Spacing.Known():
		spacing[0], spacing[1] = l.Spacing.ColMM, l.Spacing.RowMM
	}
	order := "False"
	if l.BigEndian {
		order = "True"
	}
	var b strings.Builder
	line := func(key, value string) { fmt.Fprintf(&b, "%s = %s\n", key, value) }
	line("ObjectType", "Image")
	line("NDims", strconv.Itoa(n))
	line("BinaryData", "True")
	line("BinaryDataByteOrderMSB", order)
	line("CompressedData", "True")
	line("CompressedDataSize", strconv.Itoa(compressed))
	line("TransformMatrix", numbers(matrix))
	line("Offset", numbers(offset))
	line("CenterOfRotation", numbers(make([]float64, n)))
	line("ElementSpacing", numbers(spacing))
	line("DimSize", numbers(sizes))
	line("ElementType", names[l.Type])
	line("ElementDataFile", "LOCAL")
	return b.String()
}

// numbers writes values with a space between them.
func numbers(values []float64) string {
	var list []string
	for _, v := range values {
		list = append(list, strconv.FormatFloat(v+0, 'g', -1, 64))
	}
	return strings.Join(list, " ")
}
