package train_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"time"

	"segd/models"
	"segd/train"
	"segd/train/evaluate"
	"segd/unet"
)

// Train a model on one folder and measure it on another, whose subjects it has never
// seen.
func Example() {
	ctx := context.Background()
	pool := unet.NewPool(0)
	defer pool.Close()

	_, err := train.Run(ctx, train.Options{
		Datasets: []string{"nuclei/train"}, Out: "my-nuclei", Time: 20 * time.Minute, Pool: pool,
	}, func(e train.Event) {
		if e.Kind == train.EventValidation {
			fmt.Printf("step %d of %d: Dice %.3f\n", e.Step, e.Steps, *e.ValDice)
		}
	})
	if err != nil {
		log.Print(err)
		return
	}
	m, err := models.Open("my-nuclei")
	if err != nil {
		log.Print(err)
		return
	}
	report, err := evaluate.Run(ctx, evaluate.Options{Datasets: []string{"nuclei/test"}, Model: m, Pool: pool}, nil)
	if err != nil {
		log.Print(err)
		return
	}
	if err := report.WriteText(os.Stdout, 5); err != nil {
		log.Print(err)
	}
}

// Start training from the weights of a model.
func ExampleRun() {
	from, err := models.Open("nuclei")
	if err != nil {
		log.Print(err)
		return
	}
	result, err := train.Run(context.Background(), train.Options{Datasets: []string{"mine/train"}, Out: "mine", From: from, Steps: 400}, nil)
	if err != nil {
		log.Print(err)
		return
	}
	fmt.Println(result.BestStep)
}
