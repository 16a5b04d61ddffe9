package segment

import (
	"fmt"
	"slices"

	"segd"
	"segd/internal/orient"
	"segd/models"
)

// obliqueDegrees is how far a volume may be turned away from the axes of the
// patient before that is worth a warning, and roundDegrees what is not worth a
// word.
const (
	obliqueDegrees = 20
	roundDegrees   = 0.5
)

// orientation is how the frames of a scan come to lie as a model wants them.
type orientation struct {
	// turn leads from the model's planes to the frames of one block, which are
	// turned together; the identity where nothing is to be done.
	turn     orient.Turn
	block    int // frames
	turned   bool
	spacing  segd.Spacing // of the turned planes, without a source
	upright  bool         // frames of a picture are turned upright, and their spacing with them
	steps    []string
	warnings []string
}

// placed are the formats that have a place to say how a volume lies.
var placed = []string{"dicom", "nifti", "nrrd", "metaimage", "mgh"}

// settle says how the frames of scan are turned for m.
func settle(m *models.Model, scan *segd.Scan) (o orientation) {
	warn := func(format string, a ...any) { o.warnings = append(o.warnings, fmt.Sprintf(format, a...)) }
	if scan.Aspect != 0 && m.Recipe.SpacingMM > 0 {
		warn("the file states pixels that are %.4g times as high as wide, but not their size in mm: they are taken as square and not resampled, though the model is trained on square pixels of %g mm; resample the image, or give it a pixel spacing", scan.Aspect, m.Recipe.SpacingMM)
	}
	if orient.IsTurned(scan.Orientation) {
		words := orient.Words(scan.Orientation)
		o.turn, o.block, o.turned, o.upright = orient.Upright(scan.Orientation, scan.Width, scan.Height), 1, true, true
		o.steps = append(o.steps, words+" for the model, as the file is to be shown")
		warn("the file is to be shown %s (orientation %d): the model and the overlay get it so, and masks keep the pixels as they are stored; --orient upright, over HTTP orient=upright, gives masks as it is shown", words, scan.Orientation)
		return o
	}
	if m.Planes == nil || m.Planes.Wants == nil {
		return o
	}
	want := *m.Planes.Wants
	if scan.Affine == nil {
		if slices.Contains(placed, scan.Format) {
			warn("the file does not say that its frames are the planes of one volume, and how they lie in the patient, so they are taken as they are stored; the model was trained on %s planes", want)
		}
		return o
	}
	have, degrees := orient.PlaneOf(*scan.Affine)
	o.turn = orient.ToPlane(segd.Grid{Size: [3]int{scan.Width, scan.Height, scan.Depth}, Affine: *scan.Affine}, want)
	if degrees > obliqueDegrees {
		warn("the planes are %.0f° oblique to the axes of the patient: they count as %s, and the model was trained on %s", degrees, have, want)
	}
	switch {
	case o.turn.Identity():
		return o
	case o.turn.InPlane():
		o.block = 1
	case scan.Depth == 1:
		warn("the image is %s, and one image cannot be turned to %s planes, which the model was trained on: its mask may mean nothing; a volume in one file (NIfTI, enhanced DICOM) is turned", have, want)
		return o
	default:
		o.block = scan.Depth
	}
	o.turned, o.turn.Stored[2] = true, o.block
	m3 := o.turn.Affine(*scan.Affine)
	o.spacing = segd.Spacing{ColMM: m3.SpacingMM(0), RowMM: m3.SpacingMM(1)}
	step := fmt.Sprintf("turned from %s to %s planes, as the model was trained", have, want)
	if degrees > roundDegrees {
		step += fmt.Sprintf(", by the nearest axes, %.0f° away", degrees)
	}
	o.steps = append(o.steps, step)
	const oblong = 1.5
	if s := o.spacing; m.Recipe.SpacingMM == 0 && max(s.ColMM, s.RowMM) > oblong*min(s.ColMM, s.RowMM) {
		warn("the turned planes have pixels of %.3g×%.3g mm, and the model does not resample: its mask may be poor", s.ColMM, s.RowMM)
	}
	return o
}

// of returns the spacing of a turned plane, where a frame has that of frame.
func (o *orientation) of(frame segd.Spacing) segd.Spacing {
	if o.upright {
		return o.turn.Spacing(frame)
	}
	spacing := o.spacing
	spacing.Source = frame.Source
	return spacing
}
