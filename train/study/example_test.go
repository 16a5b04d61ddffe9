package study_test

import (
	"context"
	"fmt"
	"log"

	"segd/train/study"
	"segd/unet"
)

// Variants of the network are trained on one folder, each for 200 steps, and
// compared on one page.
func Example() {
	pool := unet.NewPool(0)
	defer pool.Close()
	err := study.Run(context.Background(), study.Options{
		Datasets: []string{"nuclei/train"}, Out: "study", Steps: 200, Pool: pool,
	}, func(e study.Event) { fmt.Printf("%+v\n", e) })
	if err != nil {
		log.Print(err)
	}
}
