package ratelimit_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/benbjohnson/clock"
	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/fixedwindow"
	"github.com/seed-3506548a/ratelimit/gcra"
	"github.com/seed-3506548a/ratelimit/internal/proof/allocations"
	"github.com/seed-3506548a/ratelimit/keyed"
	"github.com/seed-3506548a/ratelimit/limittest"
	"github.com/seed-3506548a/ratelimit/slidingwindow"
	"github.com/seed-3506548a/ratelimit/tokenbucket"
)

// counting counts how often it is asked.
type counting struct {
	ratelimit.Limiter
	asked atomic.Int64
}

func (c *counting) TakeAt(t time.Time, n int) ratelimit.Decision {
	c.asked.Add(1)
	return c.Limiter.TakeAt(t, n)
}

func (c *counting) PeekAt(t time.Time, n int) ratelimit.Decision {
	c.asked.Add(1)
	return c.Limiter.PeekAt(t, n)
}

// A thousand waiters make two thousand asks, and are served in the order in which they came.
func TestAThousandWaiters(t *testing.T) {
	const waiters = 1000
	for _, row := range waits {
		for _, name := range []string{"Wait", "Queue"} {
			bubble(t, row.name+", by "+name, func(t *testing.T) {
				l := &counting{Limiter: ratelimit.Must(row.build())}
				queue := ratelimit.Must(ratelimit.NewQueue(l, waiters))
				wait := func() error { return ratelimit.Wait(t.Context(), l, 1) }
				if name == "Queue" {
					wait = func() error { return queue.Wait(t.Context(), 1) }
				}
				var served [waiters]time.Time
				var all sync.WaitGroup
				for i := range waiters {
					all.Go(func() {
						if wait() == nil {
							served[i] = time.Now()
						}
					})
					synctest.Wait()
				}
				all.Wait()
				for i := range waiters - 1 {
					require.False(t, served[i+1].Before(served[i]), "waiter %d", i)
				}
				require.LessOrEqual(t, l.asked.Load(), int64(2*waiters))
				require.Zero(t, queue.Len())
			})
		}
	}
}

// Waiters that leave cost nothing: one a second is served, though most give up.
func TestWaitersThatLeave(t *testing.T) {
	for name, l := range map[string]func() ratelimit.Limiter{
		"gcra":     func() ratelimit.Limiter { return ratelimit.Must(gcra.New(ratelimit.PerSecond(1), 1)) },
		"interval": func() ratelimit.Limiter { return ratelimit.Must(tokenbucket.NewInterval(ratelimit.PerSecond(1), 1)) },
		"window":   func() ratelimit.Limiter { return ratelimit.Must(fixedwindow.NewAnchored(ratelimit.PerSecond(1))) },
	} {
		bubble(t, name, func(t *testing.T) {
			l := l()
			var served [10]atomic.Int64
			start := time.Now()
			for time.Since(start) < 10*time.Minute {
				go func() {
					ctx, cancel := context.WithCancel(t.Context())
					time.AfterFunc(5*time.Second, cancel)
					if ratelimit.Wait(ctx, l, 1) == nil {
						served[min(9, int(time.Since(start)/time.Minute))].Add(1)
					}
				}()
				time.Sleep(900 * time.Millisecond)
			}
			time.Sleep(time.Minute)
			for i := range served[:9] {
				require.EqualValues(t, 60, served[i].Load(), "in minute %d", i)
			}
		})
	}
}

// A request for much keeps its place among many for little.
func TestALargeWaiterIsServed(t *testing.T) {
	bubble(t, "all", func(t *testing.T) {
		l := ratelimit.Must(ratelimit.All(
			ratelimit.Must(gcra.New(ratelimit.PerSecond(10), 10)),
			ratelimit.Must(slidingwindow.NewLog(ratelimit.PerMinute(6000)))))
		ctx, stop := context.WithCancel(t.Context())
		for range 12 {
			go func() {
				for ratelimit.Wait(ctx, l, 1) == nil {
					time.Sleep(time.Millisecond)
				}
			}()
		}
		time.Sleep(3 * time.Second)
		start := time.Now()
		require.NoError(t, ratelimit.Wait(ctx, l, 10))
		require.LessOrEqual(t, time.Since(start), 3*time.Second, "for the twelve, and for ten more")
		stop()
	})
}

