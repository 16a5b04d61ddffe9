package models

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"regexp"
	"strings"

	"segd"
	"segd/preprocess"
	"segd/unet"
)

// Format is the version of model.json that this package writes and reads.
const Format = 1

// ResearchUse is the statement of intended use that Save writes by default.
const ResearchUse = "Research use only. Not a medical device: not for diagnosis, treatment or any other clinical decision."

// Manifest is model.json: everything about a model except its weights.
//
// Keys are those of MONAI's bundle metadata if it has an equivalent (version,
// task, description, authors, intended_use, references, network_data_format).
// docs/model-format.md lists them all.
type Manifest struct {
	FormatVersion int      `json:"segd_format"` // Format; Save fills it in
	Name          string   `json:"name"`        // ValidName
	Version       string   `json:"version"`
	Title         string   `json:"title"` // for people; Save fills in Name if it is empty
	Task          string   `json:"task,omitempty"`
	Description   string   `json:"description,omitempty"`
	Authors       string   `json:"authors,omitempty"`
	Licence       string   `json:"license,omitempty"` // licence of the weights
	Use           string   `json:"intended_use"`      // Save fills in ResearchUse if it is empty
	References    []string `json:"references,omitempty"`

	Match   Match             `json:"match"`            // scans for which model=auto may choose it
	Network unet.Config       `json:"network"`          // architecture
	Recipe  preprocess.Recipe `json:"preprocessing"`    // preprocessing in training and inference
	Planes  *Planes           `json:"planes,omitempty"` // orientation of its training images; nil: unknown
	Classes []segd.Class      `json:"classes"`          // by index, background first; empty for regression

	// Channels names the channels of a model trained on several images of the
	// same object, such as T1 and T2, each in a separate file, in the order of
	// their numbers. If it is empty, the model takes one image, grey or colour.
	Channels []string `json:"channels,omitempty"`

	// Values describes the labels of a regression network, whose output has their
	// unit. It is nil for a network of classes.
	Values *Values `json:"values,omitempty"`

	// Regions limits the connected regions of each foreground class in a mask,
	// index 1 first; the largest are kept. 0, or an empty list, means no limit.
	Regions []int `json:"regions,omitempty"`

	// NetworkDataFormat repeats the network's input and output in MONAI's terms.
	// Save derives it; a file with a contradictory copy is malformed.
	NetworkDataFormat *DataFormat `json:"network_data_format,omitempty"`

	Data     []DataCard `json:"data"`    // training data
	Metrics  []Metric   `json:"metrics"` // measured figures
	Training *Training  `json:"training,omitempty"`

	Members []Member `json:"members,omitempty"` // other networks of an ensemble

	WeightsSHA256 string `json:"weights_sha256"` // of weights.safetensors, lower-case hex; Save fills it in
}

// Values describes the labels on which a regression network was trained.
type Values struct {
	Mean      float64 `json:"mean"`      // over the pixels of the training images
	Deviation float64 `json:"deviation"` // standard deviation over the same pixels; above 0
}

// ForegroundNames returns the names of the classes, index 1 first.
func (m *Manifest) ForegroundNames() []string {
	var names []string
	for i := 1; i < len(m.Classes); i++ {
		names = append(names, m.Classes[i].Name)
	}
	return names
}

// Match says for which scans model=auto may choose a model. An empty list
// allows everything; with both lists empty, auto never chooses the model.
type Match struct {
	Formats    []string `json:"formats,omitempty"`    // segd.Scan.Format: dicom, nifti, png, jpeg, tiff; see standsFor
	Modalities []string `json:"modalities,omitempty"` // DICOM Modality (0008,0060), for example MR
}

// DataCard describes a data set on which a model was trained.
type DataCard struct {
	Name     string `json:"name"`
	Licence  string `json:"license,omitempty"`
	Citation string `json:"citation,omitempty"`
	Source   string `json:"source,omitempty"` // where it is published
}

// Metric is one figure of a model on named data.
type Metric struct {
	Data  string  `json:"data"`            // a data set's name
	Split string  `json:"split"`           // train, validation or test
	Name  string  `json:"name"`            // for example mean_dice, group_dice, pooled_iou
	Class string  `json:"class,omitempty"` // a class's name; empty: the mean over the foreground classes
	Unit  string  `json:"unit,omitempty"`  // empty: none
	Cases int     `json:"cases,omitempty"` // number of cases behind the figure
	Value float64 `json:"value"`
	// Interval is the 95 % bootstrap interval of the figure over other groups of
	// the same kind.
	Interval *[2]float64 `json:"interval,omitempty"`
}

// Training records how the weights were trained.
type Training struct {
	Seconds     float64 `json:"seconds"`
	Steps       int     `json:"steps"`
	BestStep    int     `json:"best_step,omitempty"` // the step of these weights
	Epochs      float64 `json:"epochs,omitempty"`
	Seed        uint64  `json:"seed"`
	Cases       int     `json:"cases,omitempty"` // images trained on
	Validation  int     `json:"validation_cases,omitempty"`
	Batch       int     `json:"batch,omitempty"`
	PatchHeight int     `json:"patch_height,omitempty"`
	PatchWidth  int     `json:"patch_width,omitempty"`
	LearnRate   float64 `json:"learning_rate,omitempty"` // peak
	Loss        string  `json:"loss,omitempty"`
	Kernels     string  `json:"kernels,omitempty"` // the kernel set
	From        string  `json:"from,omitempty"`    // the model that the training started from
	NoFlip      bool    `json:"no_flip,omitempty"` // images were not mirrored: left and right differ
}

