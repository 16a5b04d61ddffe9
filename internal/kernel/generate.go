package kernel

//go:generate sh -c "cd _asm && go run . -set avx2 -out ../avx2_amd64.s -stubs ../avx2_amd64.go -pkg kernel"
//go:generate sh -c "cd _asm && go run . -set avx512 -out ../avx512_amd64.s -stubs ../avx512_amd64.go -pkg kernel"
//go:generate sh -c "cd _asm && go run ./winograd -isa avx2 -out ../winograd_avx2_amd64.s -stubs ../winograd_avx2_amd64.go -pkg kernel"
//go:generate sh -c "cd _asm && go run ./winograd -isa avx512 -out ../winograd_avx512_amd64.s -stubs ../winograd_avx512_amd64.go -pkg kernel"
//go:generate sh -c "cd _asm && go run ./winograd -isa bf16 -out ../winograd_bf16_amd64.s -stubs ../winograd_bf16_amd64.go -pkg kernel"
