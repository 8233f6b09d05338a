package catalog_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/limittest"
	"github.com/seed-3506548a/ratelimit/policy"
	"github.com/seed-3506548a/ratelimit/policy/catalog"
)

// The units of the times in stories.
const (
	ns = time.Nanosecond
	ms = time.Millisecond
	s  = time.Second
	m  = time.Minute
	h  = time.Hour
	d  = 24 * time.Hour
)

// noon is when all stories begin.
var noon = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// step is a step of a story: what is asked at a time after noon, and what is said.
type step struct {
	at    time.Duration
	times int // 0 is 1; all but the last are granted
	ask   string
	want  string
	done  string // what becomes of the requests that were granted: "404", "tokens=900", "undo"
}

// follow plays a story. Of each refusal it also demands that RetryAfter is exact: a nanosecond
// earlier the request would be refused, and then it would be granted.
func follow(t *testing.T, name string, story []step) *policy.Engine {
	t.Helper()
	p, err := catalog.Load(name)
	require.NoError(t, err)
	clock := limittest.NewClock(noon)
	engine, err := policy.New(p, 1000, policy.WithClock(clock))
	require.NoError(t, err)
	var decision policy.Decision
	for i, step := range story {
		where := fmt.Sprintf("step %d: at %v, %s", i+1, policy.Span(step.at), step.ask)
		clock.Set(noon.Add(step.at))
		if key, pardoned := strings.CutPrefix(step.ask, "pardon "); pardoned {
			rule, attrs, _ := strings.Cut(key, " ")
			require.Equal(t, step.want, strconv.FormatBool(engine.Pardon(rule, request("GET / "+attrs).Attrs...)), where)
			continue
		}
		r := request(step.ask)
		for left := max(step.times, 1); left > 0; left-- {
			engine.Decide(r, &decision)
			require.True(t, left == 1 || decision.OK, "%s: %d before the last: %s", where, left-1, told(&decision))
			if left == 1 {
				require.Equal(t, step.want, told(&decision), where)
			}
			if step.done != "" {
				settle(t, engine, &decision, step.done)
			}
		}
		if after := decision.RetryAfter; !decision.OK && after != ratelimit.Never {
			var then policy.Decision
			clock.Set(noon.Add(step.at + after - 1))
			engine.Peek(r, &then)
			require.False(t, then.OK, "%s: not a nanosecond earlier", where)
			clock.Set(noon.Add(step.at + after))
			engine.Peek(r, &then)
			require.True(t, then.OK, "%s: %s", where, told(&then))
		}
	}
	stats := engine.Stats()
	stats.Live, stats.Revoked, stats.Limits = 0, 0, nil
	require.Equal(t, policy.Stats{}, stats, "there was room for all")
	return engine
}

// request returns the request of "GET /path attribute=value ~amount=value".
func request(ask string) *policy.Request {
	words := strings.Fields(ask)
	r := &policy.Request{Method: words[0], Path: words[1]}
	for _, word := range words[2:] {
		name, value, _ := strings.Cut(word, "=")
		if amount, ok := strings.CutPrefix(name, "~"); ok {
			n, _ := strconv.Atoi(value)
			r.Amounts = append(r.Amounts, policy.Amount{Name: amount, N: n})
			continue
		}
		r.Attrs = append(r.Attrs, policy.Attr{Name: name, Value: value})
	}
	return r
}

func settle(t *testing.T, engine *policy.Engine, decision *policy.Decision, done string) {
	t.Helper()
	if done == "undo" {
		engine.Undo(decision)
		return
	}
	name, value, isAmount := strings.Cut(done, "=")
	var o policy.Outcome
	var err error
	if isAmount {
		o.Status, o.Amounts = 200, []policy.Amount{{Name: name}}
		o.Amounts[0].N, err = strconv.Atoi(value)
	} else {
		o.Status, err = strconv.Atoi(done)
	}
	require.NoError(t, err)
	engine.Done(decision, o)
}