// Every change of a limiter reaches a request that waits already, on the system's clock and on a
// mock.
func TestChangesReachWaiters(t *testing.T) {
	changes := map[string]func(opts ...ratelimit.Option) (l ratelimit.Limiter, change func()){
		"a rate": func(opts ...ratelimit.Option) (ratelimit.Limiter, func()) {
			l := ratelimit.Must(gcra.New(ratelimit.PerHour(1), 1, opts...))
			l.Allow()
			return l, func() { _ = l.SetRate(ratelimit.PerSecond(1), 2) }
		},
		"a rate of an interval": func(opts ...ratelimit.Option) (ratelimit.Limiter, func()) {
			l := ratelimit.Must(tokenbucket.NewInterval(ratelimit.PerHour(1), 1, opts...))
			l.Allow()
			return l, func() { _ = l.SetRate(ratelimit.PerHour(1), 2) }
		},
		"a refund": func(opts ...ratelimit.Option) (ratelimit.Limiter, func()) {
			l := ratelimit.Must(fixedwindow.NewAnchored(ratelimit.PerHour(1), opts...))
			at := l.Clock().Now()
			l.TakeAt(at, 1)
			return l, func() { now := l.Clock().Now(); l.RefundAt(now, 1, now.Sub(at)) }
		},
		"a refund of a log": func(opts ...ratelimit.Option) (ratelimit.Limiter, func()) {
			l := ratelimit.Must(slidingwindow.NewLog(ratelimit.PerHour(1), opts...))
			at := l.Clock().Now()
			l.TakeAt(at, 1)
			return l, func() { now := l.Clock().Now(); l.RefundAt(now, 1, now.Sub(at)) }
		},
		"a rate of a counter": func(opts ...ratelimit.Option) (ratelimit.Limiter, func()) {
			l := ratelimit.Must(slidingwindow.NewCounter(ratelimit.PerHour(1), 10, opts...))
			l.Allow()
			return l, func() { _ = l.SetRate(ratelimit.PerHour(2)) }
		},
		"a reservation": func(opts ...ratelimit.Option) (ratelimit.Limiter, func()) {
			l := ratelimit.Must(gcra.New(ratelimit.PerHour(1), 1, opts...))
			r, _ := l.ReserveAt(l.Clock().Now(), 1, time.Hour)
			return l, r.Refund
		},
		"a member": func(opts ...ratelimit.Option) (ratelimit.Limiter, func()) {
			inner := ratelimit.Must(gcra.New(ratelimit.PerHour(1), 1, opts...))
			l := ratelimit.Must(ratelimit.All(ratelimit.Must(ratelimit.All(inner)), ratelimit.Unlimited()))
			l.Allow()
			return l, func() { _ = inner.SetRate(ratelimit.PerHour(1), 2) }
		},
		"a refund of all": func(opts ...ratelimit.Option) (ratelimit.Limiter, func()) {
			l := ratelimit.Must(ratelimit.All(ratelimit.Must(fixedwindow.NewAnchored(ratelimit.PerHour(1), opts...))))
			at := l.Clock().Now()
			l.TakeAt(at, 1)
			return l, func() { now := l.Clock().Now(); l.RefundAt(now, 1, now.Sub(at)) }
		},
		"a key's plan": func(opts ...ratelimit.Option) (ratelimit.Limiter, func()) {
			m := ratelimit.Must(keyed.NewMap(1, func(string) (ratelimit.Limiter, error) {
				return gcra.New(ratelimit.PerHour(1), 1, opts...)
			}, keyed.WithClock(clockOf(opts))))
			m.Allow("ann")
			return m.Limiter("ann"), func() {
				m.Update("ann", func(l ratelimit.Limiter) { _ = l.(*gcra.Limiter).SetRate(ratelimit.PerHour(1), 2) })
			}
		},
		"a key that is forgotten": func(opts ...ratelimit.Option) (ratelimit.Limiter, func()) {
			m := ratelimit.Must(keyed.NewMap(1, func(string) (ratelimit.Limiter, error) {
				return gcra.New(ratelimit.PerHour(1), 1, opts...)
			}, keyed.WithClock(clockOf(opts))))
			m.Allow("ann")
			return m.Limiter("ann"), func() { m.Reset("ann") }
		},
		"a key of a group": func(opts ...ratelimit.Option) (ratelimit.Limiter, func()) {
			key, g := tableAndGroup(opts)
			g.Allow("ann")
			return g.Limiter("ann"), func() { key.Reset("ann") }
		},
		"a group's refund": func(opts ...ratelimit.Option) (ratelimit.Limiter, func()) {
			m := ratelimit.Must(keyed.NewMap(1, func(string) (ratelimit.Limiter, error) {
				return fixedwindow.NewAnchored(ratelimit.PerHour(1), opts...)
			}, keyed.WithClock(clockOf(opts))))
			g := ratelimit.Must(keyed.NewGroup(keyed.By(m, func(k string) string { return k })))
			at := g.Clock().Now()
			g.TakeAt(at, "ann", 1)
			return g.Limiter("ann"), func() { now := g.Clock().Now(); g.RefundAt(now, "ann", 1, now.Sub(at)) }
		},
		"a key that is forgotten, by another limit": func(opts ...ratelimit.Option) (ratelimit.Limiter, func()) {
			key, _ := tableAndGroup(opts)
			l := key.LimiterBy("ann", ratelimit.Must(key.Limit(ratelimit.PerHour(1), 1)))
			l.Allow()
			return l, func() { key.Reset("ann") }
		},
	}
	for name, build := range changes {
		bubble(t, name+", on the system's clock", func(t *testing.T) {
			l, change := build()
			start := time.Now()
			time.AfterFunc(time.Minute, change)
			require.NoError(t, ratelimit.Wait(t.Context(), l, 1))
			require.Equal(t, time.Minute, time.Since(start))
		})
		bubble(t, name+", on a mock", func(t *testing.T) {
			mock := clock.NewMock()
			l, change := build(ratelimit.WithClock(mock))
			result := make(chan error, 1)
			go func() { result <- ratelimit.Wait(t.Context(), l, 1) }()
			synctest.Wait()
			require.Empty(t, result)
			change()
			synctest.Wait()
			require.Len(t, result, 1)
			require.NoError(t, <-result)
		})
	}
}

