package policy

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/timeline"
)

// P14: gcra and aligned limits take no lock, since they are in Tables, also with overrides, and if
// they count responses; so are throttles. All others, and what counts amounts, are in Maps.
func TestP14WhereLimitsLive(t *testing.T) {
	for _, c := range []struct {
		limit, override string
		lockFree        bool
	}{
		{`"rate": "90/min", "as": "gcra"`, "500/s", true},
		{`"rate": "90/min", "burst": 10, "as": "gcra", "count": ["401"]`, "1/h", true},
		{`"rate": "1/day", "as": "gcra"`, "100/min", true},
		{`"rate": "1000000/s", "as": "gcra"`, "1/s", true},
		{`"rate": "0/s", "as": "gcra"`, "90/min", true},
		{`"rate": "60/min", "as": "aligned"`, "90/min", true},
		{`"rate": "4194304/min", "as": "aligned", "count": ["401", "5xx"]`, "1/min", true},
		{`"rate": "90/min", "as": "gcra", "of": "tokens"`, "30/s", false},
		{`"rate": "90/min", "as": "aligned", "of": "tokens"`, "30/min", false},
		{`"rate": "90/min", "as": "anchored"`, "30/min", false},
		{`"rate": "90/min", "as": "interval"`, "30/min", false},
		{`"rate": "90/min", "as": "log"`, "30/min", false},
		{`"rate": "90/min", "as": "counter"`, "30/min", false},
	} {
		p, err := Parse([]byte(`{"rules": [{"name": "api", "key": ["user"], "limits": [{"name": "limit", ` + c.limit + `}],
				"ladder": [{"after": 2, "within": "1h", "do": "throttle", "to": "1/s", "for": "1h", "who": ["ip"]}]}],
			"overrides": [{"limit": "limit", "when": ["plan=pro"], "rate": "` + c.override + `"}]}`))
		require.NoError(t, err)
		e, err := New(p, 100)
		require.NoError(t, err)
		g := e.current.Load()
		_, ok := g.rules[0].limits[0].store.(*lockFree)
		require.Equal(t, c.lockFree, ok, c.limit)
		require.Equal(t, c.lockFree, !g.locked)
		for _, throttles := range [][]throttle{g.rules[0].ladder.throttles, g.whos[0].throttles} {
			require.Len(t, throttles, 1)
			require.IsType(t, (*lockFree)(nil), throttles[0].limit.store)
		}
	}
}

// P14: the unit of a table is the least of which all its events are whole numbers, and 2^k times as
// fine as a clock of 600 ns, the deepest bound and the numbers of a table let it be; or finer, if a
// bound needs that. Where no unit is right for all, there is no table.
func TestP14TheUnitOfATable(t *testing.T) {
	const long = "78840h" // 9 years
	type b struct {
		rate  string
		burst int
	}
	for _, c := range []struct {
		bounds []b
		unit   string
	}{
		{[]b{{"1/s", 1}}, "4096/s"},
		{[]b{{"3255/s", 1}}, "6510/s"},
		{[]b{{"3256/s", 1}}, "3256/s"},
		{[]b{{"1/307200ns", 1}}, "2/307200ns"},
		{[]b{{"1/s", 1 << 20}}, "512/s"},
		{[]b{{"1/s", 1<<20 + 1}}, "256/s"},
		{[]b{{"1/s", 1 << 30}}, "1/s"},
		{[]b{{"1/s", 1<<30 + 1}}, ""},
		{[]b{{"1/" + long, 1}}, "536870912/" + long},
		{[]b{{"5/" + long, 1}}, "1342177280/" + long},
		{[]b{{"0/" + long, 0}}, "536870912/" + long},
		{[]b{{"0/s", 0}, {"3/s", 1}}, "6144/s"},
		{[]b{{"100/min", 1}, {"1000/min", 1}}, "256000/min"},
		{[]b{{"1/s", 1}, {"2/s", 1 << 20}}, "1024/s"},
		{[]b{{"2/s", 1 << 20}, {"1/s", 1}}, "1024/s"},
		{[]b{{"1/s", 1}, {"6510/s", 1}}, "6510/s"},
		{[]b{{"1/s", 1}, {"6511/s", 1}}, "4096/s"}, // as a tick would be too short
		{[]b{{"1/s", 1}, {"1000000/s", 1}}, "65536/s"},
		{[]b{{"1/s", 1 << 29}, {"1000000/s", 1}}, ""},
		{[]b{{"1/s", 1}, {"3/s", 1 << 29}}, "3/s"},
		{[]b{{"3/s", 1 << 29}, {"2/s", 1}}, "3/s"}, // as 6/s would be too deep
	} {
		var bounds []*bound
		for _, b := range c.bounds {
			bounds = append(bounds, &bound{rate: ratelimit.Must(ratelimit.ParseRate(b.rate)), burst: b.burst, most: b.burst})
		}
		line, err := timeline.New("New", nil)
		require.NoError(t, err)
		s := newBucketTable(bounds, 10, &line)
		if c.unit == "" {
			require.Nil(t, s, c.bounds)
			continue
		}
		require.NotNil(t, s, c.bounds)
		require.Equal(t, ratelimit.Must(ratelimit.ParseRate(c.unit)), s.Own().Rate(), c.bounds)
	}
}

