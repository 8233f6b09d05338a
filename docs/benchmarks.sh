#!/usr/bin/env bash
# Measures this module and others in one run, and writes docs/benchmarks.md, the table in README.md and the charts.
set -euo pipefail
cd "$(dirname "$0")/.."
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

measure=(go test -run '^$' -benchmem)
{
	cd bench/report
	"${measure[@]}" -bench '^BenchmarkAllow' -benchtime 0.2s -count 10 ./peers
	"${measure[@]}" -bench '^BenchmarkKeyed$/^traffic=(random|hot|refused)$' -benchtime 0.1s -count 10 ./peers
	"${measure[@]}" -bench '^BenchmarkKeyed$/^traffic=random$/^keys=10000000$' -benchtime 1000000x -count 3 ./peers -keys 10000000
	"${measure[@]}" -bench '^BenchmarkKeyed$/^traffic=first$' -benchtime 1000000x -count 10 ./peers # each key once
	"${measure[@]}" -bench '^BenchmarkKeyedMemory$' -benchtime 1x -count 5 ./peers
	go run ./peers/bugs > "$folder/bugs.md"
	cd ../..
} > "$folder/peers.txt"
"${measure[@]}" -bench . -benchtime 0.2s -count 10 ./bench > "$folder/bench.txt"
"${measure[@]}" -tags count -bench 'ByMany/limiter=.*/outcome=granted/callers=cores' -cpu "1,$(nproc),8" -benchtime 0.1s -count 10 \
	./bench > "$folder/count.txt"

commit=$(git rev-parse --short HEAD)$(git diff --quiet HEAD || echo ' with changes')
{
	echo "$(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -1), $(nproc) cores, $(uname -s) $(uname -m), $(go version | cut -d' ' -f3); commit $commit."
	echo
	awk '/^\t/ && !/indirect|testify|seed-|gonum|perf/ { print $1, $2 }' bench/report/go.mod | paste -sd, | sed 's/,/, /g; s/$/./'
} > "$folder/head.md"
(cd bench/report && go run . -measured "$folder" && go run .)
