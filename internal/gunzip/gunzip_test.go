package gunzip

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"testing"

	"segd"
)

// pack compresses b as one member.
func pack(t testing.TB, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	_, err := z.Write(b)
	if err := errors.Join(err, z.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// noise does not compress.
func noise(n int) []byte {
	r := rand.New(rand.NewPCG(1, 2))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

func TestAll(t *testing.T) {
	t.Parallel()
	want := noise(10_000)
	whole := pack(t, want)
	damaged := slices.Clone(whole)
	damaged[len(damaged)-6] ^= 1 // of the checksum
	for name, tt := range map[string]struct {
		file []byte
		want []byte
		err  error
	}{
		"one member":          {file: whole, want: want},
		"nothing":             {file: pack(t, nil), want: []byte{}},
		"two members":         {file: append(pack(t, want[:4000]), pack(t, want[4000:])...), want: want},
		"an empty one":        {file: append(pack(t, nil), whole...), want: want},
		"zeros behind":        {file: append(slices.Clone(whole), make([]byte, 5000)...), want: want},
		"two, zeros behind":   {file: append(append(pack(t, want[:4000]), pack(t, want[4000:])...), 0, 0), want: want},
		"as much as may be":   {file: pack(t, noise(20_000)), want: noise(20_000)},
		"text behind":         {file: append(slices.Clone(whole), "text"...), err: segd.ErrFormat},
		"text behind zeros":   {file: append(slices.Clone(whole), "\x00\x00text"...), err: segd.ErrFormat},
		"cut":                 {file: whole[:len(whole)/2], err: segd.ErrFormat},
		"cut in its end":      {file: whole[:len(whole)-3], err: segd.ErrFormat},
		"damaged":             {file: damaged, err: segd.ErrFormat},
		"only a magic":        {file: []byte{0x1f, 0x8b}, err: segd.ErrFormat},
		"too much":            {file: pack(t, make([]byte, 20_001)), err: segd.ErrTooLarge},
		"too much, pieces":    {file: append(pack(t, make([]byte, 15_000)), pack(t, make([]byte, 15_000))...), err: segd.ErrTooLarge},
		"a claim of gigabits": {file: append(slices.Clone(whole[:len(whole)-4]), 0xff, 0xff, 0xff, 0xff), err: segd.ErrFormat},
	} {
		got, err := All(tt.file, 20_000)
		if !errors.Is(err, tt.err) || tt.err == nil && err != nil || !bytes.Equal(got, tt.want) {
			t.Errorf("%s: %d bytes, %v, want %d, %v", name, len(got), err, len(tt.want), tt.err)
		}
		if n, err := Size(tt.file, 20_000); !errors.Is(err, tt.err) || err == nil && n != int64(len(tt.want)) {
			t.Errorf("%s: size %d, %v", name, n, err)
		}
	}
}

// The first bytes of a file show the first bytes of what it holds.
func TestHead(t *testing.T) {
	t.Parallel()
	want := noise(10_000)
	if got := Head(pack(t, want)[:4096], 512); !bytes.Equal(got, want[:512]) {
		t.Errorf("got %d bytes", len(got))
	}
	if got := Head(pack(t, want)[:1000], 4096); len(got) == 0 || !bytes.Equal(got, want[:len(got)]) {
		t.Errorf("of a cut file: got %d bytes", len(got))
	}
	if got := Head(want, 512); !bytes.Equal(got, want) {
		t.Error("another file is not itself")
	}
	if got := Head([]byte{0x1f, 0x8b, 1}, 10); len(got) != 3 {
		t.Errorf("of a damaged file: %v", got)
	}
}

// FuzzAll holds the reader to package gzip: what that reads is read.
func FuzzAll(f *testing.F) {
	f.Add(pack(f, []byte("some")))
	f.Add(append(pack(f, []byte("some")), pack(f, []byte("more"))...))
	f.Add(append(pack(f, []byte("some")), 0, 0, 0))
	f.Fuzz(func(t *testing.T, b []byte) {
		const limit = 1 << 20
		got, err := All(b, limit)
		if err != nil && !errors.Is(err, segd.ErrFormat) && !errors.Is(err, segd.ErrTooLarge) {
			t.Fatal(err)
		}
		z, e := gzip.NewReader(bytes.NewReader(b))
		if e != nil {
			return
		}
		want, e := io.ReadAll(io.LimitReader(z, limit+1))
		if e == nil && len(want) <= limit && (err != nil || !bytes.Equal(got, want)) {
			t.Errorf("%d bytes, %v, want %d", len(got), err, len(want))
		}
	})
}
