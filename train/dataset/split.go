package dataset

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"

	"segd"
)

// Split divides the cases by subject. Fold number fold of folds validates or, if
// folds is 0, the given fraction of the groups. With a fraction of 0 all cases train.
// The seed determines the order of the groups. A single group is split by study, file
// or image, with a warning. The results are indices of cases in ascending order.
func Split(cases []Case, seed uint64, fraction float64, fold, folds int) (training, validation []int, warning string, err error) {
	if folds == 0 && fraction == 0 {
		for i := range cases {
			training = append(training, i)
		}
		return training, nil, "", nil
	}
	if len(cases) < 2 {
		return nil, nil, "", fmt.Errorf("train: %w: %d labelled image, want at least 2 to train and validate", segd.ErrUnprocessable, len(cases))
	}
	key := func(c Case) string { return c.Subject() }
	groups := groupNames(cases, key)
	for _, part := range parts {
		if len(groups) > 1 {
			break
		}
		warning = fmt.Sprintf("all images belong to one group: validation uses other %s of it, so val_dice says little about new subjects; list groups in ids.csv if there are several", part.what)
		key = part.key
		groups = groupNames(cases, key)
	}
	rng := rand.New(rand.NewPCG(seed, 0x5eed5b117))
	rng.Shuffle(len(groups), func(i, j int) { groups[i], groups[j] = groups[j], groups[i] })
	lo, hi := 0, max(1, min(len(groups)-1, int(math.Round(fraction*float64(len(groups))))))
	if folds > 0 {
		if folds > len(groups) {
			return nil, nil, "", fmt.Errorf("train: %w: %d folds for %d groups", segd.ErrOption, folds, len(groups))
		}
		lo, hi = fold*len(groups)/folds, (fold+1)*len(groups)/folds
	}
	held := map[string]bool{}
	for _, g := range groups[lo:hi] {
		held[g] = true
	}
	for i, c := range cases {
		if held[key(c)] {
			validation = append(validation, i)
		} else {
			training = append(training, i)
		}
	}
	return training, validation, warning, nil
}

// parts are the units into which a single group may be split. The first that yields
// several is used.
var parts = []struct {
	what string
	key  func(Case) string
}{
	{"studies", func(c Case) string { return cmp.Or(c.who.Study, c.setName+"/"+c.stem) }},
	{"files", func(c Case) string { return c.setName + "/" + c.stem }},
	{"images", func(c Case) string { return c.ID }},
}

// groupNames lists the distinct keys in the order of the cases.
func groupNames(cases []Case, key func(Case) string) []string {
	var names []string
	seen := map[string]bool{}
	for _, c := range cases {
		if k := key(c); !seen[k] {
			seen[k] = true
			names = append(names, k)
		}
	}
	return names
}
