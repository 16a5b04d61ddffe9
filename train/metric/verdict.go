package metric

import "slices"

// Verdict is a comparison of a new model with the one in service, on one test set.
type Verdict struct {
	Against string       `json:"against"` // the model in service
	Data    []string     `json:"data"`    // names of the data sets
	Cases   int          `json:"cases"`
	Groups  int          `json:"groups"`
	Classes []Difference `json:"classes"`
	Worse   bool         `json:"worse"` // in some class, significantly
}

const (
	// WorseP is how unlikely chance has to be for a lower Dice to count against a
	// model: the P of its Difference is below it.
	WorseP = 0.05

	// MinGroups is the least number of groups of a test set for which P can be below
	// WorseP: with n of them, the smallest P of Wilcoxon's test is 2/2ⁿ.
	MinGroups = 6
)

// Judge compares the reports of a new model and of the one in service, which hold
// the same cases: see Compare, whose errors it has.
func Judge(now, before *Report) (*Verdict, error) {
	differences, err := Compare(now, before)
	if err != nil {
		return nil, err
	}
	worse := slices.ContainsFunc(differences, func(d Difference) bool { return d.Dice < 0 && d.P < WorseP })
	return &Verdict{Cases: len(now.Cases), Groups: len(now.Groups), Classes: differences, Worse: worse}, nil
}
