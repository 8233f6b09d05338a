package httplimit

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// times returns when requests were sent, each so long from the beginning of the story.
func times(all ...time.Duration) (history []time.Time) {
	for _, d := range all {
		history = append(history, at(d))
	}
	return history
}

// A gap counts from the last request, and a window from its oldest, if all places are taken: by
// those that were granted and those under way.
func TestLearnedOpens(t *testing.T) {
	const s = time.Second
	two := window{requests: 2, length: 10 * s, expires: at(5 * s)}
	for _, c := range []struct {
		name     string
		l        learned
		at, last time.Duration
		flying   int
		want     time.Duration
		open     bool
	}{
		{"nothing", learned{}, 5 * s, 4 * s, 9, 5 * s, true},
		{"a gap", learned{gap: 2 * s}, 5 * s, 4 * s, 9, 6 * s, true},
		{"a gap that is over", learned{gap: 2 * s}, 5 * s, s, 9, 5 * s, true},
		{"a window", learned{windows: []window{two}, history: times(0, s, 2*s)}, 5 * s, 0, 0, 11 * s, true},
		{"with one under way", learned{windows: []window{two}, history: times(0, s, 2*s)}, 5 * s, 0, 1, 12 * s, true},
		{"with all under way", learned{windows: []window{two}, history: times(0, s, 2*s)}, 5 * s, 0, 2, 5 * s, false},
		{"just full", learned{windows: []window{two}, history: times(0, s)}, 5 * s, 0, 0, 10 * s, true},
		{"with a place", learned{windows: []window{two}, history: times(0)}, 5 * s, 0, 0, 5 * s, true},
		{"just full, by one under way", learned{windows: []window{two}, history: times(0)}, 5 * s, 0, 1, 10 * s, true},
		{"one that has expired", learned{windows: []window{two}, history: times(0, s, 2*s)}, 5*s + 1, 0, 2, 5*s + 1, true},
		{"one that has expired before another", learned{windows: []window{two, {2, 20 * s, at(time.Hour)}}, history: times(0, s, 2*s)}, 6 * s, 0, 0, 21 * s, true},
		{"the longest of two", learned{windows: []window{{2, 20 * s, at(time.Hour)}, two}, history: times(0, s, 2*s)}, 5 * s, 0, 0, 21 * s, true},
		{"a gap and a window", learned{gap: 20 * s, windows: []window{two}, history: times(0, s)}, s, s, 0, 21 * s, true},
	} {
		first, open := c.l.opens(at(c.at), at(c.last), c.flying)
		require.Equal(t, c.open, open, c.name)
		require.Equal(t, at(c.want), first, c.name)
	}
}

// The history is in the order of sending, whichever answer comes first, and of so many at most.
func TestLearnedHistory(t *testing.T) {
	var l learned
	for _, sent := range []time.Duration{3, 1, 2, 1, 4} {
		l.granted(at(sent), at(10))
	}
	require.Equal(t, times(1, 1, 2, 3, 4), l.history)
	for d, want := range map[time.Duration]int{0: 0, 1: 0, 2: 2, 3: 3, 4: 4, 5: 5} {
		require.Equal(t, want, l.since(at(d)), d)
	}
	l = learned{}
	l.grant(2*longestHistory, 0, 1)
	require.Len(t, l.history, 2*longestHistory)
	l.grant(1, 2*longestHistory, 1)
	require.Len(t, l.history, longestHistory+1)
	require.Equal(t, at(longestHistory), l.history[0])
}

// What was under way at a refusal, and is granted, was in the window that the refusal has taught.
func TestLearnedWindowOfThoseUnderWay(t *testing.T) {
	for _, c := range []struct {
		taught int
		sent   time.Duration
		want   int
	}{{1, 9, 6}, {1, 10, 5}, {1, 11, 5}, {0, 9, 5}} {
		l := learned{windows: []window{{requests: 3}, {requests: 5}}, taught: c.taught, refused: at(10)}
		l.granted(at(c.sent), at(20))
		require.Equal(t, []window{{requests: 3}, {requests: c.want}}, l.windows, "%+v", c)
	}
}

