package dataset_test

import (
	"testing"

	"segd/train"
	"segd/train/check"
	"segd/train/evaluate"
	"segd/train/metric"
	"segd/unet"
)

// brief returns options for a very short training of a network with 4 channels and 2
// levels.
func brief(dir, out string, steps int) train.Options {
	return train.Options{Datasets: []string{dir}, Out: out, Steps: steps, Network: unet.Config{Width: 4, Depth: 2}, Patch: 32, Batch: 2, Seed: 3}
}

// checked returns what a check finds in data sets.
func checkedOf(t *testing.T, dirs ...string) *check.Result {
	t.Helper()
	r, err := check.Run(t.Context(), check.Options{Datasets: dirs, Overfit: -1}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// evaluated compares predictions with the labels of a data set.
func evaluated(t *testing.T, dir, predictions string) (*metric.Report, error) {
	t.Helper()
	return evaluate.Run(t.Context(), evaluate.Options{Datasets: []string{dir}, Predictions: predictions}, nil)
}
