package redislimit_test

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/gcra"
	"github.com/seed-3506548a/ratelimit/limittest"
	"github.com/seed-3506548a/ratelimit/policy"
	"github.com/seed-3506548a/ratelimit/redislimit"
)

func parse(t testing.TB, rules string) policy.Policy {
	p, err := policy.Parse([]byte("{" + rules + "}"))
	require.NoError(t, err)
	return p
}

// newNode returns an engine of the policy with limits that are on a server.
func newNode(t testing.TB, clock ratelimit.Clock, engine redislimit.Engine, otherwise redislimit.OnError, rules string, limits ...string) *policy.Engine {
	shared := redislimit.ForPolicy(engine, "shop", otherwise, redislimit.WithClock(clock))
	opts := []policy.Option{policy.WithClock(clock)}
	for _, limit := range limits {
		opts = append(opts, policy.WithStore(limit, shared))
	}
	e, err := policy.New(parse(t, rules), 1000, opts...)
	require.NoError(t, err)
	return e
}

func user(name string) *policy.Request {
	return &policy.Request{Attrs: []policy.Attr{{Name: "user", Value: name}}, Amounts: []policy.Amount{{Name: "tokens", N: 1}}}
}

// A policy's limit on an engine decides as the same limit in a process does: before, after and
// without the request.
func TestForPolicyDecidesAsInAProcess(t *testing.T) {
	for _, limit := range []string{
		`"rate": "60/min", "as": "gcra", "burst": 5, "of": "tokens"`,
		`"rate": "9/10s", "as": "aligned", "of": "tokens"`,
		`"rate": "9/10s", "as": "log"`,
		`"rate": "4/10s", "as": "log", "count": ["401"]`,
	} {
		m, clock := newMini(t), limittest.NewClock(t0)
		rules := `"rules": [{"name": "api", "key": ["user"], "limits": [{"name": "x", ` + limit + `}]}]`
		far := newNode(t, clock, m, redislimit.FailClosed, rules, "x")
		near := newNode(t, clock, m, redislimit.FailClosed, rules)
		random := rand.New(rand.NewPCG(1, 2))
		var got, want policy.Decision
		step := func(most int) {
			clock.Set(clock.Now().Add(time.Duration(random.IntN(most)) * time.Millisecond))
			m.SetTime(clock.Now())
		}
		for i := range 1000 {
			step(1500)
			r := user(fmt.Sprint(random.IntN(2)))
			r.Amounts[0].N = random.IntN(5)
			ask := (*policy.Engine).Decide
			if random.IntN(4) == 0 {
				ask = (*policy.Engine).Peek
			}
			ask(far, r, &got)
			ask(near, r, &want)
			require.Equal(t, want.Standings, got.Standings, "%s %d", limit, i)
			require.Equal(t, want.RetryAfter, got.RetryAfter)
			require.Equal(t, want.Binding, got.Binding)
			step(300)
			if random.IntN(3) == 0 {
				far.Undo(&got)
				near.Undo(&want)
				continue
			}
			// No more than there is: a gcra in a process takes what is owed beyond its burst for
			// reservations, and gives less of it back.
			o := policy.Outcome{Status: 200 + 201*random.IntN(2), Amounts: []policy.Amount{{Name: "tokens", N: random.IntN(1 + r.Amounts[0].N + want.Standings[0].Remaining)}}}
			far.Done(&got, o)
			near.Done(&want, o)
		}
	}
}

const twoLimits = `"rules": [
	{"name": "api", "key": ["user"], "limits": [{"name": "x", "rate": "30/day", "as": "gcra"}, {"name": "near", "rate": "1000/day", "as": "log"}]},
	{"name": "all", "limits": [{"name": "sum", "rate": "100/day", "as": "log"}]}]`

// Two processes share limits on a real server: together they are granted what the limits are, and
// what is refused was charged to none of them.
func TestForPolicyIsSharedByProcesses(t *testing.T) {
	server := startServer(t)
	var nodes []*policy.Engine
	for range 2 {
		nodes = append(nodes, newNode(t, ratelimit.SystemClock{}, newEngine(t, server.options()), redislimit.FailClosed, twoLimits, "x", "sum"))
	}
	var granted [5]atomic.Int64
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			var d policy.Decision
			for j := range 100 {
				name := (i + j) % len(granted)
				if nodes[i%2].Decide(user(fmt.Sprint(name)), &d); d.OK {
					granted[name].Add(1)
				}
			}
		})
	}
	all.Wait()
	sum := 0
	limit, err := redislimit.NewGCRA(newEngine(t, server.options()), "shop:api/x:gcra:24h0m0s", ratelimit.PerDay(30), 30)
	require.NoError(t, err)
	for i := range granted {
		n := int(granted[i].Load())
		require.LessOrEqual(t, n, 30)
		sum += n
		left, err := limit.Peek(t.Context(), fmt.Sprintf("user=%d", i), 0)
		require.NoError(t, err)
		require.Equal(t, 30-n, left.Remaining)
	}
	require.Equal(t, 100, sum)
	require.Zero(t, nodes[1].Stats().Unanswered)
}

