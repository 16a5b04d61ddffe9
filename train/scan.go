package train

import (
	"context"

	"segd"
	"segd/internal/segment"
)

// scan is what the case's file holds, its channels joined where they are files of
// their own.
func (c *Case) scan() (*segd.Scan, error) {
	o, err := c.opener().open(c.Image, asImage)
	if err != nil {
		return nil, err
	}
	if len(c.More) == 0 {
		return o.scan, nil
	}
	joined := *o.scan
	joined.Frame = func(i int) (*segd.Image, error) {
		k := *c
		k.Frame = i
		return k.image()
	}
	return &joined, nil
}

// frames segments cases one after the other as the service does: those of one
// file together, since a volume may have to be turned.
type frames struct {
	image string // whose frames scan has
	scan  *segment.Scan
}

// segment segments a case with the model of o.
func (f *frames) segment(ctx context.Context, o *EvaluateOptions, c *Case) (*segment.Result, error) {
	if f.scan == nil || f.image != c.Image {
		scan, err := c.scan()
		if err != nil {
			return nil, err
		}
		if f.scan, err = segment.NewScan(o.Model, o.Pool, scan, segment.Options{TTA: o.TTA}); err != nil {
			return nil, err
		}
		f.image = c.Image
	}
	return f.scan.Frame(ctx, c.Frame)
}
