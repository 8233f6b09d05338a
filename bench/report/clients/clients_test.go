package clients

import (
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/failsafe-go/failsafe-go/failsafehttp"
	"github.com/gofri/go-github-ratelimit/v2/github_ratelimit"
	"github.com/gofri/go-github-ratelimit/v2/github_ratelimit/github_primary_ratelimit"
	"github.com/hashicorp/go-retryablehttp"
	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit/httplimit"
	"github.com/seed-3506548a/ratelimit/limittest"
	"github.com/seed-3506548a/ratelimit/policy"
	"github.com/seed-3506548a/ratelimit/policy/catalog"
)

// mostTries is more than any client needs for a request that it does not give up.
const mostTries = 20

// clients know nothing of the limits before the first response. Other settings are their defaults.
var clients = []struct {
	name string
	over func(base http.RoundTripper) http.RoundTripper
}{
	{"httplimit.Transport", func(base http.RoundTripper) http.RoundTripper {
		return &httplimit.Transport{Base: base, Tries: mostTries, Patience: 48 * time.Hour}
	}},
	{"go-retryablehttp", func(base http.RoundTripper) http.RoundTripper {
		c := retryablehttp.NewClient()
		c.Logger, c.RetryMax, c.HTTPClient = nil, mostTries-1, &http.Client{Transport: base}
		return &retryablehttp.RoundTripper{Client: c}
	}},
	{"failsafehttp", func(base http.RoundTripper) http.RoundTripper {
		return failsafehttp.NewRoundTripper(base, failsafehttp.NewRetryPolicyBuilder().WithMaxRetries(mostTries-1).Build())
	}},
	{"go-github-ratelimit", func(base http.RoundTripper) http.RoundTripper {
		return github_ratelimit.New(base, github_primary_ratelimit.WithSleepUntilReset())
	}},
}

// jobs are of 1,000 requests or more, by four goroutines.
var jobs = []struct {
	name, policy string // a name of the catalog, or a document
	dialect      httplimit.Dialect
	method       string
	requests     int
}{
	{"AniList", "anilist", httplimit.AniList, http.MethodPost, 1000},
	{"AniList, degraded", "anilist-degraded", httplimit.AniList, http.MethodPost, 1000},
	{"Trakt, reads", "trakt", httplimit.Trakt, http.MethodGet, 2100},
	{"Trakt, writes", "trakt", httplimit.Trakt, http.MethodPost, 1000},
	{"WillItTrack", "willittrack", httplimit.WillItTrack, http.MethodGet, 1000},
	{"PrayerLetters", "prayerletters", httplimit.PrayerLetters, http.MethodGet, 1000},
	{"GitHub, 5,000 an hour", `{"rules": [{"name": "core", "key": ["user"], "limits": [{"name": "hour", "rate": "5000/hour", "as": "anchored"}]}]}`,
		httplimit.GitHub, http.MethodGet, 11000},
}

// begin is not at a full minute, and after 2001: a Unix time has ten digits since then.
var begin = time.Date(2026, 3, 2, 8, 0, 17, 0, time.UTC)

const (
	runs       = 10 // in which goroutines and waits at random take turns in other ways
	goroutines = 4
	path       = "/v1/shows"
	latency    = 20 * time.Millisecond
	user       = "alice"
	route      = "/v1/shows"
)

var attributes = httplimit.Attributes{
	"user":   func(*http.Request) (string, bool) { return user, true },
	"route":  func(*http.Request) (string, bool) { return route, true },
	"client": httplimit.Header("X-Client"), "token": httplimit.Header("X-Token"), "ip": httplimit.Header("X-IP"),
}

func load(t *testing.T, name string) policy.Policy {
	t.Helper()
	if strings.HasPrefix(name, "{") {
		p, err := policy.Parse([]byte(name))
		require.NoError(t, err)
		return p
	}
	p, err := catalog.Load(name)
	require.NoError(t, err)
	return p
}

