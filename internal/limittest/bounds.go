package limittest

import (
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
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

// RequireBoundInAnyOrder asks the limiter at times that jump forwards, backwards and to the exact
// moments that it names itself, and checks the bound on what it granted.
func RequireBoundInAnyOrder(t testing.TB, l ratelimit.Limiter, step time.Duration, bound Bound) {
	random := rand.New(rand.NewPCG(1, 2))
	origin := l.Clock().Now()
	var grants []Grant
	now := origin
	for range 2000 {
		n := 1 + random.IntN(3)
		d := l.TakeAt(now, n)
		if d.OK {
			grants = append(grants, Grant{now, n})
		}
		switch random.IntN(8) {
		case 0:
			now = now.Add(-time.Duration(random.Int64N(int64(4 * step)))) // a stale reading
		case 1, 2:
			now = now.Add(time.Duration(random.Int64N(int64(2 * step))))
		case 3:
			now = origin.Add(time.Duration(random.Int64N(int64(100 * step))))
		case 4, 5, 6:
			if d.RetryAfter < time.Hour*24*365 {
				now = now.Add(d.RetryAfter - time.Duration(random.IntN(2)))
			}
		}
	}
	require.NotEmpty(t, grants)
	require.InDelta(t, 1, RequireBound(t, grants, bound), 0.5, "the trace came nowhere near the bound")
}

// IntervalBound is capacity + Events*ceil(length/Per).
func IntervalBound(rate ratelimit.Rate, capacity int) Bound {
	return func(length time.Duration) *big.Int {
		back := product(ceil(big.NewInt(int64(length)), big.NewInt(int64(rate.Per))), big.NewInt(int64(rate.Events)))
		return back.Add(back, big.NewInt(int64(capacity)))
	}
}
