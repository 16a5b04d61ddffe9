// Package dicomio reads DICOM files (PS3.10) into frames of pixels, and writes
// what was found in them as DICOM objects.
//
//	scan, err := dicomio.Read(b)
//	img, err := scan.Frame(0)
//
//	source, err := dicomio.OpenSource(b)
//	seg, err := dicomio.NewSEG(dicomio.Origin{Run: &dicomio.Run{Time: time.Now()},
//		Model: "mine", Version: "1", Classes: classes, Sources: []*dicomio.Source{source}})
//	err = seg.AddMask(0, 0, mask)
//	err = seg.Write(w)
//
// Read takes the uncompressed transfer syntaxes (implicit and explicit VR
// little endian, explicit VR big endian, deflated) and those of still images
// that package codec has a decoder for; syntax.go lists them. Any other is
// segd.ErrUnsupported, with its UID named. Each frame of compressed pixels is
// decoded when it is asked for, out of as many fragments as it lies in.
//
// A file is hostile until proven otherwise. Its structure is walked first,
// with every length checked against what is there; the DICOM library then sees
// only the few elements that say what the pixels mean, none of them about the
// patient, and never the pixels, which this package decodes itself. See
// docs/adr/0002-dicom-reading.md and 0006-codecs.md.
//
// Objects are Segmentations (SEG), binary and of probabilities, Secondary
// Captures (WriteSC), measurement reports (WriteSR), presentation states (GSPS)
// and structure sets (RTStruct). Each is filed under the patient and study of
// its Source, whose attributes it copies byte for byte, and refers to the images
// it was made of. A Source that lies in no frame of reference (CR, DX, MG, US)
// gets all of them but the structure set. See docs/adr/0008-dicom-writing.md.
//
// Limits: 256 MiB a file, 128 MiB inflated, 200,000 elements, 32 levels of
// nesting, 64 MiB for a value other than pixels, 1 to 16384 rows and columns,
// 64 Mpixel a frame, 2,000 frames, 512 MiB of decoded pixels. A compressed
// frame takes at most 256 MiB until it is an Image, unless its stream is a 32nd
// of its pixels or more.
//
// Errors name tags by number and sizes, never values: no text of an element
// leaves the package but in objects.
package dicomio

// Limits that are checked before memory is taken.
const (
	maxFile     = 256 << 20
	maxInflated = 128 << 20
	maxElements = 200_000
	maxDepth    = 32
	maxValue    = 64 << 20 // of an element other than pixel data
	maxSide     = 16384
	maxPixels   = 64 << 20 // a frame
	maxFrames   = 2000
	maxDecoded  = 512 << 20
)
