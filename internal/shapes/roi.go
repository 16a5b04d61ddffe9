package shapes

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"path"
	"regexp"
	"strings"
	"unicode/utf16"

	"segd/internal/archive"
)

// Types of ROIs.
const (
	roiPolygon  = 0
	roiRect     = 1
	roiOval     = 2
	roiFreehand = 7
	roiTraced   = 8
)

// Places in a ROI (RoiDecoder of ImageJ). All numbers are big-endian.
const (
	roiVersion     = 4
	roiType        = 6
	roiBounds      = 8 // top, left, bottom, right
	roiCount       = 16
	roiCount32     = 18
	roiShapeSize   = 36
	roiSubtype     = 48
	roiOptions     = 50
	roiArc         = 54
	roiPosition    = 56
	roiHeader2     = 60
	roiCoordinates = 64

	roiC, roiZ, roiT = 4, 8, 12 // in the second header
	roiName          = 16
	roiNameLength    = 20
	roiGroup         = 30

	roiSubPixel = 128 // option
)

// maxROIs bounds the bytes of all ROIs of an archive, at four a point.
const maxROIs = 32 << 20

func isROI(b []byte) bool { return bytes.HasPrefix(b, []byte("Iout")) }

// readROI reads a file of one ROI.
func readROI(b []byte) (*File, error) {
	p := Picture{}
	if err := p.addROI(b, ""); err != nil {
		return nil, err
	}
	return &File{Format: ImageJ, Pictures: []Picture{p}}, nil
}

// readROIs reads a zip file of ROIs, as the ROI Manager saves them.
func readROIs(b []byte) (*File, error) {
	r := bytes.NewReader(b)
	members, err := archive.Open(r, int64(len(b)))
	if err != nil {
		return nil, fmt.Errorf("shapes: %w", err)
	}
	p := Picture{}
	all, found := int64(0), false
	for i, m := range members {
		if m.Hidden() || !strings.EqualFold(path.Ext(m.Name), ".roi") {
			continue
		}
		if all += m.Size; all > maxROIs {
			return nil, tooLarge("ROIs of more than %d bytes together", maxROIs)
		}
		roi, err := m.Read(r)
		if err != nil {
			return nil, fmt.Errorf("shapes: ROI %d: %w", i+1, err)
		}
		if err := p.addROI(roi, strings.TrimSuffix(path.Base(m.Name), path.Ext(m.Name))); err != nil {
			return nil, fmt.Errorf("ROI %d: %w", i+1, err)
		}
		found = true
	}
	if !found {
		return nil, unsupported("an archive without ROIs of ImageJ (.roi)")
	}
	return &File{Format: ImageJ, Pictures: []Picture{p}}, nil
}

// roi reads numbers of a ROI, which are 0 behind its end.
type roi []byte

func (b roi) u8(at int) int {
	if at < 0 || at >= len(b) {
		return 0
	}
	return int(b[at])
}

func (b roi) u16(at int) int { return b.u8(at)<<8 | b.u8(at+1) }
func (b roi) i16(at int) int { return int(int16(b.u16(at))) }
func (b roi) i32(at int) int { return int(int32(b.u16(at)<<16 | b.u16(at+2))) }
func (b roi) f32(at int) float64 {
	return float64(math.Float32frombits(uint32(b.i32(at))))
}

// addROI adds a ROI. file is the name of its file, which names it if it has no other
// name.
func (p *Picture) addROI(data []byte, file string) error {
	b := roi(data)
	if !isROI(b) || len(b) < roiCoordinates {
		return malformed("a ROI of %d bytes, or without the letters Iout", len(b))
	}
	second := b.i32(roiHeader2)
	if second < roiCoordinates || second+roiGroup >= len(b) {
		second = len(b) // none: its numbers read as 0
	}
	s := Shape{Class: b.class(second, file)}
	s.Plane = Plane{Slice: max(0, b.i32(roiPosition)), C: max(0, b.i32(second+roiC)), Z: max(0, b.i32(second+roiZ)), T: max(0, b.i32(second+roiT))}
	var err error
	if s.area, err = b.area(); err != nil {
		return err
	}
	p.add(s)
	return nil
}

// automatic are the names that the ROI Manager and others give ROIs by place or
// number.
var automatic = regexp.MustCompile(`^[0-9]+(-[0-9]+)*$|^F?[0-9]+-C[0-9]+$`)

// counter is the end of a name that numbers objects.
var counter = regexp.MustCompile(`[-_ ]+[0-9]+$`)

// class returns the class of a ROI: its group, else its name without the number of the
// object, else none.
func (b roi) class(second int, file string) string {
	if group := b.u8(second + roiGroup); group > 0 {
		return fmt.Sprint("group ", group)
	}
	name := file
	if at, n := b.i32(second+roiName), b.i32(second+roiNameLength); at > 0 && n > 0 && at <= len(b) && n <= (len(b)-at)/2 {
		letters := make([]uint16, n)
		for i := range letters {
			letters[i] = binary.BigEndian.Uint16(b[at+2*i:])
		}
		name = string(utf16.Decode(letters))
	}
	if name = strings.TrimSpace(name); automatic.MatchString(name) {
		return ""
	}
	return counter.ReplaceAllString(name, "")
}

// area returns the area of a ROI; nil: it has none.
func (b roi) area() (area, error) {
	top, left, bottom, right := b.i16(roiBounds), b.i16(roiBounds+2), b.i16(roiBounds+4), b.i16(roiBounds+6)
	if size := b.i32(roiShapeSize); size > 0 {
		return b.path(size)
	}
	const text, image = 1, 4 // subtypes that are no areas
	switch kind := b.u8(roiType); kind {
	case roiRect:
		if sub := b.i16(roiSubtype); sub == text || sub == image {
			return nil, nil
		}
		if b.u16(roiArc) > 0 {
			return nil, unsupported("a rectangle with round corners: convert it to a mask or a polygon in ImageJ")
		}
		return box{left, top, right, bottom}, nil
	case roiOval:
		x, y, w, h := float64(left), float64(top), float64(right-left), float64(bottom-top)
		return ellipse{x + w/2, y + h/2, w / 2, h / 2}, nil
	case roiPolygon, roiFreehand, roiTraced:
		return b.polygon(left, top)
	}
	return nil, nil
}

// polygon reads the points of a polygon: whole ones from the corner of its bounds, or
// fractional ones behind them.
func (b roi) polygon(left, top int) (area, error) {
	n := b.u16(roiCount)
	if n == 0 {
		n = b.i32(roiCount32)
	}
	fractional := b.u16(roiOptions)&roiSubPixel != 0 && b.i16(roiVersion) >= 222
	size := 4
	if fractional {
		size = 12
	}
	switch {
	case n < 0 || n > (len(b)-roiCoordinates)/size:
		return nil, malformed("a ROI of %d points in %d bytes", n, len(b))
	case n > maxNumbers:
		return nil, tooLarge("a ROI of %d points, limit %d", n, maxNumbers)
	case n == 0:
		return nil, nil
	}
	ring := make([]Point, n)
	for i := range ring {
		if fractional {
			at := roiCoordinates + 4*n + 4*i
			ring[i] = Point{X: b.f32(at), Y: b.f32(at + 4*n)}
		} else {
			ring[i] = Point{X: float64(left + b.u16(roiCoordinates+2*i)), Y: float64(top + b.u16(roiCoordinates+2*n+2*i))}
		}
		if !finite(ring[i].X, ring[i].Y) {
			return nil, malformed("a point of a ROI far outside any image")
		}
	}
	return rings{ring}, nil
}
