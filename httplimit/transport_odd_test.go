package httplimit_test

import (
	"fmt"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/fixedwindow"
	"github.com/seed-3506548a/ratelimit/gcra"
	"github.com/seed-3506548a/ratelimit/httplimit"
	"github.com/seed-3506548a/ratelimit/policy"
)

// unixResets is a server of 60 requests a minute that says when they are reset, by a clock that is
// off by so much.
func unixResets(t testing.TB, off time.Duration) *api {
	t.Helper()
	p := mustParse(t, `{"rules": [{"name": "api", "key": ["ip"], "limits": [{"name": "minute", "rate": "60/min", "as": "anchored"}]}]}`)
	e, err := policy.New(p, 1000, policy.WithClock(offBy(off)))
	require.NoError(t, err)
	h := limited(t, e, httplimit.Fields{Limit: "X-RateLimit-Limit", Remaining: "X-RateLimit-Remaining", Reset: "X-RateLimit-Reset"}, fine)
	server := behind(h, nil)
	origin := server.answer
	server.answer = func(r *http.Request, now time.Time) (int, http.Header, string) {
		status, header, body := origin(r, now)
		header.Set("Date", now.Add(off).UTC().Format(http.TimeFormat))
		return status, header, body
	}
	return server
}

// offBy is a clock that is off by so much.
type offBy time.Duration

func (c offBy) Now() time.Time { return time.Now().Add(time.Duration(c)) }

// TestHeadersThatSayEnough tells the limits by headers only: nothing is refused, however many
// goroutines there are.
func TestHeadersThatSayEnough(t *testing.T) {
	for _, one := range []struct {
		name     string
		api      func(testing.TB) *api
		shortest time.Duration
	}{
		{"resets", func(t testing.TB) *api { return unixResets(t, 0) }, 16 * time.Minute},
		{"resets, by a clock that is an hour ahead", func(t testing.TB) *api { return unixResets(t, time.Hour) }, 16 * time.Minute},
		{"resets, by a clock that is an hour behind", func(t testing.TB) *api { return unixResets(t, -time.Hour) }, 16 * time.Minute},
		{"IETF, a bucket", ietfBucket, 594 * time.Second},
		{"Discord", discord, 199 * time.Second},
	} {
		for _, goroutines := range []int{1, 10, 100} {
			bubble(t, fmt.Sprintf("%s, %d goroutines", one.name, goroutines), func(t *testing.T) {
				server := one.api(t)
				took := run(t, &httplimit.Transport{Base: server, Patience: 24 * time.Hour}, job{1000, goroutines, http.MethodGet, "/a"})
				t.Logf("%d refused, %v, %.3f of the shortest time", server.refused, took, took.Seconds()/one.shortest.Seconds())
				require.Zero(t, server.refused)
				require.LessOrEqual(t, took.Seconds(), one.shortest.Seconds()*1.05)
				server.requireClosed(t)
			})
		}
	}
}

// ietfBucket is a bucket of 100 a minute with a burst of 10, in the form of the IETF's draft 11.
func ietfBucket(testing.TB) *api {
	limiter := ratelimit.Must(gcra.New(ratelimit.PerMinute(100), 10))
	return &api{latency: 20 * time.Millisecond, answer: func(_ *http.Request, now time.Time) (int, http.Header, string) {
		d := limiter.TakeAt(now, 1)
		h := fields(`RateLimit-Policy: "default";q=100;w=60`)
		h.Set("RateLimit", fmt.Sprintf(`"default";r=%d;t=%s`, d.Remaining, wholeSeconds(limiter.PeekAt(now, d.Remaining+1).RetryAfter)))
		return status(d), h, ""
	}}
}

// discord is a bucket of 5 in each second, named, with a reset in milliseconds.
func discord(testing.TB) *api {
	limiter := ratelimit.Must(fixedwindow.NewAnchored(ratelimit.PerSecond(5)))
	return &api{latency: 20 * time.Millisecond, answer: func(_ *http.Request, now time.Time) (int, http.Header, string) {
		d := limiter.TakeAt(now, 1)
		h := fields("X-RateLimit-Bucket: abcd1234", "X-RateLimit-Limit: 5", "X-RateLimit-Remaining: "+strconv.Itoa(d.Remaining),
			fmt.Sprintf("X-RateLimit-Reset-After: %.3f", d.ResetAfter.Seconds()))
		if !d.OK {
			h.Set("Retry-After", wholeSeconds(d.RetryAfter))
		}
		return status(d), h, ""
	}}
}

