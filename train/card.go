package train

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"segd/internal/orient"
	"segd/models"
	"segd/train/dataset"
)

// saveModel writes the averaged weights, which are the best so far, as a model
// directory in fp32. v is nil if nothing is validated.
func (r *run) saveModel(v *validation) error {
	return models.Save(r.o.Out, r.manifest(v), r.Plan.target().kept(&r.Plan, r.average), false)
}

// manifest returns the model card of the kept weights.
func (r *run) manifest(v *validation) models.Manifest {
	p := &r.Plan
	m := models.Manifest{
		Name: cmp.Or(r.o.Name, models.NameFrom(r.o.Out)), Version: cmp.Or(r.o.Version, "1"), Title: r.o.Title,
		Description: r.o.Description, Network: p.Network, Recipe: p.Recipe, Channels: r.channels, Planes: r.inPatient,
		Data: r.o.Data,
		Training: &models.Training{
			Seconds: r.Seconds, Steps: p.Steps, BestStep: r.BestStep, Epochs: float64(r.BestStep) / p.EpochSteps, Seed: p.Seed,
			Cases: len(p.Training), Validation: len(p.Validation), Batch: p.Batch, PatchHeight: p.PatchHeight, PatchWidth: p.PatchWidth,
			LearnRate: p.LearnRate, Loss: p.Loss.String(), Kernels: p.Kernels, From: p.From, NoFlip: !p.Augment.Flip,
		},
	}
	p.target().card(&m, p, r.classNames())
	if m.Data == nil {
		for _, name := range r.names {
			m.Data = append(m.Data, models.DataCard{Name: name})
		}
	}
	if v != nil {
		m.Metrics = v.report.Metrics(strings.Join(r.names, " + "), "validation")
	}
	return m
}

// classNames names the foreground classes.
func (r *run) classNames() []string {
	if len(r.o.ClassNames) > 0 {
		return r.o.ClassNames
	}
	if r.Plan.Network.Classes == 2 {
		return []string{"foreground"}
	}
	names := make([]string, max(0, r.Plan.Network.Classes-1))
	for i := range names {
		names[i] = fmt.Sprintf("class %d", i+1)
	}
	return names
}

// placeOf returns the orientation of a case's image in the patient. Cases is 0 if it
// is not known.
func placeOf(c *dataset.Case) (p models.TrainingPlane) {
	affine := c.Affine()
	if affine == nil {
		return p
	}
	p.Plane, p.Oblique = orient.PlaneOf(*affine)
	p.Cases = 1
	return p
}

// planes returns the planes of the training images, for the model card. If the images
// have no orientation, they are those of the model to start from.
func (r *run) planes(cases []dataset.Case, list []facts) (p *models.Planes, warnings []string) {
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
		warnings = append(warnings, fmt.Sprintf("model %s was trained on %s planes, but these images are %s: training uses volumes as stored", from.Name, *from.Planes.Wants, p.Training[0].Plane))
	}
	if p != nil && len(p.Training) > 1 {
		warnings = append(warnings, fmt.Sprintf("the images have %d orientations in the patient, including %s and %s: the network learns all of them, and volumes will be segmented as stored", len(p.Training), p.Training[0].Plane, p.Training[1].Plane))
	}
	return p, warnings
}
