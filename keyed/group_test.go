package keyed_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/benbjohnson/clock"
	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/gcra"
	"github.com/seed-3506548a/ratelimit/internal/proof/allocations"
	"github.com/seed-3506548a/ratelimit/keyed"
	"github.com/seed-3506548a/ratelimit/limittest"
)

// visit is a request, of which the user and the address are counted.
type visit struct {
	user    string
	address netip.Addr
}

func userOf(v visit) string        { return v.user }
func addressOf(v visit) netip.Addr { return v.address }

var home = netip.MustParseAddr("192.0.2.1")

// A user's limit and an address's, both at once: each tells what headers need.
func ExampleGroup() {
	mock := clock.NewMock() // in a server: no clock, the tables take the system's
	users := ratelimit.Must(keyed.NewGCRA[string](ratelimit.PerSecond(10), 10, 1000, keyed.WithClock(mock)))
	addresses := ratelimit.Must(keyed.NewGCRA[netip.Addr](ratelimit.PerSecond(15), 15, 1000, keyed.WithClock(mock)))
	limits := ratelimit.Must(keyed.NewGroup(keyed.By(users, userOf), keyed.By(addresses, addressOf)))

	for _, user := range []string{"ann", "bob"} {
		var each [2]ratelimit.Decision
		d := limits.TakeEach(mock.Now(), visit{user, home}, []int{10, 10}, each[:])
		fmt.Println(user, d.OK, "user has", each[0].Remaining, "address has", each[1].Remaining, "retry after", d.RetryAfter)
	}
	// Output:
	// ann true user has 0 address has 5 retry after 0s
	// bob false user has 10 address has 5 retry after 333.333334ms
}

// A user's plan changes while what was used stays used.
func ExampleMap_Update() {
	mock := clock.NewMock()
	users := ratelimit.Must(keyed.NewMap(1000, func(string) (ratelimit.Limiter, error) {
		return gcra.New(ratelimit.PerMinute(60), 5, ratelimit.WithClock(mock))
	}, keyed.WithClock(mock)))
	users.Take("ann", 5)
	users.Update("ann", func(l ratelimit.Limiter) {
		_ = l.(*gcra.Limiter).SetRate(ratelimit.PerMinute(600), 50)
	})
	fmt.Println(users.Take("ann", 0).Remaining)
	// Output:
	// 45
}

// visits returns a group of two tables on a clock.
func visits(t testing.TB) (*keyed.Group[visit], *keyed.Table[string], *keyed.Table[netip.Addr], *limittest.Clock) {
	c := limittest.NewClock(storeStart)
	users, err := keyed.NewGCRA[string](ratelimit.PerSecond(10), 4, 100, keyed.WithClock(c))
	require.NoError(t, err)
	addresses, err := keyed.NewGCRA[netip.Addr](ratelimit.PerSecond(20), 6, 100, keyed.WithClock(c))
	require.NoError(t, err)
	group, err := keyed.NewGroup(keyed.By(users, userOf), keyed.By(addresses, addressOf))
	require.NoError(t, err)
	return group, users, addresses, c
}

func TestGroup(t *testing.T) {
	g, users, addresses, c := visits(t)
	ann, bob := visit{"ann", home}, visit{"bob", home}
	const ms = time.Millisecond
	fresh := ratelimit.Decision{OK: true, Limit: 4, Remaining: 4}
	require.Equal(t, fresh, g.PeekAt(storeStart, ann, 0))
	require.Equal(t, ratelimit.Decision{OK: true, Limit: 4, Remaining: 1, ResetAfter: 300 * ms}, g.Take(ann, 3))
	require.Equal(t, ratelimit.Decision{Limit: 4, Remaining: 3, RetryAfter: 50 * ms, ResetAfter: 150 * ms, By: 1}, g.Take(bob, 4))
	require.Equal(t, 4, users.PeekAt(storeStart, "bob", 0).Remaining, "all or none")
	require.Equal(t, 3, addresses.PeekAt(storeStart, home, 0).Remaining)
	require.Equal(t, ratelimit.Decision{Limit: 4, Remaining: 1, RetryAfter: 100 * ms, ResetAfter: 300 * ms}, g.Take(ann, 2))
	require.Equal(t, ratelimit.Never, g.Take(ann, -1).RetryAfter)
	require.Equal(t, ratelimit.Never, g.PeekAt(storeStart, ann, 5).RetryAfter)
	require.True(t, g.Allow(bob))
	require.Equal(t, ratelimit.Decision{Limit: 4, RetryAfter: 400 * ms, ResetAfter: 700 * ms}, g.ChargeAt(storeStart, ann, 4))
	require.Equal(t, 150*ms, addresses.PeekAt(storeStart, home, 1).RetryAfter, "eight of six are owed")
	g.Reset(ann)
	require.Equal(t, 4, users.PeekAt(storeStart, "ann", 0).Remaining)
	again := g.Limiter(visit{"ann", home})
	require.Equal(t, g.Limiter(ann), again)
	require.Same(t, c, g.Clock())
	require.Equal(t, 100, g.Capacity())
}

