package redislimit_test

import (
	"context"
	"errors"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/gcra"
	"github.com/seed-3506548a/ratelimit/limittest"
	"github.com/seed-3506548a/ratelimit/redislimit"
)

// outage is an engine that can be down: then it does nothing.
type outage struct {
	redislimit.Engine
	down  bool
	asked int // while it was up
}

func (o *outage) Run(ctx context.Context, script *redislimit.Script, keys, args []string) ([]int64, error) {
	if o.down {
		return nil, errors.New("down")
	}
	o.asked++
	return o.Engine.Run(ctx, script, keys, args)
}

// The engine gets back only what it granted: the rest goes to what stood in for it.
func TestRefundAfterAnOutage(t *testing.T) {
	for name, charge := range map[string]bool{"take": false, "charge": true} {
		t.Run(name, func(t *testing.T) {
			o := &outage{Engine: newMini(t)}
			clock := limittest.NewClock(t0)
			limit := hundred(t, o, redislimit.WithClock(clock))
			local := ratelimit.Must(gcra.New(ratelimit.PerDay(1), 5, ratelimit.WithClock(clock)))
			limiter := func() ratelimit.Limiter { return limit.Limiter("k", redislimit.FailTo(local)) }
			remaining := func() [2]int { return [2]int{limiter().PeekAt(t0, 0).Remaining, local.Peek(0).Remaining} }
			require.True(t, limiter().Take(40).OK)
			o.down = true
			if charge {
				ratelimit.Charge(limiter(), t0, 3)
			} else {
				require.True(t, limiter().Take(3).OK)
			}
			require.False(t, limiter().Take(4).OK, "a refusal is not given back")
			o.down = false
			require.Equal(t, [2]int{60, 2}, remaining())
			limiter().RefundAt(t0, 0, 0)
			limiter().RefundAt(t0, 1, -1)
			limiter().RefundAt(t0, 2, 0)
			require.Equal(t, [2]int{60, 4}, remaining())
			limiter().RefundAt(t0, 3, 0)
			require.Equal(t, [2]int{62, 5}, remaining())
			limiter().RefundAt(t0, 3, 0)
			require.Equal(t, [2]int{65, 5}, remaining())
		})
	}
}

// What FailOpen granted is given back to nobody, and what another stand-in granted is not given
// back to this one.
func TestRefundOfFailOpen(t *testing.T) {
	o := &outage{Engine: newMini(t)}
	clock := limittest.NewClock(t0)
	limit := hundred(t, o, redislimit.WithClock(clock))
	open := limit.Limiter("k", redislimit.FailOpen)
	require.True(t, open.Take(40).OK)
	o.down = true
	require.True(t, open.Take(3).OK)
	o.down = false
	open.RefundAt(t0, 3, 0)
	require.Equal(t, 60, open.PeekAt(t0, 0).Remaining)
	open.RefundAt(t0, 3, 0)
	require.Equal(t, 63, open.PeekAt(t0, 0).Remaining)

	local := ratelimit.Must(gcra.New(ratelimit.PerDay(1), 5, ratelimit.WithClock(clock)))
	other := limit.Limiter("k", redislimit.FailTo(local))
	o.down = true
	require.True(t, open.Take(3).OK)
	require.True(t, other.Take(1).OK)
	o.down = false
	open.RefundAt(t0, 3, 0)
	require.Equal(t, 63, open.PeekAt(t0, 0).Remaining)
	other.RefundAt(t0, 3, 0)
	require.Equal(t, 63, open.PeekAt(t0, 0).Remaining)
	require.Equal(t, 5, local.Peek(0).Remaining)
	clock.Set(t0.Add(time.Second))
	open.RefundAt(t0, 3, 0)
	require.Equal(t, 66, open.PeekAt(t0, 0).Remaining, "granted after the outage")
}

// If more keys than are counted were granted in place of the engine, none of them is given back to
// the engine.
func TestRefundOfManyKeysAfterAnOutage(t *testing.T) {
	o := &outage{Engine: newMini(t), down: true}
	limit := hundred(t, o, redislimit.WithClock(limittest.NewClock(t0)))
	const keys = 1<<14 + 100
	for key := range keys {
		require.True(t, limit.Limiter(strconv.Itoa(key), redislimit.FailOpen).Take(3).OK)
	}
	o.down = false
	for key := range keys {
		limit.Limiter(strconv.Itoa(key), redislimit.FailOpen).RefundAt(t0, 3, 0)
	}
	require.Zero(t, o.asked)
}

// Without the engine, a node grants the rest of the chunk that it holds, and then nothing.
func TestLeaseInAnOutage(t *testing.T) {
	o := &outage{Engine: newMini(t)}
	limit := hundred(t, o, redislimit.Lease(1, 10))
	granted, err := grants(t, limit, 1)
	require.NoError(t, err)
	require.Equal(t, 1, granted)
	o.down = true
	granted, err = grants(t, limit, 20)
	require.Error(t, err)
	require.Equal(t, 9, granted)
}

// At once, a node alone gets the burst without what Lease withholds for all nodes.
func TestLeaseOfASmallBurst(t *testing.T) {
	for chunk, want := range map[int]int{1: 17, 2: 14, 5: 5} {
		limit, err := redislimit.NewGCRA(newMini(t), "test", ratelimit.PerDay(1), 20, redislimit.Lease(3, chunk))
		require.NoError(t, err)
		granted, err := grants(t, limit, 40)
		require.NoError(t, err)
		require.Equal(t, want, granted)
	}
}
