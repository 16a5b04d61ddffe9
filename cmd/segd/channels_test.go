package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/image/tiff"

	"segd/dicomio"
	"segd/dicomio/dicomtest"
	"segd/internal/nifti"
	"segd/internal/nifti/niftitest"
	"segd/internal/phantom"
	"segd/models/modelstest"
	"segd/train/dataset/datasettest"
)

const channelSide = 24

// channelsModel writes a model of the channels T1, T2 and FLAIR, and returns its
// directory: foreground is where T1 is bright and T2 is not.
func channelsModel(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "lesions")
	if err := modelstest.SaveChannels(dir, "lesions"); err != nil {
		t.Fatal(err)
	}
	return dir
}

// bars are the pixels of a channel: bright columns from low to below high. Each
// channel has its own, so that the mask tells which came where.
func bars(channel int) []uint8 {
	pix := make([]uint8, channelSide*channelSide)
	low, high := []int{4, 10, 0}[channel], []int{16, 20, 24}[channel]
	for i := range pix {
		if x := i % channelSide; x >= low && x < high {
			pix[i] = 200
		}
	}
	if channel == 2 { // all but one pixel, so that it has a range
		pix[0] = 0
	}
	return pix
}

// wantBars checks a mask of the bars: columns 4 to below 10 are foreground.
func wantBars(t *testing.T, name string, m image.Image) {
	t.Helper()
	p, ok := m.(*image.Paletted)
	if !ok || p.Bounds().Dx() != channelSide || p.Bounds().Dy() != channelSide {
		t.Fatalf("%s: a %T of %v", name, m, m.Bounds())
	}
	for i, v := range p.Pix {
		want := uint8(0)
		if x := i % channelSide; x >= 4 && x < 10 {
			want = 1
		}
		if v != want {
			t.Fatalf("%s: class %d at column %d, row %d, want %d", name, v, i%channelSide, i/channelSide, want)
		}
	}
}

