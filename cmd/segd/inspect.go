package main

import (
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"segd"
	"segd/dicomio"
	"segd/internal/engine/folder"
	"segd/internal/inspect"
)

// inspection is what segd inspect says of one file.
type inspection struct {
	File string `json:"file"`
	*inspect.Inspection
	Error string `json:"error,omitempty"` // why it cannot be read
}

// inspectSettings are the flags of segd inspect.
type inspectSettings struct {
	raw, json, patient bool
	model, modelsDir   string
}

func newInspect(a *app) *cobra.Command {
	var s inspectSettings
	cmd := &cobra.Command{
		Use:   "inspect FILE...",
		Short: "Describe files and how segd reads their pixels",
		Long: "Describe each file and every step from its stored pixels to those that a model\n" +
			"sees; -m adds the steps of that model. Patient data is shown only with --patient.\n" +
			"A file that cannot be read is reported with the reason, and the exit status is\n" +
			"then 3.\n\n" +
			"--raw writes only the decoded stored values of one DICOM file to standard output:\n" +
			"little endian, as wide as they are allocated (1 bit as a byte), frame by frame,\n" +
			"colour interleaved, without rescaling, lookup tables or conversion.",
		Example: "  segd inspect scan.dcm\n  segd inspect -m cardiac-lv scan.dcm\n  segd inspect --json scans/*.dcm\n  segd inspect --raw scan.dcm > pixels",
		Args:    cobra.MinimumNArgs(1),
	}
	f := cmd.Flags()
	f.BoolVar(&s.raw, "raw", false, "write the decoded stored values of one DICOM file")
	f.BoolVar(&s.json, "json", false, "write one line of JSON per file")
	f.BoolVar(&s.patient, "patient", false, "also show the patient and study attributes of DICOM files")
	f.StringVarP(&s.model, "model", "m", "", "model name or directory, or auto, whose steps to show as well")
	f.StringVar(&s.modelsDir, "models", "", "directory of additional models")
	cmd.RunE = a.do(func(_ *cobra.Command, args []string) error {
		if s.raw {
			if len(args) != 1 || s.json || s.patient || s.model != "" {
				return optionError("--raw takes exactly one file and cannot be combined with --json, --patient or --model")
			}
			return a.inspectRaw(args[0])
		}
		return a.inspect(args, s)
	})
	return cmd
}

// inspectRaw writes the decoded stored values of a file.
func (a *app) inspectRaw(path string) error {
	b, err := folder.Read(path)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if !dicomio.Is(b) {
		return fmt.Errorf("%s: %w: not a DICOM file, which --raw needs", path, segd.ErrUnsupported)
	}
	if err := dicomio.WriteStored(a.stdout, b); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// inspect describes each file on standard output.
func (a *app) inspect(paths []string, s inspectSettings) error {
	o := inspect.Options{Model: s.model, Patient: s.patient}
	if s.model != "" {
		var err error
		if o.Models, err = a.openCatalogue(s.modelsDir); err != nil {
			return err
		}
		if s.model != autoModel { // before the first file is blamed for it
			if _, err := o.Models.Resolve(s.model); err != nil {
				return err
			}
		}
	}
	failed := 0
	for _, path := range paths {
		i := inspection{File: path}
		b, err := folder.Read(path)
		if err == nil {
			err = folder.NeedsHeader(path)
		}
		if err == nil {
			o.Beside = folder.Beside(path)
			i.Inspection, err = inspect.File(b, o)
		}
		if err != nil {
			failed++
			i.Error = err.Error()
		}
		if s.json {
			err = json.NewEncoder(a.stdout).Encode(i)
		} else {
			_, err = fmt.Fprint(a.stdout, i.text())
		}
		if err != nil {
			return err
		}
	}
	if failed > 0 {
		return &partialError{failed: failed, total: len(paths)}
	}
	return nil
}

// text is i for people.
func (i inspection) text() string {
	if i.Error != "" {
		return fmt.Sprintf("%s\n  cannot be read: %s\n", i.File, i.Error)
	}
	s := fmt.Sprintf("%s\n  %s", i.File, i.Format)
	if i.Modality != "" {
		s += " " + i.Modality
	}
	s += fmt.Sprintf(", %d×%d pixels, frames: %d\n", i.Width, i.Height, i.FrameCount)
	for n, step := range i.Steps {
		s += fmt.Sprintf("  %d. %s\n", n+1, step)
	}
	for _, w := range i.Warnings {
		s += "  warning: " + w + "\n"
	}
	for _, a := range i.Patient {
		s += fmt.Sprintf("  %s %s: %s\n", a.Tag, a.Name, a.Value)
	}
	return s
}
