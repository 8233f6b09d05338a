package ratelimit_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/gcra"
	"github.com/seed-3506548a/ratelimit/limittest"
)

// A change that has returned counts for whoever comes then, though the first in the line has not
// looked at it yet. Which of the two runs first is up to the scheduler, so it is tried often.
func TestChangeBehindOthers(t *testing.T) {
	bubble(t, "a rate", func(t *testing.T) {
		for range 100 {
			l := ratelimit.Must(gcra.New(ratelimit.PerHour(1), 1))
			l.Allow()
			var all sync.WaitGroup
			all.Go(func() { _ = ratelimit.Wait(t.Context(), l, 1) })
			synctest.Wait()
			require.NoError(t, l.SetRate(ratelimit.PerSecond(1000), 100))
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			require.NoError(t, ratelimit.Wait(ctx, l, 1))
			all.Wait()
			cancel()
		}
	})
}

// A limiter whose values cannot be compared has no line that others find.
func TestWaitForWhatCannotBeCompared(t *testing.T) {
	type tagged struct {
		ratelimit.Limiter
		tags []string
	}
	bubble(t, "a value", func(t *testing.T) {
		l := tagged{ratelimit.Must(gcra.New(ratelimit.PerSecond(1), 1)), []string{"a"}}
		both := ratelimit.Must(ratelimit.All(l, ratelimit.Unlimited()))
		start := time.Now()
		for range 2 {
			require.NoError(t, ratelimit.Wait(t.Context(), l, 1))
			require.NoError(t, ratelimit.Wait(t.Context(), both, 1))
		}
		require.Equal(t, 3*time.Second, time.Since(start))
	})
}

// A waiter gives up when ctx is over, by a clock that the first's timer does not follow.
func TestWaitGivenUpBehindASleeper(t *testing.T) {
	bubble(t, "a clock without timers", func(t *testing.T) {
		c := limittest.NewClock(time.Unix(0, 0))
		l := ratelimit.Must(gcra.New(ratelimit.PerHour(1), 1, ratelimit.WithClock(onlyNow{c})))
		l.Allow()
		var all sync.WaitGroup
		all.Go(func() { require.NoError(t, ratelimit.Wait(t.Context(), l, 1)) })
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		all.Go(func() {
			require.ErrorIs(t, ratelimit.Wait(ctx, l, 1), context.DeadlineExceeded)
			require.LessOrEqual(t, time.Since(start), time.Second)
		})
		synctest.Wait()
		c.Set(time.Unix(3600, 0))
		all.Wait()
	})
}

type onlyNow struct{ c ratelimit.Clock }

func (o onlyNow) Now() time.Time { return o.c.Now() }

// held is a limiter whose grants take long to return.
type held struct {
	*gcra.Limiter
	hold, in chan struct{}
}

func (h *held) TakeAt(t time.Time, n int) ratelimit.Decision {
	d := h.Limiter.TakeAt(t, n)
	if d.OK {
		h.in <- struct{}{}
		<-h.hold
	}
	return d
}

// A request that is being served counts once: not in the line and in the limiter as well.
func TestDeadlineBehindOneThatIsServed(t *testing.T) {
	bubble(t, "one a second", func(t *testing.T) {
		l := &held{ratelimit.Must(gcra.New(ratelimit.PerSecond(1), 1)), make(chan struct{}), make(chan struct{}, 2)}
		l.Limiter.TakeAt(time.Now(), 1)
		var all sync.WaitGroup
		all.Go(func() { require.NoError(t, ratelimit.Wait(t.Context(), l, 1)) })
		<-l.in
		ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
		defer cancel()
		all.Go(func() { require.NoError(t, ratelimit.Wait(ctx, l, 1)) })
		synctest.Wait()
		close(l.hold)
		all.Wait()
	})
}