// TestOthersUseTheLimitToo lets another program use most of a limit: that teaches nothing, as
// headers say what remains.
func TestOthersUseTheLimitToo(t *testing.T) {
	virtually(t, func(t *testing.T) {
		start := time.Now()
		limiter := ratelimit.Must(fixedwindow.NewAnchored(ratelimit.PerMinute(60)))
		server := &api{latency: 20 * time.Millisecond}
		server.answer = func(_ *http.Request, now time.Time) (int, http.Header, string) {
			if server.served == 10 {
				limiter.TakeAt(now, 50)
			}
			d := limiter.TakeAt(now, 1)
			h := fields("X-RateLimit-Remaining: "+strconv.Itoa(d.Remaining), "X-RateLimit-Reset: "+wholeSeconds(d.ResetAfter))
			if !d.OK {
				h.Set("Retry-After", wholeSeconds(d.RetryAfter))
			}
			return status(d), h, ""
		}
		run(t, &httplimit.Transport{Base: server}, job{60, 1, http.MethodGet, "/"})
		require.Equal(t, 1, server.refused)
		require.Less(t, server.arrivals[59].Sub(start), 70*time.Second)
	})
}

// TestBehindACache answers every third request from a cache: what its header says is about the
// past.
func TestBehindACache(t *testing.T) {
	virtually(t, func(t *testing.T) {
		server := unixResets(t, 0)
		origin := server.answer
		server.answer = func(r *http.Request, now time.Time) (int, http.Header, string) {
			if server.served%3 == 1 {
				return http.StatusOK, fields("Age: 100", "X-RateLimit-Limit: 60", "X-RateLimit-Remaining: 0",
					"Date: "+now.Add(-100*time.Second).UTC().Format(http.TimeFormat),
					"X-RateLimit-Reset: "+unixUp(now.Add(1000*time.Second))), ""
			}
			return origin(r, now)
		}
		took := run(t, &httplimit.Transport{Base: server}, job{900, 10, http.MethodGet, "/"})
		t.Logf("%d refused, %v", server.refused, took)
		require.Zero(t, server.refused)
		require.LessOrEqual(t, took, 10*time.Minute*105/100) // 600 at the origin
	})
}

// TestARestart loses the server's state twice: in the first minute, so that more is granted than
// the headers have said, and with half a minute of 503 before.
func TestARestart(t *testing.T) {
	virtually(t, func(t *testing.T) {
		start := time.Now()
		first, second, third := unixResets(t, 0), unixResets(t, 0), unixResets(t, 0)
		server := &api{latency: 20 * time.Millisecond}
		server.answer = func(r *http.Request, now time.Time) (int, http.Header, string) {
			switch elapsed := now.Sub(start); {
			case elapsed < 500*time.Millisecond:
				return first.answer(r, now)
			case elapsed < 5*time.Minute:
				return second.answer(r, now)
			case elapsed < 5*time.Minute+30*time.Second:
				return http.StatusServiceUnavailable, fields("Retry-After: 10"), ""
			}
			return third.answer(r, now)
		}
		took := run(t, &httplimit.Transport{Base: server, Tries: 10}, job{600, 10, http.MethodGet, "/"})
		t.Logf("%d refused, %d sent, %v", server.refused, server.served, took)
		require.Zero(t, server.refused)
		require.LessOrEqual(t, server.served, 600+12) // those under way at the second restart, and probes
		require.LessOrEqual(t, took, 10*time.Minute)
	})
}

