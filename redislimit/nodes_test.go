package redislimit_test

import (
	"context"
	"errors"
	"math/big"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/fixedwindow"
	"github.com/seed-3506548a/ratelimit/gcra"
	"github.com/seed-3506548a/ratelimit/internal/proof/bounds"
	"github.com/seed-3506548a/ratelimit/limittest"
	"github.com/seed-3506548a/ratelimit/policy"
	"github.com/seed-3506548a/ratelimit/redislimit"
	"github.com/seed-3506548a/ratelimit/slidingwindow"
)

// taker is a limit of one node.
type taker interface {
	Take(ctx context.Context, key string, n int) (ratelimit.Decision, error)
}

// playNodes lets four nodes with clocks 2 s apart ask for events, and returns what was granted, by
// the engine's clock, and how often the engine was asked.
func playNodes(t *testing.T, seed uint64, build func(m *mini, opts ...redislimit.Option) taker) (all []bounds.Grant, requests, trips int) {
	m := newMini(t)
	random := rand.New(rand.NewPCG(seed, 4))
	now := t0
	var clocks []*limittest.Clock
	var nodes []taker
	for range 4 {
		clock := limittest.NewClock(now)
		clocks = append(clocks, clock)
		nodes = append(nodes, build(m, redislimit.WithClock(clock)))
	}
	for range 1500 {
		now = now.Add(time.Duration(random.IntN(30)) * time.Millisecond / time.Duration(1+random.IntN(10))).Truncate(time.Microsecond)
		m.SetTime(now)
		for i, clock := range clocks {
			clock.Set(now.Add(time.Duration(2*i-3) * time.Second))
		}
		n := 1 + random.IntN(8)/7
		d, err := nodes[random.IntN(4)].Take(t.Context(), "k", n)
		require.NoError(t, err)
		if d.OK {
			all = append(all, bounds.Grant{At: now, N: n})
		}
		requests++
	}
	require.Greater(t, len(all), 20)
	require.Less(t, len(all), requests)
	return all, requests, m.trips
}

// No interval has more than the limit, whatever the nodes' clocks show and what they remember.
func TestNodesKeepTheBound(t *testing.T) {
	rate := ratelimit.PerSecond(20)
	for name, row := range map[string]struct {
		build func(m *mini, opts ...redislimit.Option) (taker, error)
		bound bounds.Bound
	}{
		"GCRA": {func(m *mini, opts ...redislimit.Option) (taker, error) {
			return redislimit.NewGCRA(m, "test", rate, 12, opts...)
		}, bounds.Bucket(rate, 12)},
		"leases": {func(m *mini, opts ...redislimit.Option) (taker, error) {
			return redislimit.NewGCRA(m, "test", rate, 12, append(opts, redislimit.Lease(4, 2))...)
		}, bounds.Bucket(rate, 12)},
		"combined": {func(m *mini, opts ...redislimit.Option) (taker, error) {
			return redislimit.NewGCRA(m, "test", rate, 12, append(opts, redislimit.Combine())...)
		}, bounds.Bucket(rate, 12)},
		"several": {func(m *mini, opts ...redislimit.Option) (taker, error) {
			return redislimit.NewSeveral(m, "test", []redislimit.Bucket{{Rate: rate, Burst: 12}, {Rate: ratelimit.PerMinute(2000), Burst: 50}}, opts...)
		}, bounds.Bucket(rate, 12)},
		"log": {func(m *mini, opts ...redislimit.Option) (taker, error) {
			return redislimit.NewLog(m, "test", rate, opts...)
		}, func(length time.Duration) *big.Int {
			return big.NewInt(int64(rate.Events) * int64(1+length/rate.Per))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(2) {
				all, requests, trips := playNodes(t, seed, func(m *mini, opts ...redislimit.Option) taker {
					l, err := row.build(m, opts...)
					require.NoError(t, err)
					return l
				})
				bounds.Require(t, all, row.bound)
				require.Less(t, trips, requests, "nothing was remembered")
			}
		})
	}
}

