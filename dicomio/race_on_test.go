//go:build race

package dicomio

// raced says that the race detector is on, which makes decoding some twenty times
// slower.
const raced = true
