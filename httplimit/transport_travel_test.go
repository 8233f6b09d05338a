package httplimit_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/fixedwindow"
	"github.com/seed-3506548a/ratelimit/httplimit"
	"github.com/seed-3506548a/ratelimit/slidingwindow"
)

// TestTravelTimes calls AniList over ways that take 10 ms and a random time more. A client that
// knows nothing, or the limits as they are published, finds out what it must. Each refusal costs a
// minute, so the shorter job takes longer in proportion.
func TestTravelTimes(t *testing.T) {
	published := func(slack time.Duration) ratelimit.Limiter {
		return ratelimit.Must(ratelimit.All(
			ratelimit.Must(fixedwindow.NewAnchored(ratelimit.Per(90, time.Minute+slack))),
			ratelimit.Must(slidingwindow.NewLog(ratelimit.Per(10, time.Second+slack)))))
	}
	for _, one := range []struct {
		knows   string
		limit   func() ratelimit.Limiter
		refused int        // at most
		longest [2]float64 // of 200 and of 1,000 requests, as a multiple of the shortest time
	}{
		{"nothing", func() ratelimit.Limiter { return nil }, 8, [2]float64{2, 1.15}},
		{"the limits as published", func() ratelimit.Limiter { return published(0) }, 12, [2]float64{2.8, 1.5}},
		{"the limits, with slack", func() ratelimit.Limiter { return published(200 * time.Millisecond) }, 0, [2]float64{1.06, 1.03}},
	} {
		for i, job := range []job{{200, 1, http.MethodGet, "/"}, {200, 4, http.MethodGet, "/"}, {1000, 1, http.MethodGet, "/"}, {1000, 4, http.MethodGet, "/"}} {
			for _, jitter := range []time.Duration{10, 50, 100, 200} {
				for seed := range uint64(5) {
					bubble(t, fmt.Sprintf("knows %s, %v, %d ms, seed %d", one.knows, job, jitter, seed), func(t *testing.T) {
						random := rand.New(rand.NewPCG(seed, 1)) //nolint:gosec // it is repeatable
						server := catalogAPI(t, "anilist", httplimit.AniList)
						server.jitter = func() time.Duration { return time.Duration(random.Int64N(int64(jitter * time.Millisecond))) }
						took := run(t, &httplimit.Transport{Base: server, Limiter: one.limit()}, job)
						least := []time.Duration{2*time.Minute + 2*time.Second, 11 * time.Minute}[i/2]
						t.Logf("%d refused, %v, %.3f of %v", server.refused, took, took.Seconds()/least.Seconds(), least)
						require.LessOrEqual(t, server.refused, one.refused)
						require.LessOrEqual(t, took.Seconds(), one.longest[i/2]*least.Seconds())
						server.requireClosed(t)
					})
				}
			}
		}
	}
}
