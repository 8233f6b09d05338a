package limittest

import (
	"math"
	"math/big"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/limittest"
)

// Grant is a number of events granted at a time of the caller's.
type Grant struct {
	At time.Time
	N  int
}

// Bound returns the most that may be granted in a closed interval of the given length.
type Bound func(length time.Duration) *big.Int

// BucketBound is burst + floor(length*rate).
func BucketBound(rate ratelimit.Rate, burst int) Bound {
	return func(length time.Duration) *big.Int {
		drained := product(big.NewInt(int64(length)), big.NewInt(int64(rate.Events)))
		drained.Quo(drained, big.NewInt(int64(rate.Per)))
		return drained.Add(drained, big.NewInt(int64(burst)))
	}
}

// RequireBound checks the bound on every closed interval between two grants, and returns the
// greatest share of the bound that was used in one: above 0 and up to 1.
func RequireBound(t testing.TB, grants []Grant, bound Bound) float64 {
	grants = slices.Clone(grants)
	slices.SortFunc(grants, func(a, b Grant) int { return a.At.Compare(b.At) })
	worst := 0.0
	for i, first := range grants {
		sum := new(big.Int)
		for _, last := range grants[i:] {
			sum.Add(sum, big.NewInt(int64(last.N)))
			most := bound(last.At.Sub(first.At))
			if sum.Cmp(most) > 0 {
				require.Failf(t, "bound exceeded", "%v granted in [%v, %v], want at most %v", sum, first.At, last.At, most)
			}
			share, _ := new(big.Rat).SetFrac(sum, most).Float64()
			worst = max(worst, share)
		}
	}
	return worst
}

// RequireBoundInAnyOrder is [limittest.TestBound], for a limiter that there is.
func RequireBoundInAnyOrder(t testing.TB, l ratelimit.Limiter, step time.Duration, bound Bound) {
	build := func(...ratelimit.Option) (ratelimit.Limiter, error) { return l, nil }
	require.NoError(t, limittest.TestBound(build, step, func(length time.Duration) int {
		return int(least(bound(length), big.NewInt(math.MaxInt)).Int64())
	}))
}

// IntervalBound is capacity + Events*ceil(length/Per).
func IntervalBound(rate ratelimit.Rate, capacity int) Bound {
	return func(length time.Duration) *big.Int {
		back := product(ceil(big.NewInt(int64(length)), big.NewInt(int64(rate.Per))), big.NewInt(int64(rate.Events)))
		return back.Add(back, big.NewInt(int64(capacity)))
	}
}
