package redislimit_test

import (
	"context"
	"math/big"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/redislimit"
)

const (
	us = time.Microsecond

	// far is a burst whose events may take 2^21 us, and no more.
	far = 1 << 30
)

// What nodes of different versions write and read are the same ticks: the greatest of which a
// microsecond and an event are whole numbers, or coarser ones if a full burst would be more than
// 2^51 of them.
func TestTicks(t *testing.T) {
	for _, row := range []struct {
		rate  ratelimit.Rate
		burst int
		want  [4]uint64 // of a microsecond, an event, a full burst, and the most that can be owed
	}{
		{ratelimit.PerMinute(90), 10, [4]uint64{3, 2_000_000, 20_000_000, 1<<51 + 20_000_000}},
		{ratelimit.PerDay(1), 1, [4]uint64{1, 86_400_000_000, 86_400_000_000, 1<<51 + 86_400_000_000}},
		{ratelimit.Per(997, 1009*us), 5, [4]uint64{997, 1009, 5045, 1<<51 + 5045}},
		{ratelimit.Per(3, 7), 1000, [4]uint64{3000, 7, 7000, 1<<51 + 7000}},
		{ratelimit.Per(1<<31-1, 1), 1<<31 - 1, [4]uint64{2_147_483_647_000, 1, 1<<31 - 1, 1<<51 + 1<<31 - 1}},
		{ratelimit.Per(1, 1<<51*us), 1, [4]uint64{1, 1 << 51, 1 << 51, 1 << 52}},
		{ratelimit.Per(3, 1<<21*us), far, [4]uint64{3, 1 << 21, 1 << 51, 1 << 52}}, // as many as there may be
		{ratelimit.Per(3, 1<<21*us), far + 1, [4]uint64{2, 1_398_102, 1_501_200_593_016_150, 1<<51 + 1_501_200_593_016_150}},
		{ratelimit.Per(1<<31-1, 1<<37), far, [4]uint64{32_767_984, 1<<21 - 1, 1<<51 - 1<<30, 1<<52 - 1<<30}}, // of 2^64
		{ratelimit.Per(1000, 1<<20*time.Millisecond+us), far, [4]uint64{1, 1<<20 + 1, 1<<50 + 1<<30, 1<<51 + 1<<50 + 1<<30}},
		{ratelimit.PerDay(0), 5, [4]uint64{}},
	} {
		require.Equal(t, row.want, redislimit.Ticks(row.rate, row.burst), "%v and %d", row.rate, row.burst)
	}
}

// Of coarse ticks, a full burst is at most 2^51. They round an event up, by less than burst/2^49 of
// it.
func TestCoarseTicks(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 6))
	number := func(v uint64) *big.Int { return new(big.Int).SetUint64(v) }
	product := func(a, b uint64) *big.Int { return new(big.Int).Mul(number(a), number(b)) }
	coarse := 0
	for range 20_000 {
		rate := ratelimit.Per(1+random.IntN(1<<(1+random.IntN(30))), time.Duration(1+random.Int64N(1<<(1+random.IntN(60)))))
		emission := uint64(rate.Per-1)/(1000*uint64(rate.Events)) + 1 // in microseconds
		burst := min(1<<51/emission, 1<<31-1)
		if burst == 0 {
			continue
		}
		ticks := redislimit.Ticks(rate, int(burst))
		require.LessOrEqual(t, ticks[2], uint64(1<<51), "%v and %d", rate, burst)
		require.Equal(t, burst*ticks[1], ticks[2])
		require.Equal(t, ticks[2]+1<<51, ticks[3])
		exact, rounded := product(ticks[0], uint64(rate.Per)), product(ticks[1], 1000*uint64(rate.Events))
		over := new(big.Int).Sub(rounded, exact)
		require.GreaterOrEqual(t, over.Sign(), 0, "%v and %d", rate, burst)
		if over.Sign() > 0 {
			coarse++
			require.Negative(t, over.Lsh(over, 49).Cmp(exact.Mul(exact, number(burst))), "%v and %d", rate, burst)
		}
	}
	require.Greater(t, coarse, 1000)
}

