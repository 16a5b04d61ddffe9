package train

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"segd"
	"segd/internal/output"
	"segd/internal/scanio"
	"segd/unet"
)

// halfGrey is where an antialiased mask is cut.
const halfGrey = 128

// maxColours bounds the colours of masks that are taken for classes: more are
// shades that antialiasing or lossy compression made.
const maxColours = maxClass + 1

// Fixed says what Fix wrote.
type Fixed struct {
	Cases    int       `json:"cases"`    // written
	Mended   int       `json:"mended"`   // of them, with another mask than before
	Left     []Finding `json:"left_out"` // what could not be mended, and why
	Classes  []string  `json:"classes"`  // what became which class, where values were numbered
	Original int       `json:"original"` // cases there were
}

// Fix writes a copy of one data set to out, with masks that hold class indices:
// 0 and 255 become 0 and 1; antialiased masks are cut at half; other values, and
// colours, are numbered in order, black being background, the same in all masks
// of the set. Images and ids.csv are copied as they are. A case that cannot be
// mended, because a file is missing, unreadable or of another size, is left out
// and named. out must not exist, or be empty: segd.ErrOption.
func Fix(ctx context.Context, dir, out string) (*Fixed, error) {
	entries, err := os.ReadDir(out)
	entries = slices.DeleteFunc(entries, func(e fs.DirEntry) bool { return e.Name() == output.LockName })
	if err == nil && len(entries) > 0 {
		return nil, fmt.Errorf("train: %w: %s is not empty", segd.ErrOption, out)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("train: %w", err)
	}
	classes := unet.HeadClasses
	c := &checker{names: setNames([]string{dir}), head: &classes}
	if err := c.list(ctx, 0, dir); err != nil {
		return nil, err
	}
	if err := c.read(ctx, func(int, int) {}); err != nil {
		return nil, err
	}
	c.images()
	c.sizes()
	c.masks()
	f := &fixer{out: out, copied: map[string]bool{}}
	result := &Fixed{Original: len(c.cases)}
	for _, finding := range c.findings {
		if finding.Fault && slices.Contains([]string{KindFolder, KindNoLabel, KindUnreadable, KindSize}, finding.Kind) {
			result.Left = append(result.Left, finding)
		}
	}
	if err := f.survey(c.cases); err != nil {
		return nil, err
	}
	result.Classes = f.legend()
	for _, k := range c.cases {
		if len(k.More) > 0 {
			result.Left = append(result.Left, Finding{Fault: true, Kind: KindFolder, File: k.Image, Cause: "an image in several files, one for each channel, is not copied: mend its label in place"})
			continue
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		mended, err := f.write(k)
		switch {
		case errors.Is(err, errTooManyColours):
			result.Left = append(result.Left, Finding{Fault: true, Kind: KindColourMask, File: k.Label, Cause: cause(err)})
		case err != nil:
			return nil, err
		case !f.can(k):
		default:
			result.Cases++
			if mended {
				result.Mended++
			}
		}
	}
	return result, f.copy(filepath.Join(dir, "ids.csv"), "ids.csv")
}

// errTooManyColours: a mask's colours are no classes.
var errTooManyColours = errors.New("too many colours")

// fixer writes mended cases.
type fixer struct {
	out     string
	copied  map[string]bool // images
	values  []uint8         // grey values in order; the index is the class; nil: not numbered
	colours []color.NRGBA   // likewise
}

// can reports whether a case can be written.
func (f *fixer) can(k *checked) bool { return k.ok() || k.imageErr == nil && k.coloured() }

// coloured reports a label image in colour, which is read again as one.
func (c *checked) coloured() bool {
	return errors.Is(c.labelErr, segd.ErrUnprocessable) && strings.EqualFold(filepath.Ext(c.Label), ".png")
}

// survey collects the values and the colours of the whole set, so that each
// means the same class everywhere.
func (f *fixer) survey(cases []*checked) error {
	numbered := false
	for _, k := range cases {
		numbered = numbered || k.foreign
	}
	var values valueSet
	seen := map[color.NRGBA]bool{}
	for _, k := range cases {
		switch {
		case k.labelErr == nil && numbered && (k.foreign || k.scaled):
			for v, there := range k.values {
				values[v] = values[v] || there
			}
		case f.can(k) && k.labelErr != nil:
			m, err := decodeLabel(k.Label)
			if err != nil {
				continue // its own fault, found when it is written
			}
			colours, ok := coloursOf(m)
			if !ok {
				continue
			}
			for c := range colours {
				seen[c] = true
			}
		}
	}
	for v, there := range values {
		if there || v == 0 && numbered {
			f.values = append(f.values, uint8(v))
		}
	}
	if len(seen) == 0 {
		return nil
	}
	seen[black] = true
	for c := range seen {
		f.colours = append(f.colours, c)
	}
	slices.SortFunc(f.colours, func(a, b color.NRGBA) int {
		return bytes.Compare([]byte{a.R, a.G, a.B}, []byte{b.R, b.G, b.B})
	})
	if len(f.colours) > maxColours {
		return fmt.Errorf("train: %w: %d colours in all masks, limit %d", segd.ErrUnprocessable, len(f.colours), maxColours)
	}
	return nil
}

var black = color.NRGBA{A: 255}

// legend says what became which class.
func (f *fixer) legend() (list []string) {
	for i, v := range f.values {
		list = append(list, fmt.Sprintf("%d: value %d", i, v))
	}
	for i, c := range f.colours {
		list = append(list, fmt.Sprintf("%d: colour #%02x%02x%02x", i, c.R, c.G, c.B))
	}
	return list
}

// write writes the files of a case; mended says whether its mask changed.
func (f *fixer) write(k *checked) (mended bool, err error) {
	if !f.can(k) {
		return false, nil
	}
	label := filepath.Join("labels", filepath.FromSlash(k.ID)+".png")
	var mask *segd.Mask
	if k.labelErr != nil {
		mended = true
		mask, err = f.fromColours(k.Label)
	} else if mask, err = k.mask(); err == nil {
		mended = f.renumber(k, mask)
	}
	if err != nil {
		return false, err
	}
	if mask.Width != k.width || mask.Height != k.height {
		return false, fmt.Errorf("train: %s: %w: %d×%d pixels, its image has %d×%d", k.Label, segd.ErrFormat, mask.Width, mask.Height, k.width, k.height)
	}
	var b bytes.Buffer
	picture := &image.Gray{Pix: mask.Pix, Stride: mask.Width, Rect: image.Rect(0, 0, mask.Width, mask.Height)}
	if err := png.Encode(&b, picture); err != nil {
		return false, fmt.Errorf("train: %w", err)
	}
	if err := f.put(label, b.Bytes()); err != nil {
		return false, err
	}
	if f.copied[k.Image] { // for another of its frames
		return mended, nil
	}
	f.copied[k.Image] = true
	name := filepath.FromSlash(k.stem) + k.Image[len(scanio.Stem(k.Image)):]
	return mended, f.copy(k.Image, filepath.Join("images", name))
}

// renumber turns the values of a mask into class indices.
func (f *fixer) renumber(k *checked, m *segd.Mask) bool {
	if !k.smooth && !k.scaled && !k.foreign {
		return false
	}
	for i, v := range m.Pix {
		switch {
		case k.smooth, f.values == nil:
			m.Pix[i] = 0
			if v >= halfGrey {
				m.Pix[i] = 1
			}
		default:
			m.Pix[i] = uint8(slices.Index(f.values, v))
		}
	}
	return true
}

// fromColours reads a mask whose colours are classes.
func (f *fixer) fromColours(path string) (*segd.Mask, error) {
	m, err := decodeLabel(path)
	if err != nil {
		return nil, err
	}
	if _, ok := coloursOf(m); !ok {
		return nil, fmt.Errorf("train: %s: %w: more than %d: antialiased or lossily compressed", path, errTooManyColours, maxColours)
	}
	b := m.Bounds()
	mask := segd.NewMask(b.Dx(), b.Dy())
	for y := range mask.Height {
		for x := range mask.Width {
			mask.Pix[y*mask.Width+x] = uint8(slices.Index(f.colours, opaque(m.At(b.Min.X+x, b.Min.Y+y))))
		}
	}
	return mask, nil
}

// coloursOf lists the colours of a mask, or says that they are too many.
func coloursOf(m image.Image) (map[color.NRGBA]bool, bool) {
	colours := map[color.NRGBA]bool{}
	b := m.Bounds()
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			colours[opaque(m.At(x, y))] = true
			if len(colours) > maxColours {
				return nil, false
			}
		}
	}
	return colours, true
}

// opaque is a colour of 8 bits without its alpha.
func opaque(c color.Color) color.NRGBA {
	n := color.NRGBAModel.Convert(c).(color.NRGBA)
	n.A = 255
	return n
}

// decodeLabel decodes a PNG that scanio took for one, sizes checked.
func decodeLabel(path string) (image.Image, error) {
	b, err := readFile(path)
	if err != nil {
		return nil, err
	}
	m, err := png.Decode(bytes.NewReader(b))
	if err != nil {
		return nil, fmt.Errorf("train: %s: %w: %v", path, segd.ErrFormat, err)
	}
	return m, nil
}

// copy copies a file, if it is there.
func (f *fixer) copy(from, to string) error {
	b, err := os.ReadFile(from)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("train: %w", err)
	}
	return f.put(to, b)
}

func (f *fixer) put(name string, b []byte) error {
	path := filepath.Join(f.out, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("train: %w", err)
	}
	if err := os.WriteFile(path, b, 0o644); err != nil {
		return fmt.Errorf("train: %w", err)
	}
	return nil
}
