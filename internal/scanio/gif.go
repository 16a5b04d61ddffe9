package scanio

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"image"
	"image/draw"
	"image/gif"

	"segd"
)

// isGIF reports whether head begins as a GIF does.
func isGIF(head []byte) bool {
	return bytes.HasPrefix(head, []byte("GIF87a")) || bytes.HasPrefix(head, []byte("GIF89a"))
}

// gifSize walks the blocks of a GIF (GIF89a, 1987 and 1990) and returns the size of its
// screen and the number of its pictures. Nothing is decoded.
func gifSize(b []byte) (width, height, frames int, err error) {
	bad := func(what string) (int, int, int, error) {
		return 0, 0, 0, fmt.Errorf("scanio: %w: gif %s", segd.ErrFormat, what)
	}
	if len(b) < 13 {
		return bad("is truncated")
	}
	width, height = int(binary.LittleEndian.Uint16(b[6:])), int(binary.LittleEndian.Uint16(b[8:]))
	at := 13 + colours(b[10])
	for at < len(b) {
		switch b[at] {
		case 0x3b:
			return width, height, frames, nil
		case 0x21:
			at += 2
		case 0x2c:
			if at+10 > len(b) {
				return bad("is truncated")
			}
			frames++
			at += 10 + colours(b[at+9]) + 1 // and the size of a code
		default:
			return bad("has a block of no known kind")
		}
		for { // sub-blocks
			if at >= len(b) {
				return bad("is truncated")
			}
			n := int(b[at])
			if at += 1 + n; n == 0 {
				break
			}
		}
	}
	return width, height, frames, nil // without a trailer, as some encoders leave it
}

// colours is the length of the colour table that packed fields announce.
func colours(packed byte) int {
	if packed&0x80 == 0 {
		return 0
	}
	return 3 << (packed&7 + 1)
}

// checkGIF checks the size of a GIF: its screen, and all frames together, which stay in
// memory.
func checkGIF(b []byte) (width, height, frames int, err error) {
	if width, height, frames, err = gifSize(b); err != nil {
		return
	}
	// LZW: a code of 12 bits stands for 4097 pixels at the most.
	if err = checkSize("gif", width, height, 3000, len(b)); err != nil {
		return
	}
	switch {
	case frames == 0:
		err = fmt.Errorf("scanio: %w: gif without a picture", segd.ErrFormat)
	case frames > segd.MaxPixels/(width*height):
		err = fmt.Errorf("scanio: %w: gif of %d frames of %d×%d pixels, limit %d in all", segd.ErrTooLarge, frames, width, height, segd.MaxPixels)
	}
	return
}

func decodeGIF(b []byte) (*gif.GIF, error) {
	if _, _, _, err := checkGIF(b); err != nil {
		return nil, err
	}
	g, err := gif.DecodeAll(bytes.NewReader(b))
	if err != nil {
		return nil, fmt.Errorf("scanio: %w: %s", segd.ErrFormat, err)
	}
	return g, nil
}

// readGIF reads a GIF. The pictures of an animation are drawn over each other as their
// disposal says, and each state is a frame.
func readGIF(b []byte) (*segd.Scan, error) {
	g, err := decodeGIF(b)
	if err != nil {
		return nil, err
	}
	screen := image.Rect(0, 0, g.Config.Width, g.Config.Height)
	if len(g.Image) == 1 && g.Image[0].Rect == screen {
		return newScan("gif", g.Image[0], "gif"), nil
	}
	var frames []image.Image
	canvas := image.NewNRGBA(screen)
	for i, p := range g.Image {
		before := canvas
		if g.Disposal[i] == gif.DisposalPrevious && i > 0 { // nothing was there before the first
			before = clone(canvas)
		}
		draw.Draw(canvas, p.Rect, p, p.Rect.Min, draw.Over)
		frames = append(frames, clone(canvas))
		switch g.Disposal[i] {
		case gif.DisposalBackground:
			draw.Draw(canvas, p.Rect, image.Transparent, image.Point{}, draw.Src)
		case gif.DisposalPrevious:
			canvas = before
		}
	}
	return newStack("gif", frames, "gif, pictures drawn over each other"), nil
}

func clone(m *image.NRGBA) *image.NRGBA {
	c := *m
	c.Pix = bytes.Clone(m.Pix)
	return &c
}

func gifFrames(b []byte) (int, error) {
	_, _, n, err := checkGIF(b)
	return n, err
}

func measureGIF(b []byte) (Size, error) {
	w, h, n, err := checkGIF(b)
	if err != nil {
		return Size{}, err
	}
	pixels := int64(w) * int64(h)
	kept := pixels
	if n > 1 {
		kept = 4 * pixels * int64(n)
	}
	// Each picture has a byte a pixel until all are drawn.
	return Size{Read: kept + pixels*int64(n+2)*4, Kept: kept, Width: w, Height: h, Frames: n, Channels: 3}, nil
}

// readGIFLabels reads the palette indices of a GIF of one picture.
func readGIFLabels(b []byte) (*Labels, error) {
	g, err := decodeGIF(b)
	if err != nil {
		return nil, err
	}
	if n := len(g.Image); n != 1 || g.Image[0].Rect != image.Rect(0, 0, g.Config.Width, g.Config.Height) {
		return nil, fmt.Errorf("scanio: %w: label: gif of %d pictures, want one that fills it", segd.ErrUnsupported, n)
	}
	return pictureLabels("gif", g.Image[0], 8)
}
