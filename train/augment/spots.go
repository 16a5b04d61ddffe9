package augment

// spotsPerClass limits the foreground positions kept for each class.
const spotsPerClass = 256

// ignore is the class of ignored pixels.
const ignore = 255

// Spots picks up to spotsPerClass evenly spaced pixels of each class.
func Spots(y []uint8, classes int) [][]int32 {
	var count [256]int
	for _, v := range y {
		count[v]++
	}
	s := make([][]int32, classes)
	var seen [256]int
	for i, v := range y {
		c := int(v)
		if c == 0 || c >= classes || c == ignore {
			continue
		}
		// Pixel k of n is taken when k·want/n reaches a new integer.
		k, n, want := seen[c], count[c], min(count[c], spotsPerClass)
		seen[c]++
		if k == 0 || k*want/n != (k-1)*want/n {
			s[c] = append(s[c], int32(i))
		}
	}
	return s
}
