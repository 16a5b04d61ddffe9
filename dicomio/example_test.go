package dicomio_test

import (
	"bytes"
	"fmt"
	"image"
	"io"
	"log"
	"time"

	"segd"
	"segd/dicomio"
	"segd/dicomio/dicomtest"
	"segd/dicomio/tag"
)

// uid is the root of the UIDs in examples.
const uid = "1.2.826.0.1.3680043.10.543.9."

// slice is slice i of a CT series: 64×64 pixels with a disc of 100 HU. A
// program reads a file here.
func slice(i int) []byte {
	f := dicomtest.Disc(64)
	f.Elements = append(f.Elements, []dicomtest.Element{
		{Tag: tag.SOPClassUID, VR: "UI", Value: "1.2.840.10008.5.1.4.1.1.2"},
		{Tag: tag.SOPInstanceUID, VR: "UI", Value: fmt.Sprint(uid, "4.", i)},
		{Tag: tag.StudyInstanceUID, VR: "UI", Value: uid + "1"},
		{Tag: tag.SeriesInstanceUID, VR: "UI", Value: uid + "2"},
		{Tag: tag.FrameOfReferenceUID, VR: "UI", Value: uid + "3"},
		{Tag: tag.InstanceNumber, VR: "IS", Value: fmt.Sprint(i)},
		{Tag: tag.SliceThickness, VR: "DS", Value: "5"},
		{Tag: tag.ImagePositionPatient, VR: "DS", Value: fmt.Sprintf(`0\0\%d`, 5*i)},
		{Tag: tag.ImageOrientationPatient, VR: "DS", Value: `1\0\0\0\1\0`},
	}...)
	return dicomtest.Write(f)
}

// segmented is what a model found in slice 1, and the mask with it: a square of
// 10×10 pixels.
func segmented() (dicomio.Origin, *segd.Mask) {
	source, err := dicomio.OpenSource(slice(1))
	if err != nil {
		log.Fatal(err)
	}
	mask := segd.NewMask(64, 64)
	for y := 20; y < 30; y++ {
		for x := 15; x < 25; x++ {
			mask.Pix[y*64+x] = 1
		}
	}
	return dicomio.Origin{
		Run:     &dicomio.Run{Software: "mine 1.0", Time: time.Now()},
		Model:   "hearts",
		Version: "1",
		Classes: []segd.Class{{Name: "background"}, {Index: 1, Name: "heart"}},
		Sources: []*dicomio.Source{source},
	}, mask
}

// Read a file and decode its first frame.
func Example() {
	scan, err := dicomio.Read(slice(1))
	if err != nil {
		log.Fatal(err)
	}
	img, err := scan.Frame(0)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(scan.Modality, img.Height, img.Width, img.At(25, 19, 0), img.At(63, 63, 0))
	for _, s := range scan.Steps {
		fmt.Println(s)
	}
	// Output:
	// CT 64 64 100 -1000
	// transfer syntax 1.2.840.10008.1.2.1
	// 12 bits stored of 16, unsigned
	// rescale slope 1 intercept -1024
	// spacing 0.5 × 0.75 mm from PixelSpacing (0028,0030)
}

func ExampleIs() {
	fmt.Println(dicomio.Is(slice(1)), dicomio.Is([]byte("\x89PNG\r\n\x1a\n")))
	// Output: true false
}

// WriteStored gives the values as the file stores them, before any rescaling.
func ExampleWriteStored() {
	var stored bytes.Buffer
	if err := dicomio.WriteStored(&stored, slice(1)); err != nil {
		log.Fatal(err)
	}
	fmt.Println(stored.Len(), "bytes")
	// Output: 8192 bytes
}

// Only files with a deflated data set grow in memory.
func ExampleInflated() {
	f := dicomtest.Disc(64)
	f.Syntax = dicomtest.DeflatedLE
	deflated, err := dicomio.Inflated(dicomtest.Write(f))
	if err != nil {
		log.Fatal(err)
	}
	plain, err := dicomio.Inflated(slice(1))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(deflated > 64*64*2, plain)
	// Output: true 0
}

func ExamplePatient() {
	attributes, err := dicomio.Patient(slice(1))
	if err != nil {
		log.Fatal(err)
	}
	for _, a := range attributes[:2] {
		fmt.Println(a.Tag, a.Name, a.Value)
	}
	// Output:
	// (0010,0010) PatientName Zyxwvut^Qponmlk
	// (0010,0020) PatientID PID-8675309
}

// Two files of one patient have the same hash, which is not for showing.
func ExampleReadIdentity() {
	one, err := dicomio.ReadIdentity(slice(1))
	if err != nil {
		log.Fatal(err)
	}
	two, err := dicomio.ReadIdentity(slice(2))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(one.Patient == two.Patient, one.Series == two.Series, one.Instance == two.Instance)
	// Output: true true false
}

func ExampleOpenSource() {
	source, err := dicomio.OpenSource(slice(1))
	if err != nil {
		log.Fatal(err)
	}
	origin, right, down, ok := source.FramePlane(0)
	fmt.Println(source.Placed(), origin, right, down, ok)
	// Output: true [0 0 5] [0.75 0 0] [0 0.5 0] true
}

