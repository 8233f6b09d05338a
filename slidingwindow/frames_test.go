package slidingwindow

import (
	"math/big"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/proof/model"
	"github.com/seed-3506548a/ratelimit/limittest"
)

// wearOut brings a Log's frame to where no version is left, or no cell that is free.
func wearOut(l *Log, versions bool) {
	f := l.core.current.Load()
	c := &f.Scale
	word := f.Word.Load()
	st := c.state(word)
	if versions {
		f.Word.Init(c.word(1<<(59-2*c.bits)-1, st))
		return
	}
	for i := range c.cells {
		if uint64(i) != st.cell {
			c.cells[i].Init(1) // as of a caller that was suspended
		}
	}
}

// Frames that are worn out are replaced in the course of whatever is called, which does the same as
// ever.
func TestLogWornOut(t *testing.T) {
	t0 := time.Unix(0, 0)
	for seed := range uint64(2000) {
		random := rand.New(rand.NewPCG(seed, 1))
		rate := ratelimit.Per(1+random.IntN(5), 10)
		clock := limittest.NewClock(t0)
		l, err := NewLog(rate, ratelimit.WithClock(clock))
		require.NoError(t, err)
		model, at := model.NewLog(rate), time.Duration(0)
		for range 30 {
			if random.IntN(2) == 0 {
				wearOut(l, random.IntN(2) == 0)
			}
			if random.IntN(2) == 0 {
				at += time.Duration(random.IntN(7))
			}
			now, off := t0.Add(at), big.NewInt(int64(at))
			clock.Set(now)
			n := random.IntN(4)
			switch random.IntN(5) {
			case 0:
				require.Equal(t, model.Take(off, n), l.TakeAt(now, n))
			case 1, 2:
				require.Equal(t, model.Take(off, 1).OK, l.Allow())
			case 3:
				held := time.Duration(random.IntN(3))
				l.RefundAt(now, n, held)
				model.Refund(off, off, n, held)
			case 4:
				if random.IntN(4) == 0 {
					rate.Events = 1 + random.IntN(5)
					require.NoError(t, l.SetRateAt(now, rate))
					model.SetRate(off, off, rate, rate.Events)
				}
			}
			require.Equal(t, model.Peek(off, 1), l.Peek(1))
		}
	}
}

// Whoever settles the ring for a word that is long past changes nothing that anybody looks at.
func TestALateHelperOfACounter(t *testing.T) {
	t0 := time.Unix(1000, 0)
	for _, buckets := range []int{1, 2, 3, 5, 10} {
		width := time.Second
		build := func() *Counter {
			return ratelimit.Must(NewCounter(ratelimit.Per(3, time.Duration(buckets)*width), buckets, ratelimit.WithClock(limittest.NewClock(t0))))
		}
		l, twin := build(), build()
		f := l.core.current.Load()
		words := []uint64{f.Word.Load()} // of a fresh limiter
		for i := range int64(200) {
			at := t0.Add(time.Duration(i*(1+i%7)) * width)
			for _, word := range words {
				f.Scale.settle(word)
			}
			require.Equal(t, twin.TakeAt(at, 1), l.TakeAt(at, 1), "%d buckets, step %d", buckets, i)
			if i < 5 {
				words = append(words, f.Word.Load())
			}
		}
		require.Same(t, f, l.core.current.Load())
	}
}

// No word of a Log comes back, though all but its version does.
func TestNoWordOfALogComesBack(t *testing.T) {
	t0 := time.Unix(1000, 0)
	for _, limit := range []int{1, 2, 5, 100} {
		l := ratelimit.Must(NewLog(ratelimit.Per(limit, 1), ratelimit.WithClock(limittest.NewClock(t0))))
		f := l.core.current.Load()
		seen := map[uint64]bool{f.Word.Load(): true}
		for i := range 2000 {
			require.True(t, l.TakeAt(t0.Add(time.Duration(i)), 1).OK)
			word := f.Word.Load()
			require.False(t, seen[word], "limit %d, grant %d", limit, i)
			seen[word] = true
		}
		require.Same(t, f, l.core.current.Load())
	}
}

