package policy

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/benbjohnson/clock"
	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
)

// TestExplainedBounds plays random traffic, so dense that it meets the bounds: what Explain says is
// granted at worst, and how long a request waits, is what happens, and no more.
func TestExplainedBounds(t *testing.T) {
	for _, text := range []string{
		"gcra 3/6s burst 4", "gcra 7/5s burst 2", "gcra 3/6s burst 1", "interval 3/6s capacity 5", "interval 3/6s", "interval 1/2s capacity 2",
		"anchored 3/6s", "aligned 3/6s", "log 3/6s", "counter 3/6s buckets 3", "counter 4/7s", "counter 2/10ns buckets 3",
	} {
		for cost := 1; cost <= 2; cost++ {
			l, err := ParseLimit(text)
			require.NoError(t, err)
			mock := clock.NewMock()
			limiter, err := l.New(ratelimit.WithClock(mock))
			require.NoError(t, err)
			if cost > l.most() {
				continue
			}
			random := rand.New(rand.NewPCG(1, 2))
			interval := l.Rate.Per / time.Duration(l.Rate.Events) / 2
			var now, longest time.Duration
			var granted []time.Duration
			for range 100_000 {
				switch random.IntN(12) { // to wait, or to come when something is due
				case 0:
					now += time.Duration(random.Int64N(int64(2 * l.Rate.Per)))
				case 1:
					now += l.Rate.Per - now%l.Rate.Per - 1
				case 2:
					now += l.Rate.Per/10 - now%(l.Rate.Per/10)
				default:
					now += time.Duration(random.IntN(2)) * interval
				}
				d := limiter.TakeAt(mock.Now().Add(now), cost)
				if !d.OK {
					longest = max(longest, d.RetryAfter)
					continue
				}
				for range cost {
					granted = append(granted, now)
				}
			}
			most, from := 0, 0
			for to, at := range granted {
				begin := at - l.Rate.Per
				bothEnds := l.As == GCRA || l.As == Interval || l.As == Anchored
				for granted[from] < begin || !bothEnds && granted[from] == begin {
					from++
				}
				most = max(most, to-from+1)
			}
			whole := int(l.worst()) / cost * cost
			require.LessOrEqual(t, most, whole, text)
			require.LessOrEqual(t, longest, l.longest(cost), text)
			if cost == 1 {
				require.Equal(t, whole, most, text)
				require.Equal(t, l.longest(1), longest, text)
			}
		}
	}
}

// TestExplainedTogether is about keys to which several limits apply in turn.
func TestExplainedTogether(t *testing.T) {
	for _, c := range []struct {
		texts []string
		worst int64
		wait  time.Duration
	}{
		{[]string{"gcra 60/min burst 10", "gcra 60/min burst 10"}, 70, time.Second},
		{[]string{"gcra 60/min burst 10", "gcra 120/min burst 10"}, 140, 5500 * time.Millisecond}, // 70 s, two a second
		{[]string{"gcra 60/min burst 5", "gcra 60/min burst 20"}, 80, 16 * time.Second},
		{[]string{"gcra 60/min burst 10", "gcra 5/s burst 10"}, 350, 8200 * time.Millisecond},   // 70 s, five a second
		{[]string{"gcra 5/s burst 10", "gcra 60/min burst 10"}, 55, 8200 * time.Millisecond},    // 11 s
		{[]string{"gcra 16/min burst 15", "gcra 17/min burst 1"}, 33, 56250 * time.Millisecond}, // 17 + 255/16 + 1/16
		{[]string{"gcra 16/min burst 14", "gcra 17/min burst 1"}, 31, 52500 * time.Millisecond}, // 17 + 238/16 + 1/16
		{[]string{"interval 10/min capacity 10", "interval 20/min capacity 50"}, 70, 5 * time.Minute},
		{[]string{"interval 10/min", "interval 10/min"}, 20, time.Minute},
	} {
		var all []*Limit
		for _, text := range c.texts {
			l, err := ParseLimit(text)
			require.NoError(t, err)
			all = append(all, &l)
		}
		both := sharedGCRA
		if all[0].As == Interval {
			both = sharedInterval
		}
		worst, wait := both(all)
		require.Equal(t, c.worst, worst, c.texts)
		require.Equal(t, c.wait, wait, c.texts)
	}
}

func TestLength(t *testing.T) {
	for d, want := range map[time.Duration]string{
		7:                           "7ns",
		9999:                        "9.999µs",
		10_000:                      "10µs",
		10_001:                      "11µs",
		9_999_999:                   "10ms",
		10_000_000:                  "10ms",
		10_000_001:                  "11ms",
		666_666_667:                 "667ms",
		300 * time.Millisecond:      "300ms",
		time.Second:                 "1s",
		1500 * time.Millisecond:     "1.5s",
		13333333333:                 "13.334s",
		time.Minute - 1:             "1m",
		time.Minute:                 "1m",
		time.Minute + 1:             "1m1s",
		90*time.Second + 1:          "1m31s",
		7 * 24 * time.Hour:          "7d",
		ratelimit.Never - time.Hour: "106751d22h47m17s",
	} {
		require.Equal(t, want, length(d))
	}
}
