package shapes

import (
	"encoding/json"
	"fmt"
)

// runs are run lengths of a mask read column by column, background first.
type runs struct {
	width, height int
	counts        []int
}

// readRuns reads run lengths, as a list of numbers or as pycocotools' text.
func readRuns(b []byte) (*runs, error) {
	var d struct {
		Size   []int           `json:"size"`
		Counts json.RawMessage `json:"counts"`
	}
	if err := json.Unmarshal(b, &d); err != nil {
		return nil, &numberError{"run lengths without size or counts"}
	}
	if len(d.Size) != 2 || d.Size[0] < 1 || d.Size[1] < 1 || d.Size[0] > maxCoordinate || d.Size[1] > maxCoordinate || len(d.Counts) == 0 {
		return nil, &numberError{"run lengths without the height and width of their mask, or without counts"}
	}
	r := &runs{width: d.Size[1], height: d.Size[0]}
	var err error
	if d.Counts[0] == '"' {
		var text string
		if err := json.Unmarshal(d.Counts, &text); err != nil {
			return nil, &numberError{"run lengths in no text"}
		}
		r.counts, err = unpack(text)
	} else {
		c := cursor{b: d.Counts}
		err = c.list(func() error {
			v, err := c.number()
			if err != nil {
				return err
			}
			n, ok := whole(v)
			if r.counts = append(r.counts, n); !ok {
				return &numberError{"a run length that is not a whole number"}
			}
			return nil
		})
	}
	if err != nil {
		return nil, err
	}
	all := 0
	for _, n := range r.counts {
		all += n // of numbers below 2^31, too few to overflow
	}
	if all != r.width*r.height {
		return nil, &numberError{fmt.Sprintf("run lengths of %d pixels for a mask of %d×%d", all, r.width, r.height)}
	}
	return r, nil
}

// unpack reads run lengths as pycocotools packs them: five bits in each character,
// lowest first, above 48; the sixth bit announces more, and the last fifth bit is the
// sign. From the fourth run on a number is the difference to the run two before.
func unpack(text string) (counts []int, err error) {
	for i := 0; i < len(text); {
		v, shift := 0, 0
		for more := true; more; shift += 5 {
			if i == len(text) || text[i] < 48 || text[i] > 48+63 || shift > 30 {
				return nil, &numberError{"run lengths that are damaged or truncated"}
			}
			bits := int(text[i]) - 48
			v |= bits & 31 << shift
			if more = bits&32 != 0; !more && bits&16 != 0 {
				v |= -1 << (shift + 5)
			}
			i++
		}
		if n := len(counts); n > 2 {
			v += counts[n-2]
		}
		if v < 0 || v > maxCoordinate*maxCoordinate || len(counts) == maxNumbers {
			return nil, &numberError{"run lengths that are damaged, or too many"}
		}
		counts = append(counts, v)
	}
	return counts, nil
}

func (r *runs) draw(c *canvas) error {
	if r.width != c.mask.Width || r.height != c.mask.Height {
		return &SizeError{Width: r.width, Height: r.height, ImageWidth: c.mask.Width, ImageHeight: c.mask.Height}
	}
	at := 0
	for i, n := range r.counts {
		if i%2 == 1 {
			if err := c.run(at, at+n); err != nil {
				return err
			}
		}
		at += n
	}
	return nil
}

// count formats a number of things.
func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
