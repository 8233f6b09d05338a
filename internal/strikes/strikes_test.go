package strikes_test

import (
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/proof/allocations"
	"github.com/seed-3506548a/ratelimit/internal/strikes"
)

const (
	second = time.Second
	minute = time.Minute
	hour   = time.Hour
	day    = 24 * time.Hour
)

const ann, bob = 7, 1 << 40 // keys

func ladder(tb testing.TB, steps ...strikes.Step) *strikes.Ladder {
	l, err := strikes.NewLadder(steps)
	require.NoError(tb, err)
	return &l
}

func at(d time.Duration) int64 { return int64(d) }

// blocked returns how long a key is blocked at a time.
func blocked(t *strikes.Table, hash uint64, now time.Duration) time.Duration {
	if d := t.Look(hash); d != nil {
		if until, ok := d.Blocked(at(now)); ok {
			return time.Duration(until) - now
		}
	}
	return 0
}

// Fair use: told at the second strike in ten minutes, slowed down at the third, blocked at the
// fifth in an hour, and revoked at the third in a day that comes from a block.
func TestStory(t *testing.T) {
	l := ladder(t,
		strikes.Step{After: 1, Do: strikes.Log},
		strikes.Step{After: 3, Within: 10 * minute, Do: strikes.Throttle, For: 10 * minute, Slow: 1},
		strikes.Step{After: 4, Within: 10 * minute, Do: strikes.Notify},
		strikes.Step{After: 5, Within: hour, Do: strikes.Block, For: hour},
		strikes.Step{After: 6, Within: day, Do: strikes.Revoke},
	)
	const log, throttle, notify, block, revoke = 0, 1, 2, 3, 4
	table := strikes.New(100)
	for i, row := range []struct {
		at, told time.Duration
		counted  bool
		reached  uint16
		acts     int
		until    time.Duration // of what acts
		strikes  [3]int        // in ten minutes, an hour and a day
	}{
		{0, minute, true, 1 << log, -1, 0, [3]int{1, 1, 1}},
		{30 * second, 30 * second, false, 0, -1, 0, [3]int{1, 1, 1}}, // in the episode
		{1 * minute, 2 * minute, true, 1 << log, -1, 0, [3]int{2, 2, 2}},
		{3 * minute, minute, true, 1 << log, throttle, 13 * minute, [3]int{3, 3, 3}},
		{5 * minute, minute, true, 1<<log | 1<<notify, throttle, 15 * minute, [3]int{4, 4, 4}},
		{20 * minute, minute, true, 1 << log, block, 80 * minute, [3]int{1, 5, 5}}, // ten minutes begin anew
		{2 * hour, minute, true, 1 << log, revoke, 2 * hour, [3]int{1, 1, 6}},
		{25 * hour, minute, true, 1 << log, -1, 0, [3]int{1, 1, 1}},
	} {
		d, s := table.Strike(ann, at(row.at), row.told, l, 0)
		require.Equal(t, strikes.Struck{Counted: row.counted, Reached: row.reached, Acts: row.acts, Until: at(row.until)}, s, "row %d", i)
		for span, within := range []time.Duration{10 * minute, hour, day} {
			require.Equal(t, row.strikes[span], d.Strikes(within), "row %d", i)
		}
		require.Same(t, d, table.Look(ann))
	}
	require.Equal(t, time.Duration(1), blocked(table, ann, 80*minute-1))
	require.Zero(t, blocked(table, ann, 80*minute))
	require.Equal(t, strikes.Stats{}, table.Stats())
	require.Nil(t, table.Look(bob))
}

