package train

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"segd"
	"segd/internal/classes"
	"segd/train/dataset"
	"segd/unet"
)

// nameClasses settles what the classes of the data are called, and so how they
// are numbered: as the options say, or the checkpoint, or the plan to train by if
// it is of the same classes, or the data themselves.
func (o *Options) nameClasses(data *dataset.Dataset, saved *progress) error {
	if o.Network.Head != unet.HeadClasses {
		return nil
	}
	planned := classes.List{Whose: "the checkpoint"}
	switch {
	case saved != nil:
		planned.Names = saved.Plan.ClassNames
	case o.PlanFile != "":
		p, err := readPlan(o.PlanFile)
		if err != nil {
			return err
		}
		planned = classes.List{Whose: "plan " + o.PlanFile, Names: p.ClassNames}
	}
	err := data.Agree(planned.Whose, planned.Names)
	if len(o.ClassNames) > 0 {
		_, err = classes.Match(classes.List{Whose: "the list given", Names: o.ClassNames}, planned)
	}
	switch {
	case err != nil && saved != nil:
		return fmt.Errorf("train: %w; train without resume", err)
	case err != nil || len(planned.Names) == 0: // a plan of other classes
	case len(o.ClassNames) == 0:
		o.ClassNames = planned.Names
	case !slices.EqualFunc(planned.Names, o.ClassNames, strings.EqualFold):
		return fmt.Errorf("train: %w: classes %q, %s has them in the order %q", segd.ErrOption, o.ClassNames, planned.Whose, planned.Names)
	}
	if err := data.Rename(o.ClassNames); err != nil {
		return err
	}
	o.ClassNames = data.Classes
	return nil
}

// takeClasses settles which classes the labels have and, where neither options
// nor data name them, that they are called as in the model to start from.
func (o *Options) takeClasses(data *dataset.Dataset, list []facts) (meant dataset.Meaning, classes int, err error) {
	known := 0
	if len(o.ClassNames) > 0 {
		known = len(o.ClassNames) + 1
	}
	if meant, err = surveyFacts(data.Cases, list, known); err != nil {
		return meant, 0, err
	}
	classes = cmp.Or(known, meant.Max+1)
	if o.From != nil && known == 0 {
		classes = max(classes, len(o.From.Classes))
		o.ClassNames = tunedNames(o.From, classes)
	}
	if classes < 2 {
		return meant, 0, fmt.Errorf("train: %w: every label is background", segd.ErrUnprocessable)
	}
	return meant, classes, nil
}
