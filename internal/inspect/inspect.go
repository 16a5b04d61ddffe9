// Package inspect says what a file is and what would be done to its pixels, for
// the server and the command line alike.
//
//	i, err := inspect.File(b, inspect.Options{Models: catalogue, Model: "auto"})
//
// Nothing of a patient is in it unless Options.Patient asks. The network does
// not run, but the first frame is decoded and prepared for it, so that a file
// that would fail there fails here.
package inspect

import (
	"fmt"
	"slices"

	"segd"
	"segd/dicomio"
	"segd/internal/beside"
	"segd/internal/scanio"
	"segd/internal/segment"
	"segd/models"
)

// Options say what is asked for. The zero value asks for the file alone.
type Options struct {
	Models  *models.Catalogue
	Model   string       // whose steps are wanted: a name or directory; "auto": by the scan; "": of none
	Patient bool         // tell what the file says of patient and study
	Beside  beside.Files // the other files of its folder
}

// Inspection is what is known of a file. Steps are those of the first frame.
type Inspection struct {
	Format         string              `json:"format,omitempty"`
	TransferSyntax string              `json:"transfer_syntax,omitempty"`
	Modality       string              `json:"modality,omitempty"`
	Width          int                 `json:"width,omitempty"`
	Height         int                 `json:"height,omitempty"`
	FrameCount     int                 `json:"frame_count,omitempty"`
	Spacing        *segd.Spacing       `json:"spacing,omitempty"` // of the first frame, where it is known
	Model          string              `json:"model,omitempty"`
	Version        string              `json:"model_version,omitempty"`
	Steps          []string            `json:"steps,omitempty"` // what is done to the pixels, in order
	Warnings       []string            `json:"warnings,omitempty"`
	Patient        []dicomio.Attribute `json:"patient,omitempty"`
}

// File inspects the file b, which is not kept. Errors are those of scanio, of
// the choice of a model, and of its preparation of the first frame.
func File(b []byte, o Options) (*Inspection, error) {
	b, err := scanio.Inflate(b)
	if err != nil {
		return nil, err
	}
	scan, err := scanio.ReadWith(b, scanio.Options{Beside: o.Beside})
	if err != nil {
		return nil, err
	}
	return Scan(scan, b, o)
}

// Scan is File of a scan that is read already, from b or from b and the files of
// further channels.
func Scan(scan *segd.Scan, b []byte, o Options) (*Inspection, error) {
	img, err := scan.Frame(0) // what a frame has wrong with it shows when it is decoded
	if err != nil {
		return nil, err
	}
	i := &Inspection{
		Format: scan.Format, TransferSyntax: scan.TransferSyntax, Modality: scan.Modality,
		Width: scan.Width, Height: scan.Height, FrameCount: scan.Frames, Steps: scan.Steps, Warnings: scan.Warnings,
	}
	if img.Spacing.Known() {
		i.Spacing = &img.Spacing
	}
	steps, warnings := volume(scan)
	i.Steps, i.Warnings = slices.Concat(i.Steps, steps), slices.Concat(i.Warnings, warnings)
	if o.Model != "" {
		if err := i.prepare(scan, img, o); err != nil {
			return nil, err
		}
	}
	if o.Patient && scan.Format == "dicom" {
		if i.Patient, err = dicomio.Patient(b); err != nil {
			return nil, err
		}
	}
	return i, nil
}

// prepare adds what a model would do.
func (i *Inspection) prepare(scan *segd.Scan, img *segd.Image, o Options) error {
	var m *models.Model
	var err error
	if o.Model == "auto" {
		m, err = o.Models.Auto(scan)
	} else {
		m, err = o.Models.Resolve(o.Model)
	}
	if err != nil {
		return err
	}
	steps, warnings, err := segment.Explain(m, scan, img, segment.Options{})
	if err != nil {
		return fmt.Errorf("model %s: %w", m.Name, err)
	}
	i.Model, i.Version = m.Name, m.Version
	i.Steps = append(append([]string{}, i.Steps...), steps...)
	i.Warnings = append(append(append([]string{}, i.Warnings...), m.Warnings(scan, o.Model == "auto")...), warnings...)
	return nil
}
