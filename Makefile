# make build | test | check | bench | bench-peers | models | vuln
.PHONY: build test check bench bench-peers models vuln

# A static binary in bin/; CGO is not needed anywhere.
build:
	CGO_ENABLED=0 go build -trimpath -ldflags "-s -w" -o bin/segd ./cmd/segd

test:
	go test ./...

# What continuous integration runs.
check:
	bash .ci/run

# The anchor network of docs/benchmarks.md, on one thread and on two.
bench: build
	bin/segd bench --base-width 32 --size 256 --threads 1 --format text
	bin/segd bench --base-width 32 --size 256 --threads 2 --format text

# The tables of docs/benchmarks.md: segd beside ONNX Runtime (needs node and npm)
# and PyTorch (needs a python3 that imports it), in turn. Takes half an hour.
bench-peers: build
	go run ./internal/benchpeers -segd bin/segd -peers ../shared/peers

# The embedded models, from the data sets in ../shared/data to bin/models; hours.
models: build
	bash models/make.sh bin/segd ../shared/data bin/models

# Known vulnerabilities; needs the Go vulnerability database.
vuln:
	go run golang.org/x/vuln/cmd/govulncheck@v1.1.4 ./...
