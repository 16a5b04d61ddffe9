package beside

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"

	"segd"
)

func TestBase(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"a.raw": "a.raw", "./a.raw": "a.raw", `.\a.raw`: "a.raw", "..a": "..a", "a b.raw": "a b.raw", "LOCAL": "LOCAL",
		"": "", ".": "", "..": "", "../a.raw": "", "/a.raw": "", "a/b.raw": "", `a\b.raw`: "", `C:a.raw`: "", `\\host\a.raw`: "", "./../a": "", "././/a": "", "a\x00b": "", "./": "",
	} {
		got, err := Base(name)
		if got != want || (want == "") != errors.Is(err, segd.ErrUnsupported) {
			t.Errorf("%q: %q, %v", name, got, err)
		}
	}
}

func TestPattern(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		pattern           string
		first, last, step int
		want              []string
		err               error
	}{
		{"s%03d.raw", 1, 3, 1, []string{"s001.raw", "s002.raw", "s003.raw"}, nil},
		{"%d", 8, 12, 2, []string{"8", "10", "12"}, nil},
		{"s%2i.raw", 9, 10, 1, []string{"s 9.raw", "s10.raw"}, nil},
		{"s%u.raw", 3, 1, -1, []string{"s3.raw", "s2.raw", "s1.raw"}, nil},
		{"s%02d.raw", 1, 2, 5, []string{"s01.raw"}, nil},
		{"s.raw", 1, 2, 1, nil, segd.ErrFormat},
		{"s%s.raw", 1, 2, 1, nil, segd.ErrFormat},
		{"s%d%d.raw", 1, 2, 1, nil, segd.ErrFormat},
		{"s%999d.raw", 1, 2, 1, nil, segd.ErrFormat},
		{"s%-3d.raw", 1, 2, 1, nil, segd.ErrFormat},
		{"s%n%d", 1, 2, 1, nil, segd.ErrFormat},
		{"s%d.raw", 1, 2, 0, nil, segd.ErrFormat},
		{"s%d.raw", 2, 1, 1, nil, segd.ErrFormat},
		{"s%d.raw", -2, 1, 1, nil, segd.ErrFormat},
		{"s%d.raw", 1, 1 << 40, 1, nil, segd.ErrTooLarge},
		{"s%d.raw", 0, math.MaxInt, 1, nil, segd.ErrTooLarge},
		{"s%d.raw", math.MaxInt, 0, -1, nil, segd.ErrTooLarge},
		{"s%d.raw", 0, 1, math.MinInt, nil, segd.ErrFormat},
	} {
		got, err := Pattern(tt.pattern, tt.first, tt.last, tt.step)
		if !slices.Equal(got, tt.want) || !errors.Is(err, tt.err) || tt.err == nil && err != nil {
			t.Errorf("%+v: %q, %v", tt, got, err)
		}
	}
}

func TestJoin(t *testing.T) {
	t.Parallel()
	missing := fmt.Errorf("%w: not there", segd.ErrUnprocessable)
	files := Files{Open: func(name string) ([]byte, error) {
		if len(name) > 1 {
			return nil, missing
		}
		return []byte(name + name + name), nil
	}}
	decode := func(b []byte, size int64) ([]byte, error) {
		if int64(len(b)) < size {
			return nil, fmt.Errorf("%w: short", segd.ErrFormat)
		}
		return b[:size], nil
	}
	for _, tt := range []struct {
		names []string
		size  int64
		want  string
		err   error
	}{
		{[]string{"a"}, 2, "aa", nil},
		{[]string{"a", "b", "c"}, 6, "aabbcc", nil},
		{[]string{"a", "./b"}, 6, "aaabbb", nil},
		{[]string{"a", "b"}, 5, "", segd.ErrFormat},
		{[]string{"a", "b"}, 8, "", segd.ErrFormat},
		{nil, 5, "", segd.ErrFormat},
		{[]string{"gone"}, 2, "", segd.ErrUnprocessable},
		{[]string{"a", "gone"}, 2, "", segd.ErrUnprocessable},
		{[]string{"a", "../b"}, 2, "", segd.ErrUnsupported},
	} {
		got, err := files.Join(tt.names, tt.size, decode)
		if string(got) != tt.want || !errors.Is(err, tt.err) || tt.err == nil && err != nil {
			t.Errorf("%q: %q, %v", tt.names, got, err)
		}
	}
	if _, err := (Files{}).Read("a"); !errors.Is(err, segd.ErrUnsupported) {
		t.Errorf("nothing beside: %v", err)
	}
}