// An end is exact to the nanosecond: of an episode, of a block, of a throttle, of a span.
func TestEnds(t *testing.T) {
	l := ladder(t,
		strikes.Step{After: 1, Within: minute, Do: strikes.Throttle, For: hour, Slow: 3},
		strikes.Step{After: 2, Within: minute, Do: strikes.Block, For: hour})
	table := strikes.New(1)
	d, _ := table.Strike(ann, 0, 2*second, l, 0)
	require.True(t, d.InEpisode(at(2*second)-1))
	require.False(t, d.InEpisode(at(2*second)))
	require.True(t, d.InEpisode(-at(second)), "for requests that came together")
	require.False(t, d.InEpisode(-at(second)-1))
	until, slow, ok := d.Throttled(at(hour) - 1)
	require.True(t, ok)
	require.Equal(t, at(hour), until)
	require.Equal(t, int32(3), slow)
	_, _, ok = d.Throttled(at(hour))
	require.False(t, ok)
	_, ok = d.Blocked(0)
	require.False(t, ok)

	_, s := table.Strike(ann, at(minute)-1, 0, l, 0)
	require.Equal(t, 1, s.Acts)
	require.Equal(t, time.Duration(1), blocked(table, ann, hour+minute-2))
	require.Zero(t, blocked(table, ann, hour+minute-1))
	_, s = table.Strike(ann, at(2*minute), 0, l, 0)
	require.Equal(t, 0, s.Acts, "the span is over")
	table.Strike(bob, 0, second, l, 0)
	d, s = table.Strike(bob, at(minute), second, l, 0)
	require.Equal(t, 0, s.Acts)
	require.Equal(t, 1, d.Strikes(minute))
}

// An episode is as long as its first refusal was told, but at least a second, and refusals in it do
// not lengthen it.
func TestEpisodes(t *testing.T) {
	l := ladder(t, strikes.Step{After: 100, Within: day, Do: strikes.Block, For: day})
	for _, row := range []struct {
		told time.Duration
		at   []time.Duration
		want int
	}{
		{minute, []time.Duration{0, 59 * second, 61 * second}, 2},
		{minute, []time.Duration{0, minute - 1, minute}, 2},
		{0, []time.Duration{0, second - 1, second, 2*second - 1}, 2},
		{-1, []time.Duration{0, second - 1, second}, 2},
		{ratelimit.Never - 1, []time.Duration{0, hour, 1 << 62}, 1},
		{ratelimit.Never - 1, []time.Duration{hour, 2 * hour}, 1},
		{minute, []time.Duration{0, -second, second}, 1},         // late by little
		{minute, []time.Duration{0, -second - 1, second - 2}, 1}, // set back: the day begins anew
		{minute, []time.Duration{hour, 2 * hour, hour + minute + 1}, 3},
	} {
		table := strikes.New(1)
		var d *strikes.Dossier
		for _, now := range row.at {
			d, _ = table.Strike(ann, at(now), row.told, l, 0)
		}
		require.Equal(t, row.want, d.Strikes(day), "%v", row)
	}
}

// What can never be granted is no strike, and begins no episode: the refusal after it is one.
func TestNeverIsNoStrike(t *testing.T) {
	l := ladder(t, strikes.Step{After: 1, Do: strikes.Block, For: hour})
	table := strikes.New(1)
	d, s := table.Strike(ann, 0, ratelimit.Never, l, 0)
	require.Nil(t, d)
	require.Equal(t, strikes.Struck{Acts: -1}, s)
	_, s = table.Strike(ann, 1, second, l, 0)
	require.True(t, s.Counted)
}

// A span begins with its first strike, and later ones do not move it.
func TestASpanBeginsWithItsFirstStrike(t *testing.T) {
	l := ladder(t, strikes.Step{After: 3, Within: hour, Do: strikes.Block, For: hour})
	table := strikes.New(1)
	for _, now := range []time.Duration{0, 50 * minute, 70 * minute} {
		_, s := table.Strike(ann, at(now), second, l, 0)
		require.Equal(t, -1, s.Acts)
	}
	require.Equal(t, 1, table.Look(ann).Strikes(hour))
}

// When a clock was set back, a span begins anew; it does not go on as a negative one.
func TestClockSetBack(t *testing.T) {
	l := ladder(t, strikes.Step{After: 2, Within: hour, Do: strikes.Block, For: hour})
	table := strikes.New(1)
	for i, now := range []time.Duration{10 * hour, 2 * hour, 2*hour + minute} {
		_, s := table.Strike(ann, at(now), second, l, 0)
		require.True(t, s.Counted)
		require.Equal(t, i == 2, s.Acts == 0)
	}
	require.Equal(t, hour, blocked(table, ann, 2*hour+minute))
	require.Equal(t, 2*hour+minute, blocked(table, ann, hour), "an end holds at all times before it")
}

