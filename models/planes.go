package models

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"segd"
	"segd/internal/orient"
)

// Planes records how the training images were oriented in the patient, and
// therefore which planes of a volume the model needs.
type Planes struct {
	// Wants is the plane to which volumes are reoriented before the network sees
	// them, and from which its masks are mapped back. If it is nil, volumes are
	// used as stored.
	Wants *segd.Plane `json:"wants,omitempty"`
	// Training lists the planes of the training images, most frequent first.
	// Images of unknown orientation do not count.
	Training []TrainingPlane `json:"training,omitempty"`
}

// TrainingPlane is a plane of the training images.
type TrainingPlane struct {
	segd.Plane
	Cases int `json:"cases,omitempty"` // images, or frames of volumes
	// Oblique is the largest angle, in degrees, between such a plane and the axes
	// of the patient.
	Oblique float64 `json:"oblique_degrees,omitempty"`
}

// maxOblique is the largest angle, in degrees, up to which planes are named
// after the nearest axes of the patient. Beyond it, as with the short axis of a
// heart, the nearest axes differ between patients.
const maxOblique = 20

// NewPlanes summarises the planes of the training images, given in any order
// with one or more cases each. A model wants the plane of its training if there
// was only one and it was not too oblique. cases is the number of all training
// images; if any has an unknown orientation, no plane is wanted. Without planes
// the result is nil.
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
