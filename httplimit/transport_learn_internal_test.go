package httplimit

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// says returns what a response says of a limit.
func says(limit, remaining int64, window time.Duration) Reading {
	return Reading{Limit: limit, Remaining: remaining, Window: window}
}

// What the readings of a refusal say together: that something is left of each limit, in which
// window, and which limit is used up.
func TestReadingsOfARefusal(t *testing.T) {
	none := says(-1, -1, 0)
	for _, c := range []struct {
		name        string
		readings    []Reading
		contradicts bool
		window      time.Duration
		usedUp      int64
	}{
		{"nothing", nil, false, 0, 0},
		{"no number", []Reading{none}, false, 0, 0},
		{"one is left", []Reading{says(-1, 1, 1)}, true, 1, 0},
		{"nothing is left", []Reading{says(9, 0, 1)}, false, 0, 9},
		{"nothing of one", []Reading{says(1, 0, 1)}, false, 0, 1},
		{"nothing of nobody knows what", []Reading{says(-1, 0, 1)}, false, 0, 0},
		{"nothing of nothing", []Reading{says(0, 0, 1)}, false, 0, 0},
		{"something of one of two", []Reading{says(9, 5, 60), says(9, 0, 1)}, false, 60, 9},
		{"something of the other one", []Reading{says(9, 0, 1), says(9, 5, 60)}, false, 60, 9},
		{"something, and no number", []Reading{says(9, 5, 0), none}, true, 0, 0},
		{"no number, and something", []Reading{none, says(9, 5, 0)}, true, 0, 0},
		{"the shorter window", []Reading{says(9, 5, 60), says(9, 5, 50), says(9, 5, 70), says(9, 5, 0)}, true, 50, 0},
		{"the smaller limit", []Reading{says(9, 0, 0), says(7, 0, 0), says(8, 0, 0)}, false, 0, 7},
	} {
		require.Equal(t, c.contradicts, contradicts(c.readings), c.name)
		require.Equal(t, c.window, namedWindow(c.readings), c.name)
		require.Equal(t, c.usedUp, usedUp(c.readings), c.name)
	}
}

// A refusal closes the barrier that it is about for as long as Retry-After, or else for the reset
// of what is used up, or else of what is not said to be left. Of several the longest counts.
func TestRefusalCloses(t *testing.T) {
	s := newScope()
	retry := Reading{Limit: -1, Remaining: -1, RetryAfter: 5}
	reset := func(remaining int64, d time.Duration) Reading {
		return Reading{Limit: -1, Remaining: remaining, Reset: d}
	}
	of := func(partition string, r Reading) Reading {
		r.Partition = partition
		return r
	}
	global := Reading{Limit: -1, Remaining: -1, RetryAfter: 1, Global: true, Partition: "x"}
	for _, c := range []struct {
		name     string
		readings []Reading
		where    string
		wait     time.Duration
	}{
		{"nothing", nil, "", 0},
		{"no time", []Reading{of("x", says(9, 0, 0))}, "", 0},
		{"Retry-After", []Reading{reset(0, 60), retry}, "", 5},
		{"Retry-After of a partition", []Reading{reset(0, 60), of("x", retry)}, "x", 5},
		{"Retry-After of all", []Reading{global}, "host", 1},
		{"the longest", []Reading{global, of("x", retry), global}, "x", 5},
		{"the first of two", []Reading{of("x", retry), retry}, "x", 5},
		{"what is used up", []Reading{of("x", reset(1, 90)), of("y", reset(0, 60)), reset(-1, 70)}, "y", 60},
		{"what is not said to be left", []Reading{of("x", reset(1, 90)), of("y", reset(-1, 60))}, "y", 60},
		{"what is left", []Reading{of("x", reset(1, 90))}, "", 0},
		{"a nanosecond", []Reading{of("x", reset(0, 1))}, "x", 1},
	} {
		g, wait := s.refusal(c.readings, at(0))
		require.Equal(t, c.wait, wait, c.name)
		switch c.where {
		case "":
			require.Same(t, &s.barrier, g, c.name)
		case "host":
			require.Same(t, s.host, g, c.name)
		default:
			require.Same(t, s.lane(c.where, at(0)).barrier, g, c.name)
		}
	}
}

// Without a time, the wait is at most a second, and twice as long after each refusal, up to a
// minute.
func TestBackoffHasBounds(t *testing.T) {
	for refusals, longest := range map[int]time.Duration{0: 1, 1: 2, 5: 32, 6: 60, 10: 60, 11: 60, 63: 60, 1<<31 - 1: 60} {
		for range 100 {
			d := backoff(refusals)
			require.Positive(t, d)
			require.LessOrEqual(t, d, longest*time.Second)
		}
	}
}

// passing returns a Transport of which one request has passed, after others were granted.
func passing(t *testing.T, granted int) (*Transport, *passage, *http.Request) {
	t.Helper()
	tr, r := new(Transport), httptest.NewRequest(http.MethodGet, "https://example.com/a", nil)
	enter := func(now time.Duration) *passage {
		p, _, open := tr.attempt(&waiting{wake: make(chan struct{}, 1)}, r, "x", at(now), false, true)
		require.True(t, open)
		return p
	}
	for i := range granted {
		now := time.Duration(i) * time.Millisecond
		p := enter(now)
		require.Equal(t, at(now), tr.learn(p, r, 200, nil, at(now), false))
		tr.settle(p, at(now), true)
	}
	return tr, enter(time.Second), r
}

