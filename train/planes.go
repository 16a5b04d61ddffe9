package train

import (
	"fmt"
	"slices"

	"segd/internal/orient"
	"segd/models"
)

// placeOf returns how a case's image lies in the patient; Cases is 0 where that is
// not known.
func placeOf(c *Case) (p models.TrainingPlane) {
	o, err := c.opener().open(c.Image, asImage)
	if err != nil || o.scan.Affine == nil {
		return p
	}
	p.Plane, p.Oblique = orient.PlaneOf(*o.scan.Affine)
	p.Cases = 1
	return p
}

// planes are those of the training images, for the model card: those of the model
// to start from where the images don't say how they lie.
func (r *run) planes(cases []Case, list []facts) (p *models.Planes, warnings []string) {
	var known []models.TrainingPlane
	for i := range list {
		if list[i].plane.Cases > 0 && slices.Contains(r.Plan.Training, cases[i].ID) {
			known = append(known, list[i].plane)
		}
	}
	p = models.NewPlanes(known, len(r.Plan.Training))
	from := r.o.From
	switch {
	case from == nil || from.Planes == nil || from.Planes.Wants == nil:
	case p == nil:
		return from.Planes, nil
	case p.Wants == nil || *p.Wants != *from.Planes.Wants:
		warnings = append(warnings, fmt.Sprintf("model %s was trained on %s planes, these images are %s: volumes are trained on as they are stored", from.Name, *from.Planes.Wants, p.Training[0].Plane))
	}
	if p != nil && len(p.Training) > 1 {
		warnings = append(warnings, fmt.Sprintf("the images lie in %d ways in the patient, %s and %s among them: the network learns all of them, and volumes will be segmented as they are stored", len(p.Training), p.Training[0].Plane, p.Training[1].Plane))
	}
	return p, warnings
}
