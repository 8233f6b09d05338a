package table

import (
	"math"
	"math/big"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/timeline"
)

func randomRate(random *rand.Rand) ratelimit.Rate {
	per := time.Duration(1 + random.Int64N(1<<random.IntN(63)))
	return ratelimit.Per(1+int(random.Int64N(min(int64(per), 1<<random.IntN(31)))), per)
}

func randomOff(random *rand.Rand) int64 {
	off := random.Int64N(1<<random.IntN(63)+1) - random.Int64N(1<<random.IntN(63)+1)
	switch random.IntN(10) {
	case 0:
		off = timeline.Bottom + off&0xff
	case 1:
		off = timeline.Top - off&0xff
	}
	return timeline.Clamp(off)
}

// A gcra's clock is m ticks for each emission interval, rounded down, from the origin on.
func TestTicks(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	for range 3000 {
		rate := randomRate(random)
		s := newGCRA(rate)
		zero := s.at(0)
		for range 30 {
			off := randomOff(random)
			want := new(big.Int).Mul(big.NewInt(off), big.NewInt(int64(rate.Events)))
			want.Mul(want, new(big.Int).SetUint64(ticksPerEvent(rate)))
			want.Div(want, big.NewInt(int64(rate.Per))) // rounds down, the divisor being positive
			require.Equal(t, want.String(), strconv.FormatInt(int64(s.at(off)-zero), 10), "%v at %d", rate, off)
			requireInverse(t, &s, off)
		}
	}
}

func TestWindowTicks(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 3000 {
		rate := randomRate(random)
		rate.Events = min(rate.Events, maxWindow)
		s := newWindow(rate)
		for range 30 {
			off := randomOff(random)
			require.Equal(t, timeline.FloorDiv(off, int64(rate.Per))*int64(rate.Events), int64(s.at(off)-s.at(0)))
			requireInverse(t, &s, off)
		}
	}
}

// when is the least offset of so many ticks.
func requireInverse(t *testing.T, s *scale, off int64) {
	for _, ticks := range []uint64{s.at(off), s.at(off) + 1, s.at(off) + 1000, s.at(off) + maxDepth} {
		first := s.when(ticks)
		if first > timeline.Top {
			require.Greater(t, ticks, s.at(timeline.Top))
			continue
		}
		require.GreaterOrEqual(t, s.at(first), ticks, "%v, %d ticks", s.rate, ticks)
		if first > timeline.Bottom {
			require.Less(t, s.at(first-1), ticks, "%v, %d ticks", s.rate, ticks)
		}
	}
}

// Two events of a limit are so many of the table's ticks apart.
func TestLimit(t *testing.T) {
	table := gcra(ratelimit.PerSecond(10), 5, 8)
	for _, row := range []struct {
		rate     ratelimit.Rate
		burst    int
		perEvent uint64
	}{
		{ratelimit.PerSecond(10), 5, 256},
		{ratelimit.PerSecond(20), 7, 128},
		{ratelimit.PerSecond(160), 1, 16},
		{ratelimit.PerSecond(150), 1, 18}, // 17.07
		{ratelimit.PerMinute(1), 3, 256 * 600},
		{ratelimit.Per(3, 2*time.Second), 3, 1707}, // 1706.67
	} {
		limit, err := table.Limit("Limit", row.rate, row.burst)
		require.NoError(t, err)
		require.Equal(t, row.perEvent, limit.perEvent, "%v", row.rate)
		require.Equal(t, row.perEvent*uint64(row.burst), limit.depth)
		require.Equal(t, row.rate, limit.Rate())
		require.Equal(t, row.burst, limit.Burst())
	}
	fast := gcra(ratelimit.Per(1, 5), 5, 8)
	require.Equal(t, uint64(5), ratelimit.Must(fast.Limit("Limit", ratelimit.Per(1, 5), 5)).perEvent, "its own ticks are nanoseconds")
	none := gcra(ratelimit.PerSecond(0), 5, 8)
	require.Equal(t, uint64(math.MaxInt32), ratelimit.Must(none.Limit("Limit", ratelimit.Per(1, math.MaxInt32), 1)).perEvent, "a tick is a nanosecond")
}

// TestLimitsThatJustFit has the last of each that is not refused yet.
func TestLimitsThatJustFit(t *testing.T) {
	gcra(ratelimit.Every(100), maxEvents, 1)
	gcra(ratelimit.Per(maxEvents, maxEvents), 1, 1)
	table := gcra(ratelimit.Every(256), 1, 1) // in ticks of a nanosecond
	_, err := table.Limit("Limit", ratelimit.Every(1<<38), 1)
	require.NoError(t, err)
	_, err = table.Limit("Limit", ratelimit.Every(1<<38+1), 1)
	require.ErrorContains(t, err, "within 2^38 of the table's ticks")
}