// P14: the unit of the gcras in a Map is the greatest part of an event of which all its events are
// whole numbers, cut into fives, threes and halves as long as a nanosecond has at most 2^9 ticks of
// it, and no burst is more than 2^27 of it. Where no such part is small enough, it is an event of
// the first bound, which is cut until an event of each is a whole number of parts, or 2^10 of them.
func TestP14TheUnitOfAMap(t *testing.T) {
	type b struct {
		rate  string
		burst int
	}
	for _, c := range []struct {
		bounds []b
		unit   string
	}{
		{[]b{{"1/s", 1}}, "97656250/s"}, // 2 * 5^11, as 5^12 are too many
		{[]b{{"1/s", 1 << 26}}, "2/s"},  // 2^27 in a burst
		{[]b{{"1/s", 1<<26 + 1}}, "1/s"},
		{[]b{{"1/1000003ns", 1}}, "375/1000003ns"}, // 3 * 5^3 ticks in a nanosecond
		{[]b{{"256/1000003ns", 1}}, "512/1000003ns"},
		{[]b{{"257/1000003ns", 1}}, "257/1000003ns"},
		{[]b{{"1000/1000003ns", 1}}, "1000/1000003ns"},        // which are more already
		{[]b{{"0/s", 0}, {"3/min", 1}}, "292968750/min"},      // 2 * 5^11 to an event, in the period of the first that grants any
		{[]b{{"1/s", 1}, {"5/min", 2}}, "3906250/s"},          // 2 * 5^9: 24 times that are in the second's burst
		{[]b{{"2/s", 1}, {"3/s", 1}}, "175781250/s"},          // 6 are whole, and so are 3 * 5^10 times as many
		{[]b{{"0/1000003ns", 0}}, "375/1000003ns"},            // none is granted
		{[]b{{"3001/p", 50_000}, {"3002/p", 1}}, "3073024/p"}, // 2^10 to an event of the first, and nearly to one of the second
		{[]b{{"3001/p", 50_000}, {"3004/p", 1}}, "6146048/p"}, // 2^11, since 2^10 are not enough
		{[]b{{"3001/p", 50_000}, {"6002/p", 1}}, "6002/p"},
	} {
		const prime = "1000000007ns"
		rate := func(text string) ratelimit.Rate {
			return ratelimit.Must(ratelimit.ParseRate(strings.Replace(text, "p", prime, 1)))
		}
		var bounds []*bound
		for _, b := range c.bounds {
			bounds = append(bounds, &bound{rate: rate(b.rate), burst: b.burst, most: b.burst})
		}
		s, err := newLocked(&Limit{As: GCRA}, bounds, 10, timeline.Timeline{})
		require.NoError(t, err, c.bounds)
		require.Equal(t, rate(c.unit), s.(*locked).unit, c.bounds)
	}
}

// P13: an engine keeps nothing of rules that were replaced, however many there were.
func TestP13WhatIsForgotten(t *testing.T) {
	const text = `{"rules": [{"name": "%s", "key": ["user"], "limits": [{"name": "limit", "rate": "1/min", "as": "gcra"}],
		"ladder": [{"after": 1, "within": "1h", "do": "throttle", "to": "1/s", "for": "1h", "who": ["%s"]}]}]}`
	var e *Engine
	for i := range 5 {
		p, err := Parse(fmt.Appendf(nil, text, strings.Repeat("a", i+1), strings.Repeat("b", i+1)))
		require.NoError(t, err)
		if i == 0 {
			e, err = New(p, 100)
		} else {
			err = e.Replace(p)
		}
		require.NoError(t, err)
		require.Len(t, e.stores, 1)
		require.Len(t, e.tallies, 1)
		require.Len(t, e.ladders, 1)
		require.Len(t, e.whos, 1)
	}
}

