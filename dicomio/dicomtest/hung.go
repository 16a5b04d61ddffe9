package dicomtest

import "time"

// Hung is the time after which a test takes a decoder of a small hostile file
// for hung. Every such file takes less than a second on an idle machine; the
// bound leaves room for a busy one and for the race detector. Benchmarks
// measure speed, tests do not.
const Hung = 30 * time.Second