// told returns what a decision says: what decided, the limit that a client is told of, how long to
// wait, which steps of a ladder were reached, and whether a rule in shadow would have refused.
func told(decision *policy.Decision) string {
	text := "granted"
	switch {
	case decision.Action == policy.ByExempt:
		text = "exempt"
	case !decision.OK:
		text = "refused by " + string(decision.Action)
	}
	if decision.Binding >= 0 {
		standing := &decision.Standings[decision.Binding]
		text += fmt.Sprintf("; %s %d of %d", standing.Name, standing.Remaining, standing.Limit)
	}
	switch {
	case decision.OK:
	case decision.RetryAfter == ratelimit.Never:
		text += "; never"
	default:
		text += "; retry after " + decision.RetryAfter.String()
	}
	for _, r := range decision.Reached {
		text += fmt.Sprintf("; %s at strike %d of %s", r.Step.Do, r.Strikes, r.Rule)
	}
	if decision.Shadow {
		text += "; shadow"
	}
	return text
}

// Reads are counted in windows that open with a request, by user; without one, by application.
// Writes come one a second.
func TestTrakt(t *testing.T) {
	follow(t, "trakt", []step{
		{at: 3*m + 10*s, ask: "GET /shows user=ann client=tv", want: "granted; AUTHED_API_GET_LIMIT 999 of 1000"},
		{at: 4 * m, times: 999, ask: "GET /shows user=ann client=tv", want: "granted; AUTHED_API_GET_LIMIT 0 of 1000"},
		{at: 5 * m, ask: "GET /shows user=ann client=tv", want: "refused by limit; AUTHED_API_GET_LIMIT 0 of 1000; retry after 3m10s"},
		{at: 8 * m, ask: "HEAD /shows user=ann client=tv", want: "refused by limit; AUTHED_API_GET_LIMIT 0 of 1000; retry after 10s"}, // its documentation's Retry-After
		{at: 8*m + 10*s - ns, ask: "GET /shows user=ann client=tv", want: "refused by limit; AUTHED_API_GET_LIMIT 0 of 1000; retry after 1ns"},
		{at: 8*m + 10*s - ns, ask: "GET /shows user=bob client=tv", want: "granted; AUTHED_API_GET_LIMIT 999 of 1000"},
		{at: 8*m + 10*s - ns, ask: "GET /shows client=tv", want: "granted; UNAUTHED_API_GET_LIMIT 999 of 1000"},
		{at: 8*m + 10*s, ask: "GET /shows user=ann client=tv", want: "granted; AUTHED_API_GET_LIMIT 999 of 1000"},

		{at: 9 * m, ask: "POST /scrobble/start user=ann client=tv", want: "granted; AUTHED_API_POST_LIMIT 0 of 1"},
		{at: 9 * m, ask: "PUT /lists/7 user=ann client=tv", want: "refused by limit; AUTHED_API_POST_LIMIT 0 of 1; retry after 1s"},
		{at: 9*m + 400*ms, ask: "DELETE /lists/7 user=ann client=tv", want: "refused by limit; AUTHED_API_POST_LIMIT 0 of 1; retry after 600ms"},
		{at: 9*m + 400*ms, ask: "DELETE /lists/7 user=bob client=tv", want: "granted; AUTHED_API_POST_LIMIT 0 of 1"},
		{at: 9*m + s - ns, ask: "POST /scrobble/pause user=ann client=tv", want: "refused by limit; AUTHED_API_POST_LIMIT 0 of 1; retry after 1ns"},
		{at: 9*m + s, ask: "POST /scrobble/pause user=ann client=tv", want: "granted; AUTHED_API_POST_LIMIT 0 of 1"},

		{at: 10 * m, times: 999, ask: "GET /movies client=tv", want: "granted; UNAUTHED_API_GET_LIMIT 0 of 1000"},
		{at: 10 * m, ask: "GET /movies client=tv", want: "refused by limit; UNAUTHED_API_GET_LIMIT 0 of 1000; retry after 3m9.999999999s"},
		{at: 10 * m, ask: "GET /movies client=phone", want: "granted; UNAUTHED_API_GET_LIMIT 999 of 1000"},
		{at: 10 * m, ask: "GET /movies", want: "refused by missing; never"},
		{at: 10 * m, times: 50, ask: "POST /oauth/token client=tv", want: "granted"}, // nothing is published of these
	})
}

