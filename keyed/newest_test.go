package keyed

import (
	"math"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/limittest"
)

// A visitor that was suspended does not take a new debt for an old one, and lower it.
func TestVisitorsThatComeLate(t *testing.T) {
	const burst = 1 << 30
	clock := limittest.NewClock(time.Unix(0, 0))
	table := ratelimit.Must(NewGCRA[int](ratelimit.PerSecond(1_000_000), burst, 4, WithClock(clock)))
	c := &table.core
	now := c.scale.at(0)
	require.True(t, c.charge(1, now, 1, &c.limited).ok())
	clock.Set(time.Unix(0, 0).AddDate(100, 0, 0))
	from := c.newest.Load()
	later := now + 3*lap + lap/2
	require.True(t, c.charge(2, later, burst, &c.limited).ok())
	require.False(t, c.sweep(from, from+lap), "it gives up")
	require.False(t, c.charge(2, later, 1, &c.limited).ok(), "nothing is forgotten")
	newest := c.newest.Load()
	c.advance(newest - 1)
	require.Equal(t, newest, c.newest.Load(), "it never goes back")
}

// Many come back at one moment, after so long that the words must be looked after: everybody gets a
// burst, once, and those who owed something long ago are as good as new.
func TestComingBackTogether(t *testing.T) {
	const keys, burst = 2000, 1 << 30
	for _, laps := range []float64{1.5, 3.0001, 5, 7, 9.5} {
		clock := limittest.NewClock(time.Unix(0, 0))
		table := ratelimit.Must(NewGCRA[int](ratelimit.PerSecond(1_000_000), burst, 50_000, WithClock(clock)))
		for key := range 50_000 {
			require.True(t, table.TakeAt(time.Unix(0, 0), key, 1+key).OK)
		}
		at := time.Unix(0, 0).Add(time.Duration(laps * float64(lap) * 1000 / 256)) // a tick is 1000/256 ns
		clock.Set(at)
		var granted [keys]atomic.Int32
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				for key := range granted {
					if table.TakeAt(at, key, burst).OK {
						granted[key].Add(1)
					}
				}
			})
		}
		all.Wait()
		for key := range granted {
			require.EqualValues(t, 1, granted[key].Load(), "after %v laps", laps)
			require.False(t, table.TakeAt(at, key, burst).OK)
		}
		requireNoKeyTwice(t, &table.core)
	}
}

// In each lap, each set is looked after once, wherever in time it begins: also where the product of
// times and sets outgrows 64 bits.
func TestEachSetIsLookedAfterOnceInALap(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		capacity := 4 * (1 + random.IntN(40))
		table := ratelimit.Must(NewGCRA[int](ratelimit.PerSecond(1), 1, capacity, WithClock(limittest.NewClock(time.Unix(0, 0)))))
		c := &table.core
		from := firstTick + random.Uint64N(1<<63)
		if sets := uint64(len(c.sets)); sets > 2 && random.IntN(2) > 0 {
			from = (1+random.Uint64N((sets-1)/2))*(math.MaxUint64/sets) - random.Uint64N(lap)
		}
		live, old := pack(7, from+lap+random.Uint64N(maxDepth)), pack(8, from-late-1-random.Uint64N(lap))
		for i := range c.sets {
			c.sets[i][0].Store(live)
			c.sets[i][1].Store(old)
		}
		end, seen := from+lap, 0
		c.newest.Store(from)
		for from < end {
			to := min(end, from+1+random.Uint64N(lap/4))
			require.True(t, c.sweep(from, to))
			for i := range c.sets {
				set := &c.sets[i]
				require.Equal(t, live, set[0].Load())
				require.Zero(t, set[2].Load())
				if word := set[1].Load(); word != old {
					require.Equal(t, pack(8, from-late), word)
					seen++
				}
			}
			c.newest.Store(to)
			from = to
			old = pack(8, from-late-1-random.Uint64N(lap))
			for i := range c.sets {
				c.sets[i][1].Store(old)
			}
		}
		require.Equal(t, len(c.sets), seen)
	}
}

