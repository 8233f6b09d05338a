package redislimit_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/fixedwindow"
	"github.com/seed-3506548a/ratelimit/limittest"
	"github.com/seed-3506548a/ratelimit/redislimit"
	"github.com/seed-3506548a/ratelimit/slidingwindow"
)

// local is a limiter of this module, which is the model of one on an engine.
type local interface {
	ratelimit.Charger
	SetRate(rate ratelimit.Rate) error
}

// remote is the same on an engine.
type remote interface {
	SetRate(rate ratelimit.Rate) error
	Rate() ratelimit.Rate
}

// playWindow does the same to both, and demands the same Decisions.
func playWindow(t *testing.T, m *mini, random *rand.Rand, s *redislimit.Store, far remote, model local, clock *limittest.Clock, isLog bool) {
	ctx, now, start := t.Context(), clock.Now(), clock.Now()
	changes := random.IntN(2) == 0 // then time goes forwards only, and nothing is given back or charged
	per := far.Rate().Per
	for range 200 {
		limit := far.Rate().Events
		step := time.Duration(random.Int64N(int64(per)*3/int64(1+random.IntN(2*limit)))).Truncate(time.Microsecond) * time.Duration(random.IntN(2))
		if !changes && random.IntN(8) == 0 {
			step = -step
		}
		now = now.Add(step)
		if random.IntN(10) == 0 {
			now = now.Truncate(per).Add(per) // on the edge of a window
		}
		now = maxTime(now, start)
		clock.Set(now)
		m.SetTime(now)
		n := []int{1, 1, 2, limit, limit + 1, 0, -1, 1 + limit/2, 1 + random.IntN(limit)}[random.IntN(9)]
		var got, want ratelimit.Decision
		var err error
		switch op := random.IntN(16); {
		case op < 2:
			got, err = s.Peek(ctx, "k", n)
			want = model.PeekAt(now, n)
		case op == 2 && !changes:
			n += random.IntN(3) * limit
			got, err = s.Charge(ctx, "k", n)
			want = model.ChargeAt(now, n)
		case op < 5 && !changes && !isLog:
			held := time.Duration(random.Int64N(int64(per))).Truncate(time.Microsecond)
			require.NoError(t, s.Refund(ctx, "k", n, held))
			model.RefundAt(now, n, held)
			got, err = s.Peek(ctx, "k", 1)
			want = model.PeekAt(now, 1)
		case op == 5 && changes:
			to := ratelimit.Per(1+random.IntN(20), per)
			require.NoError(t, model.SetRate(to))
			require.NoError(t, far.SetRate(to))
			got, err = s.Peek(ctx, "k", 1)
			want = model.PeekAt(now, 1)
		default:
			got, err = s.Take(ctx, "k", n)
			want = model.TakeAt(now, n)
		}
		require.NoError(t, err)
		require.Equal(t, want, got, "%v of %v, %v after the start", n, far.Rate(), now.Sub(start))
	}
}

func maxTime(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

var windowRates = []ratelimit.Rate{
	ratelimit.PerSecond(3), ratelimit.PerMinute(60), ratelimit.Per(10, 7*time.Microsecond), ratelimit.PerDay(1),
	ratelimit.Per(100, 1009*time.Microsecond), ratelimit.PerHour(2500),
}

func TestAlignedWindowIsFixedWindow(t *testing.T) {
	for seed := range uint64(10) {
		random := rand.New(rand.NewPCG(seed, 2))
		m := newMini(t)
		rate := windowRates[random.IntN(len(windowRates))]
		clock := limittest.NewClock(t0)
		far, err := redislimit.NewAlignedWindow(m, "test", rate, redislimit.Remember(0))
		require.NoError(t, err)
		playWindow(t, m, random, &far.Store, far, ratelimit.Must(fixedwindow.NewAligned(rate, ratelimit.WithClock(clock))), clock, false)
	}
}

func TestLogIsSlidingWindowLog(t *testing.T) {
	for seed := range uint64(10) {
		random := rand.New(rand.NewPCG(seed, 3))
		m := newMini(t)
		rate := windowRates[random.IntN(len(windowRates))]
		clock := limittest.NewClock(t0)
		far, err := redislimit.NewLog(m, "test", rate, redislimit.Remember(0))
		require.NoError(t, err)
		playWindow(t, m, random, &far.Store, far, ratelimit.Must(slidingwindow.NewLog(rate, ratelimit.WithClock(clock))), clock, true)
	}
}

// What is given back of a log is the newest events, if they are those of the grant.
func TestLogRefund(t *testing.T) {
	m := newMini(t)
	far, err := redislimit.NewLog(m, "test", ratelimit.PerSecond(5))
	require.NoError(t, err)
	model := ratelimit.Must(slidingwindow.NewLog(ratelimit.PerSecond(5), ratelimit.WithClock(limittest.NewClock(t0))))
	for i, step := range []struct {
		at   time.Duration
		take int
		held time.Duration
	}{
		{0, 2, -1}, {100, 2, -1}, {150, 1, 150}, {200, 2, 50}, {1100, 1, 1}, {1400, 2, 0}, {2400, 2, 1000},
	} {
		now := t0.Add(step.at * time.Millisecond)
		m.SetTime(now)
		if step.held >= 0 {
			require.NoError(t, far.Refund(t.Context(), "k", step.take, step.held*time.Millisecond))
			model.RefundAt(now, step.take, step.held*time.Millisecond)
		} else {
			_, err := far.Take(t.Context(), "k", step.take)
			require.NoError(t, err)
			model.TakeAt(now, step.take)
		}
		got, err := far.Peek(t.Context(), "k", 1)
		require.NoError(t, err)
		require.Equal(t, model.PeekAt(now, 1), got, "step %d", i)
	}
}

// A caller measures from before its request, which may take longer to arrive than its refund. Its
// events are given back all the same, unless others may be meant.
func TestLogRefundOfARequestThatTookLong(t *testing.T) {
	const ms = time.Millisecond
	for name, row := range map[string]struct {
		grants    []time.Duration // of 2 events each
		held      time.Duration   // at 100 ms
		remaining int
	}{
		"measured exactly":                 {[]time.Duration{40 * ms}, 60 * ms, 9},
		"measured from before":             {[]time.Duration{40 * ms}, 61 * ms, 9},
		"another was granted before":       {[]time.Duration{40 * ms, 50 * ms}, 55 * ms, 7},
		"another was granted at that time": {[]time.Duration{40 * ms, 40 * ms}, 70 * ms, 7},
		"another was granted later":        {[]time.Duration{40 * ms, 50 * ms}, 60 * ms, 6},
		"another may be meant":             {[]time.Duration{40 * ms, 50 * ms}, 65 * ms, 6},
		"it may be out of the window":      {[]time.Duration{40 * ms}, time.Second, 8},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMini(t)
			limit, err := redislimit.NewLog(m, "test", ratelimit.PerSecond(10))
			require.NoError(t, err)
			for _, at := range row.grants {
				m.SetTime(t0.Add(at))
				_, err = limit.Take(t.Context(), "k", 2)
				require.NoError(t, err)
			}
			m.SetTime(t0.Add(100 * ms))
			require.NoError(t, limit.Refund(t.Context(), "k", 1, row.held))
			d, err := limit.Peek(t.Context(), "k", 0)
			require.NoError(t, err)
			require.Equal(t, row.remaining, d.Remaining)
		})
	}
}