// A table knows of no block at times before its origin.
func TestBeforeTheOrigin(t *testing.T) {
	l := ladder(t, strikes.Step{After: 2, Within: hour, Do: strikes.Block, For: second})
	for _, now := range []int64{-1, -at(hour), -1 << 62} {
		table := strikes.New(1)
		d, _ := table.Strike(ann, now, second, l, 0)
		_, ok := d.Blocked(now)
		require.False(t, ok)
		_, _, ok = d.Throttled(now)
		require.False(t, ok)
		require.True(t, table.Raise(bob, now, strikes.Throttle, now+1, 0))
		_, ok = table.Look(bob).Blocked(now)
		require.False(t, ok)
		require.False(t, table.Look(bob).InEpisode(now))
		_, s := table.Strike(bob, now, second, l, 0)
		require.True(t, s.Counted)
	}
}

// The last throttle has the limit, and the longest the end; and a block does not end earlier by
// another.
func TestRaisedByMaximum(t *testing.T) {
	l := ladder(t,
		strikes.Step{After: 1, Within: hour, Do: strikes.Throttle, For: hour, Slow: 1},
		strikes.Step{After: 2, Within: hour, Do: strikes.Throttle, For: minute, Slow: 2},
		strikes.Step{After: 3, Within: hour, Do: strikes.Block, For: hour},
		strikes.Step{After: 4, Within: hour, Do: strikes.Block, For: minute})
	table := strikes.New(1)
	for i, now := range []time.Duration{0, 10 * second, 20 * second, 30 * second} {
		d, s := table.Strike(ann, at(now), second, l, 0)
		require.Equal(t, i, s.Acts)
		until, slow, ok := d.Throttled(at(now))
		require.True(t, ok)
		require.Equal(t, at(hour), until)
		require.Equal(t, int32(min(i+1, 2)), slow)
	}
	require.Equal(t, hour, blocked(table, ann, 20*second))
}

// Notify and Log never displace a step that acts.
func TestNotifyDisplacesNothing(t *testing.T) {
	l := ladder(t,
		strikes.Step{After: 2, Within: hour, Do: strikes.Throttle, For: minute},
		strikes.Step{After: 3, Within: hour, Do: strikes.Notify},
		strikes.Step{After: 3, Within: hour, Do: strikes.Log})
	table := strikes.New(1)
	table.Strike(ann, 0, second, l, 0)
	table.Strike(ann, at(minute), second, l, 0)
	d, s := table.Strike(ann, at(2*minute), second, l, 0)
	require.Equal(t, strikes.Struck{Counted: true, Reached: 0b110, Acts: 0, Until: at(3 * minute)}, s)
	_, _, ok := d.Throttled(at(3*minute) - 1)
	require.True(t, ok)
	_, s = table.Strike(ann, at(3*minute), second, l, 0)
	require.Equal(t, strikes.Struck{Counted: true, Acts: 0, Until: at(4 * minute)}, s, "told once")
}

// A step that hits another key raises nothing here, and what is raised there leaves strikes alone.
func TestElsewhere(t *testing.T) {
	l := ladder(t, strikes.Step{After: 1, Do: strikes.Block, For: hour}, strikes.Step{After: 1, Do: strikes.Block, For: minute})
	table, others := strikes.New(1), strikes.New(1)
	_, s := table.Strike(ann, 0, second, l, 1<<1)
	require.Equal(t, 1, s.Acts)
	require.Equal(t, at(minute), s.Until)
	require.Zero(t, blocked(table, ann, 0))
	require.True(t, others.Raise(bob, 0, strikes.Block, s.Until, 0))
	require.Equal(t, minute, blocked(others, bob, 0))
	require.True(t, others.Raise(bob, 0, strikes.Block, s.Until-1, 0))
	require.Equal(t, minute, blocked(others, bob, 0))
	require.True(t, others.Raise(bob, 0, strikes.Throttle, s.Until+1, 4))
	require.Equal(t, minute, blocked(others, bob, 0))
	_, slow, ok := others.Look(bob).Throttled(at(minute))
	require.True(t, ok)
	require.Equal(t, int32(4), slow)
}