// One request too many, of whichever user, shuts out the whole application for five minutes.
func TestTraktStrict(t *testing.T) {
	follow(t, "trakt-strict", []step{
		{at: 0, ask: "POST /scrobble/start user=ann client=tv", want: "granted; AUTHED_API_POST_LIMIT 0 of 1"},
		{at: 100 * ms, ask: "POST /scrobble/start user=ann client=tv",
			want: "refused by limit; AUTHED_API_POST_LIMIT 0 of 1; retry after 5m0s; block at strike 1 of writes"},
		{at: s, ask: "GET /shows user=bob client=tv", want: "refused by block; AUTHED_API_GET_LIMIT 1000 of 1000; retry after 4m59.1s"},
		{at: s, ask: "GET /shows client=tv", want: "refused by block; UNAUTHED_API_GET_LIMIT 1000 of 1000; retry after 4m59.1s"},
		{at: s, ask: "GET /shows user=ann client=phone", want: "granted; AUTHED_API_GET_LIMIT 999 of 1000"},
		{at: s, ask: "POST /scrobble/start user=ann client=tv", want: "refused by block; AUTHED_API_POST_LIMIT 1 of 1; retry after 4m59.1s"},
		{at: 4 * m, ask: "GET /shows user=ann client=tv", want: "refused by block; AUTHED_API_GET_LIMIT 999 of 1000; retry after 1m0.1s"}, // which lengthens nothing
		{at: 5*m + 100*ms - ns, ask: "GET /shows user=bob client=tv", want: "refused by block; AUTHED_API_GET_LIMIT 1000 of 1000; retry after 1ns"},
		{at: 5*m + 100*ms, ask: "GET /shows user=bob client=tv", want: "granted; AUTHED_API_GET_LIMIT 999 of 1000"},

		{at: 10 * m, times: 1000, ask: "GET /shows user=cat client=tv", want: "granted; AUTHED_API_GET_LIMIT 0 of 1000"},
		{at: 10*m + 30*s, ask: "GET /shows user=cat client=tv",
			want: "refused by limit; AUTHED_API_GET_LIMIT 0 of 1000; retry after 5m0s; block at strike 1 of reads"}, // the window ends before that
		{at: 11 * m, ask: "pardon reads client=tv", want: "true"},
		{at: 11 * m, ask: "GET /shows user=bob client=tv", want: "granted; AUTHED_API_GET_LIMIT 999 of 1000"},
		{at: 11 * m, ask: "GET /shows user=cat client=tv", want: "refused by limit; AUTHED_API_GET_LIMIT 0 of 1000; retry after 4m0s"}, // of the same strike: the user was not pardoned
	})
}

// Half as many reads since October 2026, and without a user each address of an application has its
// own.
func TestTrakt202610(t *testing.T) {
	follow(t, "trakt-2026-10", []step{
		{at: 0, times: 500, ask: "GET /shows user=ann client=tv ip=192.0.2.1", want: "granted; AUTHED_API_GET_LIMIT 0 of 500"},
		{at: m, ask: "GET /shows user=ann client=tv ip=192.0.2.1", want: "refused by limit; AUTHED_API_GET_LIMIT 0 of 500; retry after 4m0s"},
		{at: m, ask: "GET /shows user=ann client=tv ip=192.0.2.2", want: "refused by limit; AUTHED_API_GET_LIMIT 0 of 500; retry after 4m0s"},
		{at: m, times: 500, ask: "GET /shows client=tv ip=192.0.2.1", want: "granted; UNAUTHED_API_GET_LIMIT 0 of 500"},
		{at: 2 * m, ask: "GET /shows client=tv ip=192.0.2.1", want: "refused by limit; UNAUTHED_API_GET_LIMIT 0 of 500; retry after 4m0s"},
		{at: 2 * m, ask: "GET /shows client=tv ip=192.0.2.2", want: "granted; UNAUTHED_API_GET_LIMIT 499 of 500"},
		{at: 2 * m, ask: "GET /shows client=phone ip=192.0.2.1", want: "granted; UNAUTHED_API_GET_LIMIT 499 of 500"},
		{at: 2 * m, ask: "GET /shows client=phone", want: "refused by missing; never"},
		{at: 5*m - ns, ask: "GET /shows user=ann client=tv ip=192.0.2.1", want: "refused by limit; AUTHED_API_GET_LIMIT 0 of 500; retry after 1ns"},
		{at: 5 * m, ask: "GET /shows user=ann client=tv ip=192.0.2.1", want: "granted; AUTHED_API_GET_LIMIT 499 of 500"},
		{at: 6*m - ns, ask: "GET /shows client=tv ip=192.0.2.1", want: "refused by limit; UNAUTHED_API_GET_LIMIT 0 of 500; retry after 1ns"},
		{at: 6 * m, ask: "GET /shows client=tv ip=192.0.2.1", want: "granted; UNAUTHED_API_GET_LIMIT 499 of 500"},
		{at: 6 * m, ask: "POST /sync/history user=ann client=tv", want: "granted; AUTHED_API_POST_LIMIT 0 of 1"},
		{at: 6 * m, ask: "POST /sync/history user=ann client=tv", want: "refused by limit; AUTHED_API_POST_LIMIT 0 of 1; retry after 1s"},
	})
}