// P13: a Replace that fails leaves no throttle of its steps.
func TestP13AFailedReplaceLeavesNoThrottle(t *testing.T) {
	text := func(to string, as string) Policy {
		p, err := Parse(fmt.Appendf(nil, `{"rules": [{"name": "api", "key": ["user"], "limits": [{"name": "limit", "rate": "1/min", "as": "log"}],
			"ladder": [{"after": 1, "within": "1h", "do": "throttle", "to": "%s", "for": "1h", "who": ["ip"]}]},
			{"name": "other", "limits": [{"name": "limit", "rate": "%s", "as": "gcra"}]}]}`, to, as))
		require.NoError(t, err)
		return p
	}
	e, err := New(text("1/s", "10/s"), 100)
	require.NoError(t, err)
	before := e.current.Load()
	require.Error(t, e.Replace(text("1/99s", "1000000000/s")))
	require.Same(t, before, e.current.Load())
	require.Same(t, before.whos[0].penalties, e.whos["ip"])
	require.Same(t, before.rules[0].ladder.penalties, e.ladders["api user"])
	require.Len(t, e.whos["ip"].throttles, 1)
}

// P13: only ladders with a step that revokes have a set of the revoked.
func TestP13WhereTheRevokedAre(t *testing.T) {
	const text = `{"rules": [{"name": "api", "key": ["user"], "limits": [{"name": "limit", "rate": "1/min", "as": "log"}],
		"ladder": [{"after": 1, "within": "1h", "do": "%s", "for": "1h", "who": ["ip"]}]}]}`
	for do, revokes := range map[string]bool{"block": false, "revoke": true} {
		p, err := Parse(fmt.Appendf(nil, text, do))
		require.NoError(t, err)
		e, err := New(p, 100)
		require.NoError(t, err)
		g := e.current.Load()
		require.Equal(t, revokes, g.rules[0].ladder.revoked != nil)
		require.Equal(t, revokes, g.whos[0].revoked != nil)
	}
}

// A throttle grants at once what its rate lets through in a second, at any rate, and is in a table.
func TestThrottlesOfAnyRate(t *testing.T) {
	for to, burst := range map[string]int{"1/h": 1, "2/s": 2, "5000000/s": 5_000_000, "1000000/100ms": 10_000_000, "1000000000/s": 1_000_000_000} {
		p, err := Parse(fmt.Appendf(nil, `{"rules": [{"name": "api", "limits": [{"name": "limit", "rate": "1/min", "as": "log"}],
			"ladder": [{"after": 1, "do": "throttle", "to": "%s", "for": "1h"}]}]}`, to))
		if to == "1000000000/s" && err != nil {
			continue // where validation refuses it
		}
		require.NoError(t, err, to)
		e, err := New(p, 100)
		require.NoError(t, err)
		l := e.current.Load().rules[0].ladder.throttles[0].limit
		require.Equal(t, burst, l.own.most, to)
		require.NotNil(t, l.table, to)
	}
}

// P13: steps of the same throttle share it, and so do those of the next policy: it keeps what it
// has counted. It has room for an eighth of the keys, which are throttled at the same time at most.
func TestP13StepsShareAThrottle(t *testing.T) {
	text := func(second string) Policy {
		p, err := Parse(fmt.Appendf(nil, `{"rules": [{"name": "api", "limits": [{"name": "limit", "rate": "1/min", "as": "log"}], "ladder": [
			{"after": 1, "within": "1h", "do": "throttle", "to": "9/s", "for": "1h"},
			{"after": 2, "within": "1h", "do": "throttle", "to": "%s", "for": "1h"}]}]}`, second))
		require.NoError(t, err)
		return p
	}
	for capacity, room := range map[int]int{80: 64, 8000: 1000} {
		e, err := New(text("9/s"), capacity)
		require.NoError(t, err)
		throttles := func() []throttle { return e.current.Load().rules[0].ladder.throttles }
		require.Len(t, throttles(), 1)
		first := throttles()[0].limit
		require.Equal(t, room, first.table.Capacity())
		require.NoError(t, e.Replace(text("9/s")))
		require.Len(t, throttles(), 1)
		require.NoError(t, e.Replace(text("3/s")))
		require.Len(t, throttles(), 2)
		require.Same(t, first, throttles()[0].limit)
	}
}