// A gap becomes a tenth shorter when it has been kept for long enough, then sooner and sooner, and
// none when it is less than a millisecond.
func TestLearnedGapEases(t *testing.T) {
	l := learned{gap: time.Second, changed: at(0), easing: time.Hour}
	now, gap := time.Duration(0), time.Second
	for _, after := range []time.Duration{60, 30, 15, 7, 3, 2, 2, 2} {
		next := now + after*time.Minute
		if after == 7 || after == 3 {
			next = now + time.Hour>>map[time.Duration]int{7: 3, 3: 4}[after]
		}
		l.granted(at(next-1), at(next-1))
		require.Equal(t, gap, l.gap, "%v: not yet", next)
		l.granted(at(next), at(next))
		now, gap = next, gap-gap/10
		require.Equal(t, gap, l.gap, next)
		require.Equal(t, at(now), l.changed)
		require.True(t, l.eased)
	}
	for before, after := range map[time.Duration]time.Duration{1_111_112: 1_000_001, 1_111_111: 1_000_000, 1_111_110: 0, 1: 0, 0: 0} {
		l = learned{gap: before}
		l.granted(at(time.Minute), at(time.Minute))
		require.Equal(t, after, l.gap)
		require.Equal(t, before > 0, l.eased)
	}
}

// What was too much is taken back, once: the next refusal slows down.
func TestLearnedGapIsTakenBack(t *testing.T) {
	for easing, want := range map[time.Duration]time.Duration{time.Minute: 2 * time.Hour, 3 * time.Hour: 6 * time.Hour} {
		l := learned{gap: 90 * time.Millisecond, eased: true, easing: easing}
		require.True(t, l.takenBack(at(5)))
		require.Equal(t, learned{gap: 100 * time.Millisecond, changed: at(5), easing: want}, l)
		require.False(t, l.takenBack(at(6)))
	}
}

// Only a request that was sent after the last refusal teaches anything, and only if something was
// granted since.
func TestLearnedIsNew(t *testing.T) {
	for sent, want := range map[time.Duration]bool{9: false, 10: true, 11: true} {
		l := learned{refused: at(10), taught: 1}
		require.Equal(t, want, l.isNew(at(sent), at(20)))
		if want {
			require.Equal(t, learned{refused: at(20)}, l)
		} else {
			require.Equal(t, learned{refused: at(10), taught: 1}, l)
		}
	}
	l := learned{refused: at(10), history: times(9)}
	l.contradicted(at(11), at(12), 0, 0)
	require.Zero(t, l.gap, "nothing was granted since")
	l.history, l.refused = times(10), at(10)
	l.contradicted(at(11), at(12), 0, 0)
	require.Equal(t, time.Second+time.Second/4, l.gap)
	require.Equal(t, at(12), l.changed)
	require.Equal(t, 10*time.Minute, l.easing)
}

// A gap is at least a millisecond, at most that of all that was granted in a window that ends then,
// at most ten seconds, and at least twice as long as before.
func TestLearnedGapHasBounds(t *testing.T) {
	const ms = time.Millisecond
	for _, c := range []struct {
		name         string
		n            int
		every        time.Duration
		before, wait time.Duration
		want, easing time.Duration
	}{
		{"half a second and a half", 10, 10 * ms, 0, 0, 125 * ms, 10 * time.Minute},
		{"all in a window that ends", 10, 10 * ms, 0, 900 * ms, 100 * ms, 10 * time.Minute},
		{"that ends at once", 10, 10 * ms, 0, 1, 10 * ms, 10 * time.Minute},
		{"at least a millisecond", 2000, ms / 10, 0, 0, ms, 10 * time.Minute},
		{"twice as long", 10, 10 * ms, 100 * ms, 0, 200 * ms, 10 * time.Minute},
		{"not twice as long", 10, 10 * ms, 50 * ms, 0, 125 * ms, 10 * time.Minute},
		{"at most", 10, 10 * ms, 6 * time.Second, 0, 10 * time.Second, 10 * time.Minute},
		{"of a minute", 30, 1600 * ms, 0, 0, 60500 * ms / 30, time.Hour},
	} {
		l := learned{gap: c.before}
		for i := range c.n {
			l.history = append(l.history, at(time.Duration(i)*c.every))
		}
		sent := at(time.Duration(c.n) * c.every)
		l.contradicted(sent, sent, c.wait, 0)
		require.Equal(t, c.want, l.gap, c.name)
		require.Equal(t, c.easing, l.easing, c.name)
	}
	l := learned{easing: 5 * time.Hour, history: times(0)}
	l.contradicted(at(1), at(1), 0, 0)
	require.Equal(t, 5*time.Hour, l.easing, "it was longer")
}