// Minutes of the clock, for each user and endpoint.
func TestWillItTrack(t *testing.T) {
	follow(t, "willittrack", []step{
		{at: 10 * s, times: 60, ask: "POST /v1/batches user=ann ip=192.0.2.1 route=batches", want: "granted; minute 0 of 60"},
		{at: 15 * s, ask: "POST /v1/batches user=ann ip=192.0.2.1 route=batches", want: "refused by limit; minute 0 of 60; retry after 45s"}, // its documentation's Retry-After
		{at: 15 * s, ask: "GET /v1/numbers/7 user=ann ip=192.0.2.1 route=numbers", want: "granted; minute 59 of 60"},
		{at: 15 * s, ask: "POST /v1/batches user=bob ip=192.0.2.1 route=batches", want: "granted; minute 59 of 60"},
		{at: 15 * s, ask: "POST /v1/batches ip=192.0.2.1 route=batches", want: "granted; minute 59 of 60"},
		{at: 15 * s, ask: "GET /v1/nothing user=ann", want: "granted; minute 59 of 60"}, // no endpoint is for it
		{at: 15 * s, ask: "GET /v1/else user=ann", want: "granted; minute 58 of 60"},
		{at: 15 * s, times: 200, ask: "GET /health ip=192.0.2.1 route=health", want: "exempt"},
		{at: 15 * s, times: 200, ask: "GET /docs", want: "granted"},
		{at: m - ns, ask: "POST /v1/batches user=ann ip=192.0.2.2 route=batches", want: "refused by limit; minute 0 of 60; retry after 1ns"},
		{at: m, ask: "POST /v1/batches user=ann ip=192.0.2.1 route=batches", want: "granted; minute 59 of 60"},
		{at: 2*m - s, times: 59, ask: "POST /v1/batches user=ann ip=192.0.2.1 route=batches", want: "granted; minute 0 of 60"},
		{at: 2 * m, times: 60, ask: "POST /v1/batches user=ann ip=192.0.2.1 route=batches", want: "granted; minute 0 of 60"}, // 119 in a second: so do windows
		{at: 2 * m, ask: "POST /v1/batches user=ann ip=192.0.2.1 route=batches", want: "refused by limit; minute 0 of 60; retry after 1m0s"},
	})
}

