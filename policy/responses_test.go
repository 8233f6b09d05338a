package policy_test

import (
	"math"
	"math/bits"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit/policy"
)

// failed settles a request by a response of 401.
func (s *scene) failed(d *policy.Decision) { s.Done(d, policy.Outcome{Status: 401}) }

// P7: a limit with Count is looked at before, with 1, and charged the request's cost afterwards.
func TestP07ResponsesAreCounted(t *testing.T) {
	for _, as := range []string{"gcra", "interval", "anchored", "aligned", "log", "counter"} {
		s := newScene(t, `"rules": [{"name": "api", "key": ["user"], "limits": [{"name": "failures", "rate": "3/h", "as": "`+as+`", "count": ["401", "5xx"]}]}]`)
		for range 5 {
			s.pass(1, "user=7")
			s.Done(&s.d, policy.Outcome{Status: 200})
		}
		require.Equal(t, 3, s.remaining("failures", "user=7"))
		for _, status := range []int{401, 500, 599} {
			s.pass(1, "user=7")
			s.Done(&s.d, policy.Outcome{Status: status})
		}
		d := s.ask("user=7")
		require.Equal(t, policy.ByLimit, d.Action, as)
		require.Positive(t, d.RetryAfter)
		s.at(2*time.Hour).pass(1, "user=7")
		require.Equal(t, 3, s.d.Standings[0].Remaining)
	}
}

// P7: which statuses are counted.
func TestP07Statuses(t *testing.T) {
	for count, want := range map[string][]int{"401": {401}, "4xx": {400, 401, 499}, "5xx": {500, 599}} {
		var got []int
		for _, status := range []int{0, 200, 399, 400, 401, 499, 500, 599, 600} {
			s := newScene(t, `"rules": [{"name": "api", "limits": [{"name": "failures", "rate": "1/h", "as": "log", "count": ["`+count+`"]}]}]`)
			s.pass(1)
			if s.Done(&s.d, policy.Outcome{Status: status}); !s.ask().OK {
				got = append(got, status)
			}
		}
		require.Equal(t, want, got)
	}
}

// P7: at most the limit, and those under way, less 1, get through.
func TestP07AtMostThoseUnderWayGetThrough(t *testing.T) {
	s := newScene(t, `"rules": [{"name": "api", "limits": [{"name": "failures", "rate": "3/h", "as": "aligned", "count": ["401"]}]}]`)
	var under [5]policy.Decision
	s.pass(2)
	for range 2 {
		var d policy.Decision
		s.Decide(request(), &d)
		s.failed(&d)
	}
	for i := range under {
		s.Decide(request(), &under[i])
		require.True(t, under[i].OK)
	}
	for i := range under {
		s.failed(&under[i])
	}
	require.False(t, s.ask().OK, "after 3 + 5 - 1")
	require.False(t, s.at(time.Hour-1).ask().OK)
	s.at(time.Hour).pass(1)
}

// P7: what does not fit counts too, and no more than a window can hold: the next is a new one.
func TestP07OneWindowDoesNotSpillIntoTheNext(t *testing.T) {
	for _, as := range []string{"anchored", "aligned"} {
		s := newScene(t, `"rules": [{"name": "api", "limits": [{"name": "failures", "rate": "1000000/h", "as": "`+as+`", "count": ["401"]}]}]`)
		for _, cost := range []int{400_000, 10_000_000, math.MaxInt32} {
			r := &policy.Request{Cost: cost}
			require.True(t, s.decide(r).OK)
			s.failed(&s.d)
			if cost > 1_000_000 {
				require.False(t, s.ask().OK)
				s.at(s.clock.Now().Sub(t0) + time.Hour + time.Second)
			}
			require.True(t, s.ask().OK, "%s, %d", as, cost)
		}
		require.Equal(t, 1_000_000, s.d.Standings[0].Remaining)
	}
}

