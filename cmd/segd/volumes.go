package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"segd"
	"segd/internal/export"
	"segd/internal/nifti"
	"segd/models"
)

// volumes returns where the masks or values of input i go that are no slices of
// the volume of a series, nil where they are or none can be made of them; p then
// has the reason. What a user should know of them goes into r.
func (b *batch) volumes(i int, file []byte, scan *segd.Scan, m *models.Model, r *result, p *part) (*export.Volumes, error) {
	content := nifti.Masks
	if m.Values != nil {
		content = nifti.Values
	}
	s := b.series[i]
	if s.stack != nil {
		if tilt := export.StackTilt(s.stack, scan.Width, scan.Height, content); tilt != "" {
			r.Steps, r.Warnings = append(r.Steps, tilt), append(r.Warnings, tilt)
		}
		return nil, nil
	}
	if s.noStack != nil {
		r.Warnings = append(r.Warnings, fmt.Sprintf("wrote a %s for each file instead of one for the series: %s", export.NIfTI,
			strings.TrimPrefix(s.noStack.Error(), "dicomio: "+segd.ErrUnprocessable.Error()+": ")))
	}
	v, err := export.NewNIfTI(file, scan, content)
	var none *export.NoVolumeError
	switch {
	case errors.As(err, &none):
		p.refused = fmt.Errorf("no %s: %w", export.NIfTI, err)
		if r.Refused != "" {
			r.Refused += "; "
		}
		r.Refused += p.refused.Error()
		return nil, nil
	case err != nil:
		return nil, err
	}
	r.Steps, r.Warnings = append(r.Steps, v.Steps...), append(r.Warnings, v.Warnings...)
	return v, nil
}

// writeVolumes writes the volumes of an input: NAME, or NAME_1 and so on. It
// returns the paths that it wrote.
func (b *batch) writeVolumes(in input, v *export.Volumes) (written []string, err error) {
	for k := range v.Len() {
		stem := in.stem
		if v.Len() > 1 {
			if stem = fmt.Sprintf("%s_%d", in.stem, k+1); b.stems[stem] {
				return written, fmt.Errorf("%w: its %s output %s is also the output of another input: rename one of them", segd.ErrUnprocessable, export.NIfTI, stem)
			}
		}
		path := b.path(export.NIfTI, stem)
		if err := b.write(path, func(w io.Writer) error { return v.Write(w, k) }, in.name); err != nil {
			return written, err
		}
		written = append(written, path)
	}
	return written, nil
}
