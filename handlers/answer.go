package handlers

import (
	"archive/zip"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
)

// Headers of an answer that say where it comes from.
const (
	modelHeader    = "Segd-Model"
	versionHeader  = "Segd-Model-Version"
	networkHeader  = "Segd-Network-Ms" // time in the network, of all frames
	warningsHeader = "Segd-Warnings"   // of the scan and its first frame
)

// scanResult is the JSON output.
type scanResult struct {
	Model          string        `json:"model"`
	Version        string        `json:"model_version"`
	Format         string        `json:"format"`
	TransferSyntax string        `json:"transfer_syntax,omitempty"`
	Modality       string        `json:"modality,omitempty"`
	Width          int           `json:"width"`
	Height         int           `json:"height"`
	FrameCount     int           `json:"frame_count"` // of the file, whichever were asked for
	NetworkMS      float64       `json:"network_ms"`
	Steps          []string      `json:"steps"` // done to the pixels of all frames
	Warnings       []string      `json:"warnings"`
	Frames         []frameResult `json:"frames"`
}

// dicomMedia is the media type of a DICOM file (RFC 3240).
const dicomMedia = "application/dicom"

// attachment is a Content-Disposition that has a client save what it gets.
func attachment(name string) string { return fmt.Sprintf("attachment; filename=%q", name) }

// result is what is said of the scan in JSON, without its frames.
func (j *job) result() scanResult {
	return scanResult{
		Model: j.model.Name, Version: j.model.Version,
		Format: j.scan.Format, TransferSyntax: j.scan.TransferSyntax, Modality: j.scan.Modality,
		Width: j.scan.Width, Height: j.scan.Height, FrameCount: j.scan.Frames,
		Steps: append([]string{}, j.scan.Steps...), Warnings: append([]string{}, j.scan.Warnings...),
	}
}

// writeJSON answers the measurements of the frames that are asked for.
func (j *job) writeJSON(c echo.Context) error {
	out := j.result()
	network, err := j.all(c, func() { out.Frames = append(out.Frames, j.done.measured) })
	if err != nil {
		return err
	}
	out.NetworkMS = milliseconds(network)
	return writeJSON(c, http.StatusOK, out)
}

// all segments the frames that are asked for, calls done after each, and sets
// the headers.
func (j *job) all(c echo.Context, done func()) (network time.Duration, err error) {
	j.setHeaders(c.Response().Header())
	for i := j.first; i <= j.last; i++ {
		if i > j.first {
			if err := j.frame(i); err != nil {
				return network, err
			}
		}
		network += j.done.network
		done()
	}
	c.Response().Header().Set(networkHeader, formatMS(network))
	return network, nil
}

// writeObject answers a DICOM object of the frames that are asked for. It is
// made while it goes out: one of many frames is large.
func (j *job) writeObject(c echo.Context) error {
	if _, err := j.all(c, func() {}); err != nil {
		return err
	}
	h := c.Response().Header()
	h.Set("Content-Type", dicomMedia)
	h.Set("Content-Disposition", attachment(j.output+".dcm"))
	err := j.objects.Write(c.Response(), j.output)
	if err != nil && c.Response().Committed {
		j.cutOff(c, err)
	}
	return err
}

// writeVolume answers the masks or values of all frames as a NIfTI file.
func (j *job) writeVolume(c echo.Context) error {
	if _, err := j.all(c, func() {}); err != nil {
		return err
	}
	h := c.Response().Header()
	h.Set("Content-Type", "application/gzip")
	h.Set("Content-Disposition", attachment(j.output+".nii.gz"))
	return j.volume.Write(c.Response(), 0)
}

// cutOff ends an answer that has begun and cannot be finished: half of it must
// not look like the whole. There is no one left to tell but the log.
func (j *job) cutOff(c echo.Context, err error) {
	if p := describe(err); p.Status != statusClientGone {
		j.server.Log.Warn("answer cut off", "request_id", requestID(c), "error", p.Type)
	}
	panic(http.ErrAbortHandler)
}

// writeZip answers the files of each frame and, with output zip, what the JSON
// output is. Frames go out as they are done, so that memory is that of one; the
// time in the network is only known at the end and comes as a trailer. When
// something fails in between, the connection is cut: half an archive must not look
// like a whole one.
func (j *job) writeZip(c echo.Context) error {
	h := c.Response().Header()
	j.setHeaders(h)
	h.Del(networkHeader)
	h.Set("Trailer", networkHeader)
	h.Set("Content-Type", "application/zip")
	name := j.output
	if name == outputZip {
		name = "segd"
	}
	h.Set("Content-Disposition", attachment(name+".zip"))
	c.Response().WriteHeader(http.StatusOK)
	network, err := j.writeFrames(c)
	if err != nil {
		j.cutOff(c, err) // it is the time, or the client
	}
	h.Set(networkHeader, formatMS(network))
	return nil
}

func (j *job) writeFrames(c echo.Context) (network time.Duration, err error) {
	z := zip.NewWriter(c.Response())
	add := func(name string, method uint16, b []byte) error {
		w, err := z.CreateHeader(&zip.FileHeader{Name: name, Method: method, Modified: time.Now()})
		if err == nil {
			_, err = w.Write(b)
		}
		return err
	}
	out := j.result()
	for i := j.first; i <= j.last; i++ {
		if i > j.first {
			if err := j.frame(i); err != nil {
				return network, err
			}
		}
		network += j.done.network
		out.Frames = append(out.Frames, j.done.measured)
		for k := range j.done.files {
			f := &j.done.files[k]
			ext, _ := extension(f.kind)
			method := zip.Deflate
			if ext == "png" { // which is deflated already
				method = zip.Store
			}
			if err := add(fmt.Sprintf("%s_%04d.%s", f.kind, i+1, ext), method, f.b.Bytes()); err != nil {
				return network, err
			}
		}
		if err := z.Flush(); err != nil {
			return network, err
		}
		c.Response().Flush()
	}
	if j.output == outputZip {
		out.NetworkMS = milliseconds(network)
		b, err := json.Marshal(out)
		if err != nil {
			return network, err
		}
		if err := add("segd.json", zip.Deflate, append(b, '\n')); err != nil {
			return network, err
		}
	}
	return network, z.Close()
}

// setHeaders says where the answer comes from, as of the first frame.
func (j *job) setHeaders(h http.Header) {
	h.Set("Cache-Control", "no-store")
	h.Set("Vary", "Accept")
	h.Set(modelHeader, ascii(j.model.Name))
	h.Set(versionHeader, ascii(j.model.Version))
	h.Set(networkHeader, formatMS(j.done.network))
	warnings := append(append([]string{}, j.scan.Warnings...), j.done.measured.Warnings...)
	if len(warnings) > 0 {
		h.Set(warningsHeader, ascii(strings.Join(warnings, "; ")))
	}
}

func formatMS(d time.Duration) string { return strconv.FormatFloat(milliseconds(d), 'f', 3, 64) }

// ascii is what a header may hold (RFC 9110, 5.5).
func ascii(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '×':
			return 'x'
		case r < ' ' || r > '~':
			return '?'
		}
		return r
	}, s)
}

// writeJSON writes a value that is whole before the first byte goes out.
func writeJSON(c echo.Context, status int, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return internalError{fmt.Errorf("handlers: %w", err)}
	}
	h := c.Response().Header()
	if h.Get("Cache-Control") == "" {
		h.Set("Cache-Control", "no-cache")
	}
	return c.JSONBlob(status, append(b, '\n'))
}
