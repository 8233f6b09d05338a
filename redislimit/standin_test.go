package redislimit_test

import (
	"context"
	"errors"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/gcra"
	"github.com/seed-3506548a/ratelimit/limittest"
	"github.com/seed-3506548a/ratelimit/redislimit"
)

// standIn is a limiter that grants everything and keeps what it was given back.
type standIn struct {
	ratelimit.Limiter
	back []int
}

func (s *standIn) TakeAt(time.Time, int) ratelimit.Decision { return ratelimit.Decision{OK: true} }

func (s *standIn) RefundAt(_ time.Time, n int, _ time.Duration) { s.back = append(s.back, n) }

// FailOpen grants what there can be, with the Decision of a limit of which nothing is used up. It
// refuses what there cannot be.
func TestDecisionsOfFailOpen(t *testing.T) {
	gone := engine{run: func(context.Context) ([]int64, error) { return nil, errors.New("gone") }}
	l := hundred(t, gone).Limiter("k", redislimit.FailOpen)
	granted := ratelimit.Decision{OK: true, Limit: 100, Remaining: 100, By: redislimit.Unreachable}
	refused := ratelimit.Decision{Limit: 100, RetryAfter: ratelimit.Never, ResetAfter: ratelimit.Never, By: redislimit.Unreachable}
	for n, want := range map[int]ratelimit.Decision{-1: refused, 0: granted, 1: granted, 99: granted, 100: granted, 101: refused} {
		require.Equal(t, want, l.Take(n), "%d", n)
		require.Equal(t, want, l.TakeAt(t0, n), "%d", n)
		require.Equal(t, want, l.PeekAt(t0, n), "%d", n)
		if n > 100 { // the Decision is about one more event
			want = granted
		}
		require.Equal(t, want, ratelimit.Charge(l, t0, n), "%d", n)
	}
	require.True(t, l.Allow())
	one := ratelimit.Must(redislimit.NewGCRA(gone, "one", ratelimit.PerDay(1), 1)).Limiter("k", redislimit.FailOpen)
	require.True(t, ratelimit.Charge(one, t0, 2).OK)
}

// A limit with a stand-in charges one event for Allow, as one without it does, and gives one back.
func TestOneEventWithAStandIn(t *testing.T) {
	limit := hundred(t, newMini(t))
	stand := new(standIn)
	for i, otherwise := range []redislimit.OnError{redislimit.FailClosed, redislimit.FailOpen, redislimit.FailTo(stand)} {
		l := limit.Limiter(strconv.Itoa(i), otherwise)
		require.True(t, l.Allow())
		require.Equal(t, 99, l.PeekAt(t0, 0).Remaining)
		require.True(t, l.Allow())
		l.RefundAt(t0, 1, 0)
		require.Equal(t, 99, l.PeekAt(t0, 0).Remaining)
	}
	require.Empty(t, stand.back, "it has granted nothing")
}

// What one stand-in has granted is not given back to another one, nor to the engine.
func TestRefundOfAnotherStandIn(t *testing.T) {
	o, clock := &outage{Engine: newMini(t)}, limittest.NewClock(t0)
	limit := hundred(t, o, redislimit.WithClock(clock))
	one, other := new(standIn), new(standIn)
	byOne, byOther := limit.Limiter("k", redislimit.FailTo(one)), limit.Limiter("k", redislimit.FailTo(other))
	o.down = true
	require.True(t, byOne.Take(3).OK)
	o.down = false
	byOther.RefundAt(t0, 1, 0)
	require.Empty(t, other.back)
	byOne.RefundAt(t0, 1, 0)
	byOne.RefundAt(t0, 3, 0)
	require.Equal(t, []int{1, 2}, one.back)

	// A count ends when another stand-in grants. What the engine granted later is given back to it,
	// by the time of the grant.
	o.down = true
	require.True(t, byOne.Take(3).OK)
	require.True(t, byOther.Take(2).OK)
	o.down, o.asked, other.back = false, 0, nil
	clock.Set(t0.Add(time.Second))
	byOther.RefundAt(t0, 5, time.Second)
	byOther.RefundAt(t0, 5, 2*time.Second)
	require.Equal(t, []int{2}, other.back)
	require.Zero(t, o.asked)
	byOther.RefundAt(t0, 5, time.Second-1)
	require.Equal(t, 1, o.asked)
}

// A node counts for 16,384 keys what was granted in place of the engine. For one more it drops one
// count, and then what the engine granted until then is not given back to it either.
func TestHowManyKeysAreCountedInAnOutage(t *testing.T) {
	for _, more := range []int{0, 1} {
		o, clock := &outage{Engine: newMini(t)}, limittest.NewClock(t0)
		limit := hundred(t, o, redislimit.WithClock(clock))
		stand := new(standIn)
		of := func(key string) ratelimit.Limiter { return limit.Limiter(key, redislimit.FailTo(stand)) }
		require.True(t, of("before").Take(1).OK)
		o.down = true
		for i := range 1<<14 + more {
			require.True(t, of(strconv.Itoa(i)).Take(1).OK)
		}
		stand.back = nil
		o.down, o.asked = false, 0
		of("before").RefundAt(t0, 1, 0)
		require.Equal(t, 1-more, o.asked)
		for i := range 1<<14 + more {
			of(strconv.Itoa(i)).RefundAt(t0, 1, 0)
		}
		require.Len(t, stand.back, 1<<14)
		require.Equal(t, 1-more, o.asked)
	}
}

// What is given back reaches a request that waits for the key at once, whoever takes it back.
func TestRefundsReachThoseThatWait(t *testing.T) {
	for name, down := range map[string]bool{"engine": false, "stand-in": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				owed := 100 * day
				limit := hundred(t, engine{run: func(context.Context) ([]int64, error) {
					if down {
						return nil, errors.New("down")
					}
					return []int64{t0.UnixMicro(), owed.Microseconds(), 0}, nil
				}})
				l := limit.Limiter("k", redislimit.FailTo(ratelimit.Must(gcra.New(ratelimit.PerDay(1), 1))))
				if down {
					require.True(t, l.Allow())
				}
				began := time.Now()
				served := make(chan time.Duration, 1)
				go func() {
					if ratelimit.Wait(t.Context(), l, 1) == nil {
						served <- time.Since(began)
					}
				}()
				synctest.Wait()
				require.Empty(t, served)
				time.Sleep(time.Second) // in the bubble's time
				owed = 0
				l.RefundAt(time.Now(), 1, time.Second)
				synctest.Wait()
				require.Len(t, served, 1)
				require.Equal(t, time.Second, <-served)
			})
		})
	}
}
