package dicomio

import (
	"fmt"

	"segd/dicomio/tag"
)

// pixels locates the stored values of all frames in the file. One of its
// pointers is set.
type pixels struct {
	*layout
	native    *nativePixels
	fragments *fragments
}

// findPixels checks that the pixel data e of f is complete.
func findPixels(f *file, e element, l *layout) (*pixels, error) {
	var err error
	_, encapsulated := encapsulations[f.syntax]
	p := &pixels{layout: l}
	switch {
	case encapsulated && e.undefined:
		p.fragments, err = findFragments(f, e, l)
	case e.undefined:
		err = malformed("%s is encapsulated, which transfer syntax %s does not allow", name(e.tag), f.syntax)
	case encapsulated && (e.end-e.value+1)&^1 != ((l.storedBits()*l.frames+7)/8+1)&^1:
		err = malformed("%s is not encapsulated, as transfer syntax %s requires", name(e.tag), f.syntax)
	default:
		if encapsulated {
			f.warnings = append(f.warnings, fmt.Sprintf("the pixels are not compressed, though the transfer syntax is %s; they are read as uncompressed", f.syntax))
		}
		p.native, err = findNative(f, e, l)
	}
	return p, err
}

// pixelElement finds the pixel data of f.
func pixelElement(f *file) (element, error) {
	for _, e := range f.top {
		if pixelTag(e.tag) && e.end > e.value {
			return e, nil
		}
	}
	return element{}, unprocessable("no pixel data: none of %s, %s and %s is present", name(tag.PixelData), name(tag.FloatPixelData), name(tag.DoubleFloatPixelData))
}

// frame returns the stored values of frame i and their layout. They may share
// the file's memory and must not be changed.
func (p *pixels) frame(i int) (*layout, []byte, error) {
	if p.fragments != nil {
		return p.fragments.frame(p.layout, i)
	}
	return p.layout, p.native.frame(p.layout, i), nil
}