// Each member's decision, and costs of their own.
func TestTakeEachOfAGroup(t *testing.T) {
	g, _, addresses, _ := visits(t)
	ann := visit{"ann", home}
	var each [2]ratelimit.Decision
	d := g.TakeEach(storeStart, ann, []int{1, 2}, each[:])
	require.Equal(t, ratelimit.Decision{OK: true, Limit: 3, Remaining: 2, ResetAfter: 100 * time.Millisecond, By: 1}, d)
	require.Equal(t, [2]ratelimit.Decision{
		{OK: true, Limit: 4, Remaining: 3, ResetAfter: 100 * time.Millisecond},
		{OK: true, Limit: 6, Remaining: 4, ResetAfter: 100 * time.Millisecond},
	}, each)
	require.False(t, g.TakeEach(storeStart, ann, []int{1, 5}, each[:]).OK)
	require.True(t, each[0].OK)
	require.False(t, each[1].OK)
	require.Equal(t, 4, addresses.PeekAt(storeStart, home, 0).Remaining)
	require.True(t, g.TakeEach(storeStart, ann, []int{0, 4}, nil).OK)
	require.True(t, g.TakeEach(storeStart, ann, []int{0, 0}, each[:]).OK)
	require.Equal(t, 3, each[0].Remaining)

	before := each
	for _, row := range []struct {
		costs []int
		each  []ratelimit.Decision
	}{{nil, nil}, {[]int{1}, nil}, {[]int{1, 1, 1}, nil}, {[]int{1, -1}, nil}, {[]int{math.MinInt, 1}, each[:]}, {[]int{1, 1}, each[:1]}} {
		d := g.TakeEach(storeStart, ann, row.costs, row.each)
		require.False(t, d.OK)
		require.Equal(t, ratelimit.Never, d.RetryAfter)
	}
	require.Equal(t, before, each)
	require.Equal(t, 3, g.PeekAt(storeStart, visit{"ann", netip.MustParseAddr("::1")}, 0).Remaining, "nothing was charged")
}

// A group of tables allocates nothing.
func TestGroupAllocatesNothing(t *testing.T) {
	g, _, _, c := visits(t)
	visitors := []visit{{"ann", home}, {"bob", netip.MustParseAddr("::1")}}
	costs := []int{1, 1}
	require.Zero(t, allocations.Count(func() {
		var each [2]ratelimit.Decision
		for i := range 1000 {
			v := visitors[i%2]
			now := c.Now().Add(time.Duration(i) * 20 * time.Millisecond) // some are refused
			g.Allow(v)
			g.TakeAt(now, v, 1)
			g.PeekAt(now, v, 1)
			g.TakeEach(now, v, costs, each[:])
		}
	}))
}

// What a lost race leaves charged is the request's cost, once for each race; no limit is ever
// exceeded. Members that give back leave nothing.
func TestGroupUnderLoad(t *testing.T) {
	c := limittest.NewClock(storeStart)
	build := func(string) (ratelimit.Limiter, error) {
		return gcra.New(ratelimit.PerHour(1), 1000, ratelimit.WithClock(c))
	}
	a := ratelimit.Must(keyed.NewMap(1, build, keyed.WithClock(c)))
	b := ratelimit.Must(keyed.NewMap(1, build, keyed.WithClock(c)))
	key := func(visit) string { return "all" }
	g := ratelimit.Must(keyed.NewGroup(keyed.By(a, key), keyed.By(b, key)))
	var granted atomic.Int64
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 1000 {
				if g.Allow(visit{}) {
					granted.Add(1)
				}
			}
		})
	}
	all.Wait()
	for g.Allow(visit{}) {
		granted.Add(1)
	}
	require.EqualValues(t, 1000, granted.Load())
}

// clockless is a store whose author forgot the clock.
type clockless struct{ keyed.Store[string] }

func (clockless) Clock() ratelimit.Clock { return nil }

