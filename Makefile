# make build | test | check | bench
.PHONY: build test check bench vuln

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

# Known vulnerabilities; needs the Go vulnerability database.
vuln:
	go run golang.org/x/vuln/cmd/govulncheck@v1.1.4 ./...