// A request too many is answered by a minute without any. The limit of bursts is not told.
func TestAniList(t *testing.T) {
	follow(t, "anilist", []step{
		{at: 0, times: 10, ask: "POST / ip=192.0.2.1", want: "granted; minute 80 of 90"},
		{at: 0, ask: "POST / ip=192.0.2.1", want: "refused by limit; minute 80 of 90; retry after 1m0s; block at strike 1 of api"}, // by the burst
		{at: 30 * s, ask: "POST / ip=192.0.2.1", want: "refused by block; minute 80 of 90; retry after 30s"},
		{at: 30 * s, ask: "POST / ip=192.0.2.2", want: "granted; minute 89 of 90"},
		{at: m - ns, ask: "POST / ip=192.0.2.1", want: "refused by block; minute 80 of 90; retry after 1ns"},
		{at: m, ask: "POST / ip=192.0.2.1", want: "granted; minute 89 of 90"}, // a new minute
		{at: m + 1*s, times: 10, ask: "POST / ip=192.0.2.1", want: "granted; minute 79 of 90"},
		{at: m + 2*s, times: 10, ask: "POST / ip=192.0.2.1", want: "granted; minute 69 of 90"},
		{at: m + 3*s, times: 10, ask: "POST / ip=192.0.2.1", want: "granted; minute 59 of 90"},
		{at: m + 4*s, times: 10, ask: "POST / ip=192.0.2.1", want: "granted; minute 49 of 90"},
		{at: m + 5*s, times: 10, ask: "POST / ip=192.0.2.1", want: "granted; minute 39 of 90"},
		{at: m + 6*s, times: 10, ask: "POST / ip=192.0.2.1", want: "granted; minute 29 of 90"},
		{at: m + 7*s, times: 10, ask: "POST / ip=192.0.2.1", want: "granted; minute 19 of 90"},
		{at: m + 8*s, times: 10, ask: "POST / ip=192.0.2.1", want: "granted; minute 9 of 90"},
		{at: m + 9*s, times: 9, ask: "POST / ip=192.0.2.1", want: "granted; minute 0 of 90"},
		{at: m + 30*s, ask: "POST / ip=192.0.2.1", want: "refused by limit; minute 0 of 90; retry after 1m0s; block at strike 1 of api"},
		{at: 2 * m, ask: "POST / ip=192.0.2.1", want: "refused by block; minute 90 of 90; retry after 30s"}, // its documentation's Retry-After
		{at: 2*m + 30*s - ns, ask: "POST / ip=192.0.2.1", want: "refused by block; minute 90 of 90; retry after 1ns"},
		{at: 2*m + 30*s, ask: "POST / ip=192.0.2.1", want: "granted; minute 89 of 90"},

		{at: 3 * m, times: 10, ask: "POST / user=ann client=example-client", want: "granted; minute 170 of 180"},
		{at: 3 * m, ask: "POST / user=ann client=other", want: "refused by limit; minute 80 of 90; retry after 1m0s; block at strike 1 of api"}, // one user, one burst
		{at: 3 * m, ask: "POST /", want: "refused by missing; never"},
	})
}

// 30 are enforced and 90 are shown, so a client is refused while 60 remain.
func TestAniListDegraded(t *testing.T) {
	follow(t, "anilist-degraded", []step{
		{at: 0, times: 10, ask: "POST / user=ann", want: "granted; minute 80 of 90"},
		{at: 1 * s, times: 10, ask: "POST / user=ann", want: "granted; minute 70 of 90"},
		{at: 2 * s, times: 10, ask: "POST / user=ann", want: "granted; minute 60 of 90"},
		{at: 3 * s, ask: "POST / user=ann", want: "refused by limit; minute 60 of 90; retry after 1m0s; block at strike 1 of api"},
		{at: 33 * s, ask: "POST / user=ann", want: "refused by block; minute 60 of 90; retry after 30s"},
		{at: m, ask: "POST / user=ann", want: "refused by block; minute 90 of 90; retry after 3s"}, // the minute is over, the block is not
		{at: m + 3*s - ns, ask: "POST / user=ann", want: "refused by block; minute 90 of 90; retry after 1ns"},
		{at: m + 3*s, ask: "POST / user=ann", want: "granted; minute 89 of 90"},
		{at: 2 * m, times: 10, ask: "POST / user=bob client=example-client", want: "granted; minute 170 of 180"},
	})
}

