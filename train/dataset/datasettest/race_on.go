//go:build race

package datasettest

// Race says whether the race detector watches every load and store: tests of
// learning are then shortened, for they would take minutes.
const Race = true
