package export

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"segd"
	"segd/dicomio"
	"segd/dicomio/dicomtest"
	"segd/internal/postprocess"
	"segd/internal/segment"
	"segd/models/modelstest"
)

const root = "1.2.826.0.1.3680043.10.543."

// slice is a CT slice of study, z mm up; placed says that it has a frame of
// reference.
func slice(study string, number int, z float64, placed bool) []byte {
	f := dicomtest.Disc(16)
	add := func(tag uint32, vr, v string) {
		f.Elements = append(f.Elements, dicomtest.Element{Tag: tag, VR: vr, Value: v})
	}
	add(0x00080016, "UI", "1.2.840.10008.5.1.4.1.1.2")
	add(0x00080018, "UI", fmt.Sprint(root, "9.", number))
	add(0x0020000d, "UI", root+study)
	add(0x0020000e, "UI", root+"8")
	if placed {
		add(0x00200052, "UI", root+"6")
		add(0x00200032, "DS", fmt.Sprintf(`0\0\%g`, z))
		add(0x00200037, "DS", `1\0\0\0\1\0`)
	}
	return dicomtest.Write(f)
}

// collect gives a collector one frame whose first n pixels are marked.
func collect(t *testing.T, run *dicomio.Run, file []byte, n int, kinds ...string) *DICOM {
	t.Helper()
	scan, err := dicomio.Read(file)
	if err != nil {
		t.Fatal(err)
	}
	d := NewDICOM(run, scan, modelstest.Manifest("bright"), kinds)
	img, err := scan.Frame(0)
	if err != nil {
		t.Fatal(err)
	}
	r := &segment.Result{Image: img, Mask: segd.NewMask(img.Width, img.Height), Probabilities: segd.NewTensor(1, 2, img.Height, img.Width)}
	for i := range n {
		r.Mask.Pix[i] = 1
		r.Probabilities.Plane(0, 1)[i] = 1
	}
	classes := modelstest.Manifest("bright").Classes
	if err := d.Add(0, r, postprocess.Measure(r.Mask, r.Probabilities, classes, img.Spacing)); err != nil {
		t.Fatal(err)
	}
	return d
}

// objects are the names of all kinds of DICOM object.
var objects = Names(Kinds(func(k Kind) bool { return k.DICOM }))

func TestRefused(t *testing.T) {
	run := &dicomio.Run{Time: time.Unix(0, 0)}
	picture := &segd.Scan{Format: "png"}
	d := NewDICOM(run, picture, modelstest.Manifest("bright"), objects)
	err := d.Refused()
	if !errors.Is(err, segd.ErrUnprocessable) || len(d.Kinds()) != 0 || d.Warnings() != nil || !strings.HasPrefix(err.Error(), "no seg, segprob, sc, sr, gsps, rtstruct: ") {
		t.Errorf("of a PNG: %v, kinds %q", err, d.Kinds())
	}
	d = collect(t, run, slice("7", 1, 0, false), 5, objects...)
	if err := d.Refused(); !errors.Is(err, segd.ErrUnprocessable) || !strings.HasPrefix(err.Error(), "no rtstruct: ") || !strings.Contains(err.Error(), "(0020,0052)") {
		t.Errorf("without a frame of reference: %v", err)
	}
	if diff := cmp.Diff([]string{SEG, SEGProb, SC, SR, GSPS}, d.Kinds()); diff != "" {
		t.Error(diff)
	}
	if err := collect(t, run, slice("7", 1, 0, true), 5, objects...).Refused(); err != nil {
		t.Errorf("of a slice that lies somewhere: %v", err)
	}
}

// TestMerge joins slices that come out of order, and reads every object.
func TestMerge(t *testing.T) {
	run := &dicomio.Run{Time: time.Unix(0, 0)}
	whole := slices.DeleteFunc(slices.Clone(objects), func(k string) bool { return k == SC })
	d := collect(t, run, slice("7", 1, 6, true), 1, whole...)
	for i, z := range []float64{0, 3} {
		if err := d.Merge(collect(t, run, slice("7", i+2, z, true), i+2, whole...)); err != nil {
			t.Fatal(err)
		}
	}
	if len(d.findings) != 3 || d.findings[2].Source != 2 {
		t.Errorf("findings %+v", d.findings)
	}
	for _, kind := range whole {
		var b bytes.Buffer
		if err := d.Write(&b, kind); err != nil {
			t.Fatalf("%s: %v", kind, err)
		}
		for i := 1; i <= 3; i++ {
			if !bytes.Contains(b.Bytes(), []byte(fmt.Sprint(root, "9.", i))) {
				t.Errorf("%s does not refer to slice %d", kind, i)
			}
		}
		if kind != SEG && kind != SEGProb {
			continue
		}
		scan, err := dicomio.Read(b.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range []int{2, 3, 1} { // marked, by depth
			img, err := scan.Frame(i)
			if err != nil {
				t.Fatal(err)
			}
			n := 0
			for _, v := range img.Pix {
				if v > 0 {
					n++
				}
			}
			if n != want {
				t.Errorf("%s: %d pixels in frame %d, want %d", kind, n, i+1, want)
			}
		}
	}
	if err := d.Merge(collect(t, run, slice("77", 9, 9, true), 1, whole...)); !errors.Is(err, segd.ErrUnprocessable) {
		t.Errorf("of two studies: %v", err)
	}
}

// TestMergeKinds keeps the kinds that all can make.
func TestMergeKinds(t *testing.T) {
	run := &dicomio.Run{Time: time.Unix(0, 0)}
	d := collect(t, run, slice("7", 1, 0, true), 1, SEG, RTStruct)
	if err := d.Merge(collect(t, run, slice("7", 2, 3, true), 1, SEG)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{SEG}, d.Kinds()); diff != "" {
		t.Error(diff)
	}
}

func TestWriteSC(t *testing.T) {
	run := &dicomio.Run{Time: time.Unix(0, 0)}
	file := slice("7", 1, 0, false)
	scan, err := dicomio.Read(file)
	if err != nil {
		t.Fatal(err)
	}
	img, err := scan.Frame(0)
	if err != nil {
		t.Fatal(err)
	}
	d := NewDICOM(run, scan, modelstest.Manifest("bright"), []string{SC})
	r := &segment.Result{Image: img, Mask: segd.NewMask(16, 16)}
	for i := range r.Mask.Pix {
		r.Mask.Pix[i] = 1
	}
	var b bytes.Buffer
	f := &FrameFiles{Result: r, Classes: modelstest.Manifest("bright").Classes, Alpha: 1, DICOM: d}
	if err := f.Write(&b, SC); err != nil {
		t.Fatal(err)
	}
	got, err := dicomio.Read(b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	picture, err := got.Frame(0)
	if err != nil {
		t.Fatal(err)
	}
	want := modelstest.Manifest("bright").Classes[1].Color
	for c, v := range want {
		if float32(v) != picture.At(8, 8, c) {
			t.Errorf("colour %d is %v, want %d: the class covers all", c, picture.At(8, 8, c), v)
		}
	}
}