// TestTheRateRecovers is first refused at 30 a minute, although the headers say that there are 90,
// and after an hour no more.
func TestTheRateRecovers(t *testing.T) {
	virtually(t, func(t *testing.T) {
		start := time.Now()
		degraded, whole := catalogAPI(t, "anilist-degraded", httplimit.AniList), catalogAPI(t, "anilist", httplimit.AniList)
		server := &api{latency: 20 * time.Millisecond}
		server.answer = func(r *http.Request, now time.Time) (int, http.Header, string) {
			if now.Sub(start) < time.Hour {
				return degraded.answer(r, now)
			}
			return whole.answer(r, now)
		}
		run(t, &httplimit.Transport{Base: server}, job{20_000, 1, http.MethodGet, "/"})
		var each [8]int // requests in each hour
		for _, at := range server.arrivals {
			if hour := int(at.Sub(start) / time.Hour); hour < len(each) {
				each[hour]++
			}
		}
		t.Logf("%d refused; in each hour %v", server.refused, each)
		require.InDelta(t, 30*60, each[0], 180)
		require.Greater(t, each[3], 50*60)
		require.Greater(t, each[4], 80*60)
		require.LessOrEqual(t, server.refused, 8)
	})
}

// TestARaisedLimit finds out a limit of 60 a minute, which becomes one of 120 after half an hour.
func TestARaisedLimit(t *testing.T) {
	virtually(t, func(t *testing.T) {
		start := time.Now()
		limiter := ratelimit.Must(fixedwindow.NewAligned(ratelimit.PerMinute(60)))
		raised := ratelimit.Must(fixedwindow.NewAligned(ratelimit.PerMinute(120)))
		server := &api{latency: 20 * time.Millisecond}
		server.answer = func(_ *http.Request, now time.Time) (int, http.Header, string) {
			d := limiter.TakeAt(now, 1)
			if now.Sub(start) > 30*time.Minute {
				d = raised.TakeAt(now, 1)
			}
			if !d.OK {
				return status(d), fields("Retry-After: " + wholeSeconds(d.RetryAfter)), ""
			}
			return status(d), nil, ""
		}
		took := run(t, &httplimit.Transport{Base: server}, job{60*50 + 120*30, 1, http.MethodGet, "/"})
		t.Logf("%d refused, %v", server.refused, took)
		require.LessOrEqual(t, server.refused, 5)
		require.InDelta(t, 80, took.Minutes(), 5) // 50 minutes at 60, as the first limit is kept for so long
	})
}

// TestTroubleIsNoLimit is answered 503 and 500, which say nothing about how many requests are
// granted.
func TestTroubleIsNoLimit(t *testing.T) {
	virtually(t, func(t *testing.T) {
		server := &api{}
		server.answer = func(*http.Request, time.Time) (int, http.Header, string) {
			switch server.served {
			case 10:
				return http.StatusServiceUnavailable, fields("Retry-After: 5"), ""
			case 20:
				return http.StatusInternalServerError, nil, ""
			}
			return http.StatusOK, nil, ""
		}
		transport := &httplimit.Transport{Base: server, Retry: func(_ *http.Request, resp *http.Response) bool {
			return resp.StatusCode >= 500
		}}
		took := run(t, transport, job{100, 1, http.MethodGet, "/"})
		require.LessOrEqual(t, took, 6*time.Second) // Retry-After and at most the first backoff
	})
}

// TestManyHosts uses one Transport for several APIs at once.
func TestManyHosts(t *testing.T) {
	virtually(t, func(t *testing.T) {
		servers := map[string]*api{
			"/trakt": catalogAPI(t, "trakt", httplimit.Trakt), "/v1/willittrack": catalogAPI(t, "willittrack", httplimit.WillItTrack),
		}
		transport := &httplimit.Transport{
			Base: roundTripper(func(r *http.Request) (*http.Response, error) { return servers[r.URL.Path].RoundTrip(r) }),
			Scope: func(r *http.Request) string {
				return r.URL.Path
			},
		}
		took := run(t, transport, job{900, 4, http.MethodGet, "/trakt"}, job{130, 4, http.MethodGet, "/v1/willittrack"})
		require.LessOrEqual(t, took, 3*time.Minute)
		require.LessOrEqual(t, servers["/v1/willittrack"].refused, 3)
		require.Zero(t, servers["/trakt"].refused)
		last := servers["/trakt"].arrivals[899].Sub(servers["/trakt"].arrivals[0])
		require.LessOrEqual(t, last, 6*time.Second, "it does not wait for the other one")
	})
}
