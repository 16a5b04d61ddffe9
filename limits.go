package segd

// Limits of what is read. Each reader checks them on the header before it takes
// memory, and refuses more with ErrTooLarge.
const (
	MaxFile   = 256 << 20 // bytes of a file
	MaxSide   = 16384     // rows, and columns, of a frame
	MaxPixels = 64 << 20  // pixels of a frame
)
