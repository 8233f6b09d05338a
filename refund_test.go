package ratelimit_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/fixedwindow"
	"github.com/seed-3506548a/ratelimit/gcra"
	"github.com/seed-3506548a/ratelimit/limittest"
	"github.com/seed-3506548a/ratelimit/slidingwindow"
	"github.com/seed-3506548a/ratelimit/tokenbucket"
)

// interrupted is a clock whose next reader does not go on before interrupt returns.
type interrupted struct {
	now       time.Time
	interrupt func()
}

func (c *interrupted) Now() time.Time {
	now := c.now
	if f := c.interrupt; f != nil {
		c.interrupt = nil
		f()
	}
	return now
}

// A refund reads the clock. Before it goes on, another event is given back, and one is granted
// later: the state is the same again, but not the time. Then at most as much is left as if neither
// of the two had been granted.
func TestRefundIsNotAsOfAnEarlierTimeIfTheStateComesBack(t *testing.T) {
	for name, build := range map[string]func(clock ratelimit.Option) (ratelimit.Limiter, error){
		"gcra": func(clock ratelimit.Option) (ratelimit.Limiter, error) {
			return gcra.New(ratelimit.PerSecond(1), 3, clock)
		},
		"gcra.Striped": func(clock ratelimit.Option) (ratelimit.Limiter, error) {
			return gcra.NewStriped(ratelimit.PerSecond(1), 3, clock)
		},
		"tokenbucket": func(clock ratelimit.Option) (ratelimit.Limiter, error) {
			return tokenbucket.New(ratelimit.PerSecond(1), 3, clock)
		},
		"tokenbucket.Interval": func(clock ratelimit.Option) (ratelimit.Limiter, error) {
			return tokenbucket.NewInterval(ratelimit.PerSecond(1), 3, clock)
		},
		"fixedwindow anchored": func(clock ratelimit.Option) (ratelimit.Limiter, error) {
			return fixedwindow.NewAnchored(ratelimit.PerSecond(3), clock)
		},
		"fixedwindow aligned": func(clock ratelimit.Option) (ratelimit.Limiter, error) {
			return fixedwindow.NewAligned(ratelimit.PerSecond(3), clock)
		},
		"slidingwindow.Log": func(clock ratelimit.Option) (ratelimit.Limiter, error) {
			return slidingwindow.NewLog(ratelimit.PerSecond(3), clock)
		},
		"slidingwindow.Counter": func(clock ratelimit.Option) (ratelimit.Limiter, error) {
			return slidingwindow.NewCounter(ratelimit.PerSecond(3), 2, clock)
		},
	} {
		t.Run(name, func(t *testing.T) {
			start := time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
			const half, later = 500 * time.Millisecond, 900 * time.Millisecond
			c := &interrupted{now: start}
			l := ratelimit.Must(build(ratelimit.WithClock(c)))
			without := ratelimit.Must(build(ratelimit.WithClock(c)))
			require.True(t, l.TakeAt(start, 1).OK)
			c.now = start.Add(half)
			require.True(t, l.TakeAt(c.now, 1).OK)
			c.interrupt = func() {
				l.RefundAt(c.now, 1, 0)
				c.now = start.Add(later)
				require.True(t, l.TakeAt(c.now, 1).OK)
				require.True(t, without.TakeAt(c.now, 1).OK)
			}
			l.RefundAt(start.Add(half), 1, half)
			require.Equal(t, start.Add(later), c.now, "interrupted")
			for ahead := time.Duration(0); ahead < 3*time.Second; ahead += 50 * time.Millisecond {
				at := c.now.Add(ahead)
				require.LessOrEqual(t, l.PeekAt(at, 0).Remaining, without.PeekAt(at, 0).Remaining, "%v later", ahead)
			}
		})
	}
}

// A composition gives nothing back for more events than it can grant at once, although a member
// could have granted them.
func TestAllRefundsNothingAboveItsLimit(t *testing.T) {
	clock := limittest.NewClock(t0)
	most := ratelimit.Must(gcra.New(ratelimit.PerSecond(1), 20, ratelimit.WithClock(clock)))
	least := ratelimit.Must(gcra.New(ratelimit.PerSecond(1), 4, ratelimit.WithClock(clock)))
	l := ratelimit.Must(ratelimit.All(most, least))
	require.True(t, l.Take(4).OK)
	l.RefundAt(t0, 5, 0)
	require.Equal(t, 16, most.Take(0).Remaining)
	l.RefundAt(t0, 4, 0)
	require.Equal(t, 20, most.Take(0).Remaining)
}
