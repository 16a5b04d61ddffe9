// Command _asm generates the SIMD kernels of package kernel with avo, one set
// a run:
//
//	go generate segd/internal/kernel
//
// It is a module of its own so that avo is no dependency of the service.
package main

import (
	"flag"
	"log"

	. "github.com/mmcloughlin/avo/build"
	_ "golang.org/x/tools/go/packages" // pins the version avo must be built with
)

func main() {
	set := flag.String("set", "", "kernels to generate: avx2 or avx512")
	flag.Parse()
	ConstraintExpr("amd64,!purego")
	switch *set {
	case "avx2":
		convolutions()
		weightGrads()
		elementwise()
		skips()
	case "avx512":
		convolutions512()
		weightGrads512()
	default:
		log.Fatalf("no set of kernels %q", *set)
	}
	Generate()
}
