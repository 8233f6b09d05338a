package model

import (
	"math/big"
	"slices"
	"time"

	"github.com/seed-3506548a/ratelimit"
)

// Counter is the model of slidingwindow.NewCounter: a list of how many events were granted, each
// with the bucket in which it is counted.
type Counter struct {
	rate           ratelimit.Rate
	buckets, width *big.Int

	counted []counted // oldest first
	newest  *big.Int  // the newest bucket; nil: nothing was ever granted

	changed *big.Int // the bucket of the last change of rate; nil: it never changed
	settled *big.Int // what is counted no later than in this bucket is not given back; nil: nothing
}

type counted struct {
	bucket *big.Int
	n      int
}

// NewCounter returns the model for valid arguments.
func NewCounter(rate ratelimit.Rate, buckets int) *Counter {
	b := big.NewInt(int64(buckets))
	return &Counter{rate: rate, buckets: b, width: ceil(big.NewInt(int64(rate.Per)), b)}
}

// bucket returns the bucket of an offset.
func (m *Counter) bucket(off *big.Int) *big.Int {
	q, _ := new(big.Int).DivMod(off, m.width, new(big.Int)) // rounds down
	return q
}

// used returns how much of the limit is used up in a bucket.
func (m *Counter) used(bucket *big.Int) (sum int) {
	for _, c := range m.counted {
		if minus(bucket, c.bucket).Cmp(m.buckets) <= 0 {
			sum += c.n
		}
	}
	return sum
}

// late reports whether nothing is granted in a bucket any more.
func (m *Counter) late(bucket *big.Int) bool {
	return m.newest != nil && minus(m.newest, bucket).Cmp(m.buckets) > 0 ||
		m.changed != nil && bucket.Cmp(m.changed) < 0
}

// when returns how long after off no more than left is used.
func (m *Counter) when(off *big.Int, left int) time.Duration {
	fits := func(bucket *big.Int) bool { return !m.late(bucket) && m.used(bucket) <= left }
	now := m.bucket(off)
	if m.newest == nil || fits(now) {
		return 0
	}
	candidates := []*big.Int{minus(m.newest, m.buckets)} // where something changes
	if m.changed != nil {
		candidates = append(candidates, m.changed)
	}
	for _, c := range m.counted {
		candidates = append(candidates, new(big.Int).Add(new(big.Int).Add(c.bucket, m.buckets), one))
	}
	slices.SortFunc(candidates, (*big.Int).Cmp)
	for _, bucket := range candidates {
		if bucket.Cmp(now) <= 0 || !fits(bucket) {
			continue
		}
		if fits(minus(bucket, one)) {
			panic("the model contradicts itself")
		}
		at := product(bucket, m.width)
		if at.Cmp(top) > 0 {
			return ratelimit.Never
		}
		return time.Duration(minus(at, off).Int64())
	}
	panic("the model never has room")
}

// Clone implements [Limiter].
func (m *Counter) Clone() Limiter {
	c := *m // its numbers are replaced, never changed
	c.counted = slices.Clone(m.counted)
	return &c
}

// Take implements [Limiter].
func (m *Counter) Take(off *big.Int, n int) ratelimit.Decision {
	off = clamp(off)
	d := ratelimit.Decision{Limit: m.rate.Events}
	bucket := m.bucket(off)
	switch {
	case n == 0:
		d.OK = true
	case n < 0 || n > m.rate.Events:
		d.RetryAfter = ratelimit.Never
	case !m.late(bucket) && m.used(bucket)+n <= m.rate.Events:
		d.OK = true
		m.charge(bucket, n)
	default:
		d.RetryAfter = m.when(off, m.rate.Events-n)
	}
	if !m.late(bucket) {
		d.Remaining = max(0, m.rate.Events-m.used(bucket))
	}
	d.ResetAfter = m.when(off, 0)
	return d
}

// charge counts n events in the bucket, or in the newest if that is later.
func (m *Counter) charge(bucket *big.Int, n int) {
	if m.newest != nil {
		bucket = latest(bucket, m.newest)
	}
	m.newest = bucket
	m.counted = slices.DeleteFunc(slices.Clone(m.counted), func(c counted) bool {
		return minus(bucket, c.bucket).Cmp(product(m.buckets, big.NewInt(2))) > 0 // even for the latest of callers
	})
	m.counted = append(m.counted, counted{bucket, n})
}

// Peek implements [Limiter].
func (m *Counter) Peek(off *big.Int, n int) ratelimit.Decision {
	old := *m
	d := m.Take(off, n)
	*m = old
	return d
}

// Refund implements [Limiter]: in the newest bucket only, while that counts.
func (m *Counter) Refund(off, now *big.Int, n int, held time.Duration) {
	granted := minus(clamp(off), big.NewInt(int64(held)))
	if m.newest == nil || n < 1 || held < 0 || granted.Cmp(bottom) < 0 {
		return
	}
	bucket := m.bucket(granted)
	if minus(m.bucket(latest(clamp(off), clamp(now))), m.newest).Cmp(m.buckets) > 0 {
		return
	}
	if bucket.Cmp(m.newest) < 0 || m.settled != nil && m.newest.Cmp(m.settled) <= 0 || n > m.rate.Events {
		return
	}
	there := 0
	for _, c := range m.counted {
		if c.bucket.Cmp(m.newest) == 0 {
			there += c.n
		}
	}
	m.counted = append(slices.Clone(m.counted), counted{m.newest, -min(n, there)})
}

// Charge implements [Limiter]: so many events of buckets+1 buckets are counted as the greatest
// limit has.
func (m *Counter) Charge(off *big.Int, n int) ratelimit.Decision {
	bucket := m.bucket(clamp(off))
	if m.newest != nil {
		bucket = latest(bucket, m.newest)
	}
	twice := product(m.buckets, big.NewInt(2))
	most := int(power(uint(60-twice.BitLen())/2).Int64()) - 1
	if charged := min(n, max(0, most-m.used(bucket))); charged > 0 {
		m.charge(bucket, charged)
	}
	return standing(m, off, n)
}

// SetRate implements [Limiter]; the size is the number of events, unless that is 0.
func (m *Counter) SetRate(off, _ *big.Int, rate ratelimit.Rate, size int) {
	rate = WithSize(rate, size)
	if m.rate == rate {
		return
	}
	m.rate = rate
	if m.newest != nil {
		bucket := m.bucket(clamp(off))
		m.newest = latest(bucket, m.newest)
		m.settled = m.newest
		if m.changed != nil {
			bucket = latest(bucket, m.changed)
		}
		m.changed = bucket
	}
}
