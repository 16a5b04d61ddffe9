package study_test

import (
	"context"
	"fmt"
	"log"

	"segd/train/study"
	"segd/unet"
)

// Train variants of the network on one folder, 200 steps each, and compare them on
// one page.
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