// clockOf returns the clock that a limiter with the options reads.
func clockOf(opts []ratelimit.Option) ratelimit.Clock {
	return ratelimit.Must(gcra.New(ratelimit.PerHour(1), 1, opts...)).Clock()
}

// tableAndGroup returns a table of one an hour, and a group of just that.
func tableAndGroup(opts []ratelimit.Option) (*keyed.Table[string], *keyed.Group[string]) {
	table := ratelimit.Must(keyed.NewGCRA[string](ratelimit.PerHour(1), 1, 100, keyed.WithClock(clockOf(opts))))
	return table, ratelimit.Must(keyed.NewGroup(keyed.By(table, func(k string) string { return k })))
}

// A deadline that cannot be met because of the requests ahead is refused at once.
func TestDeadlinesBehindOthers(t *testing.T) {
	for _, row := range waits {
		last := len(row.servedAt) - 1
		due := time.Duration(row.servedAt[last]) * time.Second
		if due == 0 {
			continue
		}
		bubble(t, row.name, func(t *testing.T) {
			l := ratelimit.Must(row.build())
			var all sync.WaitGroup
			for range last {
				all.Go(func() { _ = ratelimit.Wait(t.Context(), l, 1) })
				synctest.Wait()
			}
			start := time.Now()
			if row.name != "all" && row.name != "burst" { // of which only a lower bound is known
				early, cancel := context.WithTimeout(t.Context(), due-1)
				require.ErrorIs(t, ratelimit.Wait(early, l, 1), context.DeadlineExceeded)
				require.Equal(t, start, time.Now(), "at once")
				cancel()
			}
			require.ErrorIs(t, ratelimit.Wait(t.Context(), l, 10), ratelimit.ErrNever)
			require.Equal(t, start, time.Now(), "at once")
			exact, cancel := context.WithTimeout(t.Context(), due)
			defer cancel()
			require.NoError(t, ratelimit.Wait(exact, l, 1))
			require.Equal(t, due, time.Since(start))
			all.Wait()
		})
	}
}

