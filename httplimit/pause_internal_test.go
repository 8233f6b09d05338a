package httplimit

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// With nothing left, a limit admits the next request when it is reset, to the nanosecond. The last
// tenth of it, or the last ten where its size is not known, is spread over what is left of the
// window.
func TestAllowanceOpens(t *testing.T) {
	const last, now = -time.Second, time.Duration(0)
	for _, c := range []struct {
		limit, left int64
		reset       time.Duration // from now on
		spread      bool
		want        time.Duration
	}{
		{100, 0, time.Minute, true, time.Minute},
		{100, -3, time.Minute, true, time.Minute},
		{100, 0, 1, true, 1},
		{100, 0, 0, true, now},
		{100, 0, -1, true, now},
		{100, 5, 0, true, now},
		{100, 11, time.Minute, true, now},
		{100, 10, time.Minute, true, last + 6*time.Second},
		{100, 1, time.Minute, true, last + time.Minute},
		{100, 10, time.Minute, false, now},
		{-1, 11, time.Minute, true, now},
		{-1, 10, time.Minute, true, last + 6*time.Second},
		{0, 5, time.Minute, true, now},
		{9, 1, time.Minute, true, now},
	} {
		q := allowance{limit: c.limit, left: c.left, resetAt: at(c.reset)}
		require.Equal(t, at(c.want), q.opens(at(last), at(now), c.spread), "%+v", c)
	}
	require.Equal(t, at(now), (&allowance{limit: 100}).opens(at(last), at(now), true), "it is not known when there is more")
}

// What is left is between what the server says and that without what it may not have counted. A
// reset ends a window at most, and if a response does not say it, the last one holds.
func TestAllowanceUpdate(t *testing.T) {
	fresh := func() *allowance { return new(barrier).quota("a") }
	for _, c := range []struct {
		left      int64 // before, if it is known
		remaining int64
		unseen    int64
		want      int64
	}{{-1, 5, 0, 5}, {-1, 5, 3, 2}, {4, 5, 3, 4}, {1, 5, 3, 2}, {9, 5, 3, 5}, {-1, 0, 1, -1}} {
		q := fresh()
		if c.left >= 0 {
			q.left = c.left
		}
		q.update(Reading{Limit: 10, Remaining: c.remaining}, c.unseen, at(0))
		require.Equal(t, c.want, q.left, "%+v", c)
		require.Equal(t, int64(10), q.limit)
		require.Zero(t, q.resetAt)
	}
	for _, c := range []struct{ reset, window, want time.Duration }{
		{1, 0, 1}, {time.Second, 0, time.Second}, {time.Minute, time.Hour, time.Minute}, {time.Hour, time.Minute, time.Minute}, {time.Hour, 1, 1}, {0, time.Minute, -time.Second},
	} {
		q := fresh()
		q.resetAt = at(-time.Second)
		q.update(Reading{Limit: 10, Remaining: 5, Reset: c.reset, Window: c.window}, 0, at(0))
		require.Equal(t, at(c.want), q.resetAt, "%+v", c)
	}
}

// A server that names a limit differently each time costs no more than so many names; others stay.
func TestQuotasAreBounded(t *testing.T) {
	g := new(barrier)
	first := g.quota("0")
	for i := range 10_000 {
		g.quota(fmt.Sprint(i))
		require.LessOrEqual(t, len(g.quotas), mostReadings)
		if i < mostReadings {
			require.Same(t, first, g.quota("0"))
		}
	}
}

// Where something is left, requests do not wait for the answers to those before. Where nothing is,
// one goes ahead.
func TestTheLastThatIsLeftIsNoProbe(t *testing.T) {
	g := new(barrier)
	g.quota("a").update(Reading{Limit: 100, Remaining: 2}, 0, at(0))
	for range 2 {
		_, open := g.opens(at(0), 0, true)
		require.True(t, open)
		g.pass(new(passage), at(0))
	}
	require.Nil(t, g.probe)
	_, open := g.opens(at(0), 2, true)
	require.True(t, open, "it is not known when there is more")
	p := new(passage)
	g.pass(p, at(0))
	require.Same(t, p, g.probe)
	_, open = g.opens(at(time.Hour), 3, true)
	require.False(t, open)
}

// A limit that nothing was left of, and that the answer to the probe does not name, is no more. One
// of which something was left is, and so is one that is reset later.
func TestForgetsLimitsThatAreNoMore(t *testing.T) {
	g := &barrier{closed: true}
	for name, left := range map[string]int64{"gone": 0, "named": 0, "last": 1, "later": 0} {
		g.quota(name).left = left
	}
	g.quota("later").resetAt = at(1)
	g.quota("gone").resetAt = at(0)
	named := []*allowance{g.quota("named")}
	p := &passage{at: at(0)}
	g.pass(p, at(0))
	g.forget(&passage{at: at(0)}, named)
	require.Len(t, g.quotas, 4, "another request says nothing of it")
	g.forget(p, named)
	require.Len(t, g.quotas, 3)
	require.NotContains(t, g.quotas, "gone")
}

// A barrier is forgotten when nothing that it knows matters any more.
func TestBarrierIsIdle(t *testing.T) {
	slowed := learned{gap: time.Second}
	for _, c := range []struct {
		name string
		g    barrier
		from time.Duration // when it is idle; none: never
	}{
		{"a new one", barrier{}, -time.Hour},
		{"a pause that is over", barrier{closed: true, until: at(0)}, 0},
		{"a pause that has been ended", barrier{until: at(time.Minute)}, -time.Hour},
		{"a gap", barrier{last: at(0), learned: slowed}, easeAfter},
		{"a window", barrier{last: at(0), learned: learned{windows: []window{{length: time.Minute}, {length: time.Second}}}}, time.Minute},
		{"a limit that is reset", barrier{quotas: map[string]*allowance{"a": {}, "b": {resetAt: at(time.Minute)}}}, time.Minute},
	} {
		for d, want := range map[time.Duration]bool{c.from - 1: c.from == -time.Hour, c.from: true, c.from + 1: true, c.from + 100*time.Hour: true} {
			require.Equal(t, want, c.g.idle(at(d)), "%s %v", c.name, d)
		}
		c.g.probe = new(passage)
		require.False(t, c.g.idle(at(c.from+100*time.Hour)), "%s, with a probe under way", c.name)
	}
}