// The unit of a limit that refuses is the shortest that fits what was granted, the wait, and the
// windows of which something is left.
func TestLearnedGuess(t *testing.T) {
	const s = time.Second
	burst := func(all ...time.Duration) (history []time.Duration) { // 4 requests a minute before
		return append([]time.Duration{0, 0, 0, 0}, all...)
	}
	for _, c := range []struct {
		name        string
		history     []time.Duration
		sent        time.Duration
		wait, named time.Duration
		unit        time.Duration
		n           int
	}{
		{"within a second and a half", []time.Duration{0, s}, 1500 * time.Millisecond, 0, 0, s, 2},
		{"not within it", []time.Duration{0, s}, 1500*time.Millisecond + 1, 0, 0, s, 1},
		{"none within it", []time.Duration{0, 0}, 1500*time.Millisecond + 1, 0, 0, time.Minute, 2},
		{"two thirds of the most", burst(60*s, 60*s, 60*s), 60 * s, 0, 0, s, 3},
		{"less of it", burst(60*s, 60*s), 60 * s, 0, 0, time.Minute, 6},
		{"a wait of a minute", []time.Duration{0}, 0, 61 * s, 0, s, 1},
		{"a longer one", []time.Duration{0}, 0, 61*s + 1, 0, time.Minute, 1},
		{"a wait of an hour", []time.Duration{0}, 0, 3601 * s, 0, time.Minute, 1},
		{"a wait of more than that", []time.Duration{0}, 0, 3601*s + 1, 0, time.Hour, 1},
		{"a wait of a day", []time.Duration{0}, 0, 86401 * s, 0, time.Hour, 1},
		{"a wait of more than a day", []time.Duration{0}, 0, 86401*s + 1, 0, 24 * time.Hour, 1},
		{"a longer wait, and a minute", []time.Duration{0}, 0, 61*s + 1, time.Minute, s, 1},
		{"a longer wait, and a minute and more", []time.Duration{0}, 0, 61*s + 1, time.Minute + 1, time.Minute, 1},
		{"a longer wait, and less than a second", []time.Duration{0}, 0, 61*s + 1, 1, s, 1},
		{"none for a day", []time.Duration{0}, 48 * time.Hour, 0, 0, 24 * time.Hour, 1},
	} {
		l := learned{history: times(c.history...)}
		unit, n := l.guess(0, at(c.sent), c.wait, c.named)
		require.Equal(t, c.unit, unit, c.name)
		require.Equal(t, c.n, n, c.name)
	}
	unit, n := (&learned{history: times(0, 1, 2)}).guess(1, at(3), 0, 0)
	require.Equal(t, s, unit)
	require.Equal(t, 2, n, "of those from the first on")
}

// Requests that are as far apart as a window is long are not both in one.
func TestLearnedMost(t *testing.T) {
	l := learned{history: times(0, 4, 10, 13, 13, 14, 30)}
	for d, want := range map[time.Duration]int{1: 2, 2: 3, 4: 3, 5: 4, 10: 4, 11: 5, 14: 5, 15: 6, 31: 7} {
		require.Equal(t, want, l.most(d), d)
	}
	require.Zero(t, (&learned{}).most(1))
}

// A time is of the shortest usual window in which it fits, with a second more for the way, or half
// a second for that of a second.
func TestUsualWindows(t *testing.T) {
	const s = time.Second
	for elapsed, want := range map[time.Duration]time.Duration{
		0: s, 1500*time.Millisecond - 1: s, 1500 * time.Millisecond: time.Minute, 61*s - 1: time.Minute, 61 * s: time.Hour,
		3601*s - 1: time.Hour, 3601 * s: 24 * time.Hour, 86401 * s: 24 * time.Hour, 1000 * time.Hour: 24 * time.Hour,
	} {
		require.Equal(t, want, usual(elapsed), elapsed)
	}
	for d, want := range map[time.Duration]bool{5*s - 1: false, 5 * s: true, 10 * s: true, 20 * s: true, 20*s + 1: true, 20*s + 2: false} {
		require.Equal(t, want, window{length: 10 * s}.isLike(window{length: d}), d)
		require.Equal(t, want, window{length: d}.isLike(window{length: 10 * s}), d)
	}
}