// A queue has room for so many, and a request that is granted at once needs none.
func TestQueue(t *testing.T) {
	bubble(t, "full", func(t *testing.T) {
		l := ratelimit.Must(gcra.New(ratelimit.PerSecond(1), 1))
		q := ratelimit.Must(ratelimit.NewQueue(l, 2))
		require.NoError(t, q.Wait(t.Context(), 1))
		require.Zero(t, q.Len())
		start := time.Now()
		var all sync.WaitGroup
		for i := range 2 {
			all.Go(func() { _ = q.Wait(t.Context(), 1) })
			synctest.Wait()
			require.Equal(t, i+1, q.Len())
		}
		err := q.Wait(t.Context(), 1)
		require.ErrorIs(t, err, ratelimit.ErrQueueFull)
		require.EqualError(t, err, "ratelimit.Queue.Wait: 2 wait already: the queue is full")
		require.NoError(t, q.Wait(t.Context(), 0), "asks for nothing")
		require.ErrorIs(t, q.Wait(t.Context(), -1), ratelimit.ErrNever)
		all.Wait()
		require.Equal(t, 2*time.Second, time.Since(start))
		require.Zero(t, q.Len())
	})
	bubble(t, "paused", func(t *testing.T) {
		l := ratelimit.Must(gcra.New(ratelimit.PerSecond(1), 10))
		q := ratelimit.Must(ratelimit.NewQueue(l, 100))
		start := time.Now()
		q.PauseUntil(start.Add(time.Hour))
		var mutex sync.Mutex
		var served []time.Duration
		var all sync.WaitGroup
		for range 3 {
			all.Go(func() {
				_ = q.Wait(t.Context(), 1)
				mutex.Lock()
				defer mutex.Unlock()
				served = append(served, time.Since(start))
			})
			synctest.Wait()
		}
		early, cancel := context.WithTimeout(t.Context(), 59*time.Minute)
		defer cancel()
		require.ErrorIs(t, q.Wait(early, 1), context.DeadlineExceeded)
		require.Equal(t, start, time.Now(), "at once")
		time.Sleep(time.Minute)
		q.PauseUntil(start.Add(5 * time.Minute)) // sooner
		time.Sleep(time.Minute)
		q.PauseUntil(start.Add(10 * time.Minute)) // later
		all.Wait()
		require.Equal(t, []time.Duration{10 * time.Minute, 10 * time.Minute, 10 * time.Minute}, served)
		q.PauseUntil(time.Now().Add(time.Hour))
		go func() {
			time.Sleep(time.Minute)
			q.PauseUntil(time.Time{})
		}()
		require.NoError(t, q.Wait(t.Context(), 1))
		require.Equal(t, 11*time.Minute, time.Since(start), "a pause can be ended")
	})
	bubble(t, "paused, and asked for more than there ever is", func(t *testing.T) {
		l := ratelimit.Must(gcra.New(ratelimit.PerHour(1), 5))
		q := ratelimit.Must(ratelimit.NewQueue(l, 100))
		start := time.Now()
		never := func(n int) {
			require.ErrorIs(t, q.Wait(t.Context(), n), ratelimit.ErrNever)
			require.Equal(t, start, time.Now(), "at once")
		}
		q.PauseUntil(start.Add(time.Minute))
		never(6)
		q.PauseUntil(time.Time{})
		require.NoError(t, q.Wait(t.Context(), 5))
		go func() { _ = q.Wait(t.Context(), 1) }()
		synctest.Wait()
		q.PauseUntil(start.Add(time.Minute))
		require.NoError(t, l.SetRate(ratelimit.PerHour(1), 2))
		synctest.Wait()
		never(3)
	})
	bubble(t, "paused, behind what takes all there will ever be", func(t *testing.T) {
		q := ratelimit.Must(ratelimit.NewQueue(ratelimit.Must(gcra.New(ratelimit.Per(5, 1<<61), 4)), 100))
		q.PauseUntil(time.Now().Add(time.Minute))
		for range 4 {
			go func() { _ = q.Wait(t.Context(), 4) }()
			synctest.Wait()
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		require.EqualError(t, q.Wait(ctx, 1), "ratelimit.Queue.Wait: n is 1, it would be granted after the end of the time that the limiter can represent: the request can never be granted")
	})
	var none *gcra.Limiter
	for want, build := range map[string]func() (*ratelimit.Queue, error){
		"ratelimit.NewQueue: l is nil, want a limiter":  func() (*ratelimit.Queue, error) { return ratelimit.NewQueue(none, 1) },
		"ratelimit.NewQueue: most is 0, want 1 or more": func() (*ratelimit.Queue, error) { return ratelimit.NewQueue(ratelimit.Unlimited(), 0) },
	} {
		_, err := build()
		require.EqualError(t, err, want)
	}
	_, err := ratelimit.NewQueue(nil, 1)
	require.EqualError(t, err, "ratelimit.NewQueue: l is nil, want a limiter")
}

// A server that has answered 429 is left alone until it says.
func ExampleQueue() {
	limiter := ratelimit.Must(gcra.New(ratelimit.PerSecond(100), 10))
	queue := ratelimit.Must(ratelimit.NewQueue(limiter, 1000))

	queue.PauseUntil(time.Now().Add(20 * time.Millisecond)) // Retry-After
	before := time.Now()
	if err := queue.Wait(context.Background(), 1); err != nil {
		fmt.Println(err)
	}
	fmt.Println(time.Since(before) >= 20*time.Millisecond)
	// Output:
	// true
}

// Waiters leave before their turn, at the instant of it, and as the first, and the next is served
// all the same.
func TestLeavingStopsNobody(t *testing.T) {
	for seed := range uint64(200) {
		bubble(t, fmt.Sprint(seed), func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 1))
			l := ratelimit.Must(gcra.New(ratelimit.PerSecond(1), 1))
			var all sync.WaitGroup
			var served, left atomic.Int64
			const waiters = 12
			for range waiters {
				ctx, cancel := context.WithCancel(t.Context())
				switch random.IntN(3) {
				case 0: // also at the very instants at which somebody is served
					time.AfterFunc(time.Duration(random.IntN(waiters))*time.Second, cancel)
				case 1:
					time.AfterFunc(time.Duration(random.Int64N(int64(waiters*time.Second))), cancel)
				}
				all.Go(func() {
					defer cancel()
					if err := ratelimit.Wait(ctx, l, 1); err == nil {
						served.Add(1)
					} else {
						left.Add(1)
					}
				})
				if random.IntN(2) == 0 {
					synctest.Wait()
				}
			}
			start := time.Now()
			all.Wait()
			require.EqualValues(t, waiters, served.Load()+left.Load())
			require.LessOrEqual(t, time.Since(start), time.Duration(waiters)*time.Second)
			require.Equal(t, served.Load() == 0, l.PeekAt(start, 1).OK)
		})
	}
}