// P7: nor does what is charged to a window while a later one has counted already: it counts there,
// as far as there is room.
func TestP07AnEarlierWindowDoesNotSpillEither(t *testing.T) {
	const most = 1 << 22
	s := newScene(t, `"rules": [{"name": "api", "limits": [{"name": "failures", "rate": "4194304/min", "as": "aligned", "count": ["401"]}]}]`)
	charge := func(at time.Duration, n int) {
		var d policy.Decision
		s.Decide(&policy.Request{Time: t0.Add(at), Cost: n}, &d)
		require.True(t, d.OK)
		s.Done(&d, policy.Outcome{Time: t0.Add(at), Status: 401})
	}
	var under policy.Decision
	s.Decide(&policy.Request{Time: t0, Cost: 10}, &under)
	charge(time.Minute, most-7)
	s.Done(&under, policy.Outcome{Time: t0, Status: 401})
	require.Zero(t, s.at(time.Minute).remaining("failures"))
	require.Equal(t, most, s.at(2*time.Minute).remaining("failures"))
	charge(2*time.Minute, most-7)
	require.Equal(t, 7, s.remaining("failures"))
}

// P7: a charge at a time that is too late, or too far ahead of the clock, counts at the nearest
// that is not. Of windows in a table, the last four can be asked for, and two that are to come.
func TestP07ChargesAtOddTimes(t *testing.T) {
	for _, c := range []struct {
		at, counts time.Duration
	}{{0, 6 * time.Minute}, {6 * time.Minute, 6 * time.Minute}, {10 * time.Minute, 10 * time.Minute}, {12 * time.Minute, 12 * time.Minute}, {time.Hour, 12 * time.Minute}} {
		s := newScene(t, `"rules": [{"name": "api", "key": ["user"], "limits": [{"name": "failures", "rate": "1/min", "as": "aligned", "count": ["401"]}]}]`)
		s.at(10*time.Minute).pass(1, "user=8")
		s.failed(&s.d)
		s.pass(1, "user=7")
		s.Done(&s.d, policy.Outcome{Time: t0.Add(c.at), Status: 401})
		r := request("user=7")
		r.Time = t0.Add(c.counts)
		require.Equal(t, time.Minute, s.decide(r).RetryAfter, c.at)
		if c.counts < 12*time.Minute {
			r.Time = r.Time.Add(time.Minute)
			require.True(t, s.decide(r).OK)
		}
	}
}

// P7: no charge is too much for the numbers that count it.
func TestP07TheGreatestCharges(t *testing.T) {
	for _, limit := range []string{`"1/day", "as": "gcra"`, `"1/day", "as": "interval"`, `"1/day", "as": "log"`, `"1/day", "as": "counter"`,
		`"1/ns", "burst": 5, "as": "gcra"`, `"1000000000/s", "as": "gcra"`} {
		s := newScene(t, `"rules": [{"name": "api", "limits": [{"name": "failures", "rate": `+limit+`, "count": ["401"]}]}]`)
		for range 3 {
			s.at(s.clock.Now().Sub(t0) + 1000*24*time.Hour)
			if !s.decide(&policy.Request{Cost: math.MaxInt32}).OK {
				continue
			}
			s.failed(&s.d)
			require.False(t, s.ask().OK, limit)
			require.Positive(t, s.d.RetryAfter)
		}
	}
}

// P7: nor is any amount.
func TestP07TheGreatestAmounts(t *testing.T) {
	amounts := []int{math.MaxInt32 - 1, math.MaxInt32, math.MaxInt}
	for bit := 20; bit < bits.UintSize-1; bit++ {
		amounts = append(amounts, 1<<bit) // times the units of an event, one of these would be negative
	}
	for _, as := range []string{"gcra", "interval", "anchored", "aligned", "log", "counter"} {
		for _, n := range amounts {
			s := newScene(t, `"rules": [{"name": "api", "limits": [{"name": "tokens", "rate": "7/h", "as": "`+as+`", "of": "tokens"}]}]`)
			s.pass(1)
			s.Done(&s.d, policy.Outcome{Amounts: []policy.Amount{{Name: "tokens", N: n}}})
			require.False(t, s.ask().OK, "%s, %d", as, n)
		}
	}
}