// DataFormat is the part of MONAI's network_data_format that applies to a 2-D
// segmentation network.
type DataFormat struct {
	Inputs  map[string]TensorFormat `json:"inputs"`  // "image"
	Outputs map[string]TensorFormat `json:"outputs"` // "pred"
}

// TensorFormat describes one input or output of a network.
type TensorFormat struct {
	Type         string            `json:"type"`
	Format       string            `json:"format"`
	NumChannels  int               `json:"num_channels"`
	SpatialShape []string          `json:"spatial_shape"`
	Dtype        string            `json:"dtype"`
	ValueRange   []float64         `json:"value_range"`
	IsPatchData  bool              `json:"is_patch_data"`
	ChannelDef   map[string]string `json:"channel_def"`
}

var namePattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// ValidName reports whether s is a valid model name: 1 to 64 letters, digits,
// dots, underscores and hyphens, starting with a letter or digit, and not
// "auto", which asks for a choice.
func ValidName(s string) bool { return namePattern.MatchString(s) && s != "auto" }

// NameFrom makes a valid name from a path or title: its last element, with
// invalid characters replaced by hyphens, or "model" if nothing is left.
func NameFrom(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < 128 && strings.ContainsRune("._-", r) || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			return r
		}
		return '-'
	}, filepath.Base(filepath.Clean(s)))
	s = strings.Trim(s[:min(len(s), 64)], "._-")
	if !ValidName(s) {
		return "model"
	}
	return s
}

// palette holds colours that are easy to distinguish on grey and from each
// other, also with the common kinds of colour blindness; after Okabe and Ito
// 2008, "Color Universal Design", without black and with the first two made
// stronger.
var palette = [][3]uint8{
	{255, 92, 56}, {0, 170, 255}, {0, 190, 130}, {240, 200, 40},
	{214, 110, 190}, {120, 120, 255}, {230, 159, 0}, {110, 220, 220},
}

// ClassList makes the classes of a model from the names of its foreground
// classes, index 1 first. Their colours are easy to distinguish and repeat
// after eight.
func ClassList(names ...string) []segd.Class {
	list := []segd.Class{{Index: 0, Name: "background"}}
	for i, n := range names {
		list = append(list, segd.Class{Index: i + 1, Name: n, Color: palette[i%len(palette)]})
	}
	return list
}

// ParseManifest parses the text of a model.json. The errors are those of
// Validate.
func ParseManifest(b []byte) (Manifest, error) {
	if len(b) > maxManifest {
		return Manifest{}, fmt.Errorf("models: %w: manifest has %d bytes, limit %d", segd.ErrTooLarge, len(b), maxManifest)
	}
	return decodeManifest(b)
}

// decodeManifest decodes model.json. Unknown keys are malformed, because
// ignoring them would hide what they ask for.
func decodeManifest(b []byte) (Manifest, error) {
	var m Manifest
	// The version first: a later one may have keys that this one doesn't know.
	var v struct {
		Format int `json:"segd_format"`
	}
	if json.Unmarshal(b, &v) == nil && v.Format > Format {
		m.FormatVersion = v.Format
		return m, m.Validate()
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&m); err != nil {
		return m, fmt.Errorf("models: %w: manifest: %v", segd.ErrFormat, err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return m, fmt.Errorf("models: %w: manifest has text after the JSON object", segd.ErrFormat)
	}
	m.Network = m.Network.WithDefaults()
	return m, m.Validate()
}

// complete fills in what Save derives, except the checksum.
func (m Manifest) complete() Manifest {
	m.FormatVersion = Format
	m.Network = m.Network.WithDefaults()
	if m.Title == "" {
		m.Title = m.Name
	}
	if m.Use == "" {
		m.Use = ResearchUse
	}
	if m.Task == "" {
		m.Task = m.head().task()
	}
	if m.Classes == nil {
		m.Classes = []segd.Class{}
	}
	if m.Data == nil {
		m.Data = []DataCard{}
	}
	if m.Metrics == nil {
		m.Metrics = []Metric{}
	}
	in := map[string]string{"0": "grey"}
	switch {
	case len(m.Channels) > 0:
		for i, name := range m.Channels {
			in[fmt.Sprint(i)] = name
		}
	case m.Network.Channels == 3:
		in = map[string]string{"0": "red", "1": "green", "2": "blue"}
	}
	pred := TensorFormat{Type: "image", NumChannels: m.Network.Classes, SpatialShape: []string{"*", "*"}, Dtype: "float32"}
	m.head().describe(&pred, &m)
	m.NetworkDataFormat = &DataFormat{
		Inputs: map[string]TensorFormat{"image": {
			Type: "image", Format: "magnitude", NumChannels: m.Network.Channels, SpatialShape: []string{"*", "*"},
			Dtype: "float32", ValueRange: []float64{}, ChannelDef: in,
		}},
		Outputs: map[string]TensorFormat{"pred": pred},
	}
	return m
}
