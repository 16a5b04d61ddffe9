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
	"segd/internal/scanio"
	"segd/internal/segment"
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
			err = m.MakesMasks()
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
	if len(u.options) > 0 {
		for name, values := range query {
			u.options[name] = values
		}
		if o, err = parseOptions(u.options, accept); err != nil {
			return err
		}
	}
	j := &job{server: s, ctx: r.Context(), options: o}
	switch err := j.begin(u.bytes); {
	case err != nil:
		return err
	case o.output == outputJSON:
		return j.writeJSON(c)
	case o.output == export.NIfTI:
		return j.writeVolume(c)
	case o.whole():
		return j.writeObject(c)
	case j.last > j.first:
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
	model       *models.Model
	objects     *export.DICOM // where one is asked for
	volume      *nifti.Writer // likewise
	first, last int           // frames that are asked for, from 0
	done        segmented
}

// segmented is what is known of one frame when it is segmented.
type segmented struct {
	measured frameResult
	file     bytes.Buffer // the PNG or Secondary Capture, if one is asked for
	network  time.Duration
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
	Classes    []postprocess.Measurement `json:"classes"`
}

// begin reads the scan, chooses the model and segments the first frame that is
// asked for, all in one place among those that run: the pixels of a picture
// file are in memory from its reading on.
func (j *job) begin(b []byte) error {
	return j.server.run(j.ctx, func() (err error) {
		if j.scan, err = scanio.Read(b); err != nil {
			return err
		}
		if j.frame > j.scan.Frames {
			return fmt.Errorf("handlers: %w: frame %d of %d", segd.ErrNotFound, j.frame, j.scan.Frames)
		}
		j.first, j.last = 0, j.scan.Frames-1
		if j.frame > 0 {
			j.first, j.last = j.frame-1, j.frame-1
		}
		if j.options.model == "auto" {
			j.model, err = j.server.Models.Auto(j.scan)
		} else {
			j.model, err = j.server.Models.Get(j.options.model)
		}
		if err == nil {
			err = j.model.MakesMasks() // named in the form, after the query was looked at
		}
		if err != nil {
			return err
		}
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
			if j.volume, err = export.NewNIfTI(b, j.scan); err != nil {
				return err
			}
		}
		if j.deidentify && j.scan.Format == "dicom" && !j.scan.Clean && (j.output == outputOverlay || j.output == export.SC) {
			j.scan.Warnings = append(j.scan.Warnings, export.BurnedInWarning)
		}
		if err := j.model.Load(j.server.Pool); err != nil {
			return internalError{err} // whatever is wrong with its weights
		}
		return j.segment(j.first)
	})
}

// next segments a further frame.
func (j *job) next(i int) error {
	return j.server.run(j.ctx, func() error { return j.segment(i) })
}

// segment segments frame i into j.done.
func (j *job) segment(i int) error {
	img, err := j.scan.Frame(i)
	if err != nil {
		return err
	}
	r, err := segment.Frame(j.ctx, j.model, j.server.Pool, img, j.Options)
	if err != nil {
		return err
	}
	j.done.network = r.Network
	j.done.file.Reset()
	f := frameResult{
		Frame: i + 1, Width: img.Width, Height: img.Height, Confidence: r.Confidence,
		NetworkMS: milliseconds(r.Network), Steps: r.Steps, Warnings: r.Warnings,
	}
	if img.Spacing.Known() {
		f.Spacing = &img.Spacing
	}
	switch j.output {
	case outputMask:
		err = encode(&j.done.file, overlay.MaskImage(r.Mask, j.model.Classes))
	case outputOverlay:
		err = encode(&j.done.file, overlay.Overlay(overlay.Render(img), r.Mask, j.model.Classes, j.alpha))
	case export.SC:
		err = j.objects.WriteSC(&j.done.file, i, r, j.alpha)
	case export.NIfTI:
		err = j.volume.Add(r.Mask)
	default:
		f.Classes = postprocess.Measure(r.Mask, r.Probabilities, j.model.Classes, img.Spacing)
		if j.objects != nil {
			err = j.objects.Add(i, r, f.Classes)
		}
	}
	j.done.measured = f
	return err
}

func encode(w io.Writer, picture image.Image) error {
	if err := overlay.EncodePNG(w, picture); err != nil {
		return internalError{err}
	}
	return nil
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// writeFrame answers the one frame, as a PNG or a Secondary Capture.
func (j *job) writeFrame(c echo.Context) error {
	j.setHeaders(c.Response().Header())
	media := "image/png"
	if j.object() {
		media = dicomMedia
		c.Response().Header().Set("Content-Disposition", attachment(j.output+".dcm"))
	}
	return c.Blob(http.StatusOK, media, j.done.file.Bytes())
}