// A granted request is one round trip, and one that is remembered to be refused is none.
func TestForPolicyRoundTrips(t *testing.T) {
	m, clock := newMini(t), limittest.NewClock(t0)
	e := newNode(t, clock, m, redislimit.FailClosed, twoLimits+`, "overrides": [{"limit": "x", "when": ["user=8"], "rate": "1/day"}]`, "x")
	var d policy.Decision
	trips := func(name string) int {
		before := m.trips
		e.Decide(user(name), &d)
		return m.trips - before
	}
	require.Equal(t, 1, trips("8"))
	require.True(t, d.OK)
	require.Equal(t, []string{"shop:api/x:gcra:24h0m0s:{user=8}"}, m.Keys())
	require.Equal(t, 1, trips("8"))
	require.Equal(t, 24*time.Hour, d.RetryAfter)
	require.Equal(t, 0, trips("8"))
	require.Equal(t, 24*time.Hour, d.RetryAfter)
}

// A decision that a limit is remembered to refuse asks none, wherever in the policy the limit is,
// and says the same as the one that asked.
func TestForPolicyAsksNothingAfterARefusal(t *testing.T) {
	for _, scarce := range []string{"key", "sum"} {
		rates := map[string]int{"key": 90, "sum": 90}
		rates[scarce] = 1
		rules := [2]string{
			fmt.Sprintf(`{"name": "api", "key": ["user"], "limits": [{"name": "key", "rate": "%d/day", "as": "gcra"}]}`, rates["key"]),
			fmt.Sprintf(`{"name": "all", "limits": [{"name": "sum", "rate": "%d/day", "as": "gcra"}]}`, rates["sum"]),
		}
		for _, order := range [][2]string{rules, {rules[1], rules[0]}} {
			m, clock := newMini(t), limittest.NewClock(t0)
			e := newNode(t, clock, m, redislimit.FailClosed, `"rules": [`+order[0]+", "+order[1]+`]`, "key", "sum")
			var d policy.Decision
			e.Decide(user("7"), &d)
			require.True(t, d.OK)
			require.Equal(t, 3, m.trips, "to look at one, and to charge both")
			require.Equal(t, []string{"shop:all/sum:gcra:24h0m0s:{}", "shop:api/key:gcra:24h0m0s:{user=7}"}, m.Keys())
			e.Decide(user("7"), &d) // at most a look at one, and one or two at the other
			require.LessOrEqual(t, m.trips, 6)
			trips := m.trips
			for range 100 {
				for _, ask := range []func(*policy.Request, *policy.Decision){e.Decide, e.Peek} {
					clock.Set(clock.Now().Add(time.Second))
					ask(user("7"), &d)
					require.Equal(t, policy.ByLimit, d.Action)
					require.Equal(t, 24*time.Hour-clock.Now().Sub(t0), d.RetryAfter)
					require.Equal(t, scarce, d.Standings[d.Binding].Name)
					require.True(t, d.Standings[d.Binding].Crossed)
					require.True(t, d.Standings[1-d.Binding].Unanswered)
					require.False(t, d.Standings[1-d.Binding].Crossed)
				}
			}
			require.Equal(t, trips, m.trips, "%s is scarce in %s", scarce, order)
			m.SetTime(clock.Now())
			e.Decide(user("7"), &d)
			require.Equal(t, trips, m.trips)
			require.Zero(t, e.Stats().Unanswered)
			clock.Set(t0.Add(24 * time.Hour))
			m.SetTime(clock.Now())
			e.Decide(user("7"), &d)
			require.True(t, d.OK)
		}
	}
}

