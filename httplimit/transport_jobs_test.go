package httplimit_test

import (
	"fmt"
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
	"github.com/seed-3506548a/ratelimit/limittest"
	"github.com/seed-3506548a/ratelimit/policy"
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

// shortest returns the time that a policy takes to grant so many requests, if each is sent when it
// is granted and no sooner.
func shortest(t *testing.T, name string, j job, more http.Header) time.Duration {
	t.Helper()
	p := loaded(t, name)
	for i := range p.Rules {
		p.Rules[i].Ladder = nil // nothing is refused
	}
	clock := limittest.NewClock(time.Now())
	e, err := policy.New(p, 1000, policy.WithClock(clock))
	require.NoError(t, err)
	ask := policy.Request{Method: j.method, Path: j.path}
	for attribute := range everybody {
		if v := more.Get("X-" + attribute); v != "" {
			ask.Attrs = append(ask.Attrs, policy.Attr{Name: attribute, Value: v})
		}
	}
	var d policy.Decision
	for range j.requests {
		e.Peek(&ask, &d)
		clock.Advance(d.RetryAfter)
		e.Decide(&ask, &d)
		require.True(t, d.OK)
	}
	return time.Until(clock.Now())
}

// TestJobs sends 1,000 requests or more to a middleware with each policy of an API: by a client
// that has its limits as the Limiter, and by one that knows nothing. It takes at most 1.05 of the
// shortest time. Nothing is refused if the limits are known, and else at most 3.
func TestJobs(t *testing.T) {
	const minute = time.Minute
	window := func(n int, per time.Duration) func() (ratelimit.Limiter, error) {
		return func() (ratelimit.Limiter, error) { return fixedwindow.NewAnchored(ratelimit.Per(n, per)) }
	}
	aniList := func(n int) func() (ratelimit.Limiter, error) {
		return func() (ratelimit.Limiter, error) {
			return ratelimit.All(
				ratelimit.Must(fixedwindow.NewAnchored(ratelimit.PerMinute(n))),
				ratelimit.Must(slidingwindow.NewLog(ratelimit.PerSecond(10))))
		}
	}
	prayerLetters := func() (ratelimit.Limiter, error) {
		return ratelimit.All(
			ratelimit.Must(slidingwindow.NewLog(ratelimit.PerHour(50))),
			ratelimit.Must(slidingwindow.NewLog(ratelimit.PerDay(600))))
	}
	minutes := func() (ratelimit.Limiter, error) { return fixedwindow.NewAligned(ratelimit.PerMinute(60)) }
	oneASecond := func() (ratelimit.Limiter, error) { return gcra.New(ratelimit.PerSecond(1), 1) }
	const shows, history = "/v1/shows", "/sync/history"
	get := func(n int) []job { return []job{{n, 4, http.MethodGet, shows}} }
	alone := []job{{1000, 1, http.MethodGet, shows}} // each that is under way meets a limit that is not told
	post := []job{{1000, 4, http.MethodPost, history}}
	user := fields("X-User: alice", "X-Client: app", "X-Route: GET /v1/shows")
	token := fields("X-Token: secret", "X-Client: app", "X-Route: GET /v1/shows")
	application := fields("X-Client: app")
	for _, one := range []struct {
		policy  string
		knows   string
		limit   func() (ratelimit.Limiter, error)
		dialect httplimit.Dialect
		more    http.Header // of each request
		jobs    []job
		refused int // at most
	}{
		{"anilist", "its limits", aniList(90), httplimit.AniList, user, get(1000), 0},
		{"anilist", "nothing", nil, httplimit.AniList, user, alone, 3},
		{"anilist-degraded", "its limits", aniList(30), httplimit.AniList, user, get(1000), 0},
		{"anilist-degraded", "what headers say", aniList(90), httplimit.AniList, user, alone, 3},
		{"anilist-degraded", "nothing", nil, httplimit.AniList, user, alone, 3},
		{"trakt", "its limits", window(1000, 5*minute), httplimit.Trakt, user, get(2100), 0},
		{"trakt", "nothing", nil, httplimit.Trakt, user, get(2100), 0},
		{"trakt", "nothing", nil, httplimit.Trakt, application, get(2100), 0},
		{"trakt", "its limits", oneASecond, httplimit.Trakt, user, post, 0},
		{"trakt", "nothing", nil, httplimit.Trakt, user, post, 0},
		{"trakt", "nothing", nil, httplimit.Trakt, user, []job{{1000, 4, http.MethodPost, history}, {1100, 4, http.MethodGet, shows}}, 0},
		{"trakt-strict", "nothing", nil, httplimit.Trakt, user, []job{{1000, 4, http.MethodPost, history}, {1100, 4, http.MethodGet, shows}}, 0},
		{"trakt-2026-10", "nothing", nil, httplimit.Trakt, user, get(1100), 0},
		{"willittrack", "its limits", minutes, httplimit.WillItTrack, user, get(1000), 0},
		{"willittrack", "nothing", nil, httplimit.WillItTrack, user, get(1000), 3},
		{"prayerletters", "its limits", prayerLetters, httplimit.PrayerLetters, token, get(1000), 0},
		{"prayerletters", "nothing", nil, httplimit.PrayerLetters, token, alone, 3},
	} {
		bubble(t, fmt.Sprint(one.policy, ", knows ", one.knows, one.jobs), func(t *testing.T) {
			time.Sleep(17 * time.Second) // not at a full minute
			var least time.Duration
			for _, j := range one.jobs {
				least = max(least, shortest(t, one.policy, j, one.more))
			}
			server := behind(limited(t, catalogEngine(t, one.policy), one.dialect, fine), one.more)
			transport := &httplimit.Transport{Base: server, Patience: 48 * time.Hour, Tries: 5}
			if one.limit != nil {
				transport.Limiter = ratelimit.Must(one.limit())
			}
			took := run(t, transport, one.jobs...)
			t.Logf("%d refused, %v, %.3f of %v", server.refused, took, took.Seconds()/least.Seconds(), least)
			require.LessOrEqual(t, server.refused, one.refused)
			require.LessOrEqual(t, took.Seconds(), least.Seconds()*1.05)
			server.requireClosed(t)
		})
	}
}
