package archive

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"segd"
)

// packed is a zip file; change may set what it likes of each header.
func packed(t testing.TB, change func(*zip.FileHeader), names ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, name := range names {
		h := &zip.FileHeader{Name: name, Method: zip.Deflate}
		if change != nil {
			change(h)
		}
		w, err := z.CreateHeader(h)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(name, "/") {
			_, _ = w.Write([]byte(strings.Repeat(name, 100))) // a buffer takes everything
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func open(b []byte) ([]Member, error) { return Open(bytes.NewReader(b), int64(len(b))) }

func TestOpen(t *testing.T) {
	t.Parallel()
	for _, method := range []uint16{zip.Store, zip.Deflate} {
		b := packed(t, func(h *zip.FileHeader) { h.Method = method }, "study/", "study/s1/1.dcm", "study/s1/2.dcm", "__MACOSX/study/._1.dcm", "a/.hidden", "ä.dcm")
		list, err := open(b)
		if err != nil || !Is(b) {
			t.Fatal(err)
		}
		var got []string
		for _, m := range list {
			content, err := m.Read(bytes.NewReader(b))
			if err != nil || string(content) != strings.Repeat(m.Name, 100) || m.Size != int64(len(content)) {
				t.Errorf("%s: %v, %d bytes", m.Name, err, len(content))
			}
			for _, n := range []int{3, len(content), len(content) + 5} {
				head, err := m.Head(bytes.NewReader(b), n)
				if err != nil || string(head) != string(content[:min(n, len(content))]) {
					t.Errorf("%s: the first %d bytes: %q, %v", m.Name, n, head, err)
				}
			}
			got = append(got, fmt.Sprint(m.Name, m.Hidden()))
		}
		if want := "study/s1/1.dcmfalse study/s1/2.dcmfalse __MACOSX/study/._1.dcmtrue a/.hiddentrue ä.dcmfalse"; strings.Join(got, " ") != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	many := make([]string, MaxMembers+1)
	for i := range many {
		many[i] = fmt.Sprint(i)
	}
	plain := packed(t, nil, "a", "b")
	for name, tt := range map[string]struct {
		b    []byte
		want error
	}{
		"a way out":           {packed(t, nil, "../a"), segd.ErrFormat},
		"a way out below":     {packed(t, nil, "a/../../b"), segd.ErrFormat},
		"an absolute path":    {packed(t, nil, "/etc/passwd"), segd.ErrFormat},
		"a drive":             {packed(t, nil, "C:/a"), segd.ErrFormat},
		"backslashes":         {packed(t, nil, `..\a`), segd.ErrFormat},
		"no name":             {packed(t, nil, ""), segd.ErrFormat},
		"a long name":         {packed(t, nil, strings.Repeat("n", maxName+1)), segd.ErrFormat},
		"the same name twice": {packed(t, nil, "a", "a"), segd.ErrFormat},
		"a link":              {packed(t, func(h *zip.FileHeader) { h.SetMode(fs.ModeSymlink | 0o777) }, "a"), segd.ErrUnsupported},
		"encrypted":           {lie(plain, 8, 0x00080009), segd.ErrUnsupported},
		"another method":      {lie(plain, 8, 0x000c0008), segd.ErrUnsupported},
		"too many":            {packed(t, nil, many...), segd.ErrTooLarge},
		"truncated":           {plain[:len(plain)-10], segd.ErrFormat},
		"no archive":          {[]byte("PK\x03\x04 and no more"), segd.ErrFormat},
		"nothing":             {nil, segd.ErrFormat},
	} {
		list, err := open(tt.b)
		if tt.want != nil && !errors.Is(err, tt.want) {
			t.Errorf("%s: %d members, %v, want %v", name, len(list), err, tt.want)
		}
	}
}

// lie sets a little-endian number at an offset into each central directory entry.
func lie(b []byte, offset int, value uint32) []byte {
	b = bytes.Clone(b)
	for i := 0; i+46 < len(b); i++ {
		if bytes.HasPrefix(b[i:], []byte("PK\x01\x02")) {
			for k := range 4 {
				b[i+offset+k] = byte(value >> (8 * k))
			}
		}
	}
	return b
}

// Sizes and sums that lie are told before or while the member is read, and no more is
// read than it says.
func TestSizesThatLie(t *testing.T) {
	t.Parallel()
	b := packed(t, nil, "some", "more")
	for name, tt := range map[string]struct {
		b    []byte
		want error
	}{
		"larger than the limit": {lie(b, 24, segd.MaxFile+1), segd.ErrTooLarge},
		"smaller":               {lie(b, 24, 10), segd.ErrFormat},
		"larger":                {lie(b, 24, 1<<20), segd.ErrFormat},
		"packed larger":         {lie(b, 20, 1<<20), segd.ErrFormat},
		"packed smaller":        {lie(b, 20, 3), segd.ErrFormat},
		"another sum":           {lie(b, 16, 7), segd.ErrFormat},
		"elsewhere":             {lie(b, 42, 1<<30), segd.ErrFormat},
	} {
		list, err := open(tt.b)
		for _, m := range list {
			if err == nil {
				_, err = m.Read(bytes.NewReader(tt.b))
			}
			if _, e := m.Head(bytes.NewReader(tt.b), 1<<20); name == "larger" && !errors.Is(e, segd.ErrFormat) {
				t.Errorf("%s: the head: %v", name, e)
			}
		}
		if !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", name, err, tt.want)
		}
	}
	// A bomb: one member's bytes stand for many members.
	var names []string
	for i := range 300 {
		names = append(names, fmt.Sprint("n", i))
	}
	if _, err := open(lie(packed(t, nil, names...), 24, 16<<20)); !errors.Is(err, segd.ErrTooLarge) {
		t.Errorf("300 members of 16 MiB: %v", err)
	}
}

func FuzzOpen(f *testing.F) {
	f.Add(packed(f, nil, "a/b", "c"))
	f.Add(packed(f, func(h *zip.FileHeader) { h.Method = zip.Store }, "a"))
	f.Fuzz(func(t *testing.T, b []byte) {
		list, err := open(b)
		if err != nil {
			return
		}
		for _, m := range list[:min(len(list), 20)] {
			content, err := m.Read(bytes.NewReader(b))
			if err == nil && int64(len(content)) != m.Size || m.Size > segd.MaxFile || !inside(m.Name) {
				t.Errorf("%q: %d bytes, %v", m.Name, len(content), err)
			}
		}
	})
}
