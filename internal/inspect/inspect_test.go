package inspect

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/png"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"segd"
	"segd/dicomio/dicomtest"
	"segd/internal/nifti/niftitest"
	"segd/internal/phantom"
	"segd/models"
	"segd/models/modelstest"
)

const side = 24

// catalogue holds the model of modelstest alone.
func catalogue(t testing.TB) *models.Catalogue {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "bright")
	c := &models.Catalogue{}
	if err := errors.Join(modelstest.Save(dir, "bright"), c.AddDir(dir)); err != nil {
		t.Fatal(err)
	}
	return c
}

func encode(t testing.TB, m image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestFile(t *testing.T) {
	heart, _ := phantom.Heart(1, 2*side)
	cine := dicomtest.Disc(side)
	cine.Modality, cine.Frames, cine.Pixels = "US", 3, slices.Repeat(cine.Pixels, 3)
	cine.Elements = []dicomtest.Element{{Tag: 0x00280301, VR: "CS", Value: "YES"}} // BurnedInAnnotation
	volume := niftitest.Volume{Width: side, Height: side, Depth: 2, Affine: [3][4]float64{{-0.5, 0, 0, 0}, {0, 0.75, 0, 0}, {0, 0, 3, 0}}, Values: make([]int16, 2*side*side)}
	c := catalogue(t)
	for _, tt := range []struct {
		name     string
		file     []byte
		options  Options
		want     Inspection // steps, warnings and patient apart
		steps    []string   // parts of the steps, in order
		warnings []string   // parts of all warnings
	}{
		{
			name: "CT", file: dicomtest.Write(dicomtest.Disc(side)),
			want:  Inspection{Format: "dicom", TransferSyntax: dicomtest.ExplicitLE, Modality: "CT", Width: side, Height: side, FrameCount: 1, Spacing: &segd.Spacing{RowMM: 0.5, ColMM: 0.75, Source: "PixelSpacing (0028,0030)"}},
			steps: []string{"transfer syntax", "12 bits stored of 16", "rescale slope 1 intercept -1024", "spacing 0.5 × 0.75 mm"},
		},
		{
			name: "cine", file: dicomtest.Write(cine),
			want:     Inspection{Format: "dicom", TransferSyntax: dicomtest.ExplicitLE, Modality: "US", Width: side, Height: side, FrameCount: 3},
			steps:    []string{"12 bits stored of 16"},
			warnings: []string{"(0028,0301)"},
		},
		{
			name: "NIfTI", file: niftitest.Write(volume),
			want: Inspection{Format: "nifti", Width: side, Height: side, FrameCount: 2, Spacing: &segd.Spacing{RowMM: 0.75, ColMM: 0.5, Source: "sform"}},
		},
		{
			name: "PNG", file: encode(t, heart),
			want:  Inspection{Format: "png", Width: 2 * side, Height: 2 * side, FrameCount: 1},
			steps: []string{"png"},
		},
		{
			name: "PNG by a model", file: encode(t, heart), options: Options{Models: c, Model: "bright"},
			want:  Inspection{Format: "png", Width: 2 * side, Height: 2 * side, FrameCount: 1, Model: "bright", Version: "1"},
			steps: []string{"png", "normalised", "most likely class"},
		},
		{
			name: "CT by the model that fits", file: dicomtest.Write(dicomtest.Disc(side)), options: Options{Models: c, Model: "auto"},
			want:  Inspection{Format: "dicom", TransferSyntax: dicomtest.ExplicitLE, Modality: "CT", Width: side, Height: side, FrameCount: 1, Spacing: &segd.Spacing{RowMM: 0.5, ColMM: 0.75, Source: "PixelSpacing (0028,0030)"}, Model: "bright", Version: "1"},
			steps: []string{"rescale slope 1 intercept -1024", "normalised", "most likely class"},
		},
		{
			name: "cine by a model for others", file: dicomtest.Write(cine), options: Options{Models: c, Model: "bright"},
			want:     Inspection{Format: "dicom", TransferSyntax: dicomtest.ExplicitLE, Modality: "US", Width: side, Height: side, FrameCount: 3, Model: "bright", Version: "1"},
			steps:    []string{"12 bits stored of 16", "normalised"},
			warnings: []string{"(0028,0301)", "another kind of scan"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			i, err := File(tt.file, tt.options)
			if err != nil {
				t.Fatal(err)
			}
			steps := strings.Join(i.Steps, "\n")
			for _, want := range tt.steps {
				_, rest, ok := strings.Cut(steps, want)
				if !ok {
					t.Errorf("%q is not in, or not in its place in %q", want, i.Steps)
					continue
				}
				steps = rest
			}
			if len(i.Warnings) != len(tt.warnings) {
				t.Errorf("warnings %q, want %d", i.Warnings, len(tt.warnings))
			}
			for _, want := range tt.warnings {
				if !strings.Contains(strings.Join(i.Warnings, "\n"), want) {
					t.Errorf("no warning of %s in %q", want, i.Warnings)
				}
			}
			for _, private := range dicomtest.Patient {
				if strings.Contains(fmt.Sprint(*i), private) {
					t.Error("holds the patient, who was not asked for")
				}
			}
			got := *i
			got.Steps, got.Warnings = nil, nil
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestPatient asks for the patient, whom only DICOM has.
func TestPatient(t *testing.T) {
	i, err := File(dicomtest.Write(dicomtest.Disc(side)), Options{Patient: true})
	if err != nil {
		t.Fatal(err)
	}
	if len(i.Patient) == 0 || i.Patient[0].Name != "PatientName" || i.Patient[0].Value != dicomtest.Patient[0] {
		t.Errorf("%d attributes", len(i.Patient))
	}
	m, _ := phantom.Heart(1, side)
	if i, err = File(encode(t, m), Options{Patient: true}); err != nil || i.Patient != nil {
		t.Errorf("of a PNG: %v, %v", i.Patient, err)
	}
}

func TestErrors(t *testing.T) {
	whole := dicomtest.Write(dicomtest.Disc(side))
	damaged := dicomtest.Disc(side) // in its pixels alone
	damaged.Syntax, damaged.Encapsulated = "1.2.840.10008.1.2.4.70", [][]byte{nil, []byte("none")}
	sound := dicomtest.Disc(side)
	sound.Modality = "US"
	c := catalogue(t)
	for _, tt := range []struct {
		name    string
		file    []byte
		options Options
		want    error
	}{
		{"nothing", nil, Options{}, segd.ErrFormat},
		{"text", []byte("no scan at all"), Options{}, segd.ErrUnsupported},
		{"cut", whole[:len(whole)/2], Options{}, segd.ErrFormat},
		{"first frame", dicomtest.Write(damaged), Options{}, segd.ErrFormat},
		{"absent model", whole, Options{Models: c, Model: "absent"}, segd.ErrNotFound},
		{"no model fits", dicomtest.Write(sound), Options{Models: c, Model: "auto"}, segd.ErrUnprocessable},
	} {
		if i, err := File(tt.file, tt.options); !errors.Is(err, tt.want) || i != nil {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
}

// FuzzFile inspects any bytes, with the steps of a model and what the file says of
// the patient: errors have a kind.
func FuzzFile(f *testing.F) {
	for _, syntax := range []string{dicomtest.ExplicitLE, dicomtest.ImplicitLE, dicomtest.DeflatedLE} {
		d := dicomtest.Disc(4)
		d.Syntax = syntax
		f.Add(dicomtest.Write(d))
	}
	f.Add(encode(f, image.NewGray(image.Rect(0, 0, 3, 2))))
	o := Options{Models: catalogue(f), Model: "bright", Patient: true}
	f.Fuzz(func(t *testing.T, b []byte) {
		i, err := File(b, o)
		if err == nil {
			if i.Width*i.Height*i.FrameCount == 0 || i.Model != "bright" {
				t.Errorf("%+v", i)
			}
			return
		}
		for _, kind := range []error{segd.ErrFormat, segd.ErrTooLarge, segd.ErrUnsupported, segd.ErrUnprocessable} {
			if errors.Is(err, kind) {
				return
			}
		}
		t.Errorf("error of no kind: %v", err)
	})
}
