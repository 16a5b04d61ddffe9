//go:build amd64 && !purego

package kernel

import "golang.org/x/sys/cpu"

func winogradSets() (sets []*winogradOps[float32]) {
	if cpu.X86.HasAVX2 && cpu.X86.HasFMA {
		sets = append(sets, winogradAVX2(whole))
	}
	if cpu.X86.HasAVX512F {
		sets = append(sets, winogradAVX512(whole))
	}
	return sets
}