// A pardon leaves nothing: no block, no throttle, no episode, no strikes.
func TestPardon(t *testing.T) {
	l := ladder(t, strikes.Step{After: 2, Within: hour, Do: strikes.Block, For: hour})
	table := strikes.New(1)
	require.False(t, table.Pardon(ann, 0))
	table.Strike(ann, 0, minute, l, 0)
	table.Strike(bob, 0, minute, l, 0)
	require.True(t, table.Pardon(ann, 1))
	require.False(t, table.Pardon(ann, 1))
	require.Nil(t, table.Look(ann))
	require.NotNil(t, table.Look(bob))
	d, s := table.Strike(ann, 1, second, l, 0)
	require.True(t, s.Counted)
	require.Equal(t, 1, d.Strikes(hour))
	table.Strike(ann, at(minute), second, l, 0)
	require.Equal(t, hour, blocked(table, ann, minute))
	require.True(t, table.Pardon(ann, at(minute)))
	require.Zero(t, blocked(table, ann, minute))
	require.False(t, table.Pardon(bob, at(hour)), "all is over")
	require.Nil(t, table.Look(bob))
}

// full returns a table with one bucket, in which the keys 1 to 8 have been struck once, at second 1
// to 8, for an hour.
func full(t *testing.T, l *strikes.Ladder) *strikes.Table {
	table := strikes.New(4)
	for key := uint64(1); key <= 8; key++ {
		_, s := table.Strike(key, at(second)*int64(key), second, l, 0)
		require.True(t, s.Counted)
	}
	require.Equal(t, strikes.Stats{}, table.Stats())
	return table
}

// missing returns the keys from 1 to 9 that nothing is known of.
func missing(table *strikes.Table) (keys []uint64) {
	for key := uint64(1); key <= 9; key++ {
		if table.Look(key) == nil {
			keys = append(keys, key)
		}
	}
	return keys
}

// Of 8 keys in a bucket, the one with the fewest strikes is forgotten for another; of several, the
// one whose episode has ended first; and first of all one that is over.
func TestFullBucket(t *testing.T) {
	l := ladder(t,
		strikes.Step{After: 5, Within: minute, Do: strikes.Log},
		strikes.Step{After: 4, Within: hour, Do: strikes.Block, For: hour})
	now := at(30 * second)
	table := full(t, l)
	table.Strike(1, now, second, l, 0)
	table.Strike(2, now, second, l, 0)
	table.Strike(9, now, second, l, 0)
	require.Equal(t, []uint64{3}, missing(table))
	require.Equal(t, strikes.Stats{Forgotten: 1}, table.Stats())

	table = full(t, l)
	require.True(t, table.Raise(1, now, strikes.Block, now+1, 0))
	require.True(t, table.Raise(2, now, strikes.Throttle, now+1, 0))
	require.True(t, table.Raise(9, now, strikes.Block, at(hour), 0))
	require.Equal(t, []uint64{3}, missing(table), "the first two are held")
	require.True(t, table.Raise(3, now+1, strikes.Block, at(hour), 0))
	require.Equal(t, []uint64{1}, missing(table), "they are not any more")

	table = full(t, l)
	table.Strike(9, at(2*hour), second, l, 0)
	require.Equal(t, []uint64{1}, missing(table))
	require.Equal(t, strikes.Stats{}, table.Stats(), "nothing of it mattered")
}

