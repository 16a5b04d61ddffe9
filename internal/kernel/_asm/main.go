// Command _asm generates the SIMD kernels of package kernel with avo, one set per
// run:
//
//	go generate segd/internal/kernel
//
// It is a separate module so that the service does not depend on avo.
package main

import (
	"flag"
	"log"

	. "github.com/mmcloughlin/avo/build"
	_ "golang.org/x/tools/go/packages" // pins a version that avo needs
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
