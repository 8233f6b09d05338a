package slidingwindow

import (
	"fmt"
	"math"
	"math/bits"
	"time"

	"github.com/seed-3506548a/ratelimit"
)

// counterSpec is a limit, and a window cut into buckets. It is immutable.
//
// Bucket i begins at offset i*width. n events fit in it if
//
//	(events counted in bucket i-buckets and later ones) + n <= limit
//
// These buckets cover every window of length rate.Per that ends in bucket i.
type counterSpec struct {
	rate    ratelimit.Rate
	limit   int64 // rate.Events
	buckets int64 // that a window is cut into
	width   int64 // nanoseconds of a bucket, ceil(rate.Per/buckets)

	// changed is the bucket of the last change of rate: nothing is granted before it. Grants in
	// buckets up to settled give nothing back. Both are before all buckets if nothing was granted
	// before the change.
	changed, settled int64
}

// checkCounter is the constructor's check of its arguments.
func checkCounter(fn string, rate ratelimit.Rate, buckets int) error {
	refuse := func(field string, value any, want string) error {
		return &ratelimit.ArgumentError{Func: fn, Field: field, Value: value, Want: want}
	}
	switch {
	case rate.Per <= 0:
		return refuse("rate.Per", rate.Per, "more than 0s")
	case rate.Per > 1<<58:
		return refuse("rate.Per", rate.Per, "at most 2^58 ns (9 years)")
	case buckets < 1 || buckets > math.MaxUint16:
		return refuse("buckets", buckets, "1 to 65535")
	case time.Duration(buckets) > rate.Per:
		return refuse("buckets", buckets, fmt.Sprintf("at most %d, the nanoseconds in rate.Per", rate.Per.Nanoseconds()))
	}
	if most := mostCounted(buckets); rate.Events < 0 || rate.Events > most {
		return refuse("rate.Events", rate.Events, fmt.Sprintf("0 to %d with %d buckets", most, buckets))
	}
	return nil
}

// mostCounted returns how many events can be counted in buckets+1 buckets in a row, so that the
// word can still count to four times as many buckets as the ring has.
func mostCounted(buckets int) int { return 1<<((60-bits.Len(uint(2*buckets)))/2) - 1 }

// newCounterSpec returns the spec for checked arguments.
func newCounterSpec(rate ratelimit.Rate, buckets int64) *counterSpec {
	return &counterSpec{
		rate:    rate,
		limit:   int64(rate.Events),
		buckets: buckets,
		width:   (int64(rate.Per) + buckets - 1) / buckets,
		changed: math.MinInt64,
		settled: math.MinInt64,
	}
}

// ringSize returns the power of two above 2*buckets.
func ringSize(buckets int64) int64 { return 1 << bits.Len64(uint64(2*buckets)) }

// earliest returns the first bucket in which anything can be granted.
func (s *counterSpec) earliest(st counterState) int64 {
	return max(st.bucket-s.buckets, s.changed)
}
