package keyed_test

import (
	"context"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/gcra"
	"github.com/seed-3506548a/ratelimit/internal/proof/allocations"
	"github.com/seed-3506548a/ratelimit/keyed"
	"github.com/seed-3506548a/ratelimit/limittest"
)

var mapStart = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// newMap gives each key a GCRA limiter.
func newMap[K comparable](rate ratelimit.Rate, burst, capacity int, c ratelimit.Clock) *keyed.Map[K] {
	return ratelimit.Must(keyed.NewMap(capacity, func(K) (ratelimit.Limiter, error) {
		return gcra.New(rate, burst, ratelimit.WithClock(c))
	}, keyed.WithClock(c)))
}

func keysOf[K comparable](m *keyed.Map[K]) map[K]bool {
	keys := map[K]bool{}
	for k := range m.All() {
		keys[k] = true
	}
	return keys
}

func TestMapStory(t *testing.T) {
	c := limittest.NewClock(mapStart)
	m := newMap[string](ratelimit.PerSecond(1), 2, 2, c)
	require.Same(t, c, m.Clock())
	require.Equal(t, 2, m.Capacity())
	const second = time.Second
	fresh := ratelimit.Decision{OK: true, Limit: 2, Remaining: 2}
	for i, s := range []struct {
		after time.Duration
		key   string
		n     int
		want  ratelimit.Decision
		len   int
	}{
		{0, "ann", 0, fresh, 0},
		{0, "ann", -1, ratelimit.Decision{Limit: 2, Remaining: 2, RetryAfter: ratelimit.Never}, 0},
		{0, "ann", 2, ratelimit.Decision{OK: true, Limit: 2, ResetAfter: 2 * second}, 1},
		{0, "ann", 1, ratelimit.Decision{Limit: 2, RetryAfter: second, ResetAfter: 2 * second}, 1},
		{0, "bob", 1, ratelimit.Decision{OK: true, Limit: 2, Remaining: 1, ResetAfter: second}, 2},
		{0, "cid", 1, ratelimit.Decision{RetryAfter: second, ResetAfter: second, By: keyed.Full}, 2},
		{0, "cid", 0, ratelimit.Decision{OK: true, ResetAfter: second, By: keyed.Full}, 2},
		{0, "cid", -1, ratelimit.Decision{RetryAfter: ratelimit.Never, ResetAfter: second, By: keyed.Full}, 2},
		{second - 1, "cid", 1, ratelimit.Decision{RetryAfter: 1, ResetAfter: 1, By: keyed.Full}, 2},
		{second, "cid", 1, ratelimit.Decision{OK: true, Limit: 2, Remaining: 1, ResetAfter: second}, 2}, // bob goes
		{second, "ann", 2, ratelimit.Decision{Limit: 2, Remaining: 1, RetryAfter: second, ResetAfter: second}, 2},
		{second, "bob", 1, ratelimit.Decision{RetryAfter: second, ResetAfter: second, By: keyed.Full}, 2},
		{2 * second, "bob", 2, ratelimit.Decision{OK: true, Limit: 2, ResetAfter: 2 * second}, 2},
	} {
		c.Set(mapStart.Add(s.after))
		require.Equal(t, s.want, m.PeekAt(c.Now(), s.key, s.n), "step %d, peek", i)
		require.Equal(t, s.want, m.Take(s.key, s.n), "step %d", i)
		require.Equal(t, s.len, m.Len(), "step %d", i)
	}
	require.Equal(t, keyed.MapStats{Len: 2, Evicted: 2, Refused: 3}, m.Stats())
}

func TestMapReset(t *testing.T) {
	c := limittest.NewClock(mapStart)
	m := newMap[string](ratelimit.PerSecond(1), 1, 1, c)
	m.Reset("ann")
	require.Zero(t, m.Len())
	require.True(t, m.Allow("ann"))
	require.False(t, m.Allow("ann"))
	require.False(t, m.Allow("bob"))
	m.Reset("ann")
	require.Zero(t, m.Len())
	require.True(t, m.Allow("bob"))
	m.Reset("ann")
	require.Equal(t, 1, m.Len())
}

