package soak_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/burst"
	"github.com/seed-3506548a/ratelimit/fixedwindow"
	"github.com/seed-3506548a/ratelimit/gcra"
	"github.com/seed-3506548a/ratelimit/internal/proof/bounds"
	"github.com/seed-3506548a/ratelimit/internal/proof/soak"
	"github.com/seed-3506548a/ratelimit/keyed"
	"github.com/seed-3506548a/ratelimit/slidingwindow"
	"github.com/seed-3506548a/ratelimit/tokenbucket"
)

// soaked is a limiter that all callers ask, and what it granted.
type soaked struct {
	name    string
	limiter ratelimit.Limiter
	wall    bool // its windows go by the wall clock, and so do its grants

	// share returns how much of its bound was used where most of it was: the bound holds if that is
	// at most 1.
	share bounds.Share
}

const callers = 8

// greatest is the share of whichever bound is used most.
func greatest(shares ...bounds.Share) bounds.Share {
	return func(grants []bounds.Span) (worst float64) {
		for _, share := range shares {
			worst = max(worst, share(grants))
		}
		return worst
	}
}

func limiters(coarse ratelimit.Clock) (all []soaked) {
	add := func(name string, share bounds.Share, l ratelimit.Limiter, err error) {
		all = append(all, soaked{name: name, limiter: ratelimit.Must(l, err), share: share})
	}
	rate, window := ratelimit.PerSecond(1000), ratelimit.PerSecond(1000)
	odd, short := ratelimit.Per(7777, 5*time.Second), ratelimit.Per(10, 7*time.Millisecond)
	{
		l, err := gcra.New(rate, 5)
		add("gcra", bounds.BucketShare(rate, 5), l, err)
	}
	{
		dense := ratelimit.PerSecond(62_000) // hardly enough to lease
		l, err := gcra.NewStriped(dense, 33*runtime.GOMAXPROCS(0)+10)
		add("gcra, striped", bounds.BucketShare(dense, float64(l.Burst())), l, err)
	}
	{
		l, err := gcra.New(odd, 100, ratelimit.WithClock(coarse))
		add("gcra on a coarse clock", bounds.BucketShare(odd, 100), l, err)
	}
	{
		l, err := fixedwindow.NewAligned(short, ratelimit.WithClock(coarse))
		add("fixedwindow, aligned, on a coarse clock", bounds.AlignedShare(short), l, err)
		all[len(all)-1].wall = true
	}
	{
		l, err := tokenbucket.New(odd, 50)
		add("tokenbucket", bounds.BucketShare(odd, 50), l, err)
	}
	{
		l, err := tokenbucket.NewInterval(window, 1500)
		add("tokenbucket, interval", bounds.IntervalShare(window, 1500), l, err)
	}
	{
		l, err := fixedwindow.NewAnchored(window)
		add("fixedwindow, anchored", bounds.IntervalShare(window, 1000), l, err)
	}
	{
		l, err := fixedwindow.NewAligned(short)
		add("fixedwindow, aligned", bounds.AlignedShare(short), l, err)
		all[len(all)-1].wall = true
	}
	{
		l, err := slidingwindow.NewCounter(short, 7)
		add("slidingwindow.Counter", bounds.SlidingShare(short), l, err)
	}
	{
		l, err := slidingwindow.NewLog(short)
		add("slidingwindow.Log", bounds.SlidingShare(short), l, err)
	}
	{
		inner := ratelimit.Must(tokenbucket.New(rate, 100))
		l, err := burst.New(inner, short)
		add("burst", greatest(bounds.BucketShare(rate, 100), bounds.SlidingShare(short)), l, err)
	}
	{
		bucket, log := ratelimit.Must(gcra.New(odd, 20)), ratelimit.Must(slidingwindow.NewLog(short))
		l, err := ratelimit.All(bucket, log)
		add("All", greatest(bounds.BucketShare(odd, 20), bounds.SlidingShare(short)), l, err)
	}
	table := ratelimit.Must(keyed.NewGCRA[int](ratelimit.PerSecond(100), 3, 8))
	for key := range 12 { // more than there is room for at times
		add(fmt.Sprintf("keyed.Table, key %d", key), bounds.BucketShare(ratelimit.PerSecond(100), 3+1.0/256), table.Limiter(key), nil)
	}
	windows := ratelimit.Must(keyed.NewAlignedWindow[int](short, 8))
	for key := range 4 {
		add(fmt.Sprintf("keyed.Table of windows, key %d", key), bounds.AlignedShare(short), windows.Limiter(key), nil)
		all[len(all)-1].wall = true
	}
	return all
}

// TestSoak has callers ask all limiters by all methods, with times that are kept back at times, for
// the duration. Some sleep within a call, in Wait, others are suspended by the scheduler.
// Afterwards each grant is known to have been made at a time, or between two times.
func TestSoak(t *testing.T) {
	duration := soak.Duration(t)
	coarse := ratelimit.Must(ratelimit.NewCoarseClock(time.Millisecond))
	coarse.Start()
	defer coarse.Stop()
	all := limiters(coarse)
	start := time.Now()
	grants := make([][callers][]bounds.Span, len(all))
	var asked atomic.Int64
	var group sync.WaitGroup
	for c := range callers {
		group.Go(func() {
			random := rand.New(rand.NewPCG(uint64(c), 1))
			kept := start
			for n := int64(0); ; n++ {
				i := random.IntN(len(all))
				g, ok := ask(random, &all[i], start, &kept)
				if ok {
					grants[i][c] = append(grants[i][c], g)
				}
				if n%1024 == 0 && time.Since(start) > duration {
					asked.Add(n)
					return
				}
			}
		})
	}
	group.Wait()
	t.Logf("%d requests by %d callers in %v", asked.Load(), callers, duration)
	total := int64(0)
	for i, s := range all {
		var of []bounds.Span
		events := int64(0)
		for c := range callers {
			of = append(of, grants[i][c]...)
		}
		for _, g := range of {
			events += g.N
		}
		total += events
		share := s.share(of)
		t.Logf("%s: %d events granted, at most %.4f of the bound", s.name, events, share)
		require.LessOrEqual(t, share, 1.0, s.name)
		require.Positive(t, share, s.name)
	}
	t.Logf("%d events granted", total)
}

// ask asks a limiter in one of the ways that there are, and returns what was granted.
func ask(random *rand.Rand, s *soaked, start time.Time, kept *time.Time) (bounds.Span, bool) {
	clock := s.limiter.Clock()
	at := func(t time.Time) int64 {
		if s.wall {
			return t.UnixNano()
		}
		return int64(t.Sub(start))
	}
	n := 1 + random.IntN(3)
	before := clock.Now()
	switch random.IntN(8) {
	case 0:
		if random.IntN(100) > 0 { // now and then
			break
		}
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
		defer cancel()
		ok := ratelimit.Wait(ctx, s.limiter, n) == nil
		return bounds.Span{Lo: at(before), Hi: at(clock.Now()), N: int64(n)}, ok
	case 1, 2:
		ok := s.limiter.Allow()
		return bounds.Span{Lo: at(before), Hi: at(clock.Now()), N: 1}, ok
	case 3, 4:
		ok := s.limiter.Take(n).OK
		return bounds.Span{Lo: at(before), Hi: at(clock.Now()), N: int64(n)}, ok
	case 5: // with an old reading, or one to be old
		if random.IntN(100) == 0 {
			*kept = before
		}
		before = *kept
	}
	return bounds.Span{Lo: at(before), Hi: at(before), N: int64(n)}, s.limiter.TakeAt(before, n).OK
}
