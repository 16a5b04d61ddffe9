//go:build !amd64 || purego

package kernel

func sets() []*ops[float32] { return []*ops[float32]{genericOps[float32]()} }