// A remembered refusal is the one that the engine would give, for any number of events, as time
// goes on: another node that remembers nothing is told the same. So is a look.
func TestRememberedRefusalsAreExact(t *testing.T) {
	rate := ratelimit.PerSecond(7)
	clock := limittest.NewClock(t0)
	for name, build := range map[string]func(m *mini, opts ...redislimit.Option) (taker, error){
		"GCRA": func(m *mini, opts ...redislimit.Option) (taker, error) {
			return redislimit.NewGCRA(m, "test", rate, 5, opts...)
		},
		"several": func(m *mini, opts ...redislimit.Option) (taker, error) {
			return redislimit.NewSeveral(m, "test", []redislimit.Bucket{{rate, 5}, {ratelimit.PerMinute(90), 7}}, opts...)
		},
		"window": func(m *mini, opts ...redislimit.Option) (taker, error) {
			return redislimit.NewAlignedWindow(m, "test", rate, opts...)
		},
		"log": func(m *mini, opts ...redislimit.Option) (taker, error) {
			return redislimit.NewLog(m, "test", rate, opts...)
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMini(t)
			clock.Set(t0)
			l, err := build(m, redislimit.WithClock(clock))
			require.NoError(t, err)
			exact, err := build(m, redislimit.Remember(0))
			require.NoError(t, err)
			now, remembered := t0, 0
			random := rand.New(rand.NewPCG(1, 5))
			for range 400 {
				now = now.Add(time.Duration(random.IntN(100)) * time.Millisecond)
				clock.Set(now)
				m.SetTime(now)
				n := 1 + random.IntN(3)
				want, err := exact.(looker).Peek(t.Context(), "k", n)
				require.NoError(t, err)
				trips, ask := m.trips, l.Take
				if random.IntN(2) == 0 {
					ask = l.(looker).Peek
				}
				got, err := ask(t.Context(), "k", n)
				require.NoError(t, err)
				if m.trips == trips {
					remembered++
					if name == "log" { // what remains, and the newest event, are as of the refusal
						want.Remaining, got.Remaining = 0, 0
					}
				}
				require.Equal(t, want, got)
			}
			require.Greater(t, remembered, 20)
		})
	}
}

// looker is a limit of one node that says how it stands.
type looker interface {
	Peek(ctx context.Context, key string, n int) (ratelimit.Decision, error)
}

// Looks are refused from memory as Take is, and what they are told is remembered. Only a look at
// what may fit asks the engine.
func TestLooksAreRemembered(t *testing.T) {
	m, clock := newMini(t), limittest.NewClock(t0)
	limit, err := redislimit.NewGCRA(m, "test", ratelimit.PerMinute(1), 3, redislimit.WithClock(clock))
	require.NoError(t, err)
	l, open := limit.Limiter("k", redislimit.FailClosed), limit.Limiter("k", redislimit.FailOpen)
	trips := func(ask func()) int {
		before := m.trips
		ask()
		return m.trips - before
	}
	require.True(t, l.Take(2).OK)
	require.Equal(t, 1, trips(func() {
		for range 100 {
			require.False(t, l.PeekAt(t0, 2).OK)
		}
		require.Equal(t, l.Take(2), l.PeekAt(t0, 2))
		require.Equal(t, l.Take(2), open.PeekAt(t0, 2))
		d, refused := open.(policy.Rememberer).Remembered(2)
		require.True(t, refused)
		require.Equal(t, l.Take(2), d)
	}))
	_, refused := l.(policy.Rememberer).Remembered(4)
	require.False(t, refused, "more than there can be is not remembered")
	for n, d := range map[int]ratelimit.Decision{
		-1: {Limit: 3, Remaining: 1, RetryAfter: ratelimit.Never, ResetAfter: 2 * time.Minute},
		0:  {OK: true, Limit: 3, Remaining: 1, ResetAfter: 2 * time.Minute},
		4:  {Limit: 3, Remaining: 1, RetryAfter: ratelimit.Never, ResetAfter: 2 * time.Minute},
	} {
		require.Equal(t, 1, trips(func() { require.Equal(t, d, l.PeekAt(t0, n)) }), "%d", n)
	}
	require.Zero(t, trips(func() { l.PeekAt(t0, 2) }), "still remembered")

	// What this node charges counts in what it remembers.
	require.Equal(t, 4*time.Minute, ratelimit.Charge(l, t0, 4).RetryAfter)
	require.Equal(t, 5*time.Minute, l.PeekAt(t0, 2).RetryAfter)
	l.RefundAt(t0, 3, 0)
	l.RefundAt(t0, 3, 0)
	require.True(t, l.PeekAt(t0, 3).OK)
}

