package check_test

import (
	"context"
	"fmt"
	"log"

	"segd/train/check"
	"segd/unet"
)

// Find the faults of a folder before they spoil training.
func Example() {
	pool := unet.NewPool(0)
	defer pool.Close()
	found, err := check.Run(context.Background(), check.Options{Datasets: []string{"nuclei/train"}, Pool: pool}, nil)
	if err != nil {
		log.Print(err)
		return
	}
	for _, f := range found.Findings {
		fmt.Printf("%+v\n", f)
	}
}