// What was consumed counts by any rate: of an override, and after a Replace.
func TestForPolicyOverridesAndReplace(t *testing.T) {
	for _, as := range []string{"gcra", "aligned", "log"} {
		const rules = `"rules": [{"name": "api", "key": ["user"], "limits": [{"name": "x", "rate": "%d/day", "as": "%s"}]}],
			"overrides": [{"when": ["plan=pro"], "limit": "x", "rate": "5/day"}]`
		m, clock := newMini(t), limittest.NewClock(t0)
		nodes := []*policy.Engine{
			newNode(t, clock, m, redislimit.FailClosed, fmt.Sprintf(rules, 2, as), "x"),
			newNode(t, clock, m, redislimit.FailClosed, fmt.Sprintf(rules, 2, as), "x"),
		}
		var d policy.Decision
		ask := func(node int, plan string) bool {
			r := user("7")
			r.Attrs = append(r.Attrs, policy.Attr{Name: "plan", Value: plan})
			nodes[node].Decide(r, &d)
			return d.OK
		}
		require.True(t, ask(0, "pro"))
		require.True(t, ask(1, ""))
		require.False(t, ask(0, ""), as)
		require.True(t, ask(0, "pro"))
		require.Equal(t, 2, d.Standings[0].Remaining)
		require.NoError(t, nodes[0].Replace(parse(t, fmt.Sprintf(rules, 4, as))))
		require.True(t, ask(0, ""), as)
		require.False(t, ask(0, ""), as)
	}
}

// A server that is gone: the request is refused by the store and charged to nothing, or granted by
// what stands in.
func TestForPolicyWithoutAnswer(t *testing.T) {
	server := startServer(t)
	local := ratelimit.Must(gcra.New(ratelimit.PerDay(1), 1))
	node := func(otherwise redislimit.OnError) *policy.Engine {
		return newNode(t, ratelimit.SystemClock{}, newEngine(t, &redis.Options{Network: "unix", Addr: server.socket, MaxRetries: -1}), otherwise, twoLimits, "x")
	}
	closed, open, to := node(redislimit.FailClosed), node(redislimit.FailOpen), node(redislimit.FailTo(local))
	var d policy.Decision
	closed.Decide(user("7"), &d)
	require.True(t, d.OK)
	server.kill()

	closed.Decide(user("7"), &d)
	require.Equal(t, policy.ByStore, d.Action)
	require.Equal(t, ratelimit.Never, d.RetryAfter)
	var failed *redislimit.Error
	require.ErrorAs(t, d.Err, &failed)
	require.Equal(t, "shop:api/x:gcra:24h0m0s:{user=7}", failed.Key)
	require.True(t, d.Standings[0].Unanswered)
	require.EqualValues(t, 1, closed.Stats().Unanswered)
	require.Equal(t, 999, d.Standings[1].Remaining, "as without the request")

	open.Decide(user("7"), &d)
	require.True(t, d.OK)
	require.True(t, d.Standings[0].Unanswered)
	require.NoError(t, d.Err)

	to.Decide(user("7"), &d)
	require.True(t, d.OK)
	to.Decide(user("8"), &d)
	require.Equal(t, policy.ByLimit, d.Action)
	require.Greater(t, d.RetryAfter, 23*time.Hour)
	require.NotEqual(t, ratelimit.Never, d.RetryAfter)
}

func TestForPolicyErrors(t *testing.T) {
	m := newMini(t)
	for _, c := range []struct {
		limit, want string
		engine      redislimit.Engine
		opts        []redislimit.Option
	}{
		{`"rate": "1/s", "as": "interval"`, "redislimit.ForPolicy: as is interval, want gcra, aligned or log", m, nil},
		{`"rate": "65536/s", "as": "log"`, "redislimit.NewLog: rate.Events is 65536, want 0 to 65535", m, nil},
		{`"rate": "3/1500ns", "as": "aligned"`, "redislimit.NewAlignedWindow: rate.Per is 1.5µs, want a whole number of microseconds, at most 2^51 of them (71 years)", m, nil},
		{`"rate": "1/s", "as": "gcra"`, "redislimit.NewGCRA: engine is nil, want an engine, such as goredis.New returns", nil, nil},
		{`"rate": "9/s", "as": "gcra"`, "redislimit.ForPolicy: Lease is 1, want no such option: what was leased cannot be given back", m, []redislimit.Option{redislimit.Lease(1, 1)}},
		{`"rate": "9/s", "as": "gcra"`, "redislimit.ForPolicy: opts[0] is nil, want an option", m, []redislimit.Option{nil}},
	} {
		p := parse(t, `"rules": [{"name": "api", "limits": [{"name": "x", `+c.limit+`}]}]`)
		_, err := policy.New(p, 10, policy.WithStore("x", redislimit.ForPolicy(c.engine, "shop", redislimit.FailClosed, c.opts...)))
		require.EqualError(t, err, "policy.New: rules[0].limits[0]: "+c.want)
	}
}
