package redislimit_test

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/redislimit"
)

const day = 24 * time.Hour

// lender is an engine of limits of one event a day that says what is owed as it is told, and keeps
// how many events it was asked for.
type lender struct {
	redislimit.Engine
	mutex sync.Mutex
	asked []int
	owed  time.Duration
	fault error
	hold  chan struct{} // if it is not nil, Take is answered when it is closed
}

func (l *lender) Run(_ context.Context, _ *redislimit.Script, _, args []string) ([]int64, error) {
	if len(args) == 0 {
		return []int64{1}, nil // of Reset
	}
	l.mutex.Lock()
	cost, err := strconv.ParseInt(args[3], 10, 64) // see take.lua
	l.asked = append(l.asked, int(cost/day.Microseconds()))
	reply, hold := []int64{t0.UnixMicro(), l.owed.Microseconds(), 0}, l.hold
	if err == nil {
		err = l.fault
	}
	l.mutex.Unlock()
	if hold != nil {
		<-hold
	}
	return reply, err
}

// lease runs f in a bubble, with a node that may hold 10 events and is granted a burst of 100.
func lease(t *testing.T, f func(t *testing.T, l *lender, limit *redislimit.GCRA)) {
	synctest.Test(t, func(t *testing.T) {
		l := new(lender)
		f(t, l, ratelimit.Must(redislimit.NewGCRA(l, "test", ratelimit.PerDay(1), 110, redislimit.Lease(1, 10))))
		synctest.Wait()
	})
}

// take takes n events, and waits until what was ordered has come.
func (l *lender) take(t *testing.T, limit *redislimit.GCRA, n int) (d ratelimit.Decision, asked []int) {
	d, err := limit.Take(t.Context(), "k", n)
	if l.fault == nil {
		require.NoError(t, err)
	}
	synctest.Wait()
	asked, l.asked = l.asked, nil
	return d, asked
}

// A node fills up its chunk when half of it is left, and not before. What comes is added to what is
// left.
func TestALeaseIsFilledUp(t *testing.T) {
	lease(t, func(t *testing.T, l *lender, limit *redislimit.GCRA) {
		_, asked := l.take(t, limit, 1)
		require.Equal(t, []int{10}, asked)
		for i := range 14 {
			d, more := l.take(t, limit, 1)
			require.True(t, d.OK)
			if i%5 == 3 { // 5 are left
				require.Equal(t, []int{5}, more)
			} else {
				require.Empty(t, more)
			}
		}
		d, asked := l.take(t, limit, 7) // of 10
		require.True(t, d.OK)
		require.Equal(t, []int{7}, asked)
		l.fault = errors.New("gone")
		held := 0
		for range 20 {
			d, _ := l.take(t, limit, 1)
			if d.OK {
				held++
			}
		}
		require.Equal(t, 10, held)
	})
}

// A look at what is held is answered without the engine, as a request is, and takes nothing.
func TestALookAtALease(t *testing.T) {
	lease(t, func(t *testing.T, l *lender, limit *redislimit.GCRA) {
		l.take(t, limit, 1)
		l.owed = 100 * day // all that is left is held
		for n, held := range map[int]bool{-1: false, 0: false, 1: true, 9: true, 10: false, 101: false} {
			d, err := limit.Peek(t.Context(), "k", n)
			require.NoError(t, err)
			require.Equal(t, held || n == 0, d.OK, "%d", n)
			if n < 10 { // a refusal of more may be remembered
				require.Equal(t, held, len(l.asked) == 0, "%d", n)
			}
			l.asked = nil
		}
		all := ratelimit.Must(ratelimit.All(ratelimit.Unlimited(), limit.Limiter("k", redislimit.FailClosed)))
		for range 8 {
			want := all.PeekAt(t0, 1)
			require.Equal(t, want, all.Take(1))
		}
		require.True(t, all.PeekAt(t0, 1).OK)
		d, err := limit.Peek(t.Context(), "another key", 1)
		require.NoError(t, err)
		require.Equal(t, 100, d.Limit, "which the engine says")
		require.NoError(t, limit.SetRate(ratelimit.PerDay(1), 109)) // what was held is granted no more
		require.False(t, all.PeekAt(t0, 1).OK)
		require.False(t, all.Allow())
	})
}

