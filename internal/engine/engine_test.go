package engine_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"segd"
	"segd/dicomio/dicomtest"
	"segd/dicomio/tag"
	"segd/internal/engine"
	"segd/internal/export"
	"segd/models"
	"segd/models/modelstest"
)

// recorder is a sink that keeps what it is given, and the order.
type recorder struct {
	mu    sync.Mutex
	calls []string
	files map[string][]byte
	done  map[string]*engine.Result
	errs  map[string]error
}

func newRecorder() *recorder {
	return &recorder{files: map[string][]byte{}, done: map[string]*engine.Result{}, errs: map[string]error{}}
}

func (r *recorder) call(format string, a ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls = append(r.calls, fmt.Sprintf(format, a...))
}

func (r *recorder) Open(s *engine.Source) error { r.call("open %s", s.Stem); return nil }

func (r *recorder) Begin(s *engine.Source, _ *engine.Result) error {
	r.call("begin %s", s.Stem)
	return nil
}

func (r *recorder) Write(o engine.Output, write func(io.Writer) error) error {
	var b bytes.Buffer
	err := write(&b)
	r.call("write %s", o.Path())
	r.mu.Lock()
	defer r.mu.Unlock()
	r.files[o.Path()] = b.Bytes()
	return err
}

func (r *recorder) Frame(s *engine.Source, result *engine.Result) error {
	r.call("frame %s %d", s.Stem, result.Frames[len(result.Frames)-1].Frame)
	return nil
}

func (r *recorder) Held() int64 { return 0 }

func (r *recorder) Discard(s *engine.Source) { r.call("discard %s", s.Stem) }

func (r *recorder) Close(s *engine.Source, result *engine.Result, err error) {
	r.call("close %s", s.Stem)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.done[s.Stem], r.errs[s.Stem] = result, err
}

// newEngine has the model "bright", which marks what is brighter than half of an
// image's range, and returns it with the planes that it wants.
func newEngine(t *testing.T, wants *segd.Plane) (*engine.Engine, *models.Model) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "bright")
	man := modelstest.Manifest("bright")
	if wants != nil {
		man.Planes = &models.Planes{Wants: wants}
	}
	if err := models.Save(dir, man, modelstest.Params(), false); err != nil {
		t.Fatal(err)
	}
	catalogue := &models.Catalogue{}
	if err := catalogue.AddDir(dir); err != nil {
		t.Fatal(err)
	}
	m, err := catalogue.Get("bright")
	if err != nil {
		t.Fatal(err)
	}
	return engine.New(engine.Config{Models: catalogue, Software: "segd test", Offers: export.Kinds(export.CommandLine)}), m
}

// picture is a PNG whose right half is bright.
func picture(t *testing.T) []byte {
	t.Helper()
	m := image.NewGray(image.Rect(0, 0, 16, 16))
	for i := range m.Pix {
		m.Pix[i] = uint8(200 * (i % 16 / 8))
	}
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// axial is slice k of an axial series, of one brightness.
func axial(k int) []byte {
	f := dicomtest.Disc(16)
	for i := range 16 * 16 {
		binary.LittleEndian.PutUint16(f.Pixels[2*i:], uint16(100*k))
	}
	const root = "1.2.826.0.1.3680043.10.543."
	f.Elements = append(f.Elements, []dicomtest.Element{
		{Tag: tag.SOPClassUID, VR: "UI", Value: "1.2.840.10008.5.1.4.1.1.2"},
		{Tag: tag.SOPInstanceUID, VR: "UI", Value: fmt.Sprint(root, "1.", k)},
		{Tag: tag.StudyInstanceUID, VR: "UI", Value: root + "7"},
		{Tag: tag.SeriesInstanceUID, VR: "UI", Value: root + "1"},
		{Tag: tag.FrameOfReferenceUID, VR: "UI", Value: root + "6"},
		{Tag: tag.ImagePositionPatient, VR: "DS", Value: fmt.Sprintf(`0\0\%d`, 3*k)},
		{Tag: tag.ImageOrientationPatient, VR: "DS", Value: `1\0\0\0\1\0`},
		{Tag: tag.SliceThickness, VR: "DS", Value: "3"},
	}...)
	return dicomtest.Write(f)
}

func source(stem string, b []byte) *engine.Source {
	return &engine.Source{Name: stem, Stem: stem, Files: []engine.File{engine.Bytes(stem, b)}}
}

// TestRun holds a run to the order that a sink relies on.
func TestRun(t *testing.T) {
	e, m := newEngine(t, nil)
	job, err := e.Job(engine.Request{Model: m, Outputs: []string{"mask", "json"}, Alpha: 0.3})
	if err != nil {
		t.Fatal(err)
	}
	inputs, err := job.Plan(t.Context(), []*engine.Source{source("a", picture(t)), source("bad", []byte("no image"))})
	if err != nil || len(inputs) != 2 {
		t.Fatalf("%d inputs, %v", len(inputs), err)
	}
	sink := newRecorder()
	for k, in := range inputs {
		if err := job.Run(t.Context(), in, sink); (err != nil) != (k == 1) {
			t.Errorf("input %d: %v", k, err)
		}
	}
	want := []string{"open a", "begin a", "write mask/a.png", "frame a 1", "write json/a.json", "close a"}
	if diff := cmp.Diff(want, sink.calls[:min(len(want), len(sink.calls))]); diff != "" {
		t.Error(diff)
	}
	if err := sink.errs["bad"]; !errors.Is(err, segd.ErrUnsupported) || sink.done["bad"] != nil {
		t.Errorf("what is no image: %v, result %v", err, sink.done["bad"])
	}
	if n := sink.done["a"].Frames[0].Classes[0].Pixels; n != 128 {
		t.Errorf("%d pixels, want the right half, 128", n)
	}
	// In JSON, no warnings are an empty list and not null.
	if w := sink.done["a"].Warnings; w == nil || len(w) > 0 {
		t.Errorf("warnings %#v, want an empty list", w)
	}
}

// TestJob refuses what the model cannot make, and outputs that do not exist with
// the nearest that do.
func TestJob(t *testing.T) {
	e, m := newEngine(t, nil)
	for _, tt := range []struct {
		request engine.Request
		want    string
	}{
		{engine.Request{Model: m, Outputs: []string{"maks"}}, "mask"},
		{engine.Request{Model: m, Outputs: []string{"value"}}, "predicts"},
		{engine.Request{Model: m, Outputs: []string{"mask"}, Alpha: 2}, "alpha"},
		{engine.Request{Model: m}, "output"},
	} {
		_, err := e.Job(tt.request)
		if _, ok := errors.AsType[*engine.OptionError](err); !ok || !errors.Is(err, segd.ErrOption) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%v: %v, want %q in it", tt.request.Outputs, err, tt.want)
		}
	}
}