// P13: a gcra in a Map counts up to 2^31-1 parts of an event.
func TestP13TheDeepestBoundOfAMap(t *testing.T) {
	s := &locked{as: GCRA, unit: ratelimit.PerSecond(1)}
	require.NoError(t, s.bind(&bound{rate: ratelimit.PerSecond(1), burst: math.MaxInt32, most: math.MaxInt32}))
	err := s.bind(&bound{rate: ratelimit.Per(1, 2*time.Second), burst: 1 << 30, most: 1 << 30})
	var argument *ratelimit.ArgumentError
	require.ErrorAs(t, err, &argument)
	require.Equal(t, "policy.New", argument.Func)
	require.NoError(t, s.bind(&bound{rate: ratelimit.Per(1, 2*time.Second), burst: 1<<30 - 1, most: 1<<30 - 1}))
}

// P1: what gives nothing back is charged last, and before it Logs, which give back the newest only.
func TestP01TheOrderOfCharges(t *testing.T) {
	for as, want := range map[string]class{"gcra": last, "aligned": last, "log": second, "anchored": first, "interval": first, "counter": first} {
		p, err := Parse([]byte(`{"rules": [{"name": "api", "limits": [{"name": "limit", "rate": "1/h", "as": "` + as + `"}]}]}`))
		require.NoError(t, err)
		e, err := New(p, 10)
		require.NoError(t, err)
		require.Equal(t, want, e.current.Load().rules[0].limits[0].class, as)
	}
}

// Only tables need more room for limits that grant one or two at once: a Map has one place a key.
func TestRoomForKeys(t *testing.T) {
	for _, as := range []string{"interval", "anchored", "log", "counter"} {
		p, err := Parse(fmt.Appendf(nil, `{"rules": [{"name": "api", "limits": [{"name": "limit", "rate": "1/h", "as": "%s"}]}]}`, as))
		require.NoError(t, err)
		e, err := New(p, 100)
		require.NoError(t, err)
		require.Equal(t, 100, e.current.Load().rules[0].limits[0].store.(*locked).Capacity(), as)
	}
}

// A table has four times the room if one of its limits grants one or two at once.
func TestRoomForKeysOfSmallBursts(t *testing.T) {
	for bursts, want := range map[[2]int]int{{1, 1}: 400, {2, 9}: 400, {9, 2}: 400, {3, 9}: 100} {
		p, err := Parse(fmt.Appendf(nil, `{"rules": [{"name": "api", "limits": [{"name": "limit", "rate": "1/h", "as": "gcra", "burst": %d}]}],
			"overrides": [{"limit": "limit", "when": ["plan=pro"], "rate": "1/h", "burst": %d}]}`, bursts[0], bursts[1]))
		require.NoError(t, err)
		e, err := New(p, 100)
		require.NoError(t, err)
		require.Equal(t, want, e.current.Load().rules[0].limits[0].table.Capacity(), bursts)
	}
}

// Each bit of the hash of a key of several parts is set as often as not.
func TestMixedIsBalanced(t *testing.T) {
	const n = 64
	var set [64]int
	for a := range uint64(n) {
		for b := range uint64(n) {
			h := mixed(a, b)
			for bit := range set {
				set[bit] += int(h >> bit & 1)
			}
		}
	}
	for bit, times := range set {
		require.InDelta(t, n*n/2, times, n*n/8, bit)
	}
}

// What a key of a window reads is in one cache line.
func TestSizeOfAResident(t *testing.T) {
	if unsafe.Sizeof(uintptr(0)) != 8 {
		t.Skip("counted on 64-bit platforms")
	}
	require.EqualValues(t, 64, unsafe.Sizeof(resident{}))
}

// Keys of several parts are told apart by each bit of each part, and by their order.
func TestHashesOfSeveralParts(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 1000 {
		a, b := random.Uint64(), random.Uint64()
		seen := map[uint64]bool{mixed(a, b): true, mixed(b, a): true}
		for bit := range 64 {
			seen[mixed(a^1<<bit, b)], seen[mixed(a, b^1<<bit)] = true, true
		}
		require.Len(t, seen, 130)
	}
}
