// Command _asm generates the AVX2 kernels of package kernel with avo:
//
//	go generate segd/internal/kernel
//
// It is a module of its own so that avo is no dependency of the service.
package main

import (
	. "github.com/mmcloughlin/avo/build"
	_ "golang.org/x/tools/go/packages" // pins the version avo must be built with
)

func main() {
	ConstraintExpr("amd64,!purego")
	convolutions()
	weightGrads()
	elementwise()
	skips()
	Generate()
}