func TestGroupArguments(t *testing.T) {
	c := limittest.NewClock(storeStart)
	users := ratelimit.Must(keyed.NewGCRA[string](ratelimit.PerSecond(10), 4, 100, keyed.WithClock(c)))
	others := ratelimit.Must(keyed.NewGCRA[string](ratelimit.PerSecond(10), 4, 100))
	group := ratelimit.Must(keyed.NewGroup(keyed.By(users, userOf)))
	const twice = "want a store that is not among the members before, as one request may have one key twice in it"
	const missing = " is nil, want a store and the key of a request there, as By returns"
	var none *keyed.Table[string]
	for _, row := range []struct {
		want    string
		members []keyed.Member[visit]
	}{
		{"keyed.NewGroup: len(members) is 0, want 1 or more", nil},
		{"keyed.NewGroup: members[1]" + missing, []keyed.Member[visit]{keyed.By(users, userOf), nil}},
		{"keyed.NewGroup: members[0]" + missing, []keyed.Member[visit]{keyed.By(none, userOf)}},
		{"keyed.NewGroup: members[0]" + missing, []keyed.Member[visit]{keyed.By(&keyed.Table[string]{}, userOf)}},
		{"keyed.NewGroup: members[0]" + missing, []keyed.Member[visit]{keyed.By(&keyed.Map[string]{}, userOf)}},
		{"keyed.NewGroup: members[0]" + missing, []keyed.Member[visit]{keyed.By(&keyed.Group[string]{}, userOf)}},
		{"keyed.NewGroup: members[1]" + missing, []keyed.Member[visit]{keyed.By(users, userOf), keyed.By[visit, string](users, nil)}},
		{"keyed.NewGroup: members[1] is *keyed.Table[string], " + twice, []keyed.Member[visit]{keyed.By(users, userOf), keyed.By(users, userOf)}},
		{"keyed.NewGroup: members[1] is *keyed.Table[string], " + twice, []keyed.Member[visit]{keyed.By(users, userOf), keyed.By(group, func(v visit) visit { return v })}},
		{"keyed.NewGroup: members[0].Clock() is nil, want a clock", []keyed.Member[visit]{keyed.By(clockless{users}, userOf)}},
		{"keyed.NewGroup: members[1].Clock() is ratelimit.SystemClock, want the clock of members[0], which is read for all", []keyed.Member[visit]{keyed.By(users, userOf), keyed.By(others, userOf)}},
	} {
		_, err := keyed.NewGroup(row.members...)
		var bad *ratelimit.ArgumentError
		require.ErrorAs(t, err, &bad)
		require.EqualError(t, err, row.want)
	}
}

// A member that refuses, though it would have granted when it was looked at: somebody else was
// faster.
func TestGroupGivesBackAfterALostRace(t *testing.T) {
	c := limittest.NewClock(storeStart)
	build := func(string) (ratelimit.Limiter, error) {
		return gcra.New(ratelimit.PerHour(1), 10, ratelimit.WithClock(c))
	}
	first := ratelimit.Must(keyed.NewMap(1, build, keyed.WithClock(c)))
	second := ratelimit.Must(keyed.NewMap(1, build, keyed.WithClock(c)))
	hasty := func(visit) string {
		if first.PeekAt(storeStart, "k", 0).Remaining < 10 { // the first has been charged
			second.Take("k", 10)
		}
		return "k"
	}
	g := ratelimit.Must(keyed.NewGroup(keyed.By(first, func(visit) string { return "k" }), keyed.By(second, hasty)))
	d := g.Take(visit{}, 3)
	require.False(t, d.OK)
	require.Equal(t, 1, d.By)
	require.Equal(t, 10, first.PeekAt(storeStart, "k", 0).Remaining)
}

// A Table gives nothing back: the cost of the request stays charged for the race that was lost, and
// nothing more.
func TestGroupOfTablesAfterALostRace(t *testing.T) {
	c := limittest.NewClock(storeStart)
	build := func() *keyed.Table[string] {
		return ratelimit.Must(keyed.NewGCRA[string](ratelimit.PerHour(1), 10, 10, keyed.WithClock(c)))
	}
	first, second := build(), build()
	others := ratelimit.Must(keyed.NewMap(1, func(string) (ratelimit.Limiter, error) {
		return gcra.New(ratelimit.PerHour(1), 10, ratelimit.WithClock(c))
	}, keyed.WithClock(c)))
	key := func(visit) string { return "k" }
	hasty := func(visit) string {
		if first.PeekAt(storeStart, "k", 0).Remaining < 10 { // the first has been charged
			second.Take("k", 10)
		}
		return "k"
	}
	g := ratelimit.Must(keyed.NewGroup(keyed.By(first, key), keyed.By(others, hasty), keyed.By(second, key)))
	var each [3]ratelimit.Decision
	d := g.TakeEach(storeStart, visit{}, []int{3, 1, 2}, each[:])
	require.Equal(t, ratelimit.Decision{Limit: 3, RetryAfter: 2 * time.Hour, ResetAfter: 10 * time.Hour, By: 2}, d)
	require.Equal(t, [3]ratelimit.Decision{
		{OK: true, Limit: 10, Remaining: 7, ResetAfter: 3 * time.Hour},
		{OK: true, Limit: 10, Remaining: 10},
		{Limit: 10, RetryAfter: 2 * time.Hour, ResetAfter: 10 * time.Hour},
	}, each)
	require.Equal(t, 7, first.PeekAt(storeStart, "k", 0).Remaining)
}

