package handlers

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"io"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"segd"
	"segd/dicomio"
	"segd/internal/export"
	"segd/internal/nifti"
	"segd/internal/overlay"
	"segd/internal/postprocess"
	"segd/internal/segment"
	"segd/internal/turns"
	"segd/models"
)

// segment answers POST /v1/segment: a scan comes in, what a model marks in it
// goes out.
func (s *Server) segment(c echo.Context) (err error) {
	r := c.Request()
	query, accept := r.URL.Query(), r.Header.Values("Accept")
	o, err := parseOptions(query, accept)
	if err != nil {
		return err
	}
	if o.model != "auto" { // before the body is asked for
		m, err := s.Models.Get(o.model)
		if err == nil {
			err = o.fit(m)
		}
		if err != nil {
			return err
		}
	}
	u, err := s.readUpload(r)
	if err != nil {
		return err
	}
	defer func() {
		if e := u.Close(); e != nil {
			s.Log.Warn("upload not removed", "request_id", requestID(c), "error", e.Error())
		}
	}()
	leave, err := s.admit()
	if err != nil {
		return err
	}
	defer leave()
	if len(u.options) > 0 {
		if o, err = parseOptions(mergeOptions(query, u.options), accept); err != nil {
			return err
		}
	}
	j := &job{server: s, ctx: s.turns.Arrive(r.Context()), options: o}
	defer j.release()
	switch err := j.begin(u); {
	case err != nil:
		return err
	case j.output == outputJSON:
		return j.writeJSON(c)
	case j.output == export.NIfTI:
		return j.writeVolume(c)
	case j.whole():
		return j.writeObject(c)
	case j.output == outputZip || j.last > j.first:
		return j.writeZip(c)
	}
	return j.writeFrame(c)
}

// job is one scan on its way to an answer.
type job struct {
	options
	server *Server
	ctx    context.Context // of the request, whose handler alone uses the job

	scan        *segd.Scan
	channels    int          // of its frames, at the most
	spacing     segd.Spacing // of the frame before, where it is known
	model       *models.Model
	frames      *segment.Scan
	objects     *export.DICOM   // where one is asked for
	volume      *export.Volumes // likewise
	first, last int             // frames that are asked for, from 0
	done        segmented

	held      *holding // for the scan, and for what is collected
	frameHeld *holding // for the frame, or for its files
}

// segmented is what is known of one frame when it is segmented.
type segmented struct {
	measured frameResult
	files    []file // pictures or the Secondary Capture, those that are asked for
	network  time.Duration
}

// file is one that is made of a frame.
type file struct {
	kind string // of output
	b    bytes.Buffer
}

// extension is that of a kind of file that is made of a frame, and its media type.
func extension(kind string) (ext, media string) {
	switch kind {
	case export.SC:
		return "dcm", dicomMedia
	case export.TIFF:
		return "tiff", "image/tiff"
	}
	return "png", "image/png"
}

// frameResult is a frame in the JSON output.
type frameResult struct {
	Frame      int                       `json:"frame"` // from 1
	Width      int                       `json:"width"`
	Height     int                       `json:"height"`
	Spacing    *segd.Spacing             `json:"spacing,omitempty"` // where it is known
	Confidence *float64                  `json:"confidence,omitempty"`
	NetworkMS  float64                   `json:"network_ms"`
	Steps      []string                  `json:"steps"` // done to the frame
	Warnings   []string                  `json:"warnings,omitempty"`
	Classes    []postprocess.Measurement `json:"classes,omitzero"`
	Values     *postprocess.ValueRange   `json:"values,omitempty"` // in place of classes: of a model of values
}

// begin reads the scan, chooses the model and segments the first frame that is
// asked for.
func (j *job) begin(u *upload) (err error) {
	if j.options.model != "auto" {
		if j.model, err = j.server.Models.Get(j.options.model); err != nil {
			return err
		}
	}
	if err := j.read(u, j.prepare); err != nil {
		return err
	}
	return j.frame(j.first)
}

// prepare chooses the model and opens what collects results.
func (j *job) prepare(b []byte) (err error) {
	if j.options.frame > j.scan.Frames {
		return fmt.Errorf("handlers: %w: frame %d of %d", segd.ErrNotFound, j.options.frame, j.scan.Frames)
	}
	j.first, j.last = 0, j.scan.Frames-1
	if j.options.frame > 0 {
		j.first, j.last = j.options.frame-1, j.options.frame-1
	}
	if j.model == nil {
		j.model, err = j.server.Models.Auto(j.scan)
	}
	if err == nil {
		err = j.fit(j.model) // named in the form, after the query was looked at
	}
	if err != nil {
		return err
	}
	turns.Expect(j.ctx, segment.Length(j.model, j.scan.Width, j.scan.Height, j.last-j.first+1, j.Options))
	j.scan.Warnings = append(j.scan.Warnings, j.model.Warnings(j.scan, j.options.model == "auto")...)
	if j.object() {
		run := &dicomio.Run{Software: "segd " + j.server.Version, Time: time.Now(), Deidentify: j.deidentify, Secret: j.server.secret}
		j.objects = export.NewDICOM(run, b, j.scan, j.model.Manifest, []string{j.output})
		if err := j.objects.Refused(); err != nil {
			return err
		}
		j.scan.Warnings = append(j.scan.Warnings, j.objects.Warnings()...)
	}
	if j.output == export.NIfTI {
		content := nifti.Masks
		if j.model.Values != nil {
			content = nifti.Values
		}
		if j.volume, err = export.NewNIfTI(b, j.scan, content); err != nil {
			return err
		}
		if n := j.volume.Len(); n > 1 {
			return fmt.Errorf("handlers: %w: the frames are %d stacks that lie differently, and one nifti holds one: output=seg holds all of them, output=mask&frame=N one frame, and segd segment writes a nifti for each", segd.ErrUnprocessable, n)
		}
		j.scan.Steps = append(j.scan.Steps, j.volume.Steps...)
		j.scan.Warnings = append(j.scan.Warnings, j.volume.Warnings...)
	}
	if j.deidentify && j.scan.Format == "dicom" && !j.scan.Clean && (j.output == outputOverlay || j.output == outputZip || j.output == export.SC) {
		j.scan.Warnings = append(j.scan.Warnings, export.BurnedInWarning)
	}
	if err := j.model.Load(j.ctx, j.server.Pool); j.ctx.Err() != nil {
		return j.ctx.Err()
	} else if err != nil {
		return internalError{err} // whatever is wrong with its weights
	}
	if j.frames, err = segment.NewScan(j.model, j.server.Pool, j.scan, j.Options); err != nil {
		return err
	}
	turns.AtLeast(j.ctx, j.frames.Length())
	return nil
}

