package dicomio_test

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"errors"
	"log"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"time"

	"segd"
	"segd/dicomio"
	"segd/dicomio/dicomtest"
	"segd/dicomio/tag"
)

// bounds reads b and all its frames and fails where that takes too long or too
// much memory, or gives an error without a kind or with something of the
// patient in it. It returns the error.
func bounds(t *testing.T, b []byte, memory uint64) error {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := time.Now()
	s, err := dicomio.Read(b)
	if err == nil {
		for i := range s.Frames {
			if _, err = s.Frame(i); err != nil {
				break
			}
		}
	}
	took := time.Since(start)
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > memory {
		t.Errorf("allocated %d MiB, want at most %d", n>>20, memory>>20)
	}
	if took > dicomtest.Hung {
		t.Errorf("took %v", took)
	}
	checkError(t, err)
	return err
}

func checkError(t testing.TB, err error) {
	t.Helper()
	if err == nil {
		return
	}
	known := false
	for _, k := range []error{segd.ErrFormat, segd.ErrTooLarge, segd.ErrUnsupported, segd.ErrUnprocessable} {
		known = known || errors.Is(err, k)
	}
	if !known || !strings.HasPrefix(err.Error(), "dicomio: ") {
		t.Errorf("error of no kind, or without the package's name: %v", err)
	}
	for _, v := range dicomtest.Patient {
		if strings.Trim(v, "0123456789") == "" {
			continue // sizes are told, and may be any number
		}
		for _, part := range strings.FieldsFunc(v, func(r rune) bool { return r == '^' || r == ' ' }) {
			if len(part) > 3 && strings.Contains(err.Error(), part) {
				t.Errorf("the error tells of the patient: %v", err)
			}
		}
	}
}

// header returns the bytes of an element's header in explicit little endian.
func header(id uint32, vr string, length uint32) []byte {
	b := binary.LittleEndian.AppendUint16(nil, uint16(id>>16))
	b = binary.LittleEndian.AppendUint16(b, uint16(id))
	b = append(b, vr...)
	if strings.Contains("OB OW SQ UN UT", vr) {
		return binary.LittleEndian.AppendUint32(append(b, 0, 0), length)
	}
	return binary.LittleEndian.AppendUint16(b, uint16(length))
}

func item(id, length uint32) []byte {
	b := binary.LittleEndian.AppendUint16(nil, uint16(id>>16))
	b = binary.LittleEndian.AppendUint16(b, uint16(id))
	return binary.LittleEndian.AppendUint32(b, length)
}

