package policy_test

import (
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit/policy"
)

// hooked is a clock that stands still, and calls hook when it is read for the at-th time: a moment
// at which another caller may come.
type hooked struct {
	reads, at int
	hook      func()
}

func (c *hooked) Now() time.Time {
	if c.reads++; c.reads == c.at {
		c.hook()
	}
	return t0
}

// P1: a request that loses a race gives back what it was charged before; only Tables give nothing
// back, and are charged last. The clock is read by a Table whose newest time moves, so a request
// comes in between there.
func TestP01ALostRaceIsGivenBack(t *testing.T) {
	lost := 0
	for at := 1; at <= 12; at++ {
		clock := &hooked{}
		e, err := policy.New(parse(t, `"rules": [
			{"name": "api", "limits": [{"name": "last", "rate": "1/min", "as": "gcra"}, {"name": "log", "rate": "9/h", "as": "log"}]},
			{"name": "all", "limits": [{"name": "anchored", "rate": "9/h", "as": "anchored"}]}]`), 10, policy.WithClock(clock))
		require.NoError(t, err)
		decide := func(after time.Duration) bool {
			var d policy.Decision
			e.Decide(&policy.Request{Time: t0.Add(after)}, &d)
			return d.OK
		}
		require.True(t, decide(-2*time.Minute))
		other := false
		clock.reads, clock.at, clock.hook = 0, at, func() { other = decide(0) }
		granted := 1
		if !decide(0) {
			lost++
		} else {
			granted++
		}
		if other {
			granted++
		}
		require.Equal(t, 2, granted)
		s := scene{t: t, Engine: e}
		clock.at = 0
		require.Equal(t, 7, s.remaining("log"), at)
		require.Equal(t, 7, s.remaining("anchored"), at)
		require.Zero(t, s.remaining("last"))
	}
	require.Positive(t, lost, "no race was lost")
}

// P1: Logs are charged before Tables, so a race that is lost at a Log costs nothing there. A Map
// reads the clock to make room for a new key, which is where another request comes in between.
func TestP01LogsAreChargedBeforeTables(t *testing.T) {
	clock := &hooked{}
	e, err := policy.New(parse(t, `"rules": [
		{"name": "api", "limits": [{"name": "gcra", "rate": "10/h", "as": "gcra"}, {"name": "window", "rate": "10/h", "as": "aligned"},
			{"name": "log", "rate": "2/h", "as": "log"}]},
		{"name": "each", "key": ["ip"], "limits": [{"name": "anchored", "rate": "5/h", "as": "anchored"}]}]`), 10, policy.WithClock(clock))
	require.NoError(t, err)
	decide := func(ip string) bool {
		var d policy.Decision
		e.Decide(&policy.Request{Time: t0, Attrs: request("ip=" + ip).Attrs}, &d)
		return d.OK
	}
	require.True(t, decide("1"))
	other := false
	clock.reads, clock.at, clock.hook = 0, 1, func() { other = decide("1") }
	require.False(t, decide("2"))
	require.True(t, other)
	s := scene{t: t, Engine: e}
	require.Zero(t, s.remaining("log", "ip=1"))
	require.Equal(t, 8, s.remaining("gcra", "ip=1"))
	require.Equal(t, 8, s.remaining("window", "ip=1"))
	require.Equal(t, 3, s.remaining("anchored", "ip=1"))
	require.Equal(t, 5, s.remaining("anchored", "ip=2"), "it was given back")
}

// P1: a throttle that another request of the key has used up meanwhile refuses, and what the limits
// were charged is given back.
func TestP01AThrottleThatIsLost(t *testing.T) {
	clock := &hooked{}
	e, err := policy.New(parse(t, `"rules": [
		{"name": "api", "key": ["user"], "limits": [{"name": "second", "rate": "2/s", "as": "log"}],
			"ladder": [{"after": 1, "do": "throttle", "to": "1/10s", "for": "1h"}]},
		{"name": "each", "key": ["ip"], "limits": [{"name": "anchored", "rate": "5/h", "as": "anchored"}]}]`), 10, policy.WithClock(clock))
	require.NoError(t, err)
	decide := func(after time.Duration, ip string) (d policy.Decision) {
		e.Decide(&policy.Request{Time: t0.Add(after), Attrs: request("user=7", "ip="+ip).Attrs}, &d)
		return d
	}
	for range 3 { // the third is the strike
		decide(0, "1")
	}
	var other policy.Decision
	clock.reads, clock.at, clock.hook = 0, 1, func() { other = decide(10*time.Second, "1") }
	lost := decide(10*time.Second, "2")
	require.True(t, other.OK)
	require.False(t, lost.OK)
	require.Equal(t, policy.ByThrottle, lost.Action)
	require.Equal(t, 10*time.Second, lost.RetryAfter)
	require.Equal(t, 5, lost.Standings[1].Remaining, "it was given back")
	require.Equal(t, 1, decide(20*time.Second, "1").Standings[1].Remaining)
}

