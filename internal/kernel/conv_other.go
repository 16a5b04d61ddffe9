//go:build !amd64 || purego

package kernel

func chooseOps() *ops[float32] { return genericOps[float32]() }
