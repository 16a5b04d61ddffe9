package evaluate

import (
	"context"

	"segd/internal/segment"
	"segd/train/dataset"
)

// frames segments cases one after another as the service does. It keeps the cases of
// one file together, because a volume may have to be reoriented.
type frames struct {
	image string // whose frames scan has
	scan  *segment.Scan
}

// segment segments a case with the model of o.
func (f *frames) segment(ctx context.Context, o *Options, c *dataset.Case) (*segment.Result, error) {
	if f.scan == nil || f.image != c.Image {
		scan, err := c.Scan()
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
