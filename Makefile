benchstat = golang.org/x/perf/cmd/benchstat@v0.0.0-20260908200009-22c9c6c9d4da

## help: list the targets
help:
	@sed -n 's/^## //p' Makefile

## check: everything that CI runs
check:
	.ci/run

## test: all tests
test:
	.ci/run test

## race: all tests under the race detector
race:
	.ci/run race

## test-32: all tests on a 32-bit platform
test-32:
	.ci/run test32

## lint: format, vet and golangci-lint
lint:
	.ci/run fmt tidy vet lint

## fuzz: every fuzz target for FUZZTIME (default 60000x: so many inputs)
fuzz:
	.ci/run fuzz

## explore: all interleavings of a few callers, and how many there are
explore:
	.ci/run explore

## model: compare 100 million operations of each limiter with its exact model
model:
	go test . ./gcra ./tokenbucket ./fixedwindow ./slidingwindow -run '^TestModel' -v -timeout 2h -limittest.operations 100000000

## bench: every limiter beside the floor
bench:
	go test -run '^$$' -bench . ./bench

## peers: this module and others in one run, medians of 10, into docs/benchmarks.md and README.md
peers:
	docs/benchmarks.sh $(benchstat)

## pictures: compute anew what docs/*.svg show, and draw it
pictures:
	go test ./bench -run '^TestEdge$$' -update
	cd docs/pictures && go run .

.PHONY: help check test race test-32 lint explore fuzz model bench peers pictures
