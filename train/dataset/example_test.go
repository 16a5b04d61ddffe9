package dataset_test

import (
	"fmt"
	"log"

	"segd/train/dataset"
)

// List a data set and read its first case.
func Example() {
	data, err := dataset.Open("nuclei/train")
	if err != nil {
		log.Fatal(err)
	}
	for _, w := range data.Warnings {
		fmt.Println(w)
	}
	sample, err := data.Cases[0].ReadClasses()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(data.Cases[0].ID, data.Cases[0].Group, sample.Image.Width, sample.Image.Height)
}