// TestSeriesIsTurned gives the files of an axial series to a model of sagittal
// planes. Each file has one brightness, so that none has anything to mark; turned,
// the upper half of the volume is bright.
func TestSeriesIsTurned(t *testing.T) {
	const slicesOfSeries = 8
	for _, wants := range []*segd.Plane{nil, {Name: "sagittal", Right: "A", Down: "I"}} {
		e, m := newEngine(t, wants)
		job, err := e.Job(engine.Request{Model: m, Outputs: []string{"mask", "seg"}})
		if err != nil {
			t.Fatal(err)
		}
		var sources []*engine.Source
		for k := range slicesOfSeries {
			sources = append(sources, source(fmt.Sprint("s", k), axial(k)))
		}
		inputs, err := job.Plan(t.Context(), sources)
		if err != nil || len(inputs) != 1 || len(inputs[0].Sources) != slicesOfSeries {
			t.Fatalf("%d inputs, %v", len(inputs), err)
		}
		sink := newRecorder()
		if err := job.Run(t.Context(), inputs[0], sink); err != nil {
			t.Fatal(err)
		}
		if _, ok := sink.files["seg/s0.dcm"]; !ok {
			t.Error("no segmentation of the series")
		}
		for k := range slicesOfSeries {
			m, err := png.Decode(bytes.NewReader(sink.files[fmt.Sprintf("mask/s%d.png", k)]))
			if err != nil {
				t.Fatal(err)
			}
			marked := slices.Contains(m.(*image.Paletted).Pix, 1)
			if want := wants != nil && k >= slicesOfSeries/2; marked != want {
				t.Errorf("wants %v, slice %d: marked %v, want %v", wants, k, marked, want)
			}
		}
		sameAsOneSource(t, job, sources, sink)
	}
}

// sameAsOneSource runs the files of a series as one source, in another order, and
// compares what it makes with the masks of the series.
func sameAsOneSource(t *testing.T, job *engine.Job, sources []*engine.Source, want *recorder) {
	t.Helper()
	whole := &engine.Source{Stem: "w", Slices: true}
	for _, s := range sources {
		whole.Files = append([]engine.File{s.Files[0]}, whole.Files...)
	}
	inputs, err := job.Plan(t.Context(), []*engine.Source{whole})
	if err != nil {
		t.Fatal(err)
	}
	sink := newRecorder()
	if err := job.Run(t.Context(), inputs[0], sink); err != nil {
		t.Fatal(err)
	}
	for k, s := range sources {
		if name := fmt.Sprintf("mask/w_%04d.png", k+1); !bytes.Equal(sink.files[name], want.files["mask/"+s.Stem+".png"]) {
			t.Errorf("%s is not the mask of slice %d", name, k)
		}
	}
	if len(sink.files["seg/w.dcm"]) == 0 {
		t.Error("no segmentation")
	}
}

// TestInterrupt ends a run between two calls of the sink.
func TestInterrupt(t *testing.T) {
	e, m := newEngine(t, nil)
	job, err := e.Job(engine.Request{Model: m, Outputs: []string{"mask"}})
	if err != nil {
		t.Fatal(err)
	}
	inputs, err := job.Plan(t.Context(), []*engine.Source{source("a", picture(t))})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	sink := newRecorder()
	if err := job.Run(ctx, inputs[0], sink); !errors.Is(err, context.Canceled) || len(sink.files) > 0 {
		t.Errorf("%v, files %d", err, len(sink.files))
	}
}
