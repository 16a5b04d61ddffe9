package scanio

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"segd"
)

func TestChannelOf(t *testing.T) {
	for stem, want := range map[string]string{
		"case_0000": "case 0 true", "a/b_c_0012": "a/b_c 12 true", "x_0000_0001": "x_0000 1 true",
		"case_000": "case_000 0 false", "case_00000": "case_00000 0 false", "case_+123": "case_+123 0 false", "case_-001": "case_-001 0 false",
		"_0000": "_0000 0 false", "a/_0000": "a/_0000 0 false", "0000": "0000 0 false", "": " 0 false", "case-0000": "case-0000 0 false",
	} {
		name, channel, ok := ChannelOf(stem)
		if got := fmt.Sprint(name, " ", channel, " ", ok); got != want {
			t.Errorf("%q: %s, want %s", stem, got, want)
		}
	}
}

func TestCheckChannels(t *testing.T) {
	label := func(k int) string { return string(rune('a' + k)) }
	for _, tt := range []struct {
		numbers []int
		want    int
		text    string // empty: right
	}{
		{[]int{0, 1, 2}, 3, ""}, {[]int{0, 1}, 0, ""},
		{[]int{0, 2}, 3, "3 channels are wanted: a, c are there, b is missing"},
		{[]int{1}, 3, "b is there, a, c are missing"},
		{[]int{0, 1, 2, 3}, 3, "d is beyond"},
		{[]int{0, 0, 1}, 2, "a comes twice"},
		{[]int{0, 2}, 0, "a, c are there, b is missing"},
	} {
		err := CheckChannels(tt.numbers, tt.want, label)
		if tt.text == "" && err != nil || tt.text != "" && (!errors.Is(err, segd.ErrUnprocessable) || !strings.Contains(err.Error(), tt.text)) {
			t.Errorf("%v of %d: %v, want %q", tt.numbers, tt.want, err, tt.text)
		}
	}
}

// grey is a channel of one frame.
func grey(name string, step string, pix []float32, padding []bool, spacing segd.Spacing) *Channel {
	s := &segd.Scan{Format: "png", Width: 2, Height: 1, Frames: 1, Steps: []string{step}, Clean: true}
	s.Frame = func(int) (*segd.Image, error) {
		return &segd.Image{Width: 2, Height: 1, Channels: 1, Pix: slices.Clone(pix), Padding: padding, Spacing: spacing}, nil
	}
	return &Channel{Name: name, Scan: s}
}

func TestJoinChannels(t *testing.T) {
	mm := func(v float64) segd.Spacing { return segd.Spacing{RowMM: v, ColMM: v} }
	a := grey("a", "8 bits", []float32{1, 2}, nil, mm(1))
	b := grey("b", "16 bits", []float32{3, 4}, []bool{false, true}, mm(1))
	scan, err := JoinChannels([]*Channel{a, b})
	if err != nil {
		t.Fatal(err)
	}
	img, err := scan.Frame(0)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(img.Pix, []float32{1, 3, 2, 4}) || !img.Separate || img.Channels != 2 || !slices.Equal(img.Padding, []bool{false, true}) || img.Spacing != mm(1) {
		t.Errorf("image %+v", img)
	}
	if want := []string{"channel 0: 8 bits", "channel 1: 16 bits", "2 files joined, each a channel"}; !slices.Equal(scan.Steps, want) || scan.Channels != 2 {
		t.Errorf("steps %q of %d channels, want %q", scan.Steps, scan.Channels, want)
	}
	if !slices.Equal(a.Scan.Steps, []string{"8 bits"}) || a.Scan.Channels != 0 {
		t.Errorf("the first channel's scan was changed: %+v", a.Scan)
	}
	if scan, err = JoinChannels([]*Channel{a}); err != nil || scan != a.Scan {
		t.Errorf("one channel: %v", err)
	}
	if _, err := JoinChannels(nil); !errors.Is(err, segd.ErrFormat) {
		t.Errorf("no channel: %v", err)
	}
	// Pixels of another size show with the frame.
	if scan, err = JoinChannels([]*Channel{a, grey("c", "8 bits", []float32{5, 6}, nil, mm(1.2))}); err != nil {
		t.Fatal(err)
	}
	if _, err := scan.Frame(0); !errors.Is(err, segd.ErrUnprocessable) || !strings.Contains(err.Error(), "c has pixels of 1.2 mm") {
		t.Errorf("another spacing: %v", err)
	}
}
