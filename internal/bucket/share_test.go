package bucket

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
)

// TestShare holds the table in docs/choosing.md: what a Striped of 16 stripes, as on 2 cores,
// grants of what a Bucket grants, in virtual time. Callers offer twice the rate for 2 s, or for
// 200 ms if that is dense. They come at random, or take turns of 200 us, which leaves leases
// behind.
func TestShare(t *testing.T) {
	var table strings.Builder
	for _, perSecond := range []int{1000, 100_000, 10_000_000} {
		for _, burst := range slices.Compact([]int{perSecond, perSecond / 100, 10}) {
			fmt.Fprintf(&table, "| %d | %d ", perSecond, burst)
			for _, turn := range []int64{0, 200_000} {
				least := 0.99
				if turn > 0 {
					least = 63.0 / 64
				}
				for _, callers := range []int{2, 64} {
					share := share(t, perSecond, burst, callers, turn)
					require.GreaterOrEqual(t, share, least)
					fmt.Fprintf(&table, "| %.4f ", share)
				}
			}
			table.WriteString("|\n")
		}
	}
	page, err := os.ReadFile("../../docs/choosing.md")
	require.NoError(t, err)
	if !strings.Contains(string(page), table.String()) { // testify would print the page
		t.Errorf("the table is\n%s", table.String())
	}
}

// share returns the share of grants, if callers take turns of so many nanoseconds, or none.
func share(t *testing.T, perSecond, burst, callers int, turn int64) float64 {
	h := newHot(t, perSecond, burst, 16)
	var plain Bucket
	require.NoError(t, plain.Init("f", "burst", h.Rate(), burst, nil))
	run := 2e9
	if perSecond > 1_000_000 {
		run = 2e8 // and a full burst is used up in half of it, too
	}
	if excess := burst - int(float64(perSecond)*run/2e9); excess > 0 {
		var d ratelimit.Decision
		h.core.take(&d, 0, excess, 0)
		plain.take(&d, 0, excess, 0)
	}
	random := rand.New(rand.NewPCG(1, uint64(callers)))
	granted, leased := 0, 0
	mean := 1e9 / float64(2*perSecond)
	for at := 0.0; at < run; at += random.ExpFloat64() * mean {
		caller := random.IntN(callers)
		if turn > 0 {
			caller = int(int64(at)/turn) % callers
		}
		if plain.allowAnywhere(int64(at)) {
			granted++
		}
		if h.allow(&h.stripes[caller%len(h.stripes)], int64(at)) {
			leased++
		}
	}
	return float64(leased) / float64(granted)
}