// P11: a request that loses a race at a limit, or at a throttle, of a rule in shadow is granted,
// and reported; what that rule was charged for it is given back. The clock is read by a Table whose
// newest time moves, so a request comes in between there.
func TestP11ALostRaceInShadow(t *testing.T) {
	for what, c := range map[string]struct{ rate, ladder string }{
		"limit":    {"1/min", ``},
		"throttle": {"3/min", `, "ladder": [{"after": 1, "do": "throttle", "to": "1/min", "for": "1h"}]`},
	} {
		lost := 0
		for at := 1; at <= 12; at++ {
			clock := &hooked{}
			e, err := policy.New(parse(t, `"rules": [{"name": "tried", "mode": "shadow", "limits": [{"name": "last", "rate": "`+c.rate+`", "as": "gcra"},
				{"name": "log", "rate": "9/h", "as": "log"}]`+c.ladder+`}]`), 10, policy.WithClock(clock))
			require.NoError(t, err)
			charged := 0
			decide := func(after time.Duration) (crossed bool) {
				var d policy.Decision
				e.Decide(&policy.Request{Time: t0.Add(after)}, &d)
				require.True(t, d.OK)
				if !d.Shadow {
					charged++
				}
				return d.Shadow
			}
			for !decide(-20 * time.Minute) { // the last one is a strike
			}
			before := charged
			clock.reads, clock.at, clock.hook = 0, at, func() { decide(0) }
			if decide(0) {
				lost++
			} else if clock.reads < at {
				decide(0) // nobody came in between
			}
			clock.at = 0
			require.Equal(t, 1, charged-before, "%s, %d: there is room for one", what, at)
			s := scene{t: t, Engine: e}
			require.Equal(t, 9-charged, s.remaining("log"), "%s, %d", what, at)
		}
		require.Positive(t, lost, "no race was lost")
	}
}

// P4: of two requests at once that have the same address blocked, the one with the shorter block
// waits for the longer one, too.
func TestP04AnothersBlockIsWaitedFor(t *testing.T) {
	rule := func(name, block string) string {
		return `{"name": "` + name + `", "match": ["/` + name + `/"], "key": ["user"], "limits": [{"name": "hour", "rate": "1/h", "as": "log"}],
			"ladder": [{"after": 1, "do": "block", "for": "` + block + `", "who": ["ip"]}]}`
	}
	s, f := newFarScene(t, `"rules": [`+rule("api", "2h")+`, `+rule("login", "5h")+`]`, "api/hour")
	decide := func(path, user string) (d policy.Decision) {
		r := request("user="+user, "ip=1")
		r.Path = path
		s.Decide(r, &d)
		return d
	}
	require.True(t, decide("/api/", "7").OK)
	f.before = func(string) { // while the other is asking
		f.before = nil
		require.True(t, decide("/login/", "8").OK)
		require.Equal(t, 5*time.Hour, decide("/login/", "8").RetryAfter)
	}
	d := decide("/api/", "7")
	require.Equal(t, policy.ByLimit, d.Action)
	require.Len(t, d.Reached, 1)
	require.Equal(t, 5*time.Hour, d.RetryAfter)
}

