package export

import (
	"slices"

	"segd/unet"
)

// Names of the kinds of output.
const (
	Image   = "image"   // the image as a viewer shows it
	Mask    = "mask"    // paletted PNG whose index is the class
	Overlay = "overlay" // the image with its classes marked
	Value   = "value"   // PNG of 16 bits: rounded, cut off at 0 and 65535
	TIFF    = "tiff"    // float32, as the model gives them
	JSON    = "json"    // measurements of one input
	CSV     = "csv"     // measurements of all inputs
	NIfTI   = "nifti"   // masks or values of all frames, one volume
	NRRD    = "nrrd"    // the same
	MHA     = "mha"     // the same, as MetaImage
	Zip     = "zip"     // all that is Bundled

	SEG      = "seg"      // segmentation of masks
	SEGProb  = "segprob"  // segmentation of probabilities
	SC       = "sc"       // Secondary Capture of the overlay, one for each frame
	SR       = "sr"       // measurement report
	GSPS     = "gsps"     // presentation state with outlines
	RTStruct = "rtstruct" // structure set
)

// Scope is how much one file of a kind holds.
type Scope int

// The scopes.
const (
	Frame Scope = iota // a frame
	Input              // all frames of an input
	Run                // all inputs
)

// Kind is a kind of output, and everything that an edge has to know of it.
type Kind struct {
	Name  string
	Ext   string // of its files, with the dot
	Media string // media type
	Scope Scope
	Heads []unet.Head // of the networks that it is made of
	Help  string      // what it is, in a line

	DICOM   bool // it is a DICOM object, and needs DICOM input
	Pixels  bool // it shows the pixels of the scan
	Volume  bool // it is a volume of all frames, where they lie
	Bundled bool // Zip holds it

	// Accept are the media types that ask for it over HTTP where nothing else does. The
	// kinds that come first are preferred.
	Accept []string

	// Where it can be asked for: of segd segment, and over HTTP.
	CommandLine, HTTP bool
}

const (
	pngMedia  = "image/png"
	zipMedia  = "application/zip"
	jsonMedia = "application/json"
	// DICOMMedia is the media type of a DICOM file (RFC 3240).
	DICOMMedia = "application/dicom"
)

var (
	ofClasses = []unet.Head{unet.HeadClasses}
	ofValues  = []unet.Head{unet.HeadRegression}
	ofEither  = slices.Concat(ofClasses, ofValues)
)

// kinds is the table of all kinds. Files of a frame are made in its order.
var kinds = []Kind{
	{Name: Image, Ext: ".png", Media: pngMedia, Heads: ofEither, Pixels: true, Bundled: true, Help: "the image as a viewer shows it"},
	{Name: Mask, Ext: ".png", Media: pngMedia, Heads: ofClasses, Bundled: true, CommandLine: true, HTTP: true, Help: "paletted PNG whose index is the class"},
	{Name: Overlay, Ext: ".png", Media: pngMedia, Heads: ofClasses, Accept: []string{pngMedia, zipMedia}, Pixels: true, Bundled: true, CommandLine: true, HTTP: true, Help: "PNG of the image with its classes marked"},
	{Name: JSON, Ext: ".json", Media: jsonMedia, Scope: Input, Heads: ofEither, Accept: []string{jsonMedia}, Bundled: true, CommandLine: true, HTTP: true, Help: "measurements, steps and warnings"},
	{Name: CSV, Ext: ".csv", Media: "text/csv", Scope: Run, Heads: ofClasses, CommandLine: true, Help: "measurements of all inputs, a row for each class of each frame"},
	{Name: Zip, Ext: ".zip", Media: zipMedia, Scope: Input, Heads: ofEither, HTTP: true, Help: "image, mask and overlay, or value and tiff, of each frame, and the json output as segd.json"},
	{Name: NIfTI, Ext: ".nii.gz", Media: "application/gzip", Scope: Input, Heads: ofEither, Volume: true, CommandLine: true, HTTP: true, Help: "masks or values of all frames as one volume"},
	{Name: NRRD, Ext: ".nrrd", Media: "application/octet-stream", Scope: Input, Heads: ofEither, Volume: true, CommandLine: true, HTTP: true, Help: "the same volume as NRRD"},
	{Name: MHA, Ext: ".mha", Media: "application/octet-stream", Scope: Input, Heads: ofEither, Volume: true, CommandLine: true, HTTP: true, Help: "the same volume as MetaImage"},
	{Name: Value, Ext: ".png", Media: pngMedia, Heads: ofValues, Bundled: true, CommandLine: true, HTTP: true, Help: "16-bit PNG of values, rounded and clipped to 0 to 65535"},
	{Name: TIFF, Ext: ".tiff", Media: "image/tiff", Heads: ofValues, Bundled: true, CommandLine: true, HTTP: true, Help: "float32 TIFF of values"},
	{Name: SEG, Ext: ".dcm", Media: DICOMMedia, Scope: Input, Heads: ofClasses, Accept: []string{DICOMMedia}, DICOM: true, CommandLine: true, HTTP: true, Help: "segmentation"},
	{Name: SEGProb, Ext: ".dcm", Media: DICOMMedia, Scope: Input, Heads: ofClasses, DICOM: true, CommandLine: true, HTTP: true, Help: "segmentation of probabilities"},
	{Name: SC, Ext: ".dcm", Media: DICOMMedia, Heads: ofClasses, DICOM: true, Pixels: true, CommandLine: true, HTTP: true, Help: "Secondary Capture of the overlay"},
	{Name: SR, Ext: ".dcm", Media: DICOMMedia, Scope: Input, Heads: ofClasses, DICOM: true, CommandLine: true, HTTP: true, Help: "measurement report"},
	{Name: GSPS, Ext: ".dcm", Media: DICOMMedia, Scope: Input, Heads: ofClasses, DICOM: true, CommandLine: true, HTTP: true, Help: "presentation state"},
	{Name: RTStruct, Ext: ".dcm", Media: DICOMMedia, Scope: Input, Heads: ofClasses, DICOM: true, CommandLine: true, HTTP: true, Help: "structure set"},
}

// Kinds lists the kinds that keep takes, in the order in which their files are made.
func Kinds(keep func(Kind) bool) []Kind {
	return slices.DeleteFunc(slices.Clone(kinds), func(k Kind) bool { return !keep(k) })
}

// KindOf returns the kind of a name; ok is false where there is none.
func KindOf(name string) (k Kind, ok bool) {
	i := slices.IndexFunc(kinds, func(k Kind) bool { return k.Name == name })
	if i < 0 {
		return Kind{}, false
	}
	return kinds[i], true
}

// Names are the names of kinds, in their order.
func Names(kinds []Kind) []string {
	names := make([]string, len(kinds))
	for i, k := range kinds {
		names[i] = k.Name
	}
	return names
}

// CommandLine is for Kinds: those that segd segment makes.
func CommandLine(k Kind) bool { return k.CommandLine }

// HTTP is for Kinds: those that the server answers.
func HTTP(k Kind) bool { return k.HTTP }

// Of reports whether the kind is made of what networks with that head give.
func (k Kind) Of(head unet.Head) bool { return slices.Contains(k.Heads, head) }

// Object reports whether the kind is a DICOM object of all frames.
func (k Kind) Object() bool { return k.DICOM && k.Scope == Input }
