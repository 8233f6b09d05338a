## help: list the targets
help:
	@sed -n 's/^## //p' Makefile

## check: everything that CI runs
check:
	.ci/run

## test: all tests
test:
	.ci/run test

## race: the tests of simultaneous callers under the race detector
race:
	.ci/run race

## test-32: all tests on a 32-bit platform
test-32:
	.ci/run test32

## lint: format, and golangci-lint with vet
lint:
	.ci/run fmt tidy lint

## fuzz: every fuzz target for FUZZTIME (default 2000x: so many inputs)
fuzz:
	.ci/run fuzz

## explore: all interleavings of a few callers, and how many there are
explore:
	EXPLORE=100 .ci/run explore

## mutants: every fault that was planted, and every mutant of operators: 25 minutes
mutants:
	.ci/run mutants

## model: compare 100 million operations of each limiter with its exact model
model:
	OPERATIONS=100000000 .ci/run model

## soak: limiters, a server with a middleware, and Redis that is killed, for SOAK (default 10m) each; all bounds checked afterwards
SOAK ?= 10m
soak:
	SOAK=$(SOAK) .ci/run soak

## bench: every limiter beside the floor
bench:
	go test -run '^$$' -bench . ./bench

## bench-report: measure this module and others, medians of 10, into docs/*.{md,csv,svg} and README.md: 20 minutes
bench-report:
	go run -C bench/report . measure

## pictures: draw docs/*.svg from what has been measured, and compute anew what needs no measuring
pictures:
	go test ./bench -run '^TestEdge$$' -update
	go run -C bench/report . pictures
	go test -C cmd/ratesim . -run '^TestStory$$' -update

.PHONY: help check test race test-32 lint explore mutants fuzz model soak bench bench-report pictures
