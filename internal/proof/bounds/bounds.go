// Package bounds computes the most that limiters may grant in an interval of any length, and checks
// what was granted against it. Only tests use it.
package bounds

import (
	"math"
	"math/big"
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

// Int is the bound as [limittest.TestBound] takes it.
func (b Bound) Int(length time.Duration) int {
	if most := b(length); most.IsInt64() && most.Int64() < math.MaxInt {
		return int(most.Int64())
	}
	return math.MaxInt
}

// Bucket is the bound burst + floor(length*rate).
func Bucket(rate ratelimit.Rate, burst int) Bound {
	return func(length time.Duration) *big.Int {
		drained := new(big.Int).Mul(big.NewInt(int64(length)), big.NewInt(int64(rate.Events)))
		drained.Quo(drained, big.NewInt(int64(rate.Per)))
		return drained.Add(drained, big.NewInt(int64(burst)))
	}
}

// Interval is the bound capacity + Events*ceil(length/Per).
func Interval(rate ratelimit.Rate, capacity int) Bound {
	return func(length time.Duration) *big.Int {
		refills, part := new(big.Int).DivMod(big.NewInt(int64(length)), big.NewInt(int64(rate.Per)), new(big.Int))
		if part.Sign() > 0 {
			refills.Add(refills, big.NewInt(1))
		}
		refills.Mul(refills, big.NewInt(int64(rate.Events)))
		return refills.Add(refills, big.NewInt(int64(capacity)))
	}
}

// Require checks the bound on every closed interval between two grants, and returns the greatest
// share of the bound that was used in one: above 0 and up to 1.
func Require(t testing.TB, grants []Grant, bound Bound) float64 {
	t.Helper()
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
