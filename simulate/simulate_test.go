package simulate_test

import (
	"iter"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/fixedwindow"
	"github.com/seed-3506548a/ratelimit/gcra"
	"github.com/seed-3506548a/ratelimit/simulate"
	"github.com/seed-3506548a/ratelimit/slidingwindow"
)

var t0 = time.Date(1995, 10, 25, 4, 11, 25, 0, time.UTC)

// at makes a request for n events at each of the times after t0.
func at(n int, after ...time.Duration) iter.Seq[simulate.Event] {
	return func(yield func(simulate.Event) bool) {
		for _, d := range after {
			if !yield(simulate.Event{At: t0.Add(d), N: n}) {
				return
			}
		}
	}
}

func TestReplay(t *testing.T) {
	const s = time.Second
	r := simulate.Replay(at(2, 0, s, 2*s, 12*s, 3*s, 60*s), ratelimit.Must(slidingwindow.NewLog(ratelimit.Per(5, 10*s))))
	require.Equal(t, 6, r.Requests)
	require.Equal(t, 12, r.Offered)
	require.Equal(t, 8, r.Granted) // at 0, 1, 12 and 60 s; and the late one at 3 s finds those at 0, 1 and 12 s
	require.Equal(t, 4, r.Refused)
	require.Zero(t, r.Never)
	require.Equal(t, slices.Collect(at(2, 0, s, 12*s, 60*s)), slices.Collect(r.Grants()))
	require.Equal(t, 2, r.MostGranted(1))
	require.Equal(t, 2, r.MostGranted(s), "a window is open at its end")
	require.Equal(t, 4, r.MostGranted(s+1))
	require.Equal(t, 4, r.MostGranted(12*s))
	require.Equal(t, 6, r.MostGranted(12*s+1))
	require.Equal(t, 8, r.MostGranted(math.MaxInt64))
	require.Zero(t, r.MostGranted(0))
	require.Zero(t, r.MostGranted(-s))
	// Refused at 2 s until the ones at 0 s have expired, and at 3 s, which counts those at 12 s
	// too: until 11 s.
	require.Equal(t, []time.Duration{8 * s, 8 * s, 8 * s, 8 * s, 8 * s}, r.Waits(-1, 0, 0.5, 1, 9))
}

func TestReplayOfNothing(t *testing.T) {
	r := simulate.Replay(at(1), ratelimit.Unlimited())
	require.Equal(t, simulate.Report{}, r)
	require.Zero(t, r.MostGranted(time.Hour))
	require.Equal(t, []time.Duration{0}, r.Waits(0.5))
	require.Empty(t, slices.Collect(r.Grants()))
}

func TestReplayOfWhatCanNeverBe(t *testing.T) {
	l := ratelimit.Must(gcra.New(ratelimit.PerSecond(1), 3))
	r := simulate.Replay(func(yield func(simulate.Event) bool) {
		for _, n := range []int{-1, 0, 4, math.MaxInt, math.MaxInt, math.MinInt, 3} {
			if !yield(simulate.Event{At: t0, N: n}) {
				return
			}
		}
	}, l)
	require.Equal(t, 7, r.Requests)
	require.Equal(t, 5, r.Never)
	require.Equal(t, 3, r.Granted)
	require.Equal(t, math.MaxInt, r.Offered, "it does not overflow")
	require.Equal(t, math.MaxInt, r.Refused)
	require.Equal(t, []time.Duration{0}, r.Waits(1), "there is no wait among them")
}

// The waits of requests that come too early by 1 to 1000 ns are those, whatever their order.
func TestWaits(t *testing.T) {
	var early []time.Duration
	for i := range 1000 {
		early = append(early, time.Second-time.Duration(i+1))
	}
	rand.New(rand.NewPCG(1, 2)).Shuffle(len(early), func(i, j int) { early[i], early[j] = early[j], early[i] })
	r := simulate.Replay(at(1, append([]time.Duration{0}, early...)...), ratelimit.Must(gcra.New(ratelimit.PerSecond(1), 1)))
	require.Equal(t, 1000, r.Refused)
	require.Equal(t, []time.Duration{1, 1, 2, 500, 990, 1000, 1}, r.Waits(0, 0.001, 0.0011, 0.5, 0.99, 1, math.NaN()))
}

// MostGranted is compared with its definition, on times in any order and as far apart as they may
// be.
func TestMostGranted(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for range 300 {
		span := time.Duration(1) << random.IntN(63)
		var after []time.Duration
		for range random.IntN(60) {
			after = append(after, time.Duration(random.Int64N(int64(span)))-span/2)
		}
		r := simulate.Replay(at(1, after...), ratelimit.Unlimited())
		require.Equal(t, len(after), r.Granted)
		for range 20 {
			window := 1 + time.Duration(random.Int64N(int64(span)))
			most := 0
			for _, first := range after {
				inside := 0
				for _, d := range after {
					if d >= first && uint64(d-first) < uint64(window) {
						inside++
					}
				}
				most = max(most, inside)
			}
			require.Equal(t, most, r.MostGranted(window))
		}
	}
}

// The report on many more than a part of the list is what a bare loop finds.
func TestReplayOfMany(t *testing.T) {
	events := simulate.Until(ratelimit.Must(simulate.Poisson(t0, ratelimit.PerSecond(1500), 1)), t0.Add(time.Minute))
	build := func() ratelimit.Limiter { return ratelimit.Must(fixedwindow.NewAligned(ratelimit.PerSecond(1000))) }
	l := build()
	var granted []simulate.Event
	requests := 0
	for e := range events {
		requests++
		if l.TakeAt(e.At, e.N).OK {
			granted = append(granted, e)
		}
	}
	r := simulate.Replay(events, build())
	require.Equal(t, requests, r.Requests)
	require.Equal(t, granted, slices.Collect(r.Grants()))
	require.Equal(t, 60_000, r.Granted)
	require.Greater(t, r.MostGranted(time.Second), 1000, "aligned windows let more pass around an edge")
	require.Equal(t, r, simulate.Replay(events, build()), "it is the same each time")
	for range r.Grants() {
		break
	}
}

// What is missing is said, and not left to a nil pointer.
func TestNil(t *testing.T) {
	var none *gcra.Limiter
	var nobody *strings.Reader
	empty := func(func(simulate.Event) bool) {}
	require.PanicsWithValue(t, "simulate.Replay: events is nil, want a sequence", func() { simulate.Replay(nil, ratelimit.Unlimited()) })
	require.PanicsWithValue(t, "simulate.Replay: l is nil, want a limiter", func() { simulate.Replay(empty, nil) })
	require.PanicsWithValue(t, "simulate.Replay: l is nil, want a limiter", func() { simulate.Replay(empty, none) })
	require.PanicsWithValue(t, "simulate.ReadLog: r is nil, want a reader", func() { simulate.ReadLog(nil) })
	require.PanicsWithValue(t, "simulate.ReadLog: r is nil, want a reader", func() { simulate.ReadLog(nobody) })
}
