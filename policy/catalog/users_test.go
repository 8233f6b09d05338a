package catalog_test

import (
	"flag"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit/limittest"
	"github.com/seed-3506548a/ratelimit/policy"
	"github.com/seed-3506548a/ratelimit/policy/catalog"
)

var users = flag.Int("catalog.users", 10_000, "how many users TestMoreUsersThanRoom has; there is room for a tenth of them")

// TestMoreUsersThanRoom has ten times as many users as an engine has room for, at such a pace that
// the windows of two fifths of the room are open at a time. Each writes twice at once and reads 3
// times, and a few of them 1003 times. Then two thirds of the room come at once, which is more than
// there is room for. No user is granted more than its limits, and there are no more keys than there
// is room for. With -catalog.users 10000000 there are ten million, and room for one million.
func TestMoreUsersThanRoom(t *testing.T) {
	p, err := catalog.Load("trakt")
	require.NoError(t, err)
	clock := limittest.NewClock(noon)
	room := *users / 10
	before := heap()
	engine, err := policy.New(p, room, policy.WithClock(clock))
	require.NoError(t, err)
	made := heap() - before

	var decision policy.Decision
	write, read := request("POST /scrobble/start user=?"), request("GET /shows user=?")
	granted := func(r *policy.Request, times int) (n int) {
		for range times {
			if engine.Decide(r, &decision); decision.OK {
				n++
			}
		}
		return n
	}
	most := uint64(0)
	last := 5 * m * 10 * 5 / 2
	come := func(user, times int) (writes, reads int) {
		write.Attrs[0].Value = strconv.Itoa(user)
		read.Attrs[0].Value = write.Attrs[0].Value
		return granted(write, 2), granted(read, times)
	}
	for user := range *users {
		clock.Set(noon.Add(last / time.Duration(*users) * time.Duration(user)))
		writes, reads := come(user, 3)
		if writes != 1 || reads != 3 {
			require.Fail(t, "there is room", "user %d: %d writes, %d reads", user, writes, reads)
		}
		if user%(*users/20) == 0 {
			require.Equal(t, 997, granted(read, 1003))
			most = max(most, heap()-before)
		}
	}
	stats := engine.Stats()
	require.Zero(t, stats.Saturated+stats.Full+stats.Late+stats.Ahead+stats.Untracked)
	t.Logf("%d users, room for %d: %d MB when made, %d MB at most, that is %d bytes a key; %+v",
		*users, room, made>>20, most>>20, most/uint64(room), stats.Counts)

	refused := 0
	for user := range room * 2 / 3 {
		_, reads := come(*users+user, 1)
		refused += 1 - reads
	}
	most = max(most, heap()-before)
	stats = engine.Stats()
	require.Positive(t, refused)
	require.EqualValues(t, refused, stats.Full)
	require.LessOrEqual(t, stats.Limits[1].Live, room)
	t.Logf("two thirds of the room more at once: %d MB at most; %+v", most>>20, stats.Counts)
}

func heap() uint64 {
	var stats runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}
