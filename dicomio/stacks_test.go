package dicomio

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"segd"
	"segd/dicomio/dicomtest"
	"segd/dicomio/tag"
)

// at are frames at heights in mm, axial.
func at(zs ...float64) (list []dicomtest.Frame) {
	for _, z := range zs {
		list = append(list, dicomtest.Frame{Position: fmt.Sprintf(`-60\-60\%g`, z)})
	}
	return list
}

// of changes each of list.
func of(list []dicomtest.Frame, change func(*dicomtest.Frame)) []dicomtest.Frame {
	for i := range list {
		change(&list[i])
	}
	return list
}

func phaseAt(n int) func(*dicomtest.Frame) { return func(f *dicomtest.Frame) { f.Temporal = n } }

// Frames in any order are volumes in the order of their places and times.
func TestStacks(t *testing.T) {
	echo := func(ms float64) func(*dicomtest.Frame) { return func(f *dicomtest.Frame) { f.EchoMS = ms } }
	coronal := func(f *dicomtest.Frame) { f.Orientation = `1\0\0\0\0\-1` }
	for name, tt := range map[string]struct {
		frames []dicomtest.Frame
		orders [][]int
		times  int
	}{
		"rising":                  {at(0, 3, 6), [][]int{{0, 1, 2}}, 1},
		"falling":                 {at(6, 3, 0), [][]int{{2, 1, 0}}, 1},
		"shuffled":                {at(6, 0, 9, 3), [][]int{{1, 3, 0, 2}}, 1},
		"one":                     {at(5), [][]int{{0}}, 1},
		"phases, slowest":         {slices.Concat(of(at(0, 3), phaseAt(1)), of(at(0, 3), phaseAt(2))), [][]int{{0, 1, 2, 3}}, 2},
		"phases, fastest":         {slices.Concat(of(at(3), phaseAt(1)), of(at(3), phaseAt(2)), of(at(0), phaseAt(1)), of(at(0), phaseAt(2))), [][]int{{2, 0, 3, 1}}, 2},
		"phases, falling":         {slices.Concat(of(at(0, 3), phaseAt(2)), of(at(0, 3), phaseAt(1))), [][]int{{2, 3, 0, 1}}, 2},
		"echoes":                  {slices.Concat(of(at(0), echo(80)), of(at(3, 0), echo(10.5)), of(at(3), echo(80))), [][]int{{2, 1, 0, 3}}, 2},
		"nothing but their order": {at(0, 0, 3, 3), [][]int{{0, 2, 1, 3}}, 2},
		"dimensions": {slices.Concat(of(at(0, 3), func(f *dicomtest.Frame) { f.Index = []int{1, 2} }), of(at(3, 0), func(f *dicomtest.Frame) { f.Index = []int{1, 1} })),
			[][]int{{3, 2, 0, 1}}, 2},
		"two orientations":  {slices.Concat(of(at(0, 3, 6), coronal), at(5, 2)), [][]int{{0, 1, 2}, {4, 3}}, 1},
		"two spacings":      {slices.Concat(at(0, 3), of(at(6, 9), func(f *dicomtest.Frame) { f.Spacing = `1\1` })), [][]int{{0, 1}, {2, 3}}, 1},
		"stacks far apart":  {slices.Concat(of(at(0, 3), func(f *dicomtest.Frame) { f.Stack = "1" }), of(at(53, 50), func(f *dicomtest.Frame) { f.Stack = "2" })), [][]int{{0, 1}, {3, 2}}, 1},
		"rounded to 0.1 mm": {at(0, 0.6, 1.3, 1.9, 2.5), [][]int{{0, 1, 2, 3, 4}}, 1},
		"stacks in one":     {slices.Concat(of(at(0, 3), func(f *dicomtest.Frame) { f.Stack = "1" }), of(at(6, 9), func(f *dicomtest.Frame) { f.Stack = "2" })), [][]int{{0, 1, 2, 3}}, 1},
	} {
		if name == "two orientations" { // coronal slices lie along y
			for i := range 3 {
				tt.frames[i].Position = fmt.Sprintf(`-60\%d\0`, 3*i)
			}
		}
		stacks, err := openSource(t, dicomtest.Enhanced(16, tt.frames)).Stacks()
		if err != nil || len(stacks) != len(tt.orders) {
			t.Errorf("%s: %d stacks, want %d: %v", name, len(stacks), len(tt.orders), err)
			continue
		}
		for i, s := range stacks {
			if !slices.Equal(s.Order, tt.orders[i]) || s.Times != tt.times || s.Times*s.Depth != len(s.Order) {
				t.Errorf("%s: stack %d: %+v, want %v", name, i+1, s, tt.orders[i])
			}
			for k, frame := range s.Order {
				want := dataset{tag.ImagePositionPatient: {vr: "DS", b: []byte(tt.frames[frame].Position)}}.numbers(tag.ImagePositionPatient)
				got := s.Affine.Apply([3]float64{0, 0, float64(k % s.Depth)})
				slack := 1e-9
				if strings.HasPrefix(name, "rounded") {
					slack = 0.051
				}
				for r := range 3 {
					if math.Abs(got[r]-want[r]) > slack {
						t.Errorf("%s: stack %d: frame %d lies at %v, want %v", name, i+1, frame+1, got, want)
					}
				}
			}
		}
	}
}

