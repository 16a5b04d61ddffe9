package main

import (
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"segd"
	"segd/dicomio"
	"segd/internal/scanio"
)

// inspection is what segd inspect says of one file, none of it of a patient.
type inspection struct {
	File           string   `json:"file"`
	Format         string   `json:"format,omitempty"`
	TransferSyntax string   `json:"transfer_syntax,omitempty"`
	Modality       string   `json:"modality,omitempty"`
	Width          int      `json:"width,omitempty"`
	Height         int      `json:"height,omitempty"`
	FrameCount     int      `json:"frame_count,omitempty"`
	Steps          []string `json:"steps,omitempty"` // done to the pixels, in order
	Warnings       []string `json:"warnings,omitempty"`
	Error          string   `json:"error,omitempty"` // why it cannot be read
}

func newInspect(a *app) *cobra.Command {
	var raw, asJSON bool
	cmd := &cobra.Command{
		Use:   "inspect FILE...",
		Short: "Say what files are and what is done to their pixels",
		Long: "Say of each file what it is, and each step that its pixels take before a model\n" +
			"sees them. Nothing of a patient is shown. A file that cannot be read is named\n" +
			"with the reason; the exit status is then 3.\n\n" +
			"--raw writes the decoded stored values of one DICOM file to standard output and\n" +
			"nothing else: little endian, as wide as they are allocated (1 bit as a byte),\n" +
			"frame after frame, colour interleaved, without rescale, tables or conversion.",
		Example: "  segd inspect scan.dcm\n  segd inspect --json scans/*.dcm\n  segd inspect --raw scan.dcm > pixels",
		Args:    cobra.MinimumNArgs(1),
	}
	cmd.Flags().BoolVar(&raw, "raw", false, "write the decoded stored values of one file")
	cmd.Flags().BoolVar(&asJSON, "json", false, "a line of JSON for each file")
	cmd.RunE = a.do(func(_ *cobra.Command, args []string) error {
		if raw {
			if len(args) != 1 || asJSON {
				return optionError("--raw takes one file, and no --json")
			}
			return a.inspectRaw(args[0])
		}
		return a.inspect(args, asJSON)
	})
	return cmd
}

// inspectRaw writes the decoded stored values of a file.
func (a *app) inspectRaw(path string) error {
	b, err := readInput(path)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if !dicomio.Is(b) {
		return fmt.Errorf("%s: %w: --raw reads DICOM files", path, segd.ErrUnsupported)
	}
	if err := dicomio.WriteStored(a.stdout, b); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// inspect describes each file on standard output.
func (a *app) inspect(paths []string, asJSON bool) error {
	failed := 0
	for _, path := range paths {
		i := inspectFile(path)
		if i.Error != "" {
			failed++
		}
		var err error
		if asJSON {
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

func inspectFile(path string) inspection {
	i := inspection{File: path}
	b, err := readInput(path)
	if err != nil {
		i.Error = err.Error()
		return i
	}
	scan, err := scanio.Read(b)
	if err == nil {
		// What a frame itself has wrong with it shows when it is decoded.
		_, err = scan.Frame(0)
	}
	if err != nil {
		i.Error = err.Error()
		return i
	}
	i.Format, i.TransferSyntax, i.Modality = scan.Format, scan.TransferSyntax, scan.Modality
	i.Width, i.Height, i.FrameCount = scan.Width, scan.Height, scan.Frames
	i.Steps, i.Warnings = scan.Steps, scan.Warnings
	return i
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
	return s
}
