package evaluate_test

import (
	"context"
	"log"
	"os"

	"segd/train/evaluate"
)

// Compare masks made by another program with the labels of a data set.
func Example() {
	report, err := evaluate.Run(context.Background(), evaluate.Options{Datasets: []string{"nuclei/test"}, Predictions: "masks"}, nil)
	if err != nil {
		log.Fatal(err)
	}
	if err := report.WriteText(os.Stdout, 5); err != nil {
		log.Fatal(err)
	}
}
