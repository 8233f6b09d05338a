#!/usr/bin/env bash
# Measures all limiters and their peers in one run, writes docs/benchmarks.md and the table in README.md.
# Its argument is the benchstat to summarise with, as package@version.
set -euo pipefail
cd "$(dirname "$0")/.."
raw=$(mktemp)
trap 'rm -f "$raw"' EXIT

commit=$(git rev-parse --short HEAD)$(git diff --quiet HEAD || echo ' with changes')
machine="$(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -1), $(nproc) cores, $(uname -s) $(uname -m)"
go=$(go version | cut -d' ' -f3)
peers=$(awk '$1 ~ /\// && !/ratelimit|indirect/ { print $1, $2 }' bench/peers/go.mod | paste -sd, | sed 's/,/, /g')

measure=(go test -run '^$' -bench . -benchtime 0.3s -count 10)
{
	(cd bench/peers && "${measure[@]}" .)
	"${measure[@]}" ./bench
} > "$raw"
table=$(go run "$1" -filter '.unit:(sec/op OR p50-sec OR p99-sec OR p999-sec)' cost="$raw" |
	grep -v -e ^geomean -e ^cpu: -e ^goos -e ^goarch)
csv=$(go run "$1" -format csv -filter '.unit:sec/op' cost="$raw" 2> /dev/null)

cat > docs/benchmarks.md <<PAGE
# Benchmarks

Medians of 10 counts; ± is the 95 % confidence interval. Only ratios between rows of one table mean
anything on another machine. \`make peers\` measures again and rewrites this page.

- machine: $machine
- Go: $go; $peers
- commit: $commit
- command: \`${measure[*]}\`, in \`bench/peers\` and for \`./bench\`

The floor is what no limiter on a clock can do without: one \`time.Since\` to refuse, and one
compare-and-swap more to grant. In the rows named granted every request is granted, and in those named
refused none is; the benchmarks check it. In those named mixed, at 10000000 a second, a part is, which
depends on the machine: \`go test -bench mixed ./bench\` prints it. Rows named Parallel run on all cores,
where granted ones vary with who happens to hold the cache line; so does Latency, which is of single
calls, each with one more clock read in it: compare with limiter=none. The rows of TakeMany take n events
at once, and those of Compositions named members are a clock read and a TakeAt of each member. An op of Replay
is ten million events. Rows named Keyed are a decision for one of so many string keys, of which fetching the string is a
part.

![A decision for one of so many keys, in random order](keys.svg)

\`\`\`
$table
\`\`\`
PAGE

# What make pictures draws of the stores.
{
	echo "store,keys,ns"
	sed -nE 's|^Keyed/traffic=random/keys=([0-9]+)/limiter=([a-z-]+)-[0-9]+,([^,]+),.*|\2,\1,\3|p' <<< "$csv" | awk -F, '{ printf "%s,%s,%.0f\n", $1, $2, $3 * 1e9 }'
} > docs/keys.csv

# The README's table: the rows of bench/peers, by limiter.
numbers=$(awk -F, -v cores="$(nproc)" '
	/bench\/peers$/ { peers = 1 }
	peers && /^Allow.*limiter=/ {
		limiter = $1; sub(/.*limiter=/, "", limiter); sub(/\/.*/, "", limiter)
		column = ($1 ~ /Parallel/ ? "all" : "one") ($1 ~ /granted/ ? "granted" : "refused")
		if (!(limiter in seen)) { seen[limiter] = 1; order[++count] = limiter }
		ns[limiter, column] = sprintf("%.1f ± %s", $2 * 1e9, $3)
	}
	END {
		print "| ns per `Allow` | granted | refused | granted, on " cores " cores | refused, on " cores " cores |"
		print "|---|---|---|---|---|"
		for (i = 1; i <= count; i++) {
			l = order[i]
			print "| " l " | " ns[l, "onegranted"] " | " ns[l, "onerefused"] " | " ns[l, "allgranted"] " | " ns[l, "allrefused"] " |"
		}
	}' <<< "$csv")
awk -v numbers="$numbers" -v machine="$machine, $go." '
	/^<!-- numbers -->/ { print; print ""; print numbers; print ""; print machine; skip = 1 }
	/^<!-- end of numbers -->/ { skip = 0 }
	!skip
' README.md > README.md.new
mv README.md.new README.md
