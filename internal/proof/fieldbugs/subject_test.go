package fieldbugs_test

import (
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/proof/bounds"
	"github.com/seed-3506548a/ratelimit/limittest"
)

const ms = time.Millisecond

// subject is a limiter under test. Its clock shows the origin until it is set.
type subject struct {
	ratelimit.Limiter
	row    limiter
	rate   ratelimit.Rate
	size   int
	origin time.Time
	clock  *limittest.Clock
	bound  bounds.Bound
	turn   bool
}

func newSubject(t *testing.T, row limiter, origin time.Time, rate ratelimit.Rate, size int) *subject {
	t.Helper()
	clock := limittest.NewClock(origin)
	l, err := row.build(rate, size, clock)
	require.NoError(t, err)
	s := &subject{Limiter: l, row: row, rate: rate, size: size, origin: origin, clock: clock}
	if rate.Events > 0 {
		s.bound = row.bound(rate, size)
	}
	return s
}

// again returns the same limiter, made anew.
func (s *subject) again(t *testing.T) *subject {
	t.Helper()
	return newSubject(t, s.row, s.origin, s.rate, s.size)
}

func (s *subject) at(after time.Duration) time.Time { return s.origin.Add(after) }

// take asks for n events as of a time after the origin. A single event is asked for by TakeAt and
// by Allow in turn, since Allow has code of its own.
func (s *subject) take(after time.Duration, n int) bool {
	s.turn = !s.turn
	byClock := n == 1 && !s.turn
	if byClock || s.keyed() {
		defer s.clock.Set(s.clock.Now())
		s.clock.Set(s.at(after))
	}
	if byClock {
		return s.Allow()
	}
	return s.TakeAt(s.at(after), n).OK
}

// state returns the state of the limiter as of a time after the origin.
func (s *subject) state(after time.Duration) ratelimit.Decision {
	if s.keyed() {
		defer s.clock.Set(s.clock.Now())
		s.clock.Set(s.at(after))
	}
	return s.PeekAt(s.at(after), 0)
}

// keyed reports whether the limiter is in a table, which refuses times far ahead of its clock.
func (s *subject) keyed() bool { return strings.HasPrefix(s.row.name, "keyed ") }

// atOnce takes single events until one is refused, at most a few bursts of them, and returns how
// many were granted.
func (s *subject) atOnce(after time.Duration) (granted int) {
	for granted < 3*s.size+10 && s.take(after, 1) {
		granted++
	}
	return granted
}

// flood asks for one event each step from the origin to a time after it, and returns how many were
// granted.
func (s *subject) flood(over, step time.Duration) (granted int) {
	for after := time.Duration(0); after <= over; after += step {
		if s.take(after, 1) {
			granted++
		}
	}
	return granted
}

// withinBound fails if more events were granted than the limiter may grant in a closed interval of
// that length.
func (s *subject) withinBound(t *testing.T, granted int, length time.Duration) {
	t.Helper()
	require.LessOrEqual(t, big.NewInt(int64(granted)).Cmp(s.bound(length)), 0,
		"%d granted in %v, at most %v may be", granted, length, s.bound(length))
}

// atTheRate fails if a flood was granted more than the bound, or less than nine tenths of the rate:
// a counter withholds an eleventh.
func (s *subject) atTheRate(t *testing.T, granted int, over time.Duration) {
	t.Helper()
	s.withinBound(t, granted, over)
	due := float64(s.rate.Events) * over.Seconds() / s.rate.Per.Seconds()
	require.GreaterOrEqual(t, float64(granted), 0.9*due)
}

// exactWait fails if a refusal's RetryAfter is not the first nanosecond at which the same request
// is granted, and returns it.
func (s *subject) exactWait(t *testing.T, after time.Duration, n int) time.Duration {
	t.Helper()
	d := s.PeekAt(s.at(after), n)
	require.False(t, d.OK)
	require.Positive(t, d.RetryAfter)
	require.NotEqual(t, ratelimit.Never, d.RetryAfter)
	require.False(t, s.PeekAt(s.at(after+d.RetryAfter-1), n).OK, "a nanosecond earlier than told")
	require.True(t, s.PeekAt(s.at(after+d.RetryAfter), n).OK, "when told")
	return d.RetryAfter
}

// change sets another rate and burst. A window keeps its length and gets another limit.
func (s *subject) change(after time.Duration, rate ratelimit.Rate, size int) error {
	switch l := s.Limiter.(type) {
	case interface {
		SetRateAt(time.Time, ratelimit.Rate, int) error
	}:
		return l.SetRateAt(s.at(after), rate, size)
	case interface {
		Rate() ratelimit.Rate
		SetRateAt(time.Time, ratelimit.Rate) error
	}:
		return l.SetRateAt(s.at(after), ratelimit.Per(size, l.Rate().Per))
	}
	panic("no way to change it")
}

// reserve charges n events that may be acted on within a day.
func (s *subject) reserve(t *testing.T, after time.Duration, n int) ratelimit.Reservation {
	t.Helper()
	r, d := s.Limiter.(ratelimit.Reserver).ReserveAt(s.at(after), n, 24*time.Hour)
	require.True(t, d.OK)
	return r
}