// A debt as deep as may be is gone after whole rounds of the 40 bits, and is not there again.
func TestDebtsAreGoneAfterWholeRounds(t *testing.T) {
	const burst = 1 << 30
	for k := range uint64(80) {
		clock := limittest.NewClock(time.Unix(0, 0))
		table := ratelimit.Must(NewGCRA[int](ratelimit.PerSecond(1_000_000), burst, 4, WithClock(clock)))
		c := &table.core
		now := c.scale.at(0)
		clock.Set(time.Unix(0, 0).AddDate(100, 0, 0))
		require.True(t, c.charge(2, now, 1, &c.limited).ok())
		now += slack // the furthest that may be ahead of the newest time
		require.True(t, c.charge(1, now, burst, &c.limited).ok())
		later := now + maxDepth + k*lap/4 + k%2*(lap/4-1)
		require.True(t, c.charge(1, later, burst, &c.limited).ok())
		require.False(t, c.charge(1, later, 1, &c.limited).ok())
	}
}

// Beyond the end of time, it stands still.
func TestNothingComesAfterTheEndOfTime(t *testing.T) {
	clock := limittest.NewClock(time.Unix(0, 0))
	table := ratelimit.Must(NewGCRA[int](ratelimit.PerSecond(1), 1, 4, WithClock(clock)))
	end := time.Unix(0, 0).Add(math.MaxInt64)
	clock.Set(end)
	require.True(t, table.TakeAt(end, 1, 1).OK)
	require.Equal(t, ratelimit.Decision{Limit: 1, RetryAfter: ratelimit.Never, ResetAfter: ratelimit.Never}, table.TakeAt(end, 1, 1))
}

// A word without a tag stays one that is not empty, whatever its TAT is raised to.
func TestWordsStayTaken(t *testing.T) {
	table := ratelimit.Must(NewGCRA[int](ratelimit.PerSecond(1), 1, 4, WithClock(limittest.NewClock(time.Unix(0, 0)))))
	c := &table.core
	now := c.scale.at(0)
	require.True(t, c.charge(0x77, now, 1, &c.limited).ok())
	c.reset(0x77)
	round := (now>>tatBits + 1) << tatBits
	c.advance(round + late) // from where they are raised to 0 modulo 2^40
	c.advance(round + late + lap)
	require.Equal(t, uint64(1), c.place(0x77).word(0).Load())
	require.Zero(t, c.stats(0).Live)

	// Keys whose hash would make no tag have one.
	require.True(t, c.charge(0, round+late+lap, 1, &c.limited).ok())
	require.False(t, c.charge(1, round+late+lap, 1, &c.limited).ok(), "it is the same as 1")
}

// A set is a cache line, however many there are.
func TestSetsAreCacheLines(t *testing.T) {
	for n := range 200 {
		sets := newSets(n + 1)
		require.Len(t, sets, n+1)
		require.EqualValues(t, 64, unsafe.Sizeof(sets[0]))
		require.Zero(t, uintptr(unsafe.Pointer(&sets[0]))%64)
	}
}

// What can never be granted is not granted by FailOpen either, nor counted.
func TestFailOpenOfNothing(t *testing.T) {
	for _, opts := range [][]Option{{FailOpen()}, nil} {
		table := ratelimit.Must(NewGCRA[int](ratelimit.PerSecond(0), 1, 4, opts...))
		require.False(t, table.Allow(1))
		require.Equal(t, Stats{Slots: 8}, table.Stats())
	}
}

// TestStatsAddUp has counted something in each of the lines that are counted in.
func TestStatsAddUp(t *testing.T) {
	table, err := NewGCRA[int](ratelimit.PerSecond(1), 1, 8)
	require.NoError(t, err)
	for i := range table.core.rare {
		r := &table.core.rare[i]
		r.inherited.Add(1)
		r.saturated.Add(2)
		r.untracked.Add(3)
		r.retries.Add(4)
	}
	require.Equal(t, Stats{Slots: 16, Inherited: 8, Saturated: 16, Untracked: 24, Retries: 32}, table.Stats())
}

// TestWhoInheritsIsCounted has nine keys in eight words.
func TestWhoInheritsIsCounted(t *testing.T) {
	table, err := NewGCRA[int](ratelimit.PerSecond(1), 2, 4, WithClock(limittest.NewClock(time.Unix(0, 0))))
	require.NoError(t, err)
	for key := range 8 {
		require.True(t, table.Allow(key))
	}
	require.Zero(t, table.Stats().Inherited)
	require.True(t, table.Allow(8), "on top of what another owes")
	require.EqualValues(t, 1, table.Stats().Inherited)
}