// An hour and a day, as of each request, of each token and endpoint. They are not reset on the
// hour.
func TestPrayerLetters(t *testing.T) {
	story := []step{
		{at: 30 * m, times: 30, ask: "GET /letters token=a route=letters", want: "granted; hour 20 of 50"},
		{at: 59 * m, times: 20, ask: "GET /letters token=a route=letters", want: "granted; hour 0 of 50"},
		{at: h, ask: "GET /letters token=a route=letters", want: "refused by limit; hour 0 of 50; retry after 30m0s"},
		{at: h, ask: "GET /people token=a route=people", want: "granted; hour 49 of 50"},
		{at: h, ask: "GET /letters token=b route=letters", want: "granted; hour 49 of 50"},
		{at: h, ask: "GET /letters ip=192.0.2.1 route=letters", want: "granted; hour 49 of 50"},
		{at: 90*m - ns, ask: "GET /letters token=a route=letters", want: "refused by limit; hour 0 of 50; retry after 1ns"},
		{at: 90 * m, times: 30, ask: "GET /letters token=a route=letters", want: "granted; hour 0 of 50"},
		{at: 90 * m, ask: "GET /letters token=a route=letters", want: "refused by limit; hour 0 of 50; retry after 29m0s"},
	}
	for at := 3 * h; at < 13*h; at += h { // a full hour's, ten times
		story = append(story, step{at: at, times: 50, ask: "GET /letters token=a route=letters", want: "granted; hour 0 of 50"})
	}
	follow(t, "prayerletters", append(story, []step{
		{at: 13 * h, times: 20, ask: "GET /letters token=a route=letters", want: "granted; day 0 of 600"},
		{at: 13 * h, ask: "GET /letters token=a route=letters", want: "refused by limit; day 0 of 600; retry after 11h30m0s"},
		{at: d + 30*m - ns, ask: "GET /letters token=a route=letters", want: "refused by limit; day 0 of 600; retry after 1ns"},
		{at: d + 30*m, times: 30, ask: "GET /letters token=a route=letters", want: "granted; day 0 of 600"},
		{at: d + 30*m, ask: "GET /letters token=a route=letters", want: "refused by limit; day 0 of 600; retry after 29m0s"},

		// An exception of an application: the same token by another application has used all of 50.
		{at: 2 * d, times: 50, ask: "GET /letters token=c route=letters", want: "granted; hour 0 of 50"},
		{at: 2 * d, ask: "GET /letters token=c route=letters", want: "refused by limit; hour 0 of 50; retry after 1h0m0s"},
		{at: 2 * d, times: 450, ask: "GET /letters token=c client=example-client route=letters", want: "granted; hour 0 of 500"},
		{at: 2 * d, ask: "GET /letters token=c client=example-client route=letters", want: "refused by limit; hour 0 of 500; retry after 1h0m0s"},
		{at: 2*d + h, ask: "GET /letters token=c route=letters", want: "granted; hour 49 of 50"},

		// And one of a token, on one endpoint only.
		{at: 3 * d, times: 1000, ask: "GET /letters/7 token=example-token route=letter", want: "granted; hour 0 of 1000"},
		{at: 3 * d, ask: "GET /letters/8 token=example-token route=letter", want: "refused by limit; hour 0 of 1000; retry after 1h0m0s"},
		{at: 3 * d, ask: "POST /letters token=example-token route=letters", want: "granted; hour 49 of 50"},
	}...))
}

// 60 requests and 90,000 tokens a minute, which come back evenly; tokens are settled afterwards.
func TestOpenAILike(t *testing.T) {
	follow(t, "openai-like", []step{
		{at: 0, ask: "POST /v1/chat client=a ~tokens=80000", want: "granted; requests 59 of 60", done: "tokens=80000"},
		{at: 0, ask: "POST /v1/chat client=a ~tokens=20000", want: "refused by limit; tokens 10000 of 90000; retry after 6.666666667s"},
		{at: 0, ask: "POST /v1/chat client=b ~tokens=20000", want: "granted; requests 59 of 60"},
		{at: 6666666667*ns - ns, ask: "POST /v1/chat client=a ~tokens=20000", want: "refused by limit; tokens 19999 of 90000; retry after 1ns"},
		{at: 6666666667 * ns, ask: "POST /v1/chat client=a ~tokens=20000", want: "granted; tokens 0 of 90000", done: "tokens=5000"},
		{at: 6666666667 * ns, ask: "POST /v1/chat client=a ~tokens=15000", want: "granted; tokens 0 of 90000", done: "tokens=45000"}, // 30,000 more than was estimated
		{at: 6666666667 * ns, ask: "POST /v1/chat client=a ~tokens=1500", want: "refused by limit; tokens 0 of 90000; retry after 21s"},
		{at: 6666666667 * ns, ask: "POST /v1/chat client=a ~tokens=90001", want: "refused by limit; tokens 0 of 90000; never"},

		{at: h, times: 60, ask: "POST /v1/chat client=a ~tokens=10", want: "granted; requests 0 of 60"},
		{at: h, ask: "POST /v1/chat client=a ~tokens=10", want: "refused by limit; requests 0 of 60; retry after 1s"},
		{at: h + s - ns, ask: "POST /v1/chat client=a ~tokens=10", want: "refused by limit; requests 0 of 60; retry after 1ns"},
		{at: h + s, ask: "POST /v1/chat client=a ~tokens=10", want: "granted; requests 0 of 60", done: "undo"},
		{at: h + s, ask: "POST /v1/chat client=a ~tokens=10", want: "refused by limit; requests 0 of 60; retry after 1s"}, // a gcra in a table gives nothing back
		{at: h + 2*s, ask: "GET /v1/models client=a", want: "granted"},
	})
}
