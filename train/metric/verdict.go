package metric

import "slices"

// Verdict compares a new model with the one in service on one test set.
type Verdict struct {
	Against string       `json:"against"` // the model in service
	Data    []string     `json:"data"`    // names of the data sets
	Cases   int          `json:"cases"`
	Groups  int          `json:"groups"`
	Classes []Difference `json:"classes"`
	Worse   bool         `json:"worse"` // in some class, significantly
}

const (
	// WorseP is the significance level: a lower Dice counts against a model if the P
	// of its Difference is below it.
	WorseP = 0.05

	// MinGroups is the smallest number of groups in a test set with which P can be
	// below WorseP. With n groups, the smallest P of Wilcoxon's test is 2/2ⁿ.
	MinGroups = 6
)

// Judge compares the reports of a new model and of the one in service on the same
// cases. The errors are those of Compare.
func Judge(now, before *Report) (*Verdict, error) {
	differences, err := Compare(now, before)
	if err != nil {
		return nil, err
	}
	worse := slices.ContainsFunc(differences, func(d Difference) bool { return d.Dice < 0 && d.P < WorseP })
	return &Verdict{Cases: len(now.Cases), Groups: len(now.Groups), Classes: differences, Worse: worse}, nil
}
