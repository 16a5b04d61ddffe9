//go:build race

package train

// raceDetector is set where every load and store is watched: tests of
// learning are then shortened, for they would take minutes.
const raceDetector = true