// segment segments frame i, which is img, into j.done.
func (j *job) segment(i int, img *segd.Image) error {
	r, err := j.frames.Image(j.ctx, i, img)
	if err != nil {
		return err
	}
	j.done.network = r.Network
	j.done.files = j.done.files[:0]
	j.done.measured = frameResult{
		Frame: i + 1, Width: img.Width, Height: img.Height, Confidence: r.Confidence,
		NetworkMS: milliseconds(r.Network), Steps: r.Steps, Warnings: r.Warnings,
	}
	if img.Spacing.Known() {
		j.done.measured.Spacing = &img.Spacing
	}
	if j.model.Values != nil {
		return j.makeValues(i, r)
	}
	return j.makeMasks(i, r)
}

// makeMasks makes what is asked for of the mask of frame i.
func (j *job) makeMasks(i int, r *segment.Result) error {
	f := &j.done.measured
	switch j.output {
	case outputMask:
		return j.picture(outputMask, overlay.MaskImage(r.Mask, j.model.Classes))
	case outputOverlay:
		return j.picture(outputOverlay, overlay.Overlay(overlay.Render(r.Image), r.Mask, j.model.Classes, j.alpha))
	case export.SC:
		return j.keep(export.SC, func(w io.Writer) error { return j.objects.WriteSC(w, i, r, j.alpha) })
	case export.NIfTI:
		return j.volume.AddMask(i, r.Mask)
	}
	f.Classes = postprocess.Measure(r.Mask, r.Probabilities, j.model.Classes, r.Image.Spacing)
	switch {
	case j.objects != nil:
		return j.objects.Add(i, r, f.Classes)
	case j.output != outputZip:
		return nil
	}
	shown := overlay.Render(r.Image)
	if err := j.picture(zipImage, shown); err != nil {
		return err
	}
	if err := j.picture(outputMask, overlay.MaskImage(r.Mask, j.model.Classes)); err != nil {
		return err
	}
	return j.picture(outputOverlay, overlay.Overlay(shown, r.Mask, j.model.Classes, j.alpha))
}

// makeValues makes what is asked for of the values of frame i.
func (j *job) makeValues(i int, r *segment.Result) error {
	f, width, height := &j.done.measured, r.Image.Width, r.Image.Height
	f.Values = postprocess.MeasureValues(r.Values)
	if j.output == export.NIfTI {
		return j.volume.AddValues(i, r.Values, width, height)
	}
	if j.output == outputZip {
		if err := j.picture(zipImage, overlay.Render(r.Image)); err != nil {
			return err
		}
	}
	if j.output == export.Value || j.output == outputZip {
		picture, cut := export.ValueImage(r.Values, width, height)
		if cut > 0 {
			f.Warnings = append(f.Warnings, export.CutWarning)
		}
		if err := j.picture(export.Value, picture); err != nil {
			return err
		}
	}
	if j.output == export.TIFF || j.output == outputZip {
		return j.keep(export.TIFF, func(w io.Writer) error { return export.WriteTIFF(w, r.Values, width, height) })
	}
	return nil
}

// zipImage names the image as a viewer shows it in an answer of everything.
const zipImage = "image"

// picture makes a PNG.
func (j *job) picture(kind string, m image.Image) error {
	return j.keep(kind, func(w io.Writer) error {
		if err := overlay.EncodePNG(w, m); err != nil {
			return internalError{err}
		}
		return nil
	})
}

// keep makes a file.
func (j *job) keep(kind string, write func(io.Writer) error) error {
	if err := turns.Next(j.ctx); err != nil {
		return fmt.Errorf("handlers: %w", err)
	}
	j.done.files = append(j.done.files, file{kind: kind})
	return write(&j.done.files[len(j.done.files)-1].b)
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// writeFrame answers the one file of the one frame.
func (j *job) writeFrame(c echo.Context) error {
	j.setHeaders(c.Response().Header())
	f := &j.done.files[0]
	ext, media := extension(f.kind)
	if media != "image/png" { // which a browser shows
		c.Response().Header().Set("Content-Disposition", attachment(f.kind+"."+ext))
	}
	return c.Blob(http.StatusOK, media, f.b.Bytes())
}