// If all 8 are blocked or throttled, nobody is set free for another, and that is neither struck nor
// blocked.
func TestBucketFullOfBlocks(t *testing.T) {
	l := ladder(t, strikes.Step{After: 1, Do: strikes.Block, For: hour})
	table := full(t, l)
	now := at(minute)
	d, s := table.Strike(9, now, second, l, 0)
	require.Nil(t, d)
	require.Equal(t, strikes.Struck{Acts: -1}, s)
	require.False(t, table.Raise(9, now, strikes.Block, at(hour), 0))
	require.Equal(t, strikes.Stats{Unrecorded: 2}, table.Stats())
	require.Equal(t, []uint64{9}, missing(table))
	for key := uint64(1); key <= 8; key++ {
		require.Equal(t, hour+time.Duration(key)*second-minute, blocked(table, key, minute))
	}
	_, s = table.Strike(8, now, second, l, 0)
	require.True(t, s.Counted, "a key that is known has a place")
	require.True(t, table.Pardon(3, now))
	_, s = table.Strike(9, now, second, l, 0)
	require.True(t, s.Counted)
}

// Where half as many keys are blocked as the capacity, not one of many strangers is, and no block
// is forgotten.
func TestStrangersInheritNothing(t *testing.T) {
	const capacity = 10_000
	l := ladder(t, strikes.Step{After: 1, Do: strikes.Block, For: hour})
	table := strikes.New(capacity)
	random := rand.New(rand.NewPCG(1, 2))
	struck := make([]uint64, capacity/2)
	for i := range struck {
		struck[i] = random.Uint64()
		table.Strike(struck[i], 0, second, l, 0)
	}
	unrecorded := 0
	for _, key := range struck {
		if blocked(table, key, 1) != hour-1 {
			unrecorded++
		}
	}
	require.EqualValues(t, unrecorded, table.Stats().Unrecorded)
	require.Less(t, unrecorded, capacity/1000)
	for range 10 * capacity {
		require.Nil(t, table.Look(random.Uint64()))
	}
}

// Of 25 refusals at once, at times that are not quite the same, one is a strike, and one call has
// the step act.
func TestRefusalsAtOnceAreOneStrike(t *testing.T) {
	const rounds, callers, keys = 200, 25, 3
	l := ladder(t, strikes.Step{After: 2, Within: hour, Do: strikes.Block, For: hour})
	for round := range rounds {
		table := strikes.New(1)
		for episode := range 3 {
			var ready, counted, acted atomic.Int64
			var all sync.WaitGroup
			for caller := range callers * keys {
				all.Go(func() {
					for ready.Add(1); ready.Load() < callers*keys; {
						runtime.Gosched()
					}
					now := at(time.Duration(episode)*minute + time.Duration(caller)*time.Millisecond)
					_, s := table.Strike(uint64(caller%keys), now, second, l, 0)
					if s.Counted {
						counted.Add(1)
					}
					if s.Acts >= 0 {
						acted.Add(1)
					}
				})
			}
			all.Wait()
			require.EqualValues(t, keys, counted.Load(), "round %d", round)
			if episode == 0 {
				require.Zero(t, acted.Load())
			} else {
				require.EqualValues(t, keys, acted.Load())
			}
			for key := range uint64(keys) {
				require.Equal(t, 1+episode, table.Look(key).Strikes(hour))
			}
		}
	}
}

// A look allocates nothing, and neither does a refusal that is no strike; a strike two small
// objects.
func TestAllocations(t *testing.T) {
	const times = 1000
	l := ladder(t, strikes.Step{After: 3, Within: hour, Do: strikes.Block, For: hour}, strikes.Step{After: 3, Within: day, Do: strikes.Log})
	table := strikes.New(1)
	now := int64(0)
	count := func(f func()) float64 {
		return allocations.Count(func() {
			for range times {
				f()
			}
		}) / times
	}
	require.Zero(t, count(func() { table.Look(ann) }))
	require.Equal(t, 2, int(count(func() {
		now += at(second)
		_, s := table.Strike(ann, now, second, l, 0)
		require.True(t, s.Counted)
	})))
	require.Zero(t, count(func() { table.Look(ann) }))
	require.Zero(t, count(func() { table.Look(bob) }))
	require.Zero(t, count(func() { table.Strike(ann, now, second, l, 0) }))
	require.Zero(t, count(func() { table.Strike(bob, now, ratelimit.Never, l, 0) }))
	require.Zero(t, count(func() {
		var d strikes.Dossier
		table.Peek(&d, ann, now+at(hour), second, l, 0)
		table.Peek(&d, bob, now, second, l, 0)
	}))
	require.LessOrEqual(t, unsafe.Sizeof(strikes.Dossier{}), uintptr(144))

	set := strikes.NewRevoked(10)
	require.Zero(t, count(func() { set.Has(ann) }))
	require.True(t, set.Add(ann))
	require.Zero(t, count(func() { set.Has(ann) }))
	require.Zero(t, count(func() { set.Add(ann) }))
}

