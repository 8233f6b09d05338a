#!/usr/bin/env bash
# Measures all limiters and their peers in one run and prints the page docs/benchmarks.md.
# Its argument is the benchstat to summarise with, as package@version.
set -euo pipefail
cd "$(dirname "$0")/.."
raw=$(mktemp)
trap 'rm -f "$raw"' EXIT

command="go test -run '^\$' -bench . -benchtime 0.3s -count 10"
(cd bench/peers && go test -run '^$' -bench . -benchtime 0.3s -count 10 . && cd ../.. &&
	go test -run '^$' -bench . -benchtime 0.3s -count 10 ./bench) > "$raw"

cat <<PAGE
# Benchmarks

Medians of 10 counts; ± is the 95 % confidence interval. Only ratios between rows of one table mean
anything on another machine. \`make peers\` measures again and rewrites this page.

- machine: $(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -1), $(nproc) cores, $(uname -s) $(uname -m)
- Go: $(go version | cut -d' ' -f3), golang.org/x/time $(cd bench/peers && go list -m -f '{{.Version}}' golang.org/x/time)
- commit: $(git rev-parse --short HEAD)$(git diff --quiet HEAD || echo ' with changes')
- command: \`$command\`, in \`bench/peers\` and for \`./bench\`

The floor is what no limiter on a clock can do without: \`none-clock\` is one \`time.Since\`,
\`none-clock+cas\` that and one compare-and-swap. In the rows named granted every request is granted,
at 1000000000 a second, and in those named refused none is; the benchmarks check it.

\`\`\`
$(go run "$1" "$raw" | grep -v '^geomean' | grep -v '^cpu:')
\`\`\`
PAGE