// The greatest burst of a rate can be made, and the slowest rate at which a full burst can still be
// owed can be set. One more is an error.
func TestGreatestBursts(t *testing.T) {
	m := newMini(t)
	const slow = 1 << 21 * us
	_, err := redislimit.NewGCRA(m, "a", ratelimit.Per(1, slow), far)
	require.NoError(t, err)
	_, err = redislimit.NewGCRA(m, "a", ratelimit.Per(1, slow), far+1)
	require.EqualError(t, err, "redislimit.NewGCRA: burst is 1073741825, want at most 1073741824: burst * ceil(rate.Per in us / rate.Events) <= 2^51 us (71 years)")
	_, err = redislimit.NewGCRA(m, "a", ratelimit.Per(1, slow+1), far)
	require.EqualError(t, err, "redislimit.NewGCRA: burst is 1073741824, want at most 1073741312: burst * ceil(rate.Per in us / rate.Events) <= 2^51 us (71 years)")

	limit := ratelimit.Must(redislimit.NewGCRA(m, "b", ratelimit.PerSecond(1), far))
	require.Error(t, limit.SetRate(ratelimit.Per(1, slow+us), 1))
	require.NoError(t, limit.SetRate(ratelimit.Per(1, slow), 1))
	require.NoError(t, limit.SetRate(ratelimit.Per(1, slow+us), 1), "nothing is owed of the first burst")
}

// told returns an engine that always answers the same.
func told(reply ...int64) engine {
	return engine{run: func(context.Context) ([]int64, error) { return reply, nil }}
}

// Whatever an engine says that is owed, also after its clock was set back by centuries, is told as
// a wait of up to [ratelimit.Never].
func TestAnyDebtIsAWait(t *testing.T) {
	const ever = ratelimit.Never
	fast := ratelimit.Per(1<<30, 1) // of 1000 * 2^30 ticks in a microsecond
	for _, row := range []struct {
		rate          ratelimit.Rate
		burst         int
		micros, ticks int64
		retry, reset  time.Duration
	}{
		{ratelimit.PerDay(1), 1, 0, 0, 0, 24 * time.Hour},
		{ratelimit.PerDay(1), 1, -5, 0, 0, 24 * time.Hour},
		{ratelimit.PerSecond(13), 10, 692_307, 9, 0, 769_230_770},
		{ratelimit.PerSecond(13), 10, 692_307, 10, 77, 692_307_770},
		{ratelimit.PerDay(1), 1, 9_223_372_036_854_775, 0, ever - 807, ever - 807},
		{ratelimit.PerDay(1), 1, 9_223_372_036_854_776, 0, ever, ever},
		{ratelimit.PerDay(1), 1, 18_446_744_073_709_551, 0, ever, ever},
		{ratelimit.PerDay(1), 1, 18_446_744_073_709_552, 0, ever, ever}, // 2^64 ns and more
		{ratelimit.PerDay(1), 1, 1<<63 - 1, 0, ever, ever},
		{ratelimit.PerSecond(13), 10, 18_446_744_073_709_551, 8, ever, ever}, // a part of a nanosecond less
		{fast, 1, 5_000_000, 0, 5 * time.Second, 5 * time.Second},
		{fast, 1, 10_000_000, 0, 1 << 33, 1 << 33},         // more than 2^63 ticks
		{fast, 1, 17_179_870, 0, 1 << 33, 1 << 33},         // more than 2^64
		{fast, 1, 34_359_738, 368 << 30, 1 << 33, 1 << 33}, // 2^65
	} {
		limit := ratelimit.Must(redislimit.NewGCRA(told(t0.UnixMicro(), row.micros, row.ticks), "test", row.rate, row.burst))
		d, err := limit.Peek(t.Context(), "k", 1)
		require.NoError(t, err)
		require.Equal(t, [2]time.Duration{row.retry, row.reset}, [2]time.Duration{d.RetryAfter, d.ResetAfter}, "%v: %d %d", row.rate, row.micros, row.ticks)
		require.Equal(t, row.retry == 0, d.OK)
	}
}

// A reply that is not the script's is an error, and the request is refused.
func TestStrangeReplies(t *testing.T) {
	for name, build := range algorithms {
		t.Run(name, func(t *testing.T) {
			for _, reply := range [][]int64{nil, {1, 2}, {1, 2, 3, 4}, {1, 2, 3, 4, 5, 6}, make([]int64, 9)} {
				l, err := build(told(reply...), ratelimit.PerDay(5))
				require.NoError(t, err)
				for _, ask := range []func(ctx context.Context, key string, n int) (ratelimit.Decision, error){l.Take, l.Peek, l.Charge} {
					d, err := ask(t.Context(), "k", 1)
					require.Equal(t, ratelimit.Decision{Limit: 5, RetryAfter: ratelimit.Never, ResetAfter: ratelimit.Never, By: redislimit.Unreachable}, d, "%v", reply)
					require.ErrorContains(t, err, ":{k}: not known, so refused: the reply has another form than the script's")
				}
			}
		})
	}
}