// The bound, with a caller who has read the state long ago.
func TestALateGrantOfALog(t *testing.T) {
	t0 := time.Unix(1000, 0)
	l := ratelimit.Must(NewLog(ratelimit.Per(1, time.Second), ratelimit.WithClock(limittest.NewClock(t0))))
	require.True(t, l.TakeAt(t0, 1).OK)
	f := l.core.current.Load()
	word := f.Word.Load()
	st := f.Scale.state(word)
	for i := range 20 {
		require.True(t, l.TakeAt(t0.Add(time.Duration(i+1)*time.Second), 1).OK)
		moved, _ := f.Scale.move(f, word, st, f.Scale.granted(st, st.time+uint64(time.Second), 1))
		require.False(t, moved, i)
	}
}

// What is held under a higher limit does not make a later, smaller ring be left.
func TestALogRenewedInASmallerRing(t *testing.T) {
	t0 := time.Unix(1000, 0)
	l := ratelimit.Must(NewLog(ratelimit.Per(100, time.Second), ratelimit.WithClock(limittest.NewClock(t0))))
	require.True(t, l.TakeAt(t0, 100).OK)
	require.NoError(t, l.SetRateAt(t0, ratelimit.Per(1, time.Second)))
	i := 1
	for ; i <= 50; i++ {
		require.True(t, l.TakeAt(t0.Add(time.Duration(i)*time.Second), 1).OK)
	}
	f := l.core.current.Load()
	current := f.Scale.state(f.Word.Load()).cell
	for j := range f.Scale.cells {
		if uint64(j) != current {
			f.Scale.cells[j].Store(1)
		}
	}
	for ; i < 60; i++ {
		require.True(t, l.TakeAt(t0.Add(time.Duration(i)*time.Second), 1).OK, i)
		require.False(t, l.TakeAt(t0.Add(time.Duration(i)*time.Second), 1).OK, i)
	}
	require.NotSame(t, f, l.core.current.Load())
}

// A frame of a Log lasts for as many grants as the package documentation says.
func TestVersionsOfALog(t *testing.T) {
	t0 := time.Unix(1000, 0)
	l := ratelimit.Must(NewLog(ratelimit.Per(100, 1), ratelimit.WithClock(limittest.NewClock(t0))))
	f := l.core.current.Load()
	c := &f.Scale
	require.EqualValues(t, 1, c.version(f.Word.Load()))
	f.Word.Init(c.word(1<<(59-2*c.bits)-11, c.state(f.Word.Load())))
	for i := range 10 {
		require.True(t, l.TakeAt(t0.Add(time.Duration(i)), 1).OK)
		require.Same(t, f, l.core.current.Load(), i)
	}
	require.True(t, l.TakeAt(t0.Add(10), 1).OK)
	require.NotSame(t, f, l.core.current.Load())
}

// What a plan was made for may have become impossible when its turn comes: then the same events are
// left, in another frame.
func TestPlansOfALogThatAreTooLate(t *testing.T) {
	t0 := time.Unix(1000, 0)
	rate := ratelimit.Per(3, 10*time.Second)
	for _, plan := range []*logPlan{
		grantRenewed(instant(int64(5*time.Second)), 2),
		refundRenewed(instant(int64(time.Second))-1, 1),
		refundRenewed(instant(int64(time.Second)), 4),
	} {
		l := ratelimit.Must(NewLog(rate, ratelimit.WithClock(limittest.NewClock(t0))))
		twin := ratelimit.Must(NewLog(rate, ratelimit.WithClock(limittest.NewClock(t0))))
		for _, same := range []*Log{l, twin} {
			require.True(t, same.TakeAt(t0, 1).OK)
			require.True(t, same.TakeAt(t0.Add(time.Second), 1).OK)
		}
		f := l.core.current.Load()
		require.True(t, l.core.current.Replace(f, plan))
		require.NotSame(t, f, l.core.current.Load())
		for i := range 15 {
			at := t0.Add(time.Duration(i) * time.Second)
			require.Equal(t, twin.PeekAt(at, 1), l.PeekAt(at, 1), i)
		}
	}
}

// What a limiter takes is in the package documentation: rings are as long as they must be.
func TestRings(t *testing.T) {
	for buckets, want := range map[int]int{1: 4, 2: 8, 3: 8, 4: 16, 7: 16, 8: 32, 10: 32} {
		require.Len(t, ratelimit.Must(NewCounter(ratelimit.PerSecond(10), buckets)).core.current.Load().Scale.ring, want)
	}
	for limit, want := range map[int]int{0: 2, 1: 2, 2: 4, 3: 6, 100: 200} {
		require.Len(t, ratelimit.Must(NewLog(ratelimit.PerSecond(limit))).core.current.Load().Scale.ring, want)
	}
}