// P7: of an amount, the estimate is charged, and afterwards what it turned out to be.
func TestP07Amounts(t *testing.T) {
	for _, as := range []string{"gcra", "interval", "anchored", "aligned", "log", "counter"} {
		s := newScene(t, `"rules": [{"name": "api", "limits": [{"name": "tokens", "rate": "100/h", "as": "`+as+`", "of": "tokens"}]}]`)
		tokens := func(n int) []policy.Amount { return []policy.Amount{{Name: "others", N: 1000}, {Name: "tokens", N: n}} }
		decide := func(n int) bool { return s.decide(&policy.Request{Amounts: tokens(n), Cost: 1000}).OK }
		require.True(t, decide(30))
		require.Equal(t, 70, s.d.Standings[0].Remaining, as)
		s.Done(&s.d, policy.Outcome{Amounts: tokens(20)})
		require.Equal(t, 80, s.remaining("tokens"), as)

		require.True(t, decide(30))
		s.Done(&s.d, policy.Outcome{Amounts: tokens(40)})
		require.Equal(t, 40, s.remaining("tokens"), as)

		require.True(t, decide(30))
		s.Done(&s.d, policy.Outcome{})
		require.Equal(t, 10, s.remaining("tokens"), "the estimate stays")

		require.False(t, decide(11))
		require.True(t, s.decide(&policy.Request{}).OK, "without an estimate there is room for 1")
		require.Equal(t, 10, s.d.Standings[0].Remaining, "and nothing is charged")
		s.Done(&s.d, policy.Outcome{Amounts: tokens(50)})
		require.Zero(t, s.remaining("tokens"))
		require.False(t, s.decide(&policy.Request{}).OK)

		s.at(3 * time.Hour)
		require.True(t, decide(30))
		s.Undo(&s.d)
		require.Equal(t, 100, s.remaining("tokens"), as)
	}
}

// P7: the rest of an estimate is given back as of the clock, however early a response says that it
// was: a window that began with the request ends a minute after that.
func TestP07TheRestIsGivenBackByTheClock(t *testing.T) {
	for _, as := range []string{"interval", "anchored"} {
		s := newScene(t, `"rules": [{"name": "api", "limits": [{"name": "tokens", "rate": "10/min", "as": "`+as+`", "of": "tokens"}]}]`)
		require.True(t, s.decide(&policy.Request{Amounts: []policy.Amount{{Name: "tokens", N: 10}}}).OK)
		s.at(30*time.Second).Done(&s.d, policy.Outcome{Time: t0.Add(10 * time.Second), Amounts: []policy.Amount{{Name: "tokens", N: 4}}})
		require.Equal(t, time.Minute, s.peek().Standings[0].ResetAfter, as)
		require.Equal(t, 6, s.remaining("tokens"), as)
	}
}

// Done and Undo settle a request once, and only one that Decide has granted.
func TestSettlingOnce(t *testing.T) {
	s := newScene(t, `"rules": [{"name": "api", "limits": [
		{"name": "failures", "rate": "9/h", "as": "log", "count": ["401"]}, {"name": "hour", "rate": "9/h", "as": "log"}]}]`)
	left := func(failures, hour int) {
		t.Helper()
		require.Equal(t, failures, s.remaining("failures"))
		require.Equal(t, hour, s.remaining("hour"))
	}
	s.pass(1)
	s.failed(&s.d)
	s.failed(&s.d)
	s.Undo(&s.d)
	left(8, 8)

	s.pass(1)
	s.Undo(&s.d)
	s.Undo(&s.d)
	s.failed(&s.d)
	left(8, 8)

	s.peek()
	s.failed(&s.d)
	s.Undo(&s.d)
	left(8, 8)

	require.False(t, s.decide(&policy.Request{Cost: 10}).OK)
	s.failed(&s.d)
	s.Undo(&s.d)
	left(8, 8)

	s.failed(&policy.Decision{})
	s.pass(1)
	s.peek()
	s.failed(&s.d) // the decision before was overwritten
	left(8, 7)
}