// The slices of a series may come in any order.
func ExampleNewStack() {
	var list []dicomio.Slice
	for _, i := range []int{3, 1, 2} {
		source, err := dicomio.OpenSource(slice(i))
		if err != nil {
			log.Fatal(err)
		}
		s, ok := source.Slice()
		if !ok {
			log.Fatal("the slice has no position")
		}
		list = append(list, s)
	}
	stack, err := dicomio.NewStack(list)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(stack.Order, stack.Depth, stack.Affine[2])
	// Output: [1 2 0] 3 [0 0 5 5]
}

// A segmentation takes the patient, study and position of its source.
func ExampleNewSEG() {
	origin, mask := segmented()
	seg, err := dicomio.NewSEG(origin)
	if err != nil {
		log.Fatal(err)
	}
	if err := seg.AddMask(0, 0, mask); err != nil {
		log.Fatal(err)
	}
	var file bytes.Buffer
	if err := seg.Write(&file); err != nil {
		log.Fatal(err)
	}
	scan, err := dicomio.Read(file.Bytes())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(scan.Modality, scan.Width, scan.Height, scan.Frames)
	// Output: SEG 64 64 1
}

func ExampleNewFractionalSEG() {
	origin, mask := segmented()
	seg, err := dicomio.NewFractionalSEG(origin)
	if err != nil {
		log.Fatal(err)
	}
	probabilities := segd.NewTensor(1, 2, mask.Height, mask.Width)
	for i, class := range mask.Pix {
		probabilities.Plane(0, int(class))[i] = 1
	}
	if err := seg.AddProbabilities(0, 0, probabilities); err != nil {
		log.Fatal(err)
	}
	var file bytes.Buffer
	if err := seg.Write(&file); err != nil {
		log.Fatal(err)
	}
	read, err := dicomio.ReadSEG(file.Bytes())
	if err != nil {
		log.Fatal(err)
	}
	values, err := read.Values(0)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(read.Type, values[0], values[25*64+20])
	// Output: FRACTIONAL 0 255
}

// Read a segmentation and find its mask for an image.
func ExampleReadSEG() {
	origin, mask := segmented()
	written, err := dicomio.NewSEG(origin)
	if err != nil {
		log.Fatal(err)
	}
	if err := written.AddMask(0, 0, mask); err != nil {
		log.Fatal(err)
	}
	var file bytes.Buffer
	if err := written.Write(&file); err != nil {
		log.Fatal(err)
	}

	seg, err := dicomio.ReadSEG(file.Bytes())
	if err != nil {
		log.Fatal(err)
	}
	read, err := seg.Mask(origin.Sources[0], 0)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(seg.Type, seg.Segments, bytes.Equal(read.Pix, mask.Pix))
	// Output: BINARY [{1 heart}] true
}

func ExampleWriteSC() {
	origin, _ := segmented()
	picture := image.NewNRGBA(image.Rect(0, 0, 64, 64))
	var file bytes.Buffer
	if err := dicomio.WriteSC(&file, origin, 0, picture); err != nil {
		log.Fatal(err)
	}
	scan, err := dicomio.Read(file.Bytes())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(scan.Width, scan.Height, scan.Steps[1])
	// Output: 64 64 8 bits stored of 8, unsigned
}

func ExampleWriteSR() {
	origin, mask := segmented()
	seg, err := dicomio.NewSEG(origin)
	if err != nil {
		log.Fatal(err)
	}
	if err := seg.AddMask(0, 0, mask); err != nil {
		log.Fatal(err)
	}
	findings := []dicomio.Finding{{
		Class:    1,
		Measures: []dicomio.Measure{dicomio.PixelCount(100), dicomio.AreaMM2(37.5), dicomio.ComponentCount(1)},
	}}
	var file bytes.Buffer
	if err := dicomio.WriteSR(&file, origin, findings, seg); err != nil {
		log.Fatal(err)
	}
	fmt.Println(dicomio.Is(file.Bytes()))
	// Output: true
}

func ExampleNewGSPS() {
	origin, mask := segmented()
	state, err := dicomio.NewGSPS(origin)
	if err != nil {
		log.Fatal(err)
	}
	if err := state.AddMask(0, 0, mask); err != nil {
		log.Fatal(err)
	}
	fmt.Println(state.Write(io.Discard))
	// Output: <nil>
}

func ExampleNewRTStruct() {
	origin, mask := segmented()
	structures, err := dicomio.NewRTStruct(origin)
	if err != nil {
		log.Fatal(err)
	}
	if err := structures.AddMask(0, 0, mask); err != nil {
		log.Fatal(err)
	}
	fmt.Println(structures.Write(io.Discard))
	// Output: <nil>
}

// Objects of a run that de-identifies hold no attribute of the patient.
func ExampleRun() {
	origin, mask := segmented()
	origin.Run.Deidentify = true
	seg, err := dicomio.NewSEG(origin)
	if err != nil {
		log.Fatal(err)
	}
	if err := seg.AddMask(0, 0, mask); err != nil {
		log.Fatal(err)
	}
	var file bytes.Buffer
	if err := seg.Write(&file); err != nil {
		log.Fatal(err)
	}
	fmt.Println(bytes.Contains(file.Bytes(), []byte("Zyxwvut")))
	// Output: false
}
