package engine

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"segd"
	"segd/internal/export"
	"segd/internal/segment"
	"segd/internal/walk"
)

// Result is what is known of a source: the JSON output, and the rows of the table. It
// is in the making until Sink.Close.
type Result struct {
	File           string         `json:"file,omitempty"`
	Model          string         `json:"model"`
	Version        string         `json:"model_version"`
	Format         string         `json:"format"`
	TransferSyntax string         `json:"transfer_syntax,omitempty"`
	Modality       string         `json:"modality,omitempty"`
	Width          int            `json:"width"`
	Height         int            `json:"height"`
	FrameCount     int            `json:"frame_count"` // of the source, whichever are asked for
	NetworkMS      *Milliseconds  `json:"network_ms,omitempty"`
	Steps          []string       `json:"steps"` // done to the pixels of all frames
	Warnings       []string       `json:"warnings"`
	Refused        string         `json:"refused,omitempty"` // outputs that cannot be made, and why
	Frames         []*FrameResult `json:"frames"`            // those that are done
	// Volumes are what was measured in the volumes that the frames make up, at each
	// time. That of a series is in the result of its first file.
	Volumes []*VolumeResult `json:"volumes,omitempty"`

	Asked   int           `json:"-"` // how many frames are asked for
	Network time.Duration `json:"-"` // time in the network, of Frames
}

// FrameResult is what is known of a frame.
type FrameResult struct {
	Frame      int           `json:"frame"`                 // from 1
	FileNumber int           `json:"file_number,omitempty"` // of the file that it is, from 1, where several were sent as one series
	Width      int           `json:"width"`
	Height     int           `json:"height"`
	Spacing    *segd.Spacing `json:"spacing,omitempty"`    // where it is known
	Confidence *float64      `json:"confidence,omitempty"` // mean probability of the foreground
	NetworkMS  *Milliseconds `json:"network_ms,omitempty"`
	Steps      []string      `json:"steps"` // done to the frame
	Warnings   []string      `json:"warnings,omitempty"`
	segment.Measured
}

// VolumeResult is what was measured in a volume at one time.
type VolumeResult struct {
	Volume int `json:"volume"` // from 1
	export.Measured
}

// Milliseconds is a time with microseconds.
type Milliseconds float64

func milliseconds(d time.Duration) *Milliseconds {
	ms := Milliseconds(float64(d.Microseconds()) / 1000)
	return &ms
}

// String has three decimals.
func (ms Milliseconds) String() string { return strconv.FormatFloat(float64(ms), 'f', 3, 64) }

// InNetwork is the time in the network so far.
func (r *Result) InNetwork() Milliseconds { return *milliseconds(r.Network) }

// warnings are those of the source and of its frames. A warning of some frames only says
// of how many: an empty plane at the edge of a volume is not an empty volume.
func (r *Result) warnings() []string {
	all := append([]string{}, r.Warnings...)
	frames := map[string]int{}
	for _, f := range r.Frames {
		for _, text := range distinct(slices.Clone(f.Warnings)) {
			frames[text]++
		}
	}
	for text, n := range frames {
		if n < len(r.Frames) {
			text = fmt.Sprintf("%d of %d frames: %s", n, len(r.Frames), text)
		}
		all = append(all, text)
	}
	return all
}

// writeJSON writes the JSON output: on one line where it has times, for it is then an
// answer to a program.
func (r *Result) writeJSON(w io.Writer) error {
	if r.NetworkMS == nil {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(r)
	}
	b, err := json.Marshal(r)
	if err != nil {
		return &FaultError{err}
	}
	_, err = w.Write(append(b, '\n'))
	return err
}

// validText is a file name as JSON can hold it.
func validText(name string) string {
	if utf8.ValidString(name) {
		return name
	}
	return walk.Printable(name)
}

// tableHeader names the columns of the table. frame counts from 1; an unknown area or
// volume and the mean probability of no pixel are empty. A row of a volume has no frame
// but the number of the volume, and of the time where there are several; its pixels are
// voxels.
var tableHeader = []string{"file", "frame", "class", "name", "pixels", "area_mm2", "components", "mean_probability", "model", "volume", "time", "volume_mm3"}

// WriteTable writes the output csv: a row for each foreground class of each frame, in
// the order of the results, and then of each volume. Results that are nil have none.
func WriteTable(w io.Writer, results []*Result) error {
	c := csv.NewWriter(w)
	if err := c.Write(tableHeader); err != nil {
		return err
	}
	for _, r := range results {
		if r == nil {
			continue
		}
		for _, f := range r.Frames {
			for _, k := range f.Classes {
				row := []string{r.File, strconv.Itoa(f.Frame), strconv.Itoa(k.Index), k.Name, strconv.Itoa(k.Pixels),
					optional(k.AreaMM2), strconv.Itoa(k.Components), optional(k.MeanProbability), r.Model + "@" + r.Version, "", "", ""}
				if err := c.Write(row); err != nil {
					return err
				}
			}
		}
		for _, v := range r.Volumes {
			for _, k := range v.Classes {
				time := ""
				if v.Time > 0 {
					time = strconv.Itoa(v.Time)
				}
				row := []string{r.File, "", strconv.Itoa(k.Index), k.Name, strconv.Itoa(k.Voxels),
					"", strconv.Itoa(k.Components), optional(k.MeanProbability), r.Model + "@" + r.Version, strconv.Itoa(v.Volume), time, optional(k.VolumeMM3)}
				if err := c.Write(row); err != nil {
					return err
				}
			}
		}
	}
	c.Flush()
	return c.Error()
}

// optional formats a figure that may be unknown.
func optional(v *float64) string {
	if v == nil {
		return ""
	}
	return strconv.FormatFloat(*v, 'g', 6, 64)
}