// A refusal teaches how many requests are granted in how long, or how fast is too fast; but nothing
// if it is no limit that refuses, or if the headers of granted requests say when there is more.
func TestWhatRefusalsTeach(t *testing.T) {
	wait := Reading{Limit: -1, Remaining: -1, RetryAfter: 30 * time.Second}
	left, none := says(9, 5, 0), Reading{Limit: 5, Remaining: 0, Reset: 30 * time.Second}
	for _, c := range []struct {
		name          string
		status        int
		readings      []Reading
		slows, limits bool
	}{
		{"says nothing", 429, nil, true, false},
		{"forbids, and says nothing", 403, nil, true, false},
		{"something is left", 429, []Reading{left, wait}, true, false},
		{"a wait", 429, []Reading{wait}, false, true},
		{"a wait, forbidden", 403, []Reading{wait}, false, true},
		{"nothing is left", 429, []Reading{none}, false, true},
		{"trouble", 503, []Reading{wait}, false, false},
		{"trouble that says nothing", 500, nil, false, false},
	} {
		tr, p, r := passing(t, 10)
		g := &p.scope.barrier
		require.Len(t, g.history, 10)
		require.Len(t, p.barriers[2].history, 10)
		require.Empty(t, p.scope.host.history, "what is granted in a scope says nothing of the others")
		next := tr.learn(p, r, c.status, c.readings, at(time.Second), true)
		require.Equal(t, c.slows, g.gap > 0, c.name)
		require.Equal(t, c.limits, len(g.windows) == 1, c.name)
		require.True(t, g.closed, c.name)
		require.Equal(t, next, g.until, c.name)
		if len(c.readings) > 0 {
			require.Equal(t, at(31*time.Second), next, c.name)
			require.Zero(t, g.untold, c.name)
		} else {
			require.True(t, next.After(at(time.Second)) && !next.After(at(2*time.Second)), c.name)
			require.Equal(t, 1, g.untold, c.name)
		}
		before := g.until
		require.Equal(t, before, tr.learn(p, r, 429, []Reading{{Limit: -1, Remaining: -1, RetryAfter: 1}}, at(0), true), "no pause is made shorter")
	}

	tr, p, r := passing(t, 10)
	tr.learn(p, r, 200, []Reading{{Limit: 9, Remaining: 5, Reset: time.Minute}}, at(time.Second), false)
	tr.learn(p, r, 429, []Reading{none}, at(time.Second), true)
	require.Empty(t, p.scope.barrier.windows, "the headers suffice")

	tr, p, r = passing(t, 10)
	tr.learn(p, r, 429, []Reading{none}, at(time.Second), true)
	p.scope.barrier.windows, p.scope.barrier.refused = nil, time.Time{}
	tr.learn(p, r, 429, []Reading{none}, at(time.Second), true)
	require.Len(t, p.scope.barrier.windows, 1, "only refusals say so")
}

// The probe is whose answer the others wait for. Its end is told once.
func TestSettleIsOnce(t *testing.T) {
	tr, p, _ := passing(t, 0)
	require.Same(t, p, p.scope.barrier.probe)
	require.Len(t, p.scope.flying, 1)
	tr.settle(p, at(time.Second), true)
	require.Nil(t, p.scope.barrier.probe)
	require.False(t, p.scope.barrier.fresh)
	require.Empty(t, p.scope.flying)
	p.scope.barrier.probe = p
	tr.settle(p, at(time.Second), true)
	require.Same(t, p, p.scope.barrier.probe)
}

// A limit that the answer to a probe names stays, also if the server has counted what is under way
// beside it: nothing is left then.
func TestNamedLimitsStay(t *testing.T) {
	_, p, r := passing(t, 0)
	p.beside = 1
	new(Transport).learn(p, r, 200, []Reading{says(9, 0, 0)}, at(time.Second), false)
	require.Equal(t, int64(-1), p.scope.barrier.quotas[""].left)
}

// Those who wait look again: all of a host when it is paused, as their deadlines may be before its
// end, and when a request was answered the first of each line.
func TestWhoLooksAgain(t *testing.T) {
	tr, p, r := passing(t, 0)
	other := tr.scopeOf("other", r, at(0))
	elsewhere := tr.scopeOf("elsewhere", httptest.NewRequest(http.MethodGet, "https://example.org/", nil), at(0))
	var all []*waiting
	for _, s := range []*scope{p.scope, other, elsewhere} {
		for range 2 {
			w := &waiting{wake: make(chan struct{}, 1)}
			w.join(s.lane("", at(0)), false)
			all = append(all, w)
		}
	}
	looks := func() (which []bool) {
		for _, w := range all {
			select {
			case <-w.wake:
				which = append(which, true)
			default:
				which = append(which, false)
			}
		}
		return which
	}
	wait := Reading{Limit: -1, Remaining: -1, RetryAfter: time.Minute}
	tr.learn(p, r, 429, []Reading{wait}, at(time.Second), true)
	require.Equal(t, []bool{true, true, false, false, false, false}, looks())
	wait.Global = true
	tr.learn(p, r, 429, []Reading{wait}, at(time.Second), true)
	require.Equal(t, []bool{true, true, true, true, false, false}, looks())
	tr.settle(p, at(time.Second), false)
	require.Equal(t, []bool{true, false, false, false, false, false}, looks())
}