// A refusal of a member of All that is remembered costs only what the others are asked for the
// Decision.
func TestAllAsksOnlyMembersThatGrant(t *testing.T) {
	m, clock := newMini(t), limittest.NewClock(t0)
	limit := func(name string, burst int) ratelimit.Limiter {
		l, err := redislimit.NewGCRA(m, name, ratelimit.PerDay(1), burst, redislimit.WithClock(clock))
		require.NoError(t, err)
		return l.Limiter("k", redislimit.FailClosed)
	}
	small, large := limit("small", 1), limit("large", 9)
	require.True(t, small.Allow())
	require.False(t, small.Allow())
	for _, both := range []ratelimit.Limiter{ratelimit.Must(ratelimit.All(large, small)), ratelimit.Must(ratelimit.All(small, large))} {
		trips := m.trips
		require.False(t, both.PeekAt(t0, 1).OK)
		require.LessOrEqual(t, m.trips-trips, 3)
	}
	trips := m.trips
	require.False(t, ratelimit.Must(ratelimit.All(large, small)).Allow())
	require.Equal(t, trips, m.trips)
	require.False(t, ratelimit.Must(ratelimit.All(large, small)).Take(1).OK)
	require.Equal(t, trips+2, m.trips, "how the member stands that would grant")
}

// What this node changes, it does not remember any more; and a refusal that was under way meanwhile
// is not remembered either.
func TestChangesEndRememberedRefusals(t *testing.T) {
	m := newMini(t)
	clock := limittest.NewClock(t0)
	limit, err := redislimit.NewGCRA(m, "test", ratelimit.PerMinute(1), 2, redislimit.WithClock(clock))
	require.NoError(t, err)
	take := func(want bool) {
		t.Helper()
		d, err := limit.Take(t.Context(), "k", 1)
		require.NoError(t, err)
		require.Equal(t, want, d.OK)
	}
	take(true)
	take(true)
	take(false)
	trips := m.trips
	take(false)
	require.Equal(t, trips, m.trips)
	require.NoError(t, limit.Refund(t.Context(), "k", 1, 0))
	take(true)
	take(false)
	require.NoError(t, limit.Reset(t.Context(), "k"))
	take(true)
	take(true)
	take(false)
	require.NoError(t, limit.SetRate(ratelimit.PerMinute(1), 3))
	take(true)
	take(false)
	clock.Set(t0.Add(-time.Hour)) // this node's clock is set back: the engine is asked
	trips = m.trips
	take(false)
	require.Equal(t, trips+1, m.trips)
}

// SetRate on four nodes, one after the other, under load: at most the larger burst and the faster
// rate in any interval.
func TestRateChangesWhileRunning(t *testing.T) {
	m := newMini(t)
	slow, fast := ratelimit.PerSecond(5), ratelimit.PerSecond(30)
	var nodes []*redislimit.GCRA
	for range 4 {
		limit, err := redislimit.NewGCRA(m, "test", slow, 10, redislimit.Remember(0))
		require.NoError(t, err)
		nodes = append(nodes, limit)
	}
	var all []bounds.Grant
	now := t0
	for i := range 2000 {
		now = now.Add(7 * time.Millisecond)
		m.SetTime(now)
		if i%100 == 99 {
			to, burst := slow, 10
			if i/400%2 == 0 {
				to, burst = fast, 6
			}
			require.NoError(t, nodes[i/100%4].SetRate(to, burst))
		}
		d, err := nodes[i%4].Take(t.Context(), "k", 1)
		require.NoError(t, err)
		if d.OK {
			all = append(all, bounds.Grant{At: now, N: 1})
		}
	}
	require.Greater(t, len(all), 100)
	bounds.Require(t, all, bounds.Bucket(fast, 10))
}

// With leases, most requests are granted without asking, and all nodes together are granted no more
// than the burst.
func TestLeases(t *testing.T) {
	m := newMini(t)
	var nodes []*redislimit.GCRA
	for range 4 {
		limit, err := redislimit.NewGCRA(m, "test", ratelimit.PerDay(1), 1000, redislimit.Lease(4, 50))
		require.NoError(t, err)
		require.Equal(t, 1000, limit.Burst())
		nodes = append(nodes, limit)
	}
	granted := 0
	for i := range 2000 {
		d, err := nodes[i%4].Take(t.Context(), "k", 1)
		require.NoError(t, err)
		if d.OK {
			granted++
			require.Equal(t, 800, d.Limit)
		}
	}
	require.LessOrEqual(t, granted, 800)
	require.Greater(t, granted, 800-4*50)
	m.mutex.Lock()
	require.Less(t, m.trips, 200)
	m.mutex.Unlock()
	require.NoError(t, nodes[0].Refund(t.Context(), "k", 1, 0))
	for _, o := range []struct {
		opt  redislimit.Option
		want string
	}{
		{redislimit.Lease(0, 1), "Lease nodes is 0, want 1 to 1048576"},
		{redislimit.Lease(4, 0), "Lease chunk is 0, want 1 or more, and chunks of all nodes below 2147483647"},
		{redislimit.Lease(4, 3), "burst is 10, want 15 or more: a chunk for each node of Lease, and one more"},
	} {
		_, err := redislimit.NewGCRA(m, "test", ratelimit.PerDay(1), 10, o.opt)
		require.EqualError(t, err, "redislimit.NewGCRA: "+o.want)
	}
	_, err := redislimit.NewLog(m, "test", ratelimit.PerDay(10), redislimit.Lease(1, 1))
	require.EqualError(t, err, "redislimit.NewLog: Lease is 1, want no such option: it is for NewGCRA")
}

