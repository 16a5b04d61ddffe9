package nrrd

import (
	"compress/gzip"
	"fmt"
	"io"
	"strconv"
	"strings"

	"segd/internal/nifti"
)

// Write writes an NRRD file of version 5, header and values in one: voxels are those
// of l, compressed with gzip. The file has the place that l has, in DICOM's axes, or
// the distances alone, and nothing about the patient. Several times are a fourth axis,
// of kind list. Errors are those of voxels and out, as they are.
func Write(out io.Writer, l nifti.Layout, voxels io.Reader) error {
	if _, err := io.WriteString(out, writeHeader(l)); err != nil {
		return err
	}
	z := gzip.NewWriter(out)
	if _, err := io.Copy(z, voxels); err != nil {
		return err
	}
	return z.Close()
}

// names are the types of values that are written, as NRRD calls them.
var names = map[string]string{"uint8": "uint8", "float32": "float"}

// writeHeader is the text before the values, with its empty line.
func writeHeader(l nifti.Layout) string {
	sizes := []int{l.Width, l.Height, l.Depth}
	kinds := []string{"domain", "domain", "domain"}
	if l.Times > 1 {
		sizes, kinds = append(sizes, l.Times), append(kinds, "list")
	}
	var b strings.Builder
	line := func(format string, a ...any) { fmt.Fprintf(&b, format+"\n", a...) }
	line("NRRD0005")
	line("type: %s", names[l.Type])
	line("dimension: %d", len(sizes))
	if l.Affine != nil {
		line("space: left-posterior-superior")
	}
	line("sizes: %s", strings.Trim(fmt.Sprint(sizes), "[]"))
	switch {
	case l.Affine != nil:
		text := ""
		for axis := range 3 {
			text += vector(l.Affine.Column(axis)) + " "
		}
		if l.Times > 1 {
			text += "none"
		}
		line("space directions: %s", strings.TrimSpace(text))
	case l.Spacing.Known():
		text := number(l.Spacing.ColMM) + " " + number(l.Spacing.RowMM) + strings.Repeat(" nan", len(sizes)-2)
		line("spacings: %s", text)
	}
	line("kinds: %s", strings.Join(kinds, " "))
	order := "little"
	if l.BigEndian {
		order = "big"
	}
	line("endian: %s", order)
	line("encoding: gzip")
	if l.Affine != nil {
		line("space origin: %s", vector(l.Affine.Column(3)))
	}
	return b.String() + "\n"
}

func vector(v [3]float64) string {
	return "(" + number(v[0]) + "," + number(v[1]) + "," + number(v[2]) + ")"
}

func number(v float64) string { return strconv.FormatFloat(v+0, 'g', -1, 64) }