// What a refusal teaches that is over after a wait: the requests since a longer pause, in the time
// from the first of them until then.
func TestLearnedWindowHasBounds(t *testing.T) {
	const s = time.Second
	many := make([]time.Duration, longestHistory+1)
	for i := range many {
		many[i] = time.Duration(i)
	}
	for _, c := range []struct {
		name     string
		history  []time.Duration
		now      time.Duration
		wait     time.Duration
		limit    int64
		requests int // 0: none is found out
		length   time.Duration
	}{
		{"a pause as long as the wait", []time.Duration{0, 10 * s, 11 * s}, 12 * s, 10 * s, 0, 3, 22 * s},
		{"a longer pause", []time.Duration{0, 10 * s, 11 * s}, 12 * s, 10*s - 1, 0, 2, 12*s - 1},
		{"a longer pause, and a limit of more", []time.Duration{0, 10 * s, 11 * s}, 12 * s, 10*s - 1, 3, 2, 12*s - 1},
		{"a limit of fewer", []time.Duration{0, 10 * s, 11 * s}, 12 * s, 10 * s, 1, 1, 11 * s},
		{"a limit of as many", []time.Duration{0, 10 * s, 11 * s}, 12 * s, 10 * s, 3, 3, 22 * s},
		{"a limit of more", []time.Duration{0, 10 * s, 11 * s}, 12 * s, 10 * s, 4, 3, 22 * s},
		{"a tenth of the window is idle", []time.Duration{0}, 9 * s, s, 0, 1, 10 * s},
		{"less than a tenth", []time.Duration{0}, 9*s + 10, s, 0, 0, 0},
		{"a year", []time.Duration{0}, 0, longestBelieved, 0, 0, 0},
		{"less than a year", []time.Duration{0}, 0, longestBelieved - 1, 0, 1, longestBelieved - 1},
		{"as many as are kept", many[:longestHistory], 5000, time.Hour, 0, longestHistory, time.Hour + 5000},
		{"more than are kept", many, 5000, time.Hour, 0, 0, 0},
		{"less than two minutes", []time.Duration{0}, 10 * s, 112*s - 1, 0, 1, 61 * s},
		{"two minutes", []time.Duration{0}, 10 * s, 112 * s, 0, 1, 122 * s},
		{"less than three seconds", []time.Duration{0}, s, 2*s - 1, 0, 1, 2 * s},
		{"three seconds", []time.Duration{0}, s, 2 * s, 0, 1, 3 * s},
	} {
		l := learned{history: times(c.history...)}
		l.exhausted(at(c.now), at(c.now), c.wait, c.limit)
		var want []window
		if c.requests > 0 {
			want = []window{{c.requests, c.length, at(c.now + 50*c.length)}}
		}
		require.Equal(t, want, l.windows, c.name)
		require.Equal(t, len(want), l.taught, c.name)
		require.Equal(t, at(c.now), l.refused, c.name)
	}
}

// A window takes the place of one that is like it, and of those that have expired. There are four
// at most.
func TestLearnedWindowsAreReplaced(t *testing.T) {
	const s = time.Second
	l := learned{history: times(0), windows: []window{{5, 30 * s, at(time.Hour)}, {7, 1000 * s, at(10 * s)}, {9, 5 * time.Hour, at(10*s - 1)}}}
	l.exhausted(at(10*s), at(10*s), 10*s, 0)
	require.Equal(t, []window{{7, 1000 * s, at(10 * s)}, {1, 30 * s, at(1510 * s)}}, l.windows)
	require.Equal(t, 1, l.taught)

	for n := range 6 {
		l = learned{history: times(0), taught: 1}
		for i := range n {
			l.windows = append(l.windows, window{1, time.Hour << (2 * i), at(time.Hour)})
		}
		l.exhausted(at(10*s), at(10*s), 10*s, 0)
		require.Equal(t, n < 4, l.taught == 1, n)
		require.Len(t, l.windows, max(n, min(n+1, 4)))
	}
}

// What was learned is of use for the longest of its windows, and a gap for an hour.
func TestLearnedLongest(t *testing.T) {
	require.Zero(t, (&learned{}).longest())
	require.Equal(t, time.Hour, (&learned{gap: 1}).longest())
	require.Equal(t, 3*time.Second, (&learned{windows: []window{{length: time.Second}, {length: 3 * time.Second}, {length: 2 * time.Second}}}).longest())
	require.Equal(t, time.Hour, (&learned{gap: 1, windows: []window{{length: time.Second}}}).longest())
}
