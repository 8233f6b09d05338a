package httplimit_test

import (
	"io"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/fixedwindow"
	"github.com/seed-3506548a/ratelimit/gcra"
	"github.com/seed-3506548a/ratelimit/httplimit"
	"github.com/seed-3506548a/ratelimit/slidingwindow"
)

// job is a long job: so many requests by so many goroutines.
type job struct {
	requests, goroutines int
	method, path         string
}

// run does the jobs at the same time and returns how long they took. Each request must be granted
// in the end.
func run(t *testing.T, transport *httplimit.Transport, jobs ...job) time.Duration {
	t.Helper()
	client := &http.Client{Transport: transport}
	start := time.Now()
	var all sync.WaitGroup
	for _, j := range jobs {
		todo := make(chan int, j.requests)
		for i := range j.requests {
			todo <- i
		}
		close(todo)
		for range j.goroutines {
			all.Go(func() {
				for range todo {
					r, err := http.NewRequest(j.method, "http://api.example.com"+j.path, http.NoBody)
					if err != nil {
						t.Error(err)
						return
					}
					resp, err := client.Do(r)
					if err != nil {
						t.Error(err)
						continue
					}
					if resp.StatusCode != http.StatusOK {
						t.Errorf("status %d", resp.StatusCode)
					}
					if _, err := io.Copy(io.Discard, resp.Body); err != nil {
						t.Error(err)
					}
					if err := resp.Body.Close(); err != nil {
						t.Error(err)
					}
				}
			})
		}
	}
	all.Wait()
	return time.Since(start)
}

// TestJobs sends 1,000 requests to each API: with the server's limits as the Limiter, without one,
// and to servers that say something else than they do.
func TestJobs(t *testing.T) {
	const minute = time.Minute
	aniListLimit := func() (ratelimit.Limiter, error) {
		return ratelimit.All(
			ratelimit.Must(fixedwindow.NewAnchored(ratelimit.PerMinute(90))),
			ratelimit.Must(slidingwindow.NewLog(ratelimit.PerSecond(10))))
	}
	get := []job{{1000, 4, http.MethodGet, "/v1/shows"}}
	few := []job{{1000, 1, http.MethodGet, "/v1/shows"}} // each that is under way meets a limit that is not told
	for _, one := range []struct {
		name     string
		api      func() *api
		limit    func() (ratelimit.Limiter, error) // nil: unknown
		jobs     []job
		refused  int           // at most
		shortest time.Duration // that the limits allow
		within   float64       // of it
	}{
		{"AniList, known", func() *api { return aniList(90) }, aniListLimit, get, 0, 11*minute + time.Second, 1.05},
		{"AniList", func() *api { return aniList(90) }, nil, few, 3, 11*minute + time.Second, 1.3},
		{"AniList, degraded", func() *api { return aniList(30) }, nil, few, 3, 33 * minute, 1.2},
		{"AniList, degraded, with the limits that it says", func() *api { return aniList(30) }, aniListLimit, few, 3, 33 * minute, 1.2},
		{"Trakt, reads, known", trakt, func() (ratelimit.Limiter, error) {
			return fixedwindow.NewAnchored(ratelimit.Per(1000, 5*minute))
		}, get, 0, 5 * time.Second, 1.05},
		{"Trakt, writes, known", trakt, func() (ratelimit.Limiter, error) {
			return gcra.New(ratelimit.PerSecond(1), 1)
		}, []job{{1000, 4, http.MethodPost, "/sync/history"}}, 0, 999 * time.Second, 1.05},
		{"Trakt, writes and reads", trakt, nil, []job{
			{300, 4, http.MethodPost, "/sync/history"}, {1000, 4, http.MethodGet, "/shows"},
		}, 3, 299 * time.Second, 1.05},
		{"WillItTrack, known", willItTrack, func() (ratelimit.Limiter, error) {
			return fixedwindow.NewAligned(ratelimit.PerMinute(60))
		}, get, 0, 15*minute + 43*time.Second, 1.05},
		{"WillItTrack", willItTrack, nil, get, 3, 15*minute + 43*time.Second, 1.05},
		{"PrayerLetters, known", prayerLetters, prayerLettersLimit, get, 0, 31 * time.Hour, 1.05},
		{"PrayerLetters", prayerLetters, nil, []job{{1000, 1, http.MethodGet, "/letters"}}, 3, 31 * time.Hour, 1.05},
	} {
		t.Run(one.name, func(t *testing.T) {
			virtually(t, func(t *testing.T) {
				time.Sleep(17 * time.Second) // not at a full minute
				server := one.api()
				transport := &httplimit.Transport{Base: server, Patience: 48 * time.Hour, Tries: 5}
				if one.limit != nil {
					transport.Limiter = ratelimit.Must(one.limit())
				}
				took := run(t, transport, one.jobs...)
				t.Logf("%d refused, %v, %.3f of the shortest time", server.refused, took, took.Seconds()/one.shortest.Seconds())
				require.LessOrEqual(t, server.refused, one.refused)
				require.LessOrEqual(t, took.Seconds(), one.shortest.Seconds()*one.within)
				server.requireClosed(t)
			})
		})
	}
}
