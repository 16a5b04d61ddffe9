package evaluate

import (
	"context"
	"fmt"
	"image"
	"slices"

	"segd"
	"segd/internal/overlay"
	"segd/train/dataset"
)

// Shown is a case for display.
type Shown struct {
	ID        string
	Image     *segd.Image
	Truth     *segd.Mask
	Predicted *segd.Mask
}

// Show segments the named cases, or reads their masks, as Run does, and returns them
// in the order of ids. An id that is not in the data sets is segd.ErrNotFound.
func Show(ctx context.Context, o Options, ids []string) ([]Shown, error) {
	e, err := o.begin(ctx)
	if err != nil {
		return nil, err
	}
	list := make([]Shown, 0, len(ids))
	for _, id := range ids {
		i := slices.IndexFunc(e.cases, func(c dataset.Case) bool { return c.ID == id })
		if i < 0 {
			return nil, fmt.Errorf("train: %w: case %s", segd.ErrNotFound, id)
		}
		s := Shown{ID: id}
		if s.Truth, err = e.cases[i].ReadMask(); err != nil {
			return nil, err
		}
		e.truth.Apply(s.Truth)
		if s.Image, err = e.cases[i].ReadImage(); err != nil {
			return nil, err
		}
		if s.Predicted, _, _, err = e.predict(ctx, i); err != nil {
			return nil, err
		}
		list = append(list, s)
	}
	return list, nil
}

// The colours of the three kinds of agreement, chosen so that colour-blind readers
// can distinguish them.
var agreement = []segd.Class{
	{Index: 0, Name: "background"},
	{Index: 1, Name: "both", Color: [3]uint8{0, 158, 115}},
	{Index: 2, Name: "missed", Color: [3]uint8{230, 159, 0}},
	{Index: 3, Name: "extra", Color: [3]uint8{213, 94, 180}},
}

// Picture draws the agreement of the masks over the image as a viewer shows it.
func (s *Shown) Picture() *image.NRGBA {
	m := segd.NewMask(s.Truth.Width, s.Truth.Height)
	for i, t := range s.Truth.Pix {
		switch p := s.Predicted.Pix[i]; {
		case t == 255: // ignored
		case p == t && t != 0:
			m.Pix[i] = 1
		case t != 0 && p == 0:
			m.Pix[i] = 2
		case p != t:
			m.Pix[i] = 3
		}
	}
	return overlay.Overlay(overlay.Render(s.Image), m, agreement, overlay.DefaultAlpha)
}