// What makes up no volume is refused with what it lacks.
func TestStacksRefused(t *testing.T) {
	echo := func(z, ms float64) []dicomtest.Frame {
		return of(at(z), func(f *dicomtest.Frame) { f.EchoMS = ms })
	}
	for name, tt := range map[string]struct {
		frames []dicomtest.Frame
		want   string
	}{
		"uneven":        {at(0, 3, 6, 10, 13, 16, 19, 25), "3 to 6 mm apart"},
		"missing":       {at(0, 3, 6, 12, 15), "1 slice is missing along the normal: between 3 and 4, at 9 mm"},
		"three missing": {at(0, 3, 9, 18, 21), "3 slices are missing along the normal: between 2 and 3, at 6 mm; 2 between 3 and 4, at 12 to 15 mm"},
		"phase missing": {slices.Concat(of(at(0, 3, 6), phaseAt(1)), of(at(0, 3), phaseAt(2))), "6 mm along the normal, where the one with temporal position (0020,9128) 2 is missing"},
		"first missing": {slices.Concat(of(at(3, 6), phaseAt(1)), of(at(0, 3, 6), phaseAt(2))), "0 mm along the normal, where the one with temporal position (0020,9128) 1 is missing"},
		"echoes mixed":  {slices.Concat(echo(0, 10), echo(0, 20), echo(3, 10), echo(3, 30)), "echo time (0018,9082) is 30"},
		"beside":        {[]dicomtest.Frame{{Position: `0\0\0`}, {Position: `32\0\0`}}, "beside each other"},
		"no position":   {append(at(0, 3), dicomtest.Frame{}), "1 of 3 frames lack a position"},
		"to and fro":    {[]dicomtest.Frame{{Position: `0\0\0`}, {Position: `5\0\3`}, {Position: `0\0\6`}}, "but not on a line"},
	} {
		stacks, err := openSource(t, dicomtest.Enhanced(16, tt.frames)).Stacks()
		if !errors.Is(err, segd.ErrUnprocessable) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, %v; want %q", name, stacks, err, tt.want)
		}
	}
	if stacks, err := openSource(t, dicomtest.Enhanced(16, make([]dicomtest.Frame, 2))).Stacks(); stacks != nil || err != nil {
		t.Errorf("no position at all: %v, %v", stacks, err)
	}
	// A position without a frame of reference is one all the same.
	f := dicomtest.Enhanced(16, at(0, 3))
	f.Elements = append(f.Elements, dicomtest.Element{Tag: tag.FrameOfReferenceUID})
	s := openSource(t, f)
	if stacks, err := s.Stacks(); len(stacks) != 1 || err != nil || s.Placed() {
		t.Errorf("no frame of reference: %v, %v, placed %t", stacks, err, s.Placed())
	}
}

// Slices of a series that the same image is among twice, or that nothing orders,
// are named; echoes are in order whatever their numbers.
func TestNewStackPhases(t *testing.T) {
	file := func(z, number int, more ...dicomtest.Element) Slice {
		f := identified("1.2.840.10008.5.1.4.1.1.4", "MR", number, append(placed(float64(z)), more...)...)
		slice, ok := openSource(t, f).Slice()
		if !ok {
			t.Fatal("no slice")
		}
		return slice
	}
	same := text(tag.InstanceNumber, "1")
	if _, err := NewStack([]Slice{file(0, 1), file(3, 2), file(3, 2)}); err == nil || !strings.Contains(err.Error(), "the same image (0008,0018) occurs twice") {
		t.Errorf("a copy: %v", err)
	}
	if _, err := NewStack([]Slice{file(0, 1, same), file(0, 2, same)}); err == nil || !strings.Contains(err.Error(), "nothing says which comes first") {
		t.Errorf("no number: %v", err)
	}
	long, short := text(tag.EchoTime, "80"), text(tag.EchoTime, "10")
	s, err := NewStack([]Slice{file(0, 1, long), file(0, 2, short), file(3, 3, short), file(3, 4, long)})
	if err != nil || !slices.Equal(s.Order, []int{1, 2, 0, 3}) {
		t.Errorf("echoes: %+v, %v", s, err)
	}
	if _, err := NewStack([]Slice{file(0, 1, long), file(0, 2, short), file(3, 3, short), file(3, 4, text(tag.EchoTime, "20"))}); err == nil || !strings.Contains(err.Error(), "echo time (0018,0081)") {
		t.Errorf("three echoes, two a place: %v", err)
	}
	late := text(tag.AcquisitionNumber, "2")
	s, err = NewStack([]Slice{file(0, 1, same, late), file(0, 2, same, text(tag.AcquisitionNumber, "1"))})
	if err != nil || !slices.Equal(s.Order, []int{1, 0}) {
		t.Errorf("acquisitions: %+v, %v", s, err)
	}
}

// A segmentation has the echoes of each place in the order that a volume has them.
func TestSEGEchoes(t *testing.T) {
	var whole *SEG
	var want []string
	for i, x := range []struct {
		z    float64
		echo string
	}{{0, "80"}, {0, "10"}, {3, "10"}, {3, "80"}} {
		f := identified("1.2.840.10008.5.1.4.1.1.4", "MR", i+1, append(placed(x.z), text(tag.EchoTime, x.echo))...)
		source := openSource(t, f)
		s, err := NewSEG(origin(source))
		if err == nil {
			err = s.AddMask(0, 0, segd.NewMask(source.cols, source.rows))
		}
		if err == nil && whole != nil {
			err = whole.Merge(s)
		}
		if err != nil {
			t.Fatal(err)
		}
		if whole == nil {
			whole = s
		}
		want = append(want, x.echo)
	}
	whole.sort()
	var got []string
	for _, f := range whole.frames {
		got = append(got, want[f.source])
	}
	if !slices.Equal(got, []string{"10", "80", "10", "80"}) {
		t.Errorf("echoes %v", got)
	}
}