// channelFile is a channel as a file of a format, z planes high, beside mm to the side.
func channelFile(t *testing.T, format string, channel, planes int, beside float64) []byte {
	t.Helper()
	pix := bars(channel)
	gray := &image.Gray{Pix: pix, Stride: channelSide, Rect: image.Rect(0, 0, channelSide, channelSide)}
	var b bytes.Buffer
	var err error
	switch format {
	case "png":
		err = png.Encode(&b, gray)
	case "tif":
		err = tiff.Encode(&b, gray, nil)
	case "nii.gz":
		v := niftitest.Volume{Width: channelSide, Height: channelSide, Depth: planes, Affine: [3][4]float64{{-1, 0, 0, beside}, {0, -1, 0, 0}, {0, 0, 3, 0}}}
		for range planes {
			for _, p := range pix {
				v.Values = append(v.Values, int16(p))
			}
		}
		return niftitest.Write(v)
	case "dcm":
		f := dicomtest.Disc(channelSide)
		f.Frames, f.Pixels, f.Modality = planes, nil, "MR"
		if planes == 1 {
			f.Frames = 0
		}
		for range planes {
			for _, p := range pix {
				f.Pixels = append(f.Pixels, p, 0)
			}
		}
		uid := "1.2.826.0.1.3680043.10.543.5."
		f.Elements = append(f.Elements, dicomtest.Element{Tag: 0x00080016, VR: "UI", Value: "1.2.840.10008.5.1.4.1.1.4"},
			dicomtest.Element{Tag: 0x00080018, VR: "UI", Value: fmt.Sprintf("%s%d", uid, channel)},
			dicomtest.Element{Tag: 0x0020000d, VR: "UI", Value: uid + "8"}, dicomtest.Element{Tag: 0x0020000e, VR: "UI", Value: fmt.Sprintf("%s9.%d", uid, channel)},
			dicomtest.Element{Tag: 0x00200052, VR: "UI", Value: uid + "7"}, dicomtest.Element{Tag: 0x00200032, VR: "DS", Value: fmt.Sprintf(`%g\0\0`, beside)},
			dicomtest.Element{Tag: 0x00200037, VR: "DS", Value: `1\0\0\0\1\0`})
		return dicomtest.Write(f)
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestSegmentChannels: the files of an image's channels are one input, whatever their
// format.
func TestSegmentChannels(t *testing.T) {
	model, in, out := channelsModel(t), t.TempDir(), filepath.Join(t.TempDir(), "out")
	for _, format := range []string{"png", "tif", "nii.gz", "dcm"} {
		for k := range 3 {
			write(t, filepath.Join(in, "sub", fmt.Sprintf("%s_0%02d_%04d.%s", format[:3], 7, k, format)), channelFile(t, format, k, 1, 0))
		}
	}
	listed := strings.Split(strings.TrimSpace(done(t, "segment", "-i", in, "-o", out, "-m", model, "--dry-run")), "\n")
	if len(listed) != 4 || strings.Count(listed[0], "\t") != 2 || !strings.Contains(listed[0], "_0000.") {
		t.Errorf("inputs %q, want 4 of 3 files each", listed)
	}
	code, _, stderr := command(t, "segment", "-i", in, "-o", out, "-m", model, "--output", "mask,json,csv,overlay")
	if code != exitDone {
		t.Fatalf("exit %d: %s", code, stderr)
	}
	files := tree(t, out)
	for _, stem := range []string{"png_007", "tif_007", "nii_007", "dcm_007"} {
		wantBars(t, stem, readPNG(t, filepath.Join(out, "mask", "sub", stem+".png")))
		if text := files["json/sub/"+stem+".json"]; !strings.Contains(text, `"file": "sub/`+stem+`"`) || !strings.Contains(text, "T1, T2, FLAIR") {
			t.Errorf("%s: %s", stem, text)
		}
	}
	if rows := readCSV(t, files["segd.csv"]); len(rows) != 4 {
		t.Errorf("%d rows in the CSV, want one a case", len(rows))
	}
	if n := len(files); n != 4*3+1 {
		t.Errorf("%d files: %v", n, names(files))
	}
}

// TestSegmentChannelsRefused: what is not the model's channels is refused, with
// what is there and what lacks; the others are done.
func TestSegmentChannelsRefused(t *testing.T) {
	model := channelsModel(t)
	file := func(format string, k, planes int, beside float64) []byte {
		return channelFile(t, format, k, planes, beside)
	}
	colour := image.NewNRGBA(image.Rect(0, 0, channelSide, channelSide))
	for i := range colour.Pix {
		colour.Pix[i] = uint8(i)
	}
	var rgb bytes.Buffer
	if err := png.Encode(&rgb, colour); err != nil {
		t.Fatal(err)
	}
	patient := func(id string) []byte {
		f := dicomtest.Disc(channelSide)
		f.Elements = append(f.Elements, dicomtest.Element{Tag: 0x00100020, VR: "LO", Value: id})
		return dicomtest.Write(f)
	}
	for _, tt := range []struct {
		name  string
		files map[string][]byte
		want  []string
	}{
		{"missing", map[string][]byte{"a_0000.png": file("png", 0, 1, 0), "a_0002.png": file("png", 2, 1, 0)}, []string{"a_0000 (T1)", "a_0002 (FLAIR) are there", "a_0001 (T2) is missing"}},
		{"one", map[string][]byte{"a_0001.png": file("png", 1, 1, 0)}, []string{"a_0001 (T2) is there", "a_0000 (T1), a_0002 (FLAIR) are missing"}},
		{"too many", map[string][]byte{"a_0000.png": file("png", 0, 1, 0), "a_0001.png": file("png", 1, 1, 0), "a_0002.png": file("png", 2, 1, 0), "a_0003.png": file("png", 2, 1, 0)}, []string{"a_0003 is beyond"}},
		{"twice", map[string][]byte{"a_0000.png": file("png", 0, 1, 0), "a_0001.png": file("png", 1, 1, 0), "a_0002.png": file("png", 2, 1, 0), "a_0000.tif": file("tif", 0, 1, 0)}, []string{"a_0000 (T1) comes twice"}},
		{"single grey", map[string][]byte{"scan.png": file("png", 0, 1, 0)}, []string{"a single image", "3 channels", "T1, T2, FLAIR"}},
		{"single colour", map[string][]byte{"scan.png": rgb.Bytes()}, []string{"a single image", "T1, T2, FLAIR"}},
		{"a colour channel", map[string][]byte{"a_0000.png": file("png", 0, 1, 0), "a_0001.png": rgb.Bytes(), "a_0002.png": file("png", 2, 1, 0)}, []string{"a_0001.png is in colour"}},
		{"sizes", map[string][]byte{"a_0000.png": file("png", 0, 1, 0), "a_0001.dcm": dicomtest.Write(dicomtest.Disc(30)), "a_0002.png": file("png", 2, 1, 0)}, []string{"a_0001.dcm has 30×30 pixels"}},
		{"frames", map[string][]byte{"a_0000.nii.gz": file("nii.gz", 0, 2, 0), "a_0001.nii.gz": file("nii.gz", 1, 3, 0), "a_0002.nii.gz": file("nii.gz", 2, 2, 0)}, []string{"a_0001.nii.gz has 3 frames"}},
		{"beside", map[string][]byte{"a_0000.nii.gz": file("nii.gz", 0, 2, 0), "a_0001.nii.gz": file("nii.gz", 1, 2, 0), "a_0002.nii.gz": file("nii.gz", 2, 2, 8)}, []string{"a_0002.nii.gz lies 8 mm from a_0000.nii.gz"}},
		{"beside, DICOM", map[string][]byte{"a_0000.dcm": file("dcm", 0, 1, 0), "a_0001.dcm": file("dcm", 1, 1, 0), "a_0002.dcm": file("dcm", 2, 1, 8)}, []string{"a_0002.dcm lies 8 mm"}},
		{"patients", map[string][]byte{"a_0000.dcm": patient("P1"), "a_0001.dcm": patient("P2"), "a_0002.dcm": patient("P1")}, []string{"a_0001.dcm is of another patient"}},
		{"damaged", map[string][]byte{"a_0000.png": file("png", 0, 1, 0), "a_0001.png": file("png", 1, 1, 0)[:40], "a_0002.png": file("png", 2, 1, 0)}, []string{"a_0001.png: "}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in, out := t.TempDir(), filepath.Join(t.TempDir(), "out")
			for k := range 3 {
				write(t, filepath.Join(in, fmt.Sprintf("good_%04d.png", k)), file("png", k, 1, 0))
			}
			for name, b := range tt.files {
				write(t, filepath.Join(in, name), b)
			}
			code, _, stderr := command(t, "segment", "-i", in, "-o", out, "-m", model, "--output", "mask")
			if code != exitPartial {
				t.Fatalf("exit %d, want %d: %s", code, exitPartial, stderr)
			}
			for _, want := range tt.want {
				if !strings.Contains(stderr, want) {
					t.Errorf("standard error lacks %q: %s", want, stderr)
				}
			}
			if strings.Contains(stderr, "P1") || strings.Contains(stderr, "P2") {
				t.Errorf("a patient's id on standard error: %s", stderr)
			}
			if got := names(tree(t, out)); !slices.Equal(got, []string{"mask/good.png"}) {
				t.Errorf("outputs %v", got)
			}
		})
	}
}

// TestSegmentChannelVolumes: objects and volumes of joined files lie and refer as the
// first channel does.
func TestSegmentChannelVolumes(t *testing.T) {
	model, in, out := channelsModel(t), t.TempDir(), filepath.Join(t.TempDir(), "out")
	for k := range 3 {
		write(t, filepath.Join(in, fmt.Sprintf("vol_%04d.nii.gz", k)), channelFile(t, "nii.gz", k, 2, 5))
		write(t, filepath.Join(in, fmt.Sprintf("mr_%04d.dcm", k)), channelFile(t, "dcm", k, 1, 5))
	}
	if code, _, stderr := command(t, "segment", "-i", in, "-o", out, "-m", model, "--output", "mask,nifti,seg,sc"); code != exitPartial { // no seg of NIfTI
		t.Fatalf("exit %d: %s", code, stderr)
	}
	files := tree(t, out)
	for _, name := range []string{"mask/vol_0001.png", "mask/vol_0002.png", "mask/mr.png"} {
		wantBars(t, name, readPNG(t, filepath.Join(out, filepath.FromSlash(name))))
	}
	h, err := nifti.ReadHeader([]byte(files["nifti/vol.nii.gz"]))
	if err != nil || h.Depth != 2 || h.Affine[0][3] != 5 {
		t.Errorf("volume %+v, %v", h, err)
	}
	seg, err := dicomio.ReadSEG([]byte(files["seg/mr.dcm"]))
	if err != nil {
		t.Fatal(err)
	}
	if got := seg.Instances(); !slices.Equal(got, []string{"1.2.826.0.1.3680043.10.543.5.0"}) {
		t.Errorf("the segmentation refers to %v, want the first channel", got)
	}
	if scan, err := dicomio.Read([]byte(files["sc/mr.dcm"])); err != nil || scan.Width != channelSide {
		t.Errorf("Secondary Capture: %v", err)
	}
}

// TestSegmentOneChannel: a model of one channel takes each file as it did, also those
// that are named as nnU-Net names them, and what it writes is found again.
func TestSegmentOneChannel(t *testing.T) {
	set, out := t.TempDir(), filepath.Join(t.TempDir(), "out")
	for i := range 3 {
		img, label := phantom.Discs(uint64(i), 48, 40)
		datasettest.WritePNG(t, filepath.Join(set, "imagesTr", fmt.Sprintf("case_%03d_0000.png", i)), img)
		datasettest.WritePNG(t, filepath.Join(set, "labelsTr", fmt.Sprintf("case_%03d.png", i)), label)
	}
	write(t, filepath.Join(set, "dataset.json"), []byte(`{"channel_names":{"0":"MR"},"labels":{"background":0,"disc":1},"numTraining":3,"file_ending":".png"}`))
	done(t, "segment", "-i", filepath.Join(set, "imagesTr"), "-o", out, "-m", brightModel(t), "--output", "mask")
	if got := names(tree(t, out)); !slices.Equal(got, []string{"mask/case_000_0000.png", "mask/case_001_0000.png", "mask/case_002_0000.png"}) {
		t.Errorf("outputs %v", got)
	}
	for k := range 2 { // what is named as channels, and is not taken for them, is warned of
		write(t, filepath.Join(set, "imagesTs", fmt.Sprintf("more_%04d.png", k)), channelFile(t, "png", k, 1, 0))
	}
	code, _, stderr := command(t, "segment", "-i", filepath.Join(set, "imagesTs"), "-o", filepath.Join(t.TempDir(), "out"), "-m", brightModel(t), "--output", "mask")
	if code != exitDone || !strings.Contains(stderr, "more_0000 and more_0001") {
		t.Errorf("exit %d: %s", code, stderr)
	}
	if dice := evaluated(t, set, "--predictions", filepath.Join(out, "mask")); dice < 0.95 {
		t.Errorf("Dice %v of the predictions", dice)
	}
}

// evaluated is the mean Dice of the first class that segd evaluate finds.
func evaluated(t *testing.T, set string, args ...string) float64 {
	t.Helper()
	path := filepath.Join(t.TempDir(), "report.json")
	done(t, append([]string{"evaluate", "-d", set, "--report", path}, args...)...)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var r struct {
		Mean struct{ Classes []struct{ Dice float64 } }
	}
	if err := json.Unmarshal(b, &r); err != nil || len(r.Mean.Classes) == 0 {
		t.Fatalf("%v: %s", err, b)
	}
	return r.Mean.Classes[0].Dice
}

// TestEvaluateChannels: an nnU-Net set of several channels gives the same figures
// by the model and by what segd segment wrote of it; channels in another order, and
// models that take a single image, are refused.
func TestEvaluateChannels(t *testing.T) {
	set, out, model := t.TempDir(), filepath.Join(t.TempDir(), "out"), channelsModel(t)
	label := image.NewGray(image.Rect(0, 0, channelSide, channelSide))
	for i := range label.Pix {
		if x := i % channelSide; x >= 4 && x < 10 {
			label.Pix[i] = 1
		}
	}
	for i := range 2 {
		for k := range 3 {
			write(t, filepath.Join(set, "imagesTr", fmt.Sprintf("case_%03d_%04d.png", i, k)), channelFile(t, "png", k, 1, 0))
		}
		datasettest.WritePNG(t, filepath.Join(set, "labelsTr", fmt.Sprintf("case_%03d.png", i)), label)
	}
	spec := func(names string) {
		write(t, filepath.Join(set, "dataset.json"), []byte(`{"channel_names":`+names+`,"labels":{"background":0,"bright":1},"numTraining":2,"file_ending":".png"}`))
	}
	spec(`{"0":"T1","1":"T2","2":"FLAIR"}`)
	if dice := evaluated(t, set, "-m", model); dice != 1 {
		t.Errorf("Dice %v of the model", dice)
	}
	done(t, "segment", "-i", filepath.Join(set, "imagesTr"), "-o", out, "-m", model, "--output", "mask")
	if dice := evaluated(t, set, "--predictions", filepath.Join(out, "mask")); dice != 1 {
		t.Errorf("Dice %v of what it wrote", dice)
	}
	if code, _, stderr := command(t, "evaluate", "-d", set, "-m", brightModel(t)); code == exitDone || !strings.Contains(stderr, "channels T1, T2, FLAIR, model bright takes a single image") {
		t.Errorf("a model of a single image: exit %d: %s", code, stderr)
	}
	spec(`{"0":"T2","1":"T1","2":"FLAIR"}`)
	if code, _, stderr := command(t, "evaluate", "-d", set, "-m", model); code == exitDone || !strings.Contains(stderr, "channels T2, T1, FLAIR, model lesions takes files of the channels T1, T2, FLAIR") {
		t.Errorf("channels in another order: exit %d: %s", code, stderr)
	}
}
