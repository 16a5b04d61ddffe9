package scanio

import (
	"bytes"
	"fmt"
	"strings"

	"segd"
	"segd/dicomio"
	"segd/internal/beside"
	"segd/internal/gunzip"
	"segd/internal/metaimage"
	"segd/internal/mgh"
	"segd/internal/nifti"
	"segd/internal/nrrd"
)

// Kind is what a file holds, as its first bytes show.
type Kind string

// The kinds that Read takes, and two that it does not.
const (
	PNG       Kind = "png"
	JPEG      Kind = "jpeg"
	TIFF      Kind = "tiff"
	BMP       Kind = "bmp"
	GIF       Kind = "gif"
	WebP      Kind = "webp"
	PNM       Kind = "pnm"      // Netpbm: pbm, pgm, ppm, pfm
	JP2       Kind = "jpeg2000" // a JP2 file or a codestream
	NIfTI     Kind = "nifti"
	NRRD      Kind = "nrrd"
	MetaImage Kind = "metaimage"
	MGH       Kind = "mgh" // of FreeSurfer, MGZ too
	DICOM     Kind = "dicom"

	DICOMDIR Kind = "dicomdir" // a directory of DICOM files, which has no pixels
	Unknown  Kind = ""
)

// A format is what segd knows of the files of a kind. What a format has no function
// for is refused.
type format struct {
	kind       Kind
	name       string // in messages
	extensions []string
	shared     []string               // extensions that other files have too
	is         func(head []byte) bool // no more than HeadBytes are needed
	packed     bool                   // gzip files of it are read as they are; of others what they hold

	// Of volumes, whose scans have the Source of package nifti: how files are read, their
	// headers, and the names of other files with the values, nil where there are none.
	open   func(b []byte, files beside.Files) (*nifti.Volume, error)
	header func(b []byte) (*nifti.Header, error)
	parts  func(name string, b []byte) ([]string, error)

	// Of others.
	read    func(b []byte) (*segd.Scan, error)
	measure func(b []byte) (Size, error) // see Measure
	frames  func(b []byte) (int, error)  // see Frames; nil: one
	labels  func(b []byte) (*Labels, error)
	values  func(b []byte) (*segd.Scan, error)      // see ReadValues
	drawing func(b []byte, i int) (*Drawing, error) // see ReadDrawing
	// shown is how the file says that its pixels are to be shown; see segd.Scan.
	shown   func(b []byte) (orientation int, aspect float64)
	working int64 // see FrameBytes
}

// formats is the table of formats. The first that recognises a file reads it. Messages
// name them from the last to the first.
var formats = []*format{
	{kind: PNM, name: "PNM", extensions: []string{".pbm", ".pgm", ".ppm", ".pnm", ".pfm"}, is: isPNM, working: 4,
		read: readPNM, measure: measurePNM, labels: readPNMLabels},
	{kind: WebP, name: "WebP", extensions: []string{".webp"}, is: isWebP, working: 4, read: readWebP, measure: measureWebP, shown: shownWebP},
	{kind: GIF, name: "GIF", extensions: []string{".gif"}, is: isGIF, working: 4,
		read: readGIF, measure: measureGIF, frames: gifFrames, labels: readGIFLabels},
	{kind: BMP, name: "BMP", extensions: []string{".bmp"}, is: isBMP, working: 4, read: readBMP, measure: measureBMP, labels: readBMPLabels},
	{kind: JP2, name: "JPEG 2000", extensions: []string{".jp2", ".j2k", ".j2c", ".jpx"}, is: isJP2, working: 4, read: readJP2, measure: measureJP2},
	{kind: TIFF, name: "TIFF", extensions: []string{".tif", ".tiff"}, is: isTIFF, working: 4,
		read: readTIFF, measure: measureTIFF, frames: tiffFrames, labels: readTIFFLabels, values: readTIFFValues, drawing: readTIFFDrawing},
	{kind: JPEG, name: "JPEG", extensions: []string{".jpg", ".jpeg"}, is: starts("\xff\xd8\xff"), working: 4,
		read: readJPEG, measure: measureJPEG, labels: readJPEGLabels, shown: shownJPEG},
	{kind: PNG, name: "PNG", extensions: []string{".png"}, is: starts(pngHeader), working: 4,
		read: readPNG, measure: measurePNG, labels: readPNGLabels, values: readPNGValues, drawing: readPNGDrawing, shown: shownPNG},
	{kind: MGH, name: "MGH", extensions: []string{".mgh", ".mgz"}, is: mgh.Is, packed: true, working: 4,
		open: alone(mgh.Read), header: mgh.ReadHeader},
	{kind: MetaImage, name: "MetaImage", extensions: []string{".mha", ".mhd"}, is: metaimage.Is, working: 4,
		open: metaimage.ReadBeside, header: metaimage.ReadHeader, parts: nameless(metaimage.Files)},
	{kind: NRRD, name: "NRRD", extensions: []string{".nrrd", ".nhdr"}, is: nrrd.Is, working: 4,
		open: nrrd.ReadBeside, header: nrrd.ReadHeader, parts: nameless(nrrd.Files)},
	{kind: NIfTI, name: "NIfTI", extensions: []string{".nii"}, shared: []string{".hdr"}, is: nifti.Is, packed: true, working: 4,
		open: openNIfTI, header: nifti.ReadHeader, parts: niftiParts},
	{kind: DICOMDIR, name: "DICOMDIR", is: isDICOMDIR},
	// The working memory is that of the stored values and of a codec, for three channels.
	{kind: DICOM, name: "DICOM", extensions: []string{".dcm", ".dicom", ".dic", ".dc3", ".ima"}, is: dicomio.Is, working: 3 * (4 + 4),
		read: dicomio.Read, measure: measureDICOM, labels: readDICOMLabels},
}

