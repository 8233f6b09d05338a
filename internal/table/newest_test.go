package table

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
	c := gcra(ratelimit.PerSecond(1_000_000), burst, 4, ratelimit.WithClock(clock))
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
	after := []float64{1.5, 3.0001, 5, 7, 9.5}
	if testing.Short() {
		after = after[:1]
	}
	for _, laps := range after {
		clock := limittest.NewClock(time.Unix(0, 0))
		table := gcra(ratelimit.PerSecond(1_000_000), burst, 50_000, ratelimit.WithClock(clock))
		take := func(key int, at time.Time, n int) bool {
			var d ratelimit.Decision
			table.Take(&d, mixed(uint64(key)), table.line.At(at), n, &table.limited)
			return d.OK
		}
		for key := range 50_000 {
			require.True(t, take(key, time.Unix(0, 0), 1+key))
		}
		at := time.Unix(0, 0).Add(time.Duration(laps * float64(lap) * 1000 / 256)) // a tick is 1000/256 ns
		clock.Set(at)
		var granted [keys]atomic.Int32
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				for key := range granted {
					if take(key, at, burst) {
						granted[key].Add(1)
					}
				}
			})
		}
		all.Wait()
		for key := range granted {
			require.EqualValues(t, 1, granted[key].Load(), "after %v laps", laps)
			require.False(t, take(key, at, burst))
		}
		requireNoKeyTwice(t, table)
	}
}

// In each lap, each set is looked after once, wherever in time it begins: also where the product of
// times and sets outgrows 64 bits.
func TestEachSetIsLookedAfterOnceInALap(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		capacity := 4 * (1 + random.IntN(40))
		c := gcra(ratelimit.PerSecond(1), 1, capacity, ratelimit.WithClock(limittest.NewClock(time.Unix(0, 0))))
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
		c := gcra(ratelimit.PerSecond(1_000_000), burst, 4, ratelimit.WithClock(clock))
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

// A word without a tag stays one that is not empty, whatever its TAT is raised to.
func TestWordsStayTaken(t *testing.T) {
	c := gcra(ratelimit.PerSecond(1), 1, 4, ratelimit.WithClock(limittest.NewClock(time.Unix(0, 0))))
	now := c.scale.at(0)
	require.True(t, c.charge(0x77, now, 1, &c.limited).ok())
	c.Reset(0x77)
	round := (now>>tatBits + 1) << tatBits
	c.advance(round + late) // from where they are raised to 0 modulo 2^40
	c.advance(round + late + lap)
	require.Equal(t, uint64(1), c.place(0x77).word(0).Load())
	require.Zero(t, c.Stats(0).Live)

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

// TestStatsAddUp has counted something in each of the lines that are counted in.
func TestStatsAddUp(t *testing.T) {
	table := gcra(ratelimit.PerSecond(1), 1, 8)
	for i := range table.rare {
		r := &table.rare[i]
		r.inherited.Add(1)
		r.saturated.Add(2)
		r.untracked.Add(3)
		r.retries.Add(4)
	}
	require.Equal(t, Stats{Slots: 16, Inherited: 8, Saturated: 16, Untracked: 24, Retries: 32}, table.Stats(0))
}
