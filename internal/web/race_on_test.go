//go:build race

package web_test

// raced says that the race detector is on. It makes the network some twenty
// times slower and can't see what the page does; package handlers has its own
// tests.
const raced = true