func TestHostile(t *testing.T) {
	meta := dicomtest.Meta(dicomtest.ExplicitLE)
	file := func(parts ...[]byte) []byte { return append(bytes.Clone(meta), bytes.Join(parts, nil)...) }
	implicit := func(parts ...[]byte) []byte {
		return append(dicomtest.Meta(dicomtest.ImplicitLE), bytes.Join(parts, nil)...)
	}
	const open = 0xffffffff
	nested := func(n int) []byte {
		return bytes.Repeat(append(header(tag.ReferencedImageSequence, "SQ", open), item(tag.Item, open)...), n)
	}
	unknown := func(n int) []byte {
		return bytes.Repeat(append(header(0x00091140, "UN", open), item(tag.Item, open)...), n)
	}
	tests := []struct {
		name   string
		b      []byte
		want   error
		memory uint64 // MiB
	}{
		{"nested 200,000 deep", file(nested(200_000)), segd.ErrTooLarge, 1},
		{"nested 2,000,000 deep", file(nested(2_000_000)), segd.ErrTooLarge, 1},
		{"nested unknown", file(unknown(200_000)), nil, 1},
		{"many elements", file(bytes.Repeat(header(0x00080000, "UL", 0), 300_000)), segd.ErrTooLarge, 128},
		{"many items", file(header(tag.ReferencedImageSequence, "SQ", open), bytes.Repeat(item(tag.Item, 0), 300_000)), segd.ErrTooLarge, 1},
		{"many fragments", file(header(tag.PixelData, "OB", open), bytes.Repeat(item(tag.Item, 0), 300_000)), segd.ErrTooLarge, 1},
		{"value of 4 GiB", file(header(0x00091010, "OB", 0xfffffffe)), segd.ErrFormat, 1},
		{"pixels of 4 GiB", file(header(tag.PixelData, "OW", 0xfffffffe)), segd.ErrFormat, 1},
		{"implicit value of 4 GiB", implicit(item(0x00091010, 0xfffffffe)), segd.ErrFormat, 1},
		{"item of 4 GiB", file(header(tag.ReferencedImageSequence, "SQ", open), item(tag.Item, 0xfffffffe)), segd.ErrFormat, 1},
		{"sequence of 4 GiB", file(header(tag.ReferencedImageSequence, "SQ", 0xfffffffe), item(tag.Item, 0)), segd.ErrFormat, 1},
		{"fragment of 4 GiB", file(header(tag.PixelData, "OB", open), item(tag.Item, 0xfffffffe)), segd.ErrFormat, 1},
		{"fragment without length", file(header(tag.PixelData, "OB", open), item(tag.Item, open)), segd.ErrFormat, 1},
		{"native pixels without length", file(header(tag.PixelData, "OB", open), item(tag.Item, 0), item(tag.SequenceDelimitationItem, 0)), nil, 1},
		{"value beyond its limit", file(header(0x00091010, "OB", 65<<20), make([]byte, 65<<20)), segd.ErrTooLarge, 1},
		{"text without length", file(header(tag.StudyDescription, "UT", open)), segd.ErrFormat, 1},
		{"stray delimiter", file(item(tag.SequenceDelimitationItem, 0)), nil, 1},
		{"stray item", file(header(tag.SOPClassUID, "UI", 0), item(tag.Item, 8)), segd.ErrFormat, 1},
		{"VR of no kind", file(header(tag.SOPClassUID, "UI", 0), header(tag.SOPInstanceUID, "ZZ", 4), []byte("abcd")), segd.ErrFormat, 1},
		{"half a header", file([]byte{8, 0, 0x16}), nil, 1},
		{"no end of sequence", file(header(tag.ReferencedImageSequence, "SQ", open)), segd.ErrFormat, 1},
		{"no end of item", file(header(tag.ReferencedImageSequence, "SQ", open), item(tag.Item, open)), segd.ErrFormat, 1},
		{"element in place of an item", file(header(tag.ReferencedImageSequence, "SQ", open), header(tag.SOPClassUID, "UI", 0)), segd.ErrFormat, 1},
		{"deflate bomb", append(dicomtest.Meta(dicomtest.DeflatedLE), bomb()...), segd.ErrTooLarge, 2},
		{"deflate of rubbish", append(dicomtest.Meta(dicomtest.DeflatedLE), bytes.Repeat([]byte{7}, 1000)...), segd.ErrFormat, 2},
		{"beyond the size of a file", make([]byte, 256<<20+1), segd.ErrTooLarge, 1},
		{"meta alone", meta, segd.ErrFormat, 1},
		{"preamble alone", append(make([]byte, 128), "DICM"...), segd.ErrFormat, 1},
		{"meta of 4 GiB", append(append(make([]byte, 128), "DICM"...), header(tag.FileMetaInformationVersion, "OB", 0xfffffffe)...), segd.ErrFormat, 1},
		{"meta without end", append(append(make([]byte, 128), "DICM"...), bytes.Repeat(header(tag.SourceApplicationEntityTitle, "AE", 0), 1000)...), segd.ErrTooLarge, 1},
		{"functional groups deep down", file(header(tag.PerFrameFunctionalGroupsSequence, "SQ", open), item(tag.Item, open), nested(40)), segd.ErrTooLarge, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := bounds(t, tt.b, tt.memory<<20)
			if err == nil || tt.want != nil && !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
}

// bomb is some 130 KiB that inflate to 129 MiB: one flushed megabyte of zeros
// over and over, since what a flush ends stands on its own.
func bomb() []byte {
	var buf bytes.Buffer
	w, err := flate.NewWriter(&buf, flate.BestCompression)
	if err != nil {
		panic(err)
	}
	if _, err := w.Write(make([]byte, 1<<20)); err != nil {
		panic(err)
	}
	if err := w.Flush(); err != nil {
		panic(err)
	}
	return bytes.Repeat(buf.Bytes(), 129)
}

// rich is a small file that has something of everything that is read.
func rich(syntax string) []byte {
	f := dicomtest.Disc(16)
	f.Syntax, f.Frames, f.Pixels = syntax, 2, append(bytes.Clone(f.Pixels), f.Pixels...)
	voi := dicomtest.Item{{Tag: tag.WindowCenter, VR: "DS", Value: "1"}, {Tag: tag.WindowWidth, VR: "DS", Value: "2"}}
	lut := dicomtest.Item{{Tag: tag.LUTDescriptor, VR: "US", Value: []int{2, 0, 16}}, {Tag: tag.LUTData, VR: "US", Value: []int{1, 2}}}
	group := dicomtest.Item{{Tag: tag.FrameVOILUTSequence, VR: "SQ", Value: []dicomtest.Item{voi}}}
	f.Elements = append(f.Elements,
		dicomtest.Element{Tag: tag.PixelPaddingValue, VR: "US", Value: 3},
		dicomtest.Element{Tag: tag.BurnedInAnnotation, VR: "CS", Value: "YES"},
		dicomtest.Element{Tag: tag.ModalityLUTSequence, VR: "SQ", Value: []dicomtest.Item{lut}},
		dicomtest.Element{Tag: tag.SharedFunctionalGroupsSequence, VR: "SQ", Value: []dicomtest.Item{group}},
		dicomtest.Element{Tag: tag.PerFrameFunctionalGroupsSequence, VR: "SQ", Value: []dicomtest.Item{group, group}},
	)
	return dicomtest.Write(f)
}

// TestTruncated cuts a file everywhere.
func TestTruncated(t *testing.T) {
	for _, syntax := range syntaxes {
		b := rich(syntax)
		if _, err := dicomio.Read(b); err != nil {
			t.Fatal(err)
		}
		for n := range b {
			_, err := dicomio.Read(b[:n:n])
			if err == nil {
				if syntax == dicomtest.DeflatedLE && n >= len(b)-1 {
					continue // the byte that pads the stream
				}
				t.Errorf("%s cut to %d of %d bytes is read", syntax, n, len(b))
			}
			checkError(t, err)
			// Behind the header only the pixels can be cut, and that is said.
			if syntax != dicomtest.DeflatedLE && n > len(b)-1000 && !errors.Is(err, segd.ErrFormat) {
				t.Errorf("%s cut to %d of %d bytes: got %v, want segd.ErrFormat", syntax, n, len(b), err)
			}
		}
	}
}

// TestDamaged changes bytes at random: a few at a time, one seed for each file.
func TestDamaged(t *testing.T) {
	rounds := 3000
	if testing.Short() {
		rounds = 500
	}
	var logged bytes.Buffer
	defer log.SetOutput(log.Writer())
	log.SetOutput(&logged)
	for _, syntax := range syntaxes {
		damage(t, rich(syntax), rounds, 132)
	}
	if logged.Len() > 0 {
		t.Errorf("the global logger was used: %q", logged.String())
	}
}

// damage reads a file some times, each time with a few other bytes from first
// on.
func damage(t *testing.T, whole []byte, rounds, first int) {
	t.Helper()
	r := rand.New(rand.NewPCG(1, uint64(len(whole))))
	b := make([]byte, len(whole))
	for range rounds {
		copy(b, whole)
		for range 1 + r.IntN(4) {
			// Mostly in the header, where it matters.
			at := first + r.IntN(len(b)-first)
			if r.IntN(4) > 0 {
				at = first + r.IntN(min(1000, len(b)-first))
			}
			b[at] = byte(r.Uint32())
		}
		s, err := dicomio.Read(b)
		if err == nil {
			for i := range s.Frames {
				if _, err = s.Frame(i); err != nil {
					break
				}
			}
		}
		checkError(t, err)
		if t.Failed() {
			t.Fatalf("% x", b)
		}
	}
}

// TestTransferSyntaxOfPatient names a transfer syntax only where it is a UID.
func TestTransferSyntaxOfPatient(t *testing.T) {
	for _, v := range dicomtest.Patient {
		_, err := dicomio.Read(dicomtest.Write(dicomtest.File{Syntax: v, Rows: 1, Columns: 1, Pixels: []byte{1, 0}}))
		if !errors.Is(err, segd.ErrFormat) || strings.Contains(err.Error(), v) {
			t.Errorf("transfer syntax %q: got %v", v, err)
		}
	}
}

// TestNoPatientData puts the patient's values where numbers and known words
// should be, and looks for them in errors, steps and warnings.
func TestNoPatientData(t *testing.T) {
	secret := dicomtest.Patient[0]
	for _, syntax := range syntaxes {
		for _, id := range []uint32{
			tag.TransferSyntaxUID, tag.SpecificCharacterSet, tag.Modality, tag.PatientName, tag.PhotometricInterpretation, tag.NumberOfFrames, tag.Rows, tag.PixelSpacing, tag.BitsAllocated, tag.PixelRepresentation,
			tag.PixelPaddingValue, tag.BurnedInAnnotation, tag.WindowCenter, tag.WindowWidth, tag.RescaleIntercept, tag.RescaleSlope, tag.VOILUTFunction, tag.ModalityLUTSequence, tag.PresentationLUTShape, tag.PerFrameFunctionalGroupsSequence,
		} {
			for _, vr := range []string{"LO", "CS", "DS", "IS", "US", "SQ", "UN", "OW", "PN"} {
				f := dicomtest.Disc(8)
				f.Syntax = syntax
				f.Elements = append(f.Elements, dicomtest.Element{Tag: id, VR: vr, Value: secret})
				s, err := dicomio.Read(dicomtest.Write(f))
				checkError(t, err)
				if err != nil {
					continue
				}
				if told := strings.Join(append(s.Steps, s.Warnings...), "\n") + s.Modality; strings.Contains(told, "Zyxwvut") {
					t.Errorf("%08x as %s: %s", id, vr, told)
				}
			}
		}
	}
}

func FuzzRead(f *testing.F) {
	for _, syntax := range syntaxes {
		f.Add(rich(syntax))
		f.Add(dicomtest.Write(dicomtest.File{Syntax: syntax, Rows: 2, Columns: 2, Samples: 3, Allocated: 8, Photometric: "YBR_FULL_422", Pixels: make([]byte, 8)}))
		f.Add(dicomtest.Write(dicomtest.File{Syntax: syntax, Rows: 3, Columns: 3, Allocated: 1, Pixels: make([]byte, 2)}))
	}
	stream, _ := example()
	f.Add(dicomtest.Write(dicomtest.File{Syntax: jpegLS, Rows: 4, Columns: 4, Frames: 2, Allocated: 8, Encapsulated: [][]byte{{}, stream[:20], stream[20:], stream}}))
	f.Add(dicomtest.Write(dicomtest.File{Syntax: rleLossless, Rows: 3, Columns: 3, Samples: 3, Allocated: 8, Photometric: "RGB", Encapsulated: [][]byte{offsets(32, 0), runs(3, 9)}}))
	f.Add(dicomtest.Write(dicomtest.File{Syntax: deflatedFrames, Rows: 1, Columns: 9, Allocated: 1, Encapsulated: [][]byte{{}, dicomtest.Deflate([]byte{1, 1})}}))
	f.Add(dicomtest.Write(dicomtest.File{Rows: 1, Columns: 2, Allocated: 32, NoPixels: true, Elements: []dicomtest.Element{{Tag: tag.FloatPixelData, VR: "OF", Value: make([]byte, 8)}}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := dicomio.Read(b)
		checkError(t, err)
		if err != nil {
			return
		}
		for i := range min(s.Frames, 3) {
			img, err := s.Frame(i)
			checkError(t, err)
			if err == nil && len(img.Pix) != img.Width*img.Height*img.Channels {
				t.Errorf("%d values for %d×%d×%d", len(img.Pix), img.Height, img.Width, img.Channels)
			}
		}
	})
}
