//go:build !amd64 || purego

package kernel

func winogradSets() []*winogradOps[float32] { return nil }
