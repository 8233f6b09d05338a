package httplimit_test

import (
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/fixedwindow"
	"github.com/seed-3506548a/ratelimit/httplimit"
)

// TestTheStory is the job that docs/client.md tells: 20,000 requests, 1,000 in five minutes. After
// 12 minutes another program uses the rest of the limit, after 31 the server restarts, and from 40
// to 60 minutes only 300 are granted, while the headers go on saying 1,000.
func TestTheStory(t *testing.T) {
	virtually(t, func(t *testing.T) {
		start := time.Now()
		limiter := ratelimit.Must(fixedwindow.NewAnchored(ratelimit.Per(1000, 5*time.Minute)))
		reduced := ratelimit.Must(fixedwindow.NewAnchored(ratelimit.Per(300, 5*time.Minute)))
		others := false
		server := &api{latency: 20 * time.Millisecond}
		server.answer = func(_ *http.Request, now time.Time) (int, http.Header, string) {
			elapsed := now.Sub(start)
			if elapsed > 12*time.Minute && !others {
				others = true
				limiter.TakeAt(now, limiter.PeekAt(now, 1).Remaining)
			}
			if elapsed > 31*time.Minute && elapsed < 31*time.Minute+5*time.Second {
				return http.StatusServiceUnavailable, fields("Retry-After: 10"), ""
			}
			d := limiter.TakeAt(now, 1)
			h := fields("X-RateLimit-Limit: 1000", "X-RateLimit-Remaining: "+strconv.Itoa(d.Remaining), "X-RateLimit-Reset: "+unixUp(now.Add(d.ResetAfter)))
			if elapsed > 40*time.Minute && elapsed < time.Hour {
				if r := reduced.TakeAt(now, 1); !r.OK {
					d = r
				}
			}
			if !d.OK {
				h.Set("Retry-After", wholeSeconds(d.RetryAfter))
			}
			return status(d), h, ""
		}
		took := run(t, &httplimit.Transport{Base: server}, job{20_000, 8, http.MethodGet, "/shows"})
		each := make([]int, int(took/(5*time.Minute))+1) // requests in each five minutes
		for _, at := range server.arrivals {
			each[at.Sub(start)/(5*time.Minute)]++
		}
		t.Log(took, server.refused, each)
		require.Less(t, server.arrivals[898].Sub(start), 3*time.Second)
		for _, before := range []int{0, 1, 3, 4, 5, 6, 7} {
			require.Greater(t, each[before], 990)
		}
		require.LessOrEqual(t, server.refused, 8+1) // those under way, and one at the next try
		require.Equal(t, 20_000+server.refused+1, server.served, "with the probe at the restart")
		for _, reduced := range each[9:12] {
			require.InDelta(t, 300, reduced, 10)
		}
		require.Greater(t, each[35], 950) // at the end of the third hour
		require.InDelta(t, 186.5, took.Minutes(), 2)
	})
}
