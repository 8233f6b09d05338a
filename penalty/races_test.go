package penalty_test

import (
	"math"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/gcra"
	"github.com/seed-3506548a/ratelimit/limittest"
	"github.com/seed-3506548a/ratelimit/penalty"
)

// Between the return of the first refusal and the end of the block nothing is granted: only
// requests that are under way may pass. And together they get what there is, not more.
func TestNothingIsGrantedAfterARefusal(t *testing.T) {
	const rounds, callers, limit = 200, 4, 50
	for round := range rounds {
		c := limittest.NewClock(t0)
		inner := ratelimit.Must(gcra.New(ratelimit.PerSecond(1), limit, ratelimit.WithClock(c)))
		l := ratelimit.Must(penalty.New(inner, minute))
		var steps, granted, ready atomic.Int64
		var refused, latest atomic.Int64 // when the first refusal has returned, and when the last grant began
		refused.Store(math.MaxInt64)
		var all sync.WaitGroup
		for caller := range callers {
			all.Go(func() {
				for ready.Add(1); ready.Load() < callers; {
					runtime.Gosched()
				}
				for turn := 0; ; turn++ {
					began := steps.Add(1)
					var ok bool
					if caller%2 == 0 {
						ok = l.Allow()
					} else {
						ok = l.TakeAt(t0, 1).OK
					}
					if !ok {
						store(&refused, steps.Add(1), func(old, now int64) bool { return now < old })
						return
					}
					granted.Add(1)
					store(&latest, began, func(old, now int64) bool { return now > old })
				}
			})
		}
		all.Wait()
		require.EqualValues(t, limit, granted.Load(), "round %d", round)
		require.Less(t, latest.Load(), refused.Load(), "round %d: a grant began after a refusal had returned", round)
		require.Equal(t, ratelimit.Decision{Limit: limit, RetryAfter: minute, ResetAfter: minute}, l.TakeAt(t0, 1))
	}
}

// store stores now if it is better.
func store(x *atomic.Int64, now int64, better func(old, now int64) bool) {
	for {
		old := x.Load()
		if !better(old, now) || x.CompareAndSwap(old, now) {
			return
		}
	}
}

// Of refusals at once, one begins the block, and no other moves its end: all are told to wait until
// then.
func TestOneBlockOfManyRefusals(t *testing.T) {
	const rounds, callers = 500, 4
	for round := range rounds {
		l, _ := newAt(t, t0, minute)
		require.True(t, l.Allow())
		var ready atomic.Int64
		var all sync.WaitGroup
		var ends [callers]time.Time
		for caller := range callers {
			all.Go(func() {
				for ready.Add(1); ready.Load() < callers; {
					runtime.Gosched()
				}
				at := t0.Add(time.Duration(caller) * ms)
				ends[caller] = at.Add(l.TakeAt(at, 1).RetryAfter)
			})
		}
		all.Wait()
		until, ok := l.Blocked()
		require.True(t, ok)
		for caller, end := range ends {
			require.Equal(t, until, end, "round %d, caller %d", round, caller)
		}
	}
}
