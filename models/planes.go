package models

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"segd"
	"segd/internal/orient"
)

// Planes says how the images lay in the patient that a model was trained on, and
// so which planes of a volume it can be given.
type Planes struct {
	// Wants is the plane that volumes are turned to before the network sees them,
	// and from which its masks are turned back; nil: they are taken as they are
	// stored.
	Wants *segd.Plane `json:"wants,omitempty"`
	// Training lists the planes of the training images, the most frequent first;
	// images that did not say how they lie are not counted.
	Training []TrainingPlane `json:"training,omitempty"`
}

// TrainingPlane is a plane of the training images.
type TrainingPlane struct {
	segd.Plane
	Cases int `json:"cases,omitempty"` // images, or frames of volumes
	// Oblique is how far the most oblique of them was turned away from the axes of
	// the patient, in degrees.
	Oblique float64 `json:"oblique_degrees,omitempty"`
}

// maxOblique is how far, in degrees, planes may be turned away from the axes of
// the patient and still be called by them: beyond it, as with the short axis of
// a heart, the nearest axes differ from patient to patient.
const maxOblique = 20

// NewPlanes returns what training planes, in any order and of one case each or
// more, come to: a model wants the plane of its training if that was one, and not
// too oblique. cases is the number of all training images; unless all said how
// they lie, nothing is wanted. Without planes the result is nil.
func NewPlanes(list []TrainingPlane, cases int) *Planes {
	p := &Planes{}
	known := 0
	for _, t := range list {
		known += t.Cases
		i := slices.IndexFunc(p.Training, func(o TrainingPlane) bool { return o.Plane == t.Plane })
		if i < 0 {
			i = len(p.Training)
			p.Training = append(p.Training, TrainingPlane{Plane: t.Plane})
		}
		p.Training[i].Cases += t.Cases
		p.Training[i].Oblique = max(p.Training[i].Oblique, math.Round(10*t.Oblique)/10)
	}
	if len(p.Training) == 0 {
		return nil
	}
	slices.SortStableFunc(p.Training, func(a, b TrainingPlane) int { return cmp.Compare(b.Cases, a.Cases) })
	if first := p.Training[0]; len(p.Training) == 1 && known == cases && first.Oblique <= maxOblique {
		p.Wants = &first.Plane
	}
	return p
}

func (p *Planes) validate() error {
	if p == nil {
		return nil
	}
	if p.Wants != nil {
		if err := orient.Validate(*p.Wants); err != nil {
			return fmt.Errorf("planes: %w", err)
		}
	}
	for _, t := range p.Training {
		if err := orient.Validate(t.Plane); err != nil {
			return fmt.Errorf("planes: %w", err)
		}
		if t.Cases < 0 || !(t.Oblique >= 0 && t.Oblique <= 90) {
			return fmt.Errorf("planes: %d cases up to %v° oblique, want 0 or more cases and 0° to 90°", t.Cases, t.Oblique)
		}
	}
	return nil
}