// P1: callers on all cores: what gives back has counted exactly what was granted, and of Tables the
// last one, too.
func TestP01RacesOnAllCores(t *testing.T) {
	for range 20 {
		s := newScene(t, `"rules": [{"name": "api", "key": ["user"], "limits": [
				{"name": "first", "rate": "1000/h", "as": "aligned"}, {"name": "last", "rate": "200/h", "as": "gcra"}]},
			{"name": "all", "limits": [{"name": "anchored", "rate": "300/h", "as": "anchored"}, {"name": "log", "rate": "301/h", "as": "log"},
				{"name": "counter", "rate": "500/h", "as": "counter"}]}]`)
		var granted atomic.Int64
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				var d policy.Decision
				for range 100 {
					s.Decide(request("user=7"), &d)
					if d.OK {
						granted.Add(1)
					}
				}
			})
		}
		all.Wait()
		n := int(granted.Load())
		require.Equal(t, 300-n, s.remaining("anchored", "user=7"))
		require.Equal(t, 301-n, s.remaining("log", "user=7"))
		require.Equal(t, 500-n, s.remaining("counter", "user=7"))
		require.Equal(t, 200-n, s.remaining("last", "user=7"))
		require.LessOrEqual(t, s.remaining("first", "user=7"), 1000-n)
		require.Equal(t, 200, n)
	}
}

// P2: a smaller limit holds also beside a larger one that the limiter has grown for: to look and to
// charge is one step.
func TestP02NeverMoreThanTheOwnLimitUnderLoad(t *testing.T) {
	for _, as := range []string{"gcra", "interval", "anchored", "aligned", "log", "counter"} {
		for _, of := range []string{"", `, "of": "tokens"`} {
			s := newScene(t, `"rules": [{"name": "api", "key": ["user"], "limits": [{"name": "hour", "rate": "50/h", "as": "`+as+`"`+of+`}]}],
				"overrides": [{"limit": "hour", "when": ["plan=pro"], "rate": "500/h"}]`)
			r := func(attrs ...string) *policy.Request {
				return &policy.Request{Attrs: request(attrs...).Attrs, Amounts: []policy.Amount{{Name: "tokens", N: 1}}}
			}
			require.True(t, s.decide(r("user=7", "plan=pro")).OK)
			var granted atomic.Int64
			var all sync.WaitGroup
			for range 8 {
				all.Go(func() {
					var d policy.Decision
					for range 60 {
						if s.Decide(r("user=7"), &d); d.OK {
							granted.Add(1)
						}
					}
				})
			}
			all.Wait()
			require.Equal(t, int64(49), granted.Load(), as)
		}
	}
}

// P2: in every interval of the callers' times, no more is granted than the largest limit allows
// that applies; whatever the order of the times, under load, with overrides.
func TestP02TheBoundHoldsInAllIntervals(t *testing.T) {
	const second = int64(time.Second)
	for as, most := range map[string]func(length int64) int64{
		"gcra":     func(l int64) int64 { return (l+second)/(second/20) + 1 }, // (window + depth) / T + 1/m
		"interval": func(l int64) int64 { return 20 + 20*(l/second+1) },
		"anchored": func(l int64) int64 { return 20 * (l/second + 2) },
		"aligned":  func(l int64) int64 { return 20 * (l/second + 2) },
		"log":      func(l int64) int64 { return 20 * (l/second + 1) },
		"counter":  func(l int64) int64 { return 20 * (l/second + 1) },
	} {
		s := newScene(t, `"rules": [{"name": "api", "limits": [{"name": "second", "rate": "10/s", "as": "`+as+`"}]}],
			"overrides": [{"limit": "second", "when": ["plan=pro"], "rate": "20/s"}, {"limit": "second", "when": ["plan=free"], "rate": "3/s"}]`)
		var mutex sync.Mutex
		var grants []int64
		var all sync.WaitGroup
		for caller := range uint64(8) {
			all.Go(func() {
				random := rand.New(rand.NewPCG(caller, 1))
				requests := []*policy.Request{request(), request("plan=pro"), request("plan=free")}
				var d policy.Decision
				for i := range 400 {
					off := time.Duration(i)*10*time.Millisecond + time.Duration(random.IntN(int(time.Second)))
					r := *requests[random.IntN(3)]
					r.Time = t0.Add(off)
					if s.Decide(&r, &d); d.OK {
						mutex.Lock()
						grants = append(grants, int64(off))
						mutex.Unlock()
					}
				}
			})
		}
		all.Wait()
		require.Greater(t, len(grants), 30)
		slices.Sort(grants)
		for i, from := range grants {
			for j, to := range grants[i:] {
				if int64(j+1) > most(to-from) {
					require.Fail(t, "too many", "%s: %d in %v", as, j+1, time.Duration(to-from))
				}
			}
		}
	}
}