// Under the race detector: half of the waiters leave, and all others are served.
func TestManyLeaveAtOnce(t *testing.T) {
	l := ratelimit.Must(slidingwindow.NewCounter(ratelimit.Per(100, time.Millisecond), 10))
	var all sync.WaitGroup
	var wrong atomic.Int64
	for caller := range 8 {
		all.Go(func() {
			random := rand.New(rand.NewPCG(1, uint64(caller)))
			for range 500 {
				ctx, cancel := context.WithCancel(t.Context())
				leaves := random.IntN(2) == 0
				if leaves {
					go cancel()
				}
				if err := ratelimit.Wait(ctx, l, 1); err != nil && !leaves {
					wrong.Add(1)
				}
				cancel()
			}
		})
	}
	all.Wait()
	require.Zero(t, wrong.Load())
}

// What is granted at once costs no allocation, and a waiter a few.
func TestWaitAllocates(t *testing.T) {
	l := ratelimit.Must(gcra.New(ratelimit.PerSecond(1_000_000), 1_000_000))
	ctx := context.Background()
	require.Zero(t, allocations.Count(func() {
		for range 1000 {
			_ = ratelimit.Wait(ctx, l, 1)
		}
	}))
}

// DelayAt is when the k-th event is granted to whoever takes one as soon as it can.
func TestDelayAt(t *testing.T) {
	for _, row := range waits {
		for state := range 30 {
			c := limittest.NewClock(t0)
			l := ratelimit.Must(row.build(ratelimit.WithClock(c)))
			delayer := l.(ratelimit.Delayer)
			random := rand.New(rand.NewPCG(uint64(state), 1))
			now := t0
			for range random.IntN(6) {
				l.TakeAt(now, 1+random.IntN(2))
				now = now.Add(time.Duration(random.Int64N(int64(time.Minute))))
			}
			require.Zero(t, delayer.DelayAt(now, 0))
			require.Equal(t, ratelimit.Never, delayer.DelayAt(now, -1))
			c.Set(now)
			var told []time.Duration
			for k := 1; k <= 7; k++ {
				told = append(told, delayer.DelayAt(now, k))
			}
			at := now
			for k := 1; k <= 7; k++ {
				d := l.PeekAt(at, 1)
				at = at.Add(d.RetryAfter)
				require.True(t, l.TakeAt(at, 1).OK)
				if _, composed := l.(ratelimit.Composite); composed {
					require.LessOrEqual(t, told[k-1], at.Sub(now), "%s, state %d, event %d", row.name, state, k)
				} else {
					require.Equal(t, at.Sub(now), told[k-1], "%s, state %d, event %d", row.name, state, k)
				}
			}
		}
	}
}