// With nobody else, a group decides as a composition of its keys' limiters does, in every field.
func TestGroupDecidesAsAll(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	granted := 0
	for range 200 {
		c := limittest.NewClock(storeStart)
		var members []keyed.Member[int]
		var limiters []ratelimit.Limiter
		for i := range 1 + random.IntN(10) {
			rate, burst := ratelimit.PerSecond(1+random.IntN(20)), 1+random.IntN(6)
			own := func(k int) int { return k + i }
			if random.IntN(3) > 0 {
				grouped := ratelimit.Must(keyed.NewGCRA[int](rate, burst, 1000, keyed.WithClock(c)))
				single := ratelimit.Must(keyed.NewGCRA[int](rate, burst, 1000, keyed.WithClock(c)))
				members = append(members, keyed.By(grouped, own))
				limiters = append(limiters, single.Limiter(1))
				continue
			}
			build := func(int) (ratelimit.Limiter, error) { return gcra.New(rate, burst, ratelimit.WithClock(c)) }
			grouped := ratelimit.Must(keyed.NewMap(1, build, keyed.WithClock(c)))
			members = append(members, keyed.By(grouped, own))
			limiters = append(limiters, ratelimit.Must(build(0)))
		}
		g := ratelimit.Must(keyed.NewGroup(members...))
		all := ratelimit.Must(ratelimit.All(limiters...)).(ratelimit.Composite)
		now := storeStart
		for range 100 {
			now = now.Add(time.Duration(random.IntN(200)-20) * time.Millisecond)
			c.Set(now)
			n := []int{0, 1, 1, 1, 2, 3, 7, -1, math.MaxInt, math.MinInt}[random.IntN(10)]
			var got, want ratelimit.Decision
			switch random.IntN(4) {
			case 0:
				got, want = g.TakeAt(now, 1, n), all.TakeAt(now, n)
			case 1:
				got, want = g.PeekAt(now, 1, n), all.PeekAt(now, n)
			case 2:
				n = min(n, 2)
				got, want = g.ChargeAt(now, 1, n), all.(ratelimit.Charger).ChargeAt(now, n)
			case 3:
				costs := make([]int, len(members))
				for i := range costs {
					costs[i] = []int{0, 1, 1, 1, 2, 2, 5, -1, math.MaxInt}[random.IntN(9-random.IntN(2)*4)]
				}
				if random.IntN(10) == 0 {
					costs = costs[1:]
				}
				got, want = g.TakeEach(now, 1, costs, nil), all.TakeEach(now, costs...)
			}
			require.Equal(t, want, got)
			if got.OK && got.ResetAfter > 0 {
				granted++
			}
		}
	}
	require.Greater(t, granted, 1000)
}

// A group gives nothing back for more events than it can grant at once, although a member could
// have granted them. A member that has no room for the key any more keeps no other from giving
// back.
func TestGroupRefundsNothingAboveItsLimit(t *testing.T) {
	c := limittest.NewClock(storeStart)
	limit := func(capacity, burst int) *keyed.Map[string] {
		return ratelimit.Must(keyed.NewMap(capacity, func(string) (ratelimit.Limiter, error) {
			return gcra.New(ratelimit.PerSecond(1), burst, ratelimit.WithClock(c))
		}, keyed.WithClock(c)))
	}
	self := func(k string) string { return k }
	most, least := limit(9, 20), limit(1, 4)
	g := ratelimit.Must(keyed.NewGroup(keyed.By(most, self), keyed.By(least, self)))
	require.True(t, g.Take("ann", 4).OK)
	g.RefundAt(storeStart, "ann", 5, 0)
	require.Equal(t, 16, most.Take("ann", 0).Remaining)
	g.RefundAt(storeStart, "ann", 4, 0)
	require.Equal(t, 20, most.Take("ann", 0).Remaining)
	require.True(t, g.Take("ann", 4).OK)
	least.Reset("ann")
	least.Take("bob", 1)
	g.RefundAt(storeStart, "ann", 4, 0)
	require.Equal(t, 20, most.Take("ann", 0).Remaining)
}
