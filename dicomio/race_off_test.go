//go:build !race

package dicomio

// raced says that the race detector is on.
const raced = false