// isScan reports whether Read takes files of the format.
func (f *format) isScan() bool { return f.read != nil || f.open != nil }

// isLabel reports whether ReadLabels takes them.
func (f *format) isLabel() bool { return f.labels != nil || f.open != nil }

func starts(with string) func([]byte) bool {
	return func(head []byte) bool { return bytes.HasPrefix(head, []byte(with)) }
}

// isTIFF reports whether head begins as a TIFF does, and not as a DICOM file whose
// preamble is a TIFF header: such files are both (PS3.10 7.1), and say more of
// themselves as DICOM.
func isTIFF(head []byte) bool {
	return (bytes.HasPrefix(head, []byte("II*\x00")) || bytes.HasPrefix(head, []byte("MM\x00*"))) && !dicomio.Is(head)
}

// dicomdir is the element Media Storage SOP Class UID (0002,0002) of a Media
// Storage Directory (PS3.10, 7.1 and PS3.4, I.4).
var dicomdir = []byte("\x02\x00\x02\x00UI\x14\x001.2.840.10008.1.3.10")

func isDICOMDIR(head []byte) bool { return dicomio.Is(head) && bytes.Contains(head, dicomdir) }

// formatOf returns the format of the file that begins with b, nil where there is none. Of
// a gzip file it is that of what it holds.
func formatOf(b []byte) *format {
	head := gunzip.Head(b[:min(len(b), HeadBytes)], HeadBytes)
	for _, f := range formats {
		if f.is(head) {
			return f
		}
	}
	return nil
}

// known returns the format of a file that can be read, within the limit of its size, and
// the file as its reader takes it: out of gzip, except where that reads it.
func known(b []byte) (*format, []byte, error) {
	f, err := knownPacked(b)
	if err == nil && gunzip.Is(b) && !f.packed {
		b, err = gunzip.All(b, segd.MaxFile)
	}
	return f, b, err
}

func knownPacked(b []byte) (*format, error) {
	switch {
	case len(b) == 0:
		return nil, fmt.Errorf("scanio: %w: empty file", segd.ErrFormat)
	case len(b) > segd.MaxFile:
		return nil, fmt.Errorf("scanio: %w: %d bytes, limit %d", segd.ErrTooLarge, len(b), segd.MaxFile)
	}
	switch f := formatOf(b); {
	case f == nil && gunzip.Is(b):
		return nil, fmt.Errorf("scanio: %w: a gzip file whose content is not %s", segd.ErrUnsupported, Readable())
	case f == nil:
		return nil, fmt.Errorf("scanio: %w: content is not %s", segd.ErrUnsupported, Readable())
	case f.kind == DICOMDIR:
		return nil, fmt.Errorf("scanio: %w: a DICOMDIR lists files and has no pixels: give the files that it lists", segd.ErrUnsupported)
	default:
		return f, nil
	}
}

// Readable names the formats that Read takes, for messages: DICOM, NIfTI … or PNM.
func Readable() string { return names((*format).isScan) }

// ReadableLabels names the formats that ReadLabels takes.
func ReadableLabels() string { return names((*format).isLabel) }

// Name is what messages call the format of a kind.
func Name(k Kind) string {
	for _, f := range formats {
		if f.kind == k {
			return f.name
		}
	}
	return string(k)
}

// names lists the formats that have something: DICOM, NIfTI, TIFF or PNG.
func names(have func(*format) bool) string {
	var list []string
	for _, f := range formats {
		if have(f) {
			list = append([]string{f.name}, list...)
		}
	}
	last := len(list) - 1
	return strings.Join(list[:last], ", ") + " or " + list[last]
}
