package httplimit

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
)

// standing is a clock that stands still.
type standing time.Time

func (c standing) Now() time.Time { return time.Time(c) }

// moving is a clock of timers that moves on by a nanosecond whenever it is asked, for so often.
type moving struct {
	now   time.Time
	moves int
	set   []time.Duration // the timers
}

func (c *moving) Now() time.Time {
	if c.moves > 0 {
		c.moves--
		c.now = c.now.Add(1)
	}
	return c.now
}

func (c *moving) After(d time.Duration) <-chan time.Time {
	c.set = append(c.set, d)
	over := make(chan time.Time, 1)
	over <- c.now
	return over
}

func (c *moving) Sleep(time.Duration) {}

// A wait takes as long as it is to the nanosecond, and a millisecond at least by a clock that is
// not the system's.
func TestSleepUntil(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &waiting{wake: make(chan struct{}, 1)}
		sleeps := func(ctx context.Context, clock ratelimit.Clock, d time.Duration) (time.Duration, error) {
			start := time.Now()
			err := w.sleepUntil(ctx, clock, clock.Now().Add(d))
			return time.Since(start), err
		}
		for d, want := range map[time.Duration][2]time.Duration{
			-1: {0, 0}, 0: {0, 0}, 1: {1, time.Millisecond}, time.Millisecond: {time.Millisecond, time.Millisecond}, time.Hour: {time.Hour, time.Hour},
			time.Millisecond + 1: {time.Millisecond + 1, time.Millisecond + 1},
		} {
			for i, clock := range []ratelimit.Clock{ratelimit.SystemClock{}, standing(at(0))} {
				slept, err := sleeps(t.Context(), clock, d)
				require.NoError(t, err)
				require.Equal(t, want[i], slept, "%v by clock %d", d, i)
			}
		}
		w.look()
		slept, err := sleeps(t.Context(), ratelimit.SystemClock{}, time.Hour)
		require.NoError(t, err)
		require.Zero(t, slept, "it was woken")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		slept, err = sleeps(ctx, ratelimit.SystemClock{}, time.Hour)
		require.Equal(t, context.DeadlineExceeded, err)
		require.Equal(t, time.Second, slept)
	})
}

// A timer of a clock that has moved meanwhile is set again, but not for ever.
func TestSleepUntilByTimers(t *testing.T) {
	for moves, want := range map[int][]time.Duration{0: {10}, 1: {9}, 2: {9, 8}, 3: {9, 7}, 4: {9, 7, 6}, 6: {9, 7, 5, 4}, 7: {9, 7, 5, 3}, 100: {9, 7, 5, 3}} {
		clock := &moving{now: at(0), moves: moves}
		w := &waiting{wake: make(chan struct{}, 1)}
		require.NoError(t, w.sleepUntil(t.Context(), clock, at(10)))
		require.Equal(t, want, clock.set, moves)
	}
	clock := &moving{now: at(0), moves: 100}
	require.NoError(t, new(waiting).sleepUntil(t.Context(), clock, at(3)))
	require.Equal(t, []time.Duration{2}, clock.set, "the time has come")
}

// Idle scopes are forgotten when there are too many, and then when there are twice as many as are
// in use; and hosts that no scope is of.
func TestForgetScopes(t *testing.T) {
	tr := new(Transport)
	use := func(name string, now time.Duration) *scope {
		return tr.scopeOf(name, httptest.NewRequest(http.MethodGet, "https://"+name+".example.com/", nil), at(now))
	}
	for i := range mostKept {
		use(strconv.Itoa(i), 0).barrier.pause(at(time.Duration(i)))
		require.Len(t, tr.scopes, i+1)
	}
	require.Len(t, tr.hosts, mostKept)
	first := use("0", mostKept/4)
	require.Same(t, first, use("0", mostKept/4), "it is known, so nothing is forgotten")
	use("host", mostKept/4).host.pause(at(time.Hour))
	const left = mostKept - mostKept/4 - 1
	require.Len(t, tr.scopes, left+1, "all that are paused beyond, and the new one")
	require.Len(t, tr.hosts, left+1)
	require.NotContains(t, tr.scopes, strconv.Itoa(mostKept/4))
	require.Contains(t, tr.scopes, strconv.Itoa(mostKept/4+1))

	for i := 0; len(tr.scopes) < 2*left; i++ {
		use("more-"+strconv.Itoa(i), time.Minute)
	}
	use("last", time.Minute)
	require.Len(t, tr.scopes, 1)
	require.Len(t, tr.hosts, 2, "that of a host which is paused is kept")
	require.Equal(t, 0, tr.sweepAt)
}