// What remains is told as it will be after the request.
func TestALookAtTheLastLease(t *testing.T) {
	lease(t, func(t *testing.T, l *lender, limit *redislimit.GCRA) {
		l.owed = 90 * day
		d, _ := l.take(t, limit, 1)
		require.True(t, d.OK)
		d, err := limit.Peek(t.Context(), "k", 4)
		require.NoError(t, err)
		require.Equal(t, 5, d.Remaining)
		d, _ = l.take(t, limit, 4)
		require.Equal(t, 5, d.Remaining)
	})
}

// A request for a whole chunk is granted from it. One for more asks the engine.
func TestALeaseOfAWholeChunk(t *testing.T) {
	lease(t, func(t *testing.T, l *lender, limit *redislimit.GCRA) {
		d, asked := l.take(t, limit, 10)
		require.True(t, d.OK)
		require.Equal(t, []int{10, 10}, asked)
		d, asked = l.take(t, limit, 11)
		require.Equal(t, ratelimit.Decision{OK: true, Limit: 100, Remaining: 89, ResetAfter: 11 * day}, d)
		require.Equal(t, []int{11}, asked)
		d, asked = l.take(t, limit, 10)
		require.True(t, d.OK)
		require.Equal(t, []int{10}, asked, "it was held")
	})
}

// A grant of what is held says what remained by the engine's last answer, or what is held if that
// is more; and how long it took from then until nothing is owed, less the time since.
func TestDecisionsOfALease(t *testing.T) {
	lease(t, func(t *testing.T, l *lender, limit *redislimit.GCRA) {
		want := ratelimit.Decision{OK: true, Limit: 100, Remaining: 90, ResetAfter: 10 * day}
		d, _ := l.take(t, limit, 1)
		require.Equal(t, want, d)
		time.Sleep(time.Hour) // in the bubble's time
		want.ResetAfter -= time.Hour
		d, _ = l.take(t, limit, 1)
		require.Equal(t, want, d)
		time.Sleep(10*day - time.Hour)
		want.ResetAfter = 0
		d, _ = l.take(t, limit, 1)
		require.Equal(t, want, d)
		time.Sleep(day)
		l.owed = 95 * day // with the next 5, the burst is used up
		for range 2 {
			d, _ = l.take(t, limit, 1)
			require.Equal(t, want, d)
		}
		for _, left := range []int{9, 8, 7} {
			d, _ = l.take(t, limit, 1)
			require.Equal(t, ratelimit.Decision{OK: true, Limit: 100, Remaining: left, ResetAfter: 100 * day}, d)
		}
	})
}

// When the engine has not answered, nothing is taken ahead for 100 ms, and when it has refused, not
// until it could grant: requests ask for themselves.
func TestALeaseIsNotTriedAgainAtOnce(t *testing.T) {
	lease(t, func(t *testing.T, l *lender, limit *redislimit.GCRA) {
		l.fault = errors.New("gone")
		for range 3 {
			for i, asked := range [][]int{{10, 1}, {1}, {1}, {1}} {
				_, got := l.take(t, limit, 1)
				require.Equal(t, asked, got, "%d", i)
				time.Sleep([]time.Duration{0, 50 * time.Millisecond, 49_999_999, 1}[i]) // in the bubble's time
			}
		}
		l.fault, l.owed = nil, 100*day
		d, asked := l.take(t, limit, 1)
		require.Equal(t, []int{10}, asked, "that refuses one, too")
		require.Equal(t, ratelimit.Decision{Limit: 100, RetryAfter: day, ResetAfter: 100 * day}, d)
		time.Sleep(day)
		l.owed = 0
		d, asked = l.take(t, limit, 1)
		require.True(t, d.OK)
		require.Equal(t, []int{1}, asked)
		time.Sleep(9*day - 1)
		_, asked = l.take(t, limit, 1)
		require.Equal(t, []int{1}, asked)
		time.Sleep(time.Nanosecond) // in the bubble's time
		_, asked = l.take(t, limit, 1)
		require.Equal(t, []int{10}, asked)
	})
}