func TestMapRefund(t *testing.T) {
	c := limittest.NewClock(mapStart)
	m := newMap[string](ratelimit.PerSecond(1), 2, 1, c)
	m.RefundAt(mapStart, "ann", 1, 0)
	require.Zero(t, m.Len(), "of a key that is not there")
	require.True(t, m.Take("ann", 2).OK)
	m.RefundAt(mapStart, "ann", 1, -1)
	require.False(t, m.Allow("ann"))
	m.RefundAt(mapStart, "ann", 1, 0)
	require.True(t, m.Allow("ann"))
	require.False(t, m.Allow("ann"))

	// A limiter is not given back what its predecessor granted.
	var given []time.Duration
	m = ratelimit.Must(keyed.NewMap(1, func(string) (ratelimit.Limiter, error) {
		return refunded{ratelimit.Must(gcra.New(ratelimit.PerSecond(1), 2, ratelimit.WithClock(c))), &given}, nil
	}, keyed.WithClock(c)))
	require.True(t, m.Allow("ann"))
	c.Set(mapStart.Add(time.Minute))
	require.True(t, m.Allow("bob"))
	c.Set(mapStart.Add(2 * time.Minute))
	require.True(t, m.Allow("ann"))
	m.RefundAt(c.Now(), "ann", 1, 2*time.Minute)
	require.Empty(t, given)
	m.RefundAt(c.Now(), "ann", 1, time.Minute-time.Second)
	m.RefundAt(c.Now(), "ann", 1, 0)
	require.Equal(t, []time.Duration{time.Minute - time.Second, 0}, given)
}

// refunded notes what it is given back.
type refunded struct {
	*gcra.Limiter
	held *[]time.Duration
}

func (r refunded) RefundAt(_ time.Time, _ int, held time.Duration) { *r.held = append(*r.held, held) }

func TestMapAll(t *testing.T) {
	c := limittest.NewClock(mapStart)
	m := newMap[int](ratelimit.PerSecond(1), 1, 1000, c)
	for range m.All() {
		require.Fail(t, "there is none")
	}
	for k := range 500 {
		require.True(t, m.Allow(k))
	}
	seen := map[int]bool{}
	for k, l := range m.All() { // which is changed in all ways
		require.False(t, seen[k])
		seen[k] = true
		if k < 500 {
			require.Equal(t, m.Limiter(k), l)
			require.False(t, l.Allow())
		}
		m.Reset(k)
		require.True(t, m.Allow(1000+k%500))
		m.Reset(1000 + k%500)
	}
	for k := range 500 {
		require.True(t, seen[k])
	}
	require.Zero(t, m.Len())
	for k := range 10 {
		m.Allow(k)
	}
	count := 0
	for range m.All() {
		if count++; count == 3 {
			break
		}
	}
	require.Equal(t, 3, count)
	require.Len(t, keysOf(m), 10)
}

// waiting is a clock that jumps to the time that is waited for.
type waiting struct{ *limittest.Clock }

func (w waiting) After(d time.Duration) <-chan time.Time {
	w.Advance(d)
	woken := make(chan time.Time, 1)
	woken <- w.Now()
	return woken
}

func TestMapLimiter(t *testing.T) {
	c := waiting{limittest.NewClock(mapStart)}
	m := newMap[string](ratelimit.PerSecond(1), 2, 1, c)
	other := newMap[string](ratelimit.PerMinute(1), 1, 1, c)
	ann := m.Limiter("ann")
	require.Zero(t, m.Len(), "it is not there before it is charged")
	views := map[ratelimit.Limiter]bool{ann: true}
	require.True(t, views[m.Limiter("ann")])
	require.False(t, views[m.Limiter("bob")])
	require.False(t, views[other.Limiter("ann")])
	require.Equal(t, c, ann.Clock())
	require.True(t, ann.Allow())
	require.Equal(t, m.PeekAt(mapStart, "ann", 1), ann.PeekAt(mapStart, 1))
	require.Zero(t, ann.Take(1).Remaining)
	require.False(t, ann.TakeAt(mapStart, 1).OK)
	ann.RefundAt(mapStart, 1, 0)
	require.True(t, m.Allow("ann"))

	// It waits for its own limiter, and for a place.
	require.NoError(t, ratelimit.Wait(context.Background(), ann, 1))
	require.Equal(t, mapStart.Add(time.Second), c.Now())
	require.NoError(t, ratelimit.Wait(context.Background(), m.Limiter("bob"), 1))
	require.Equal(t, mapStart.Add(3*time.Second), c.Now())
	require.ErrorIs(t, ratelimit.Wait(context.Background(), m.Limiter("bob"), 3), ratelimit.ErrNever)
	require.Equal(t, keyed.Full, ann.PeekAt(c.Now(), 2).By, "an old view asks what there is")
	c.Advance(time.Second)
	require.True(t, ann.PeekAt(c.Now(), 2).OK)

	m.Reset("bob")
	both := ratelimit.Must(ratelimit.All(ann, other.Limiter("ann")))
	require.True(t, both.Allow())
	d := both.Take(1)
	require.Equal(t, 1, d.By)
	require.Equal(t, time.Minute, d.RetryAfter)
	require.Equal(t, 1, ann.Take(0).Remaining, "the refusal charged nothing")
	_, err := ratelimit.All(ann, m.Limiter("ann"))
	require.Error(t, err, "the same limiter")
}

