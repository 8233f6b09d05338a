package bench_test

import (
	"encoding/csv"
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/benbjohnson/clock"
	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
)

var update = flag.Bool("update", false, "write the files that tests compare with")

// atEdge asks a limiter of 10 a second at the edge of a window: once at 0 s, which opens one, and
// from 0.9 s on every 10 ms. It returns when that grants, in milliseconds.
func atEdge(tb testing.TB, limiter int) (grants []int) {
	l, err := limiters[limiter].build(10, time.Second, ratelimit.WithClock(clock.NewMock()))
	require.NoError(tb, err)
	for ms := 0; ms < 2500; ms += 10 {
		if (ms == 0 || ms >= 900) && l.TakeAt(time.UnixMilli(int64(ms)), 1).OK {
			grants = append(grants, ms)
		}
	}
	return grants
}

// worstSecond returns the most that is granted in any window of a second.
func worstSecond(grants []int) (most int) {
	for i := range grants {
		for j := i; j < len(grants) && grants[j]-grants[i] < 1000; j++ {
			most = max(most, j-i+1)
		}
	}
	return most
}

// TestEdge computes what docs/edge.svg shows: when each limiter granted. At the edge between two
// windows some grant up to twice the limit within a second; how many is in docs/choosing.md.
func TestEdge(t *testing.T) {
	most := map[string]int{}
	var table strings.Builder
	w := csv.NewWriter(&table)
	for i, limiter := range limiters {
		if limiter.name == "gcra-striped" {
			continue // it is the same as gcra there
		}
		grants := atEdge(t, i)
		most[limiter.name] = worstSecond(grants)
		for _, ms := range grants {
			require.NoError(t, w.Write([]string{limiter.name, strconv.Itoa(ms), strconv.Itoa(most[limiter.name])}))
		}
	}
	w.Flush()
	require.Equal(t, map[string]int{
		"gcra":                  19,
		"tokenbucket":           19,
		"tokenbucket-interval":  19,
		"fixedwindow-anchored":  19,
		"fixedwindow-aligned":   19,
		"slidingwindow-counter": 10,
		"slidingwindow-log":     10,
	}, most)

	const path = "../docs/edge.csv"
	written := fmt.Sprintf("limiter,granted at ms,most in any second\n%s", table.String())
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(written), 0o644))
	}
	stored, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(stored), written, "make pictures brings docs/edge.csv and docs/edge.svg up to date")
}