// Reset drops what is held of the key. A request that waits meanwhile asks for itself.
func TestResetDropsALease(t *testing.T) {
	lease(t, func(t *testing.T, l *lender, limit *redislimit.GCRA) {
		_, asked := l.take(t, limit, 1)
		require.Equal(t, []int{10}, asked)
		_, asked = l.take(t, limit, 1)
		require.Empty(t, asked)
		require.NoError(t, limit.Reset(t.Context(), "k"))
		l.hold = make(chan struct{})
		done := make(chan []int)
		go func() {
			_, _ = limit.Take(t.Context(), "k", 1)
			l.mutex.Lock()
			defer l.mutex.Unlock()
			done <- l.asked
		}()
		synctest.Wait()
		require.NoError(t, limit.Reset(t.Context(), "k"))
		close(l.hold)
		require.Equal(t, []int{10, 1}, <-done)
	})
}

// A node holds events of at most 16,384 keys. What it holds of another is dropped for a new one.
func TestLeasesOfManyKeys(t *testing.T) {
	lease(t, func(t *testing.T, _ *lender, limit *redislimit.GCRA) {
		for i := range 1<<14 + 100 {
			_, err := limit.Take(t.Context(), strconv.Itoa(i), 1)
			require.NoError(t, err)
			require.Equal(t, min(i+1, 1<<14), limit.Leased())
		}
	})
}

// With Lease, nothing is given back, as what is held was granted to the node.
func TestALeaseGivesNothingBack(t *testing.T) {
	for _, chunk := range []int{1, 10} {
		m := newMini(t)
		limit := ratelimit.Must(redislimit.NewGCRA(m, "test", ratelimit.PerDay(1), 100, redislimit.Lease(1, chunk)))
		trips := m.trips
		require.NoError(t, limit.Refund(t.Context(), "k", 1, 0))
		require.Equal(t, trips, m.trips)
	}
}

// SetRate keeps what Lease withholds, and demands as much of the burst as NewGCRA does.
func TestSetRateOfALease(t *testing.T) {
	for _, row := range []struct{ nodes, chunk, least int }{{1, 1, 2}, {2, 5, 15}, {3, 4, 16}} {
		opt := redislimit.Lease(row.nodes, row.chunk)
		want := "burst is " + strconv.Itoa(row.least-1) + ", want " + strconv.Itoa(row.least) + " or more: a chunk for each node of Lease, and one more"
		_, err := redislimit.NewGCRA(newMini(t), "test", ratelimit.PerDay(1), row.least-1, opt)
		require.EqualError(t, err, "redislimit.NewGCRA: "+want)
		limit, err := redislimit.NewGCRA(newMini(t), "test", ratelimit.PerDay(1), row.least, opt)
		require.NoError(t, err)
		require.Equal(t, row.least, limit.Burst())
		require.NoError(t, limit.SetRate(ratelimit.PerDay(2), 40))
		require.EqualError(t, limit.SetRate(ratelimit.PerDay(3), row.least-1), "redislimit.GCRA.SetRate: "+want)
		require.Equal(t, ratelimit.PerDay(2), limit.Rate())
		require.Equal(t, 40, limit.Burst())
		d, err := limit.Peek(t.Context(), "k", 0)
		require.NoError(t, err)
		require.Equal(t, 40-row.nodes*row.chunk, d.Limit)
	}
}
