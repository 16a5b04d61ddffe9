// Package dicomio reads frames of pixels from DICOM files (PS3.10) and writes
// results as DICOM objects.
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
// Read accepts the uncompressed transfer syntaxes (implicit and explicit VR
// little endian, explicit VR big endian, deflated) and every still-image syntax
// that package codec has a decoder for; syntax.go lists them. For any other it
// returns segd.ErrUnsupported with the UID. Compressed frames are decoded on
// demand and may be spread over any number of fragments.
//
// The package treats every file as hostile. It first walks the structure and
// checks every length against the bytes that are left. The DICOM library then
// parses only the few elements that give the pixels their meaning. It never sees
// the patient's attributes or the pixels, which this package decodes itself. See
// docs/adr/0002-dicom-reading.md and 0006-codecs.md.
//
// The package writes segmentations (SEG), binary and fractional, Secondary
// Captures (WriteSC), measurement reports (WriteSR), presentation states (GSPS)
// and structure sets (RTStruct). Each object belongs to the patient and study of
// its Source, copies their attributes byte for byte, and refers to its source
// images. A Source without a frame of reference (CR, DX, MG, US) supports all of
// them except the structure set. See docs/adr/0008-dicom-writing.md.
//
// Limits: 256 MiB a file, 128 MiB inflated, 200,000 elements, 32 levels of
// nesting, 64 MiB for a value other than pixels, 1 to 16384 rows and columns, 64
// Mpixel a frame, 2,000 frames, 512 MiB of decoded pixels. Decoding a compressed
// frame may take 256 MiB, or more if its stream is at least 1/32 of the size of
// its pixels.
//
// Errors name tags and sizes, never values. The text of an element leaves the
// package only in objects and through Patient.
package dicomio

// Limits besides those of the root package, checked before memory is allocated.
const (
	maxInflated = 128 << 20
	maxElements = 200_000
	maxDepth    = 32
	maxValue    = 64 << 20 // of an element other than pixel data
	maxFrames   = 2000
	maxDecoded  = 512 << 20
)
