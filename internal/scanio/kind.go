package scanio

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"

	"segd/dicomio"
	"segd/internal/nifti"
)

// Kind is what a file holds, as its first bytes show.
type Kind string

// The kinds that Read takes, and two that it does not.
const (
	PNG   Kind = "png"
	JPEG  Kind = "jpeg"
	TIFF  Kind = "tiff"
	NIfTI Kind = "nifti"
	DICOM Kind = "dicom"

	DICOMDIR Kind = "dicomdir" // a directory of DICOM files, which has no pixels
	Unknown  Kind = ""
)

// IsScan reports whether Read takes files of the kind.
func (k Kind) IsScan() bool { return k != Unknown && k != DICOMDIR }

// HeadBytes is how much of a file shows its kind.
const HeadBytes = 4 << 10

// dicomdir is the element Media Storage SOP Class UID (0002,0002) of a Media
// Storage Directory (PS3.10, 7.1 and PS3.4, I.4).
var dicomdir = []byte("\x02\x00\x02\x00UI\x14\x001.2.840.10008.1.3.10")

// KindOf returns the kind of the file that begins with b; no more of it is
// looked at than HeadBytes. Read decides by the same rule.
func KindOf(b []byte) Kind {
	b = b[:min(len(b), HeadBytes)]
	switch {
	case bytes.HasPrefix(b, []byte(pngHeader)):
		return PNG
	case bytes.HasPrefix(b, []byte("\xff\xd8\xff")):
		return JPEG
	case isTIFF(b):
		return TIFF
	case nifti.Is(b):
		return NIfTI
	case dicomio.Is(b):
		if bytes.Contains(b, dicomdir) {
			return DICOMDIR
		}
		return DICOM
	}
	return Unknown
}

// KindOfFile returns the kind of the file at path, which must be a regular one:
// opening a named pipe would wait for its other end. empty says that it holds no
// byte.
func KindOfFile(path string) (kind Kind, empty bool, err error) {
	f, err := os.Open(path)
	if err != nil {
		return Unknown, false, err
	}
	defer func() { _ = f.Close() }() // read only
	head := make([]byte, HeadBytes)
	n, err := io.ReadFull(f, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return Unknown, false, err
	}
	return KindOf(head[:n]), n == 0, nil
}

// extensions of scans and of label images.
var extensions = []string{".png", ".jpg", ".jpeg", ".tif", ".tiff", ".dcm", ".dicom", ".dic", ".dc3", ".ima", ".nii", ".nii.gz"}

// Stem cuts the extension off the name of a scan or a label image: .png, .jpg,
// .jpeg, .tif, .tiff, .dcm, .dicom, .dic, .dc3, .ima, .nii or .nii.gz, in any
// case. Other endings (1.2.840.10008) belong to the name, which is then returned
// as it is.
func Stem(name string) string {
	lower := strings.ToLower(name)
	for _, ext := range extensions {
		if strings.HasSuffix(lower, ext) && filepath.Base(lower) != ext {
			return name[:len(name)-len(ext)]
		}
	}
	return name
}

// Named reports whether a file has the name of a scan: one with an extension
// that Stem cuts off.
func Named(name string) bool { return Stem(name) != name }
