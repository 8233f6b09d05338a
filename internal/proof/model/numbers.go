package model

import (
	"math/big"
	"time"

	"github.com/seed-3506548a/ratelimit"
)

func power(n uint) *big.Int { return new(big.Int).Lsh(big.NewInt(1), n) }

func product(a, b *big.Int) *big.Int { return new(big.Int).Mul(a, b) }

// ceil returns a/b rounded up, for b > 0.
func ceil(a, b *big.Int) *big.Int {
	q, r := new(big.Int).DivMod(a, b, new(big.Int)) // Euclidean: r >= 0
	if r.Sign() > 0 {
		q.Add(q, one)
	}
	return q
}

func minus(a, b *big.Int) *big.Int { return new(big.Int).Sub(a, b) }

func least(a, b *big.Int) *big.Int {
	if a.Cmp(b) < 0 {
		return a
	}
	return b
}

func latest(first *big.Int, others ...*big.Int) *big.Int {
	for _, x := range others {
		if x.Cmp(first) > 0 {
			first = x
		}
	}
	return first
}

func clamp(off *big.Int) *big.Int {
	switch {
	case off.Cmp(bottom) < 0:
		return bottom
	case off.Cmp(top) > 0:
		return top
	}
	return off
}

// Offset returns t-origin in nanoseconds, of any size.
func Offset(origin, t time.Time) *big.Int {
	nanos := big.NewInt(t.Unix() - origin.Unix())
	nanos.Mul(nanos, big.NewInt(int64(time.Second)))
	return nanos.Add(nanos, big.NewInt(int64(t.Nanosecond()-origin.Nanosecond())))
}

// WithSize returns the rate with size as its number of events, unless that is 0.
func WithSize(rate ratelimit.Rate, size int) ratelimit.Rate {
	if rate.Events == 0 {
		return rate
	}
	return ratelimit.Per(size, rate.Per)
}