// gate is an engine that answers when it is let.
type gate struct {
	*mini
	asked chan int
	let   chan error
}

func (g *gate) Run(ctx context.Context, script *redislimit.Script, keys, args []string) ([]int64, error) {
	g.asked <- len(args)
	if err := <-g.let; err != nil {
		return nil, err
	}
	return g.mini.Run(ctx, script, keys, args)
}

// Requests that come while one is under way are sent together, and each gets the answer that it
// would have got alone, or the error of all.
func TestCombine(t *testing.T) {
	g := &gate{newMini(t), make(chan int), make(chan error)}
	limit, err := redislimit.NewGCRA(g, "test", ratelimit.PerDay(1), 4, redislimit.Combine(), redislimit.Remember(0))
	require.NoError(t, err)
	answers := make(chan ratelimit.Decision, 10)
	var wg sync.WaitGroup
	send := func() {
		wg.Go(func() {
			d, err := limit.Take(context.Background(), "k", 1)
			if err != nil {
				require.Equal(t, redislimit.Unreachable, d.By)
			}
			answers <- d
		})
	}
	send()
	<-g.asked
	for range 5 {
		send()
	}
	require.Eventually(t, func() bool { return limit.Waiting("k") == 5 }, 20*time.Second, time.Microsecond)
	g.let <- nil
	require.Equal(t, 6+5, <-g.asked, "of the limit, and of the five requests")
	g.let <- nil
	wg.Wait()
	remaining := map[int]int{}
	for range 6 {
		remaining[(<-answers).Remaining]++
	}
	require.Equal(t, map[int]int{3: 1, 2: 1, 1: 1, 0: 3}, remaining)
	for range 2 {
		send()
	}
	<-g.asked
	require.Eventually(t, func() bool { return limit.Waiting("k") == 1 }, 20*time.Second, time.Microsecond)
	g.let <- nil
	<-g.asked
	g.let <- errors.New("lost")
	wg.Wait()
	require.ElementsMatch(t, []int{0, redislimit.Unreachable}, []int{(<-answers).By, (<-answers).By})
}

// On a real server, by whose own clock: the same Decisions, with nodes that ask at once.
func TestRealServerIsExact(t *testing.T) {
	s := startServer(t)
	for name, engine := range engines(t, s) {
		t.Run(name, func(t *testing.T) {
			r := &recorder{Engine: engine}
			clock := limittest.NewClock(t0)
			at := ratelimit.WithClock(clock)
			rate := ratelimit.PerSecond(2000)
			off := redislimit.Remember(0)
			for _, row := range []struct {
				far   func() (taker, error)
				model ratelimit.Limiter
			}{
				{func() (taker, error) { return redislimit.NewGCRA(r, name+"g", rate, 20, off) }, ratelimit.Must(gcra.New(rate, 20, at))},
				{func() (taker, error) {
					return redislimit.NewAlignedWindow(r, name+"w", ratelimit.Per(20, 10*time.Millisecond), off)
				}, ratelimit.Must(fixedwindow.NewAligned(ratelimit.Per(20, 10*time.Millisecond), at))},
				{func() (taker, error) {
					return redislimit.NewLog(r, name+"l", ratelimit.Per(20, 10*time.Millisecond), off)
				},
					ratelimit.Must(slidingwindow.NewLog(ratelimit.Per(20, 10*time.Millisecond), at))},
				{func() (taker, error) {
					return redislimit.NewSeveral(r, name+"s", []redislimit.Bucket{{rate, 20}, {ratelimit.PerSecond(1000), 40}}, off)
				}, ratelimit.Must(ratelimit.All(ratelimit.Must(gcra.New(rate, 20, at)), ratelimit.Must(gcra.New(ratelimit.PerSecond(1000), 40, at))))},
			} {
				far, err := row.far()
				require.NoError(t, err)
				for i := range 1500 {
					got, err := far.Take(t.Context(), "k", 1+i%3)
					require.NoError(t, err)
					clock.Set(r.now)
					require.Equal(t, row.model.TakeAt(r.now, 1+i%3), got, "%d", i)
				}
			}
		})
	}
}