func TestMapArguments(t *testing.T) {
	factory := func(string) (ratelimit.Limiter, error) { return ratelimit.Unlimited(), nil }
	most := min(1<<30, math.MaxInt/32)
	for _, row := range []struct {
		capacity int
		factory  func(string) (ratelimit.Limiter, error)
		opt      keyed.Option
		want     string
	}{
		{0, factory, keyed.WithClock(ratelimit.SystemClock{}), fmt.Sprintf("keyed.NewMap: capacity is 0, want 1 to %d", most)},
		{-1, factory, keyed.WithClock(ratelimit.SystemClock{}), fmt.Sprintf("keyed.NewMap: capacity is -1, want 1 to %d", most)},
		{most + 1, factory, keyed.WithClock(ratelimit.SystemClock{}), fmt.Sprintf("keyed.NewMap: capacity is %d, want 1 to %d", most+1, most)},
		{1, nil, keyed.WithClock(ratelimit.SystemClock{}), "keyed.NewMap: factory is nil, want a function that makes the limiter of a key"},
		{1, factory, nil, "keyed.NewMap: opts[0] is nil, want an option"},
		{1, factory, keyed.WithClock(nil), "keyed.NewMap: WithClock is nil, want a clock, or no such option for the system's"},
		{1, factory, keyed.WithClock((*limittest.Clock)(nil)), "keyed.NewMap: WithClock is nil, want a clock, or no such option for the system's"},
		{1, factory, keyed.FailOpen(), "keyed.NewMap: FailOpen is true, want no such option: it is for a Table"},
	} {
		_, err := keyed.NewMap(row.capacity, row.factory, row.opt)
		var bad *ratelimit.ArgumentError
		require.ErrorAs(t, err, &bad)
		require.EqualError(t, err, row.want)
	}
	m, err := keyed.NewMap(most, factory)
	require.NoError(t, err)
	require.Equal(t, ratelimit.SystemClock{}, m.Clock())
	require.True(t, m.Allow("ann"))
}

// TestMapNaN is about a key that is not equal to itself, and would keep its place forever.
func TestMapNaN(t *testing.T) {
	m := newMap[float64](ratelimit.PerSecond(1), 1, 1, limittest.NewClock(mapStart))
	require.Equal(t, keyed.NoLimiter, m.Take(math.NaN(), 1).By)
	require.EqualError(t, m.Stats().Err, "keyed.NewMap: k is NaN, want a key that is equal to itself")
	require.Zero(t, m.Len())
	require.True(t, m.Allow(1))
}

func TestMapAllocatesNothing(t *testing.T) {
	for name, c := range map[string]ratelimit.Clock{"system": ratelimit.SystemClock{}, "fake": limittest.NewClock(mapStart)} {
		m := newMap[string](ratelimit.PerHour(1), 100_000, 1000, c)
		require.True(t, m.Allow("ann"))
		view := m.Limiter("ann")
		now := c.Now()
		for what, ask := range map[string]func() bool{
			"Allow":    func() bool { return m.Allow("ann") },
			"Take":     func() bool { return m.Take("ann", 1).OK },
			"TakeAt":   func() bool { return m.TakeAt(now, "ann", 1).OK },
			"PeekAt":   func() bool { return m.PeekAt(now, "ann", 1).OK },
			"view":     view.Allow,
			"refusals": func() bool { return !m.Take("ann", 200_000).OK },
			"RefundAt": func() bool { m.RefundAt(now, "ann", 1, 0); return true },
		} {
			answers := 0
			allocs := allocations.Count(func() {
				answers = 0
				for range 1000 {
					if ask() {
						answers++
					}
				}
			})
			require.Zero(t, allocs, "%s, %s", name, what)
			require.Equal(t, 1000, answers, "%s, %s", name, what)
		}
	}
}
