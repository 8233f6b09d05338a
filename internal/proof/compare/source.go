package compare

import (
	"math"
	"time"

	"github.com/seed-3506548a/ratelimit"
)

// origins are the times that a clock may show when a limiter is made.
var origins = []time.Time{
	time.Unix(0, 0),
	time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC),
	time.Date(2026, 11, 22, 3, 30, 0, 123456789, time.UTC),
	time.Date(2157, 6, 1, 0, 0, 0, 1, time.UTC),
	time.Unix(-1, 999999999),
	{},
}

// extremes are times far from any origin.
var extremes = []time.Time{
	{},
	time.Unix(0, 0),
	time.Unix(1<<62, 0),
	time.Unix(-1<<62, 0),
	time.Date(9999, 12, 31, 23, 59, 59, 999999999, time.UTC),
	time.Date(1995, 7, 1, 0, 0, 1, 0, time.UTC),
}

// source turns bytes into choices; when they are used up, it chooses 0.
type source struct{ data []byte }

func (s *source) byte() byte {
	if len(s.data) == 0 {
		return 0
	}
	b := s.data[0]
	s.data = s.data[1:]
	return b
}

func (s *source) below(n int) int { return int(s.byte()) % n }

func (s *source) uint64() (x uint64) {
	for range 8 {
		x = x<<8 | uint64(s.byte())
	}
	return x
}

// rate returns one of the rates that have been trouble somewhere, or any.
func (s *source) rate() ratelimit.Rate {
	i := s.below(2 * len(rates))
	if i < len(rates) {
		return rates[i]
	}
	return ratelimit.Rate{
		Events: int(s.uint64() % (math.MaxInt32 + 1) >> s.below(31)),
		Per:    time.Duration(1 + s.uint64()>>1>>s.below(62)),
	}
}

var rates = []ratelimit.Rate{
	ratelimit.PerSecond(1),
	ratelimit.PerSecond(7),
	ratelimit.PerMinute(90),
	ratelimit.Per(1000, 5*time.Minute),
	ratelimit.PerHour(50),
	ratelimit.PerDay(600),
	ratelimit.PerDay(1),
	ratelimit.PerDay(1234567),
	ratelimit.PerSecond(12345),
	ratelimit.PerSecond(44100),
	ratelimit.PerSecond(1_500_000),
	ratelimit.PerSecond(600_000_000),
	ratelimit.PerSecond(999_999_937),
	ratelimit.PerSecond(1_000_000_007),
	ratelimit.PerSecond(math.MaxInt32),
	ratelimit.Per(math.MaxInt32, time.Nanosecond),
	ratelimit.Per(3, 2*time.Nanosecond),
	ratelimit.Every(time.Nanosecond),
	ratelimit.Every(math.MaxInt64),
	ratelimit.Every(1 << 61),
	ratelimit.PerSecond(0),
}

// size returns a burst or capacity.
func (s *source) size() int {
	sizes := []int{1, 2, 3, 10, 40, 1000, 1234567, math.MaxInt32}
	i := s.below(2 * len(sizes))
	if i < len(sizes) {
		return sizes[i]
	}
	return 1 + int(s.uint64()%math.MaxInt32>>s.below(31))
}
