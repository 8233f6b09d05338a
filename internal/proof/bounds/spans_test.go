package bounds

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
)

// The clever ways to check a bound are compared with the definition.
func TestBoundsAreCheckedOverAllIntervals(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		grants := make([]Span, 1+random.IntN(12))
		for i := range grants {
			lo := random.Int64N(100)
			grants[i] = Span{lo, lo + random.Int64N(20)*random.Int64N(2), 1 + random.Int64N(3)}
		}
		events, per, length := 1+random.Int64N(5), 1+random.Int64N(30), random.Int64N(50)
		excess, within, aligned := int64(math.MinInt64), int64(0), int64(0)
		for _, first := range grants {
			for _, last := range grants {
				sum := int64(0)
				for _, g := range grants {
					if g.Lo >= first.Lo && g.Hi <= last.Hi {
						sum += g.N
					}
				}
				if sum > 0 {
					excess = max(excess, sum*per-(last.Hi-first.Lo)*events)
				}
				if last.Hi-first.Lo <= length {
					within = max(within, sum)
				}
				if length > 0 && first.Lo/length == last.Hi/length {
					aligned = max(aligned, sum)
				}
			}
		}
		require.Equal(t, excess, bucketExcess(grants, events, per))
		starts, ends := byTime(grants)
		require.Equal(t, within, mostWithin(starts, ends, length))
		if length > 0 {
			require.Equal(t, aligned, mostAligned(grants, length))
		}
	}
}

// A share of 1 is the bound itself, and one event more exceeds it.
func TestShares(t *testing.T) {
	second := int64(time.Second)
	rate := ratelimit.PerSecond(2)
	for name, row := range map[string]struct {
		share Share
		full  []Span
	}{
		"bucket":   {BucketShare(rate, 3), []Span{{0, 0, 3}, {second, second, 2}}},
		"sliding":  {SlidingShare(rate), []Span{{0, 0, 2}, {second, second, 2}}},
		"interval": {IntervalShare(rate, 3), []Span{{second / 2, second / 2, 3}, {second, second, 2}}},
		"aligned":  {AlignedShare(rate), []Span{{0, second - 1, 2}, {second, second, 2}}},
	} {
		require.InDelta(t, 1.0, row.share(row.full), 1e-12, name)
		row.full[1].N++
		require.Greater(t, row.share(row.full), 1.01, name)
		row.full[1].Lo -= 2 * second // it may have been granted long before
		require.LessOrEqual(t, row.share(row.full), 1.0, name)
	}
}
