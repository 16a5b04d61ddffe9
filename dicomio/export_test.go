package dicomio

// Slack is what bounds of time are multiplied by where the race detector slows
// everything down.
func Slack() int {
	if raced {
		return 20
	}
	return 1
}