// TestClients prints a table of what servers have refused, and of how long jobs took, in virtual
// time.
func TestClients(t *testing.T) {
	slog.SetDefault(slog.New(slog.DiscardHandler))
	fmt.Print("| refused, given up, of the shortest time |")
	for _, c := range clients {
		fmt.Printf(" %s |", c.name)
	}
	fmt.Println("\n|---|" + strings.Repeat("---|", len(clients)))
	for _, j := range jobs {
		fmt.Printf("| %s |", j.name)
		for _, c := range clients {
			var refused, lost, took []float64
			for range runs {
				synctest.Test(t, func(t *testing.T) {
					time.Sleep(time.Until(begin)) // virtual time, as all of it
					least := shortest(t, load(t, j.policy), j.method, j.requests)
					engine, err := policy.New(load(t, j.policy), 1000)
					require.NoError(t, err)
					limit, err := httplimit.Middleware(engine, attributes, j.dialect)
					require.NoError(t, err)
					s := &server{handler: limit(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))}
					start := time.Now()
					lost = append(lost, float64(run(c.over(s), j.method, j.requests)))
					took = append(took, math.Round(time.Since(start).Seconds()*100/least.Seconds())/100)
					refused = append(refused, float64(s.refused.Load()))
				})
			}
			fmt.Printf(" %s, %s, %s |", extremes("%.0f", refused), extremes("%.0f", lost), extremes("%.2f", took))
		}
		fmt.Println()
	}
}

// extremes returns the least and the greatest value, or the one that all have.
func extremes(format string, values []float64) string {
	least, most := fmt.Sprintf(format, slices.Min(values)), fmt.Sprintf(format, slices.Max(values))
	if least == most {
		return least
	}
	return least + "-" + most
}

// server is in memory. A request takes latency, of the virtual time of the test.
type server struct {
	handler http.Handler
	refused atomic.Int64
}

func (s *server) RoundTrip(r *http.Request) (*http.Response, error) {
	time.Sleep(latency / 2)
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, r.Clone(r.Context()))
	if w.Code >= 400 {
		s.refused.Add(1)
	}
	time.Sleep(latency / 2)
	resp := w.Result()
	header := http.Header{}
	for name, values := range resp.Header { // as over the wire
		header[http.CanonicalHeaderKey(name)] = values
	}
	header.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	resp.Header, resp.Request = header, r
	return resp, nil
}

// run sends the requests and returns how many were not granted in the end.
func run(over http.RoundTripper, method string, requests int) (lost int64) {
	client := &http.Client{Transport: over}
	var left, failed atomic.Int64
	left.Store(int64(requests))
	var all sync.WaitGroup
	for range goroutines {
		all.Go(func() {
			for left.Add(-1) >= 0 {
				r, err := http.NewRequest(method, "http://api.example.com"+path, http.NoBody)
				if err != nil {
					panic(err)
				}
				resp, err := client.Do(r)
				if err != nil {
					failed.Add(1)
					continue
				}
				if resp.StatusCode != http.StatusOK {
					failed.Add(1)
				}
				_, _ = io.Copy(io.Discard, resp.Body)
				_ = resp.Body.Close()
			}
		})
	}
	all.Wait()
	return failed.Load()
}

// shortest returns the time that a policy takes to grant so many requests, if each is sent when it
// is granted and no sooner.
func shortest(t *testing.T, p policy.Policy, method string, requests int) time.Duration {
	t.Helper()
	for i := range p.Rules {
		p.Rules[i].Ladder = nil // nothing is refused
	}
	clock := limittest.NewClock(time.Now())
	e, err := policy.New(p, 1000, policy.WithClock(clock))
	require.NoError(t, err)
	ask := policy.Request{Method: method, Path: path, Attrs: []policy.Attr{{Name: "user", Value: user}, {Name: "route", Value: route}}}
	var d policy.Decision
	for range requests {
		e.Peek(&ask, &d)
		clock.Set(clock.Now().Add(d.RetryAfter))
		e.Decide(&ask, &d)
		require.True(t, d.OK)
	}
	return time.Until(clock.Now())
}
