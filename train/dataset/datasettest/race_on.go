//go:build race

package datasettest

// Race reports whether the race detector is on. Tests that train are then shortened,
// because they would take minutes.
const Race = true