func TestNewLadder(t *testing.T) {
	ok := strikes.Step{After: 1, Within: second, Do: strikes.Block, For: second}
	with := func(change func(s *strikes.Step)) []strikes.Step {
		s := ok
		change(&s)
		return []strikes.Step{ok, s}
	}
	var spans []strikes.Step
	for i := range strikes.MaxSpans + 1 {
		spans = append(spans, ok)
		spans[i].Within = time.Duration(1 + i)
	}
	for _, row := range []struct {
		steps []strikes.Step
		want  string
	}{
		{make([]strikes.Step, 17), "len(steps) is 17, want at most 16"},
		{with(func(s *strikes.Step) { s.After = 0 }), "steps[1].After is 0, want 1 or more"},
		{with(func(s *strikes.Step) { s.Within = -1 }), "steps[1].Within is -1ns, want 0s or more"},
		{with(func(s *strikes.Step) { s.After, s.Within = 2, 0 }), "steps[1].Within is 0s, want more than 0s, as After is more than 1"},
		{with(func(s *strikes.Step) { s.Do = 5 }), "steps[1].Do is 5, want Log, Notify, Throttle, Block or Revoke"},
		{with(func(s *strikes.Step) { s.For = 0 }), "steps[1].For is 0s, want more than 0s"},
		{with(func(s *strikes.Step) { s.Do, s.For = strikes.Throttle, -1 }), "steps[1].For is -1ns, want more than 0s"},
		{spans, "steps[4].Within is 5ns, want at most 4 different spans"},
	} {
		_, err := strikes.NewLadder(row.steps)
		var bad *ratelimit.ArgumentError
		require.ErrorAs(t, err, &bad)
		require.EqualError(t, err, "strikes.NewLadder: "+row.want)
	}
	steps := []strikes.Step{ok}
	l := ladder(t, steps...)
	steps[0].After = 100
	_, s := strikes.New(1).Strike(ann, 0, second, l, 0)
	require.Equal(t, 0, s.Acts, "the steps were copied")
	ladder(t, append(slices.Clip(spans[:4]), strikes.Step{After: 1, Do: strikes.Revoke}, spans[0])...)
	ladder(t, strikes.Step{After: math.MaxInt, Within: math.MaxInt64, Do: strikes.Log})
	ladder(t, slices.Repeat([]strikes.Step{ok}, strikes.MaxSteps)...)
}

// BenchmarkLook looks for keys in a table without any, and, in one where as many were struck as its
// capacity, for others and for those.
func BenchmarkLook(b *testing.B) {
	const capacity = 1 << 16
	l := ladder(b, strikes.Step{After: 1, Do: strikes.Block, For: hour})
	random := rand.New(rand.NewPCG(1, 2))
	empty, struck := strikes.New(capacity), strikes.New(capacity)
	var keys, others [capacity]uint64
	for i := range capacity {
		keys[i], others[i] = random.Uint64(), random.Uint64()
		struck.Strike(keys[i], 0, second, l, 0)
	}
	for _, row := range []struct {
		name  string
		table *strikes.Table
		keys  *[capacity]uint64
	}{{"nil", empty, &keys}, {"miss", struck, &others}, {"hit", struck, &keys}} {
		b.Run("found="+row.name, func(b *testing.B) {
			for i := 0; b.Loop(); i++ {
				row.table.Look(row.keys[i%capacity])
			}
		})
	}
}
