package main

import (
	"io"

	"segd/internal/export"
	"segd/internal/overlay"
	"segd/internal/postprocess"
	"segd/internal/segment"
)

// values writes what a model of values gave of frame i of in, and adds it to p and to
// volume, which may be nil. It returns the paths that it wrote.
func (b *batch) values(in input, r *segment.Result, i int, stem string, p *part, volume *export.Volumes) (*frameResult, []string, error) {
	img := r.Image
	p.width, p.height, p.values = img.Width, img.Height, r.Values
	var written []string
	write := func(kind string, f func(io.Writer) error) error {
		if !b.wants(kind) {
			return nil
		}
		path := b.path(kind, stem)
		if err := b.write(path, f, in.name); err != nil {
			return err
		}
		written = append(written, path)
		return nil
	}
	picture, cut := export.ValueImage(r.Values, img.Width, img.Height)
	if cut > 0 && b.wants(export.Value) {
		r.Warnings = append(r.Warnings, export.CutWarning)
	}
	if err := write(export.Value, func(w io.Writer) error { return overlay.EncodePNG(w, picture) }); err != nil {
		return nil, written, err
	}
	if err := write(export.TIFF, func(w io.Writer) error { return export.WriteTIFF(w, r.Values, img.Width, img.Height) }); err != nil {
		return nil, written, err
	}
	if volume != nil {
		if err := volume.AddValues(i, r.Values, img.Width, img.Height); err != nil {
			return nil, written, err
		}
	}
	f := &frameResult{Frame: i + 1, Width: img.Width, Height: img.Height, Steps: r.Steps, Warnings: r.Warnings, Values: postprocess.MeasureValues(r.Values)}
	if img.Spacing.Known() {
		f.Spacing = &img.Spacing
	}
	return f, written, nil
}
