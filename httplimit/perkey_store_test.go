package httplimit_test

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/httplimit"
	"github.com/seed-3506548a/ratelimit/keyed"
	"github.com/seed-3506548a/ratelimit/limittest"
	"github.com/seed-3506548a/ratelimit/policy"
)

// scripted is a store that answers what it is told to, and counts how often it is asked for more.
type scripted struct {
	told  ratelimit.Decision
	looks int
}

func (s *scripted) TakeAt(time.Time, string, int) ratelimit.Decision { return s.told }

func (s *scripted) PeekAt(time.Time, string, int) ratelimit.Decision {
	s.looks++
	return ratelimit.Decision{RetryAfter: 9 * time.Second}
}

func (s *scripted) Clock() ratelimit.Clock { return limittest.NewClock(t0) }

// explaining is one that says why it could not decide.
type explaining struct {
	scripted
	why error
}

func (s *explaining) Err(string) error { return s.why }

// own is a dialect that says when there is more.
type own struct{ httplimit.Fields }

func (own) Headers(h http.Header, d *policy.Decision, _ time.Time) {
	h.Set("More", d.MoreAfter.String())
}

// A store is asked when there is one more only if the dialect may say so, or if it has refused more
// than one; and not if nothing was taken.
func TestPerKeyLooksForMore(t *testing.T) {
	granted := ratelimit.Decision{OK: true, Limit: 5, Remaining: 2}
	for _, c := range []struct {
		name    string
		told    ratelimit.Decision
		dialect httplimit.Dialect
		looks   int
		field   string
		want    []string
	}{
		{"Trakt", granted, httplimit.Trakt, 0, "More", nil},
		{"Fields", granted, httplimit.Fields{}, 0, "More", nil},
		{"IETF 6", granted, httplimit.IETF(6), 0, "RateLimit-Remaining", []string{"2"}},
		{"IETF 7", granted, httplimit.IETF(7), 0, "RateLimit", []string{"limit=5, remaining=2, reset=0"}},
		{"IETF 11", granted, httplimit.IETF(11), 1, "RateLimit", []string{`"default";r=2;t=9`}},
		{"one's own", granted, own{}, 1, "More", []string{"9s"}},
		{"of all", ratelimit.Decision{OK: true, Limit: 5, Remaining: 5}, httplimit.IETF(11), 0, "RateLimit", []string{`"default";r=5`}},
		{"of nothing", ratelimit.Decision{RetryAfter: 4 * time.Second}, httplimit.IETF(11), 0, "RateLimit", []string{`"default";r=0`}},
		{"refused", ratelimit.Decision{Limit: 5, RetryAfter: 4 * time.Second}, httplimit.IETF(11), 0, "RateLimit", []string{`"default";r=0;t=4`}},
		{"refused more than one", ratelimit.Decision{Limit: 5, Remaining: 2}, httplimit.Trakt, 1, "More", nil},
	} {
		store := &scripted{told: c.told}
		h := ratelimit.Must(httplimit.PerKey(store, httplimit.Header("X-User"), c.dialect))(fine)
		w := do(h, "/", "X-User: 7")
		require.Equal(t, c.looks, store.looks, c.name)
		require.Equal(t, c.want, field(w, c.field), c.name)
	}
}

// A store is asked why it could not decide if it has no limiter, or a reason of its own. Table's
// Inherited is a refusal like others.
func TestPerKeyAsksWhy(t *testing.T) {
	down := errors.New("down")
	for by, asked := range map[int]bool{keyed.Full: false, keyed.NoLimiter: true, keyed.Late: false, keyed.Ahead: false, -9: true} {
		refused := scripted{told: ratelimit.Decision{Limit: 5, By: by}}
		serve := func(store interface {
			TakeAt(time.Time, string, int) ratelimit.Decision
			Clock() ratelimit.Clock
		}) *httplimit.StoreError {
			var told reports
			h := ratelimit.Must(httplimit.PerKey(store, httplimit.Header("X-User"), httplimit.Trakt, httplimit.OnError(told.onError)))(fine)
			require.Equal(t, 503, do(h, "/", "X-User: 7").Code)
			require.Len(t, told.all, 1)
			var failed *httplimit.StoreError
			require.ErrorAs(t, told.all[0], &failed)
			require.Equal(t, by, failed.By)
			return failed
		}
		require.NoError(t, serve(&refused).Err, by)
		require.Equal(t, asked, errors.Is(serve(&explaining{refused, down}), down), by)
	}
	inherited := &explaining{scripted{told: ratelimit.Decision{Limit: 5, By: keyed.Inherited}}, down}
	h := ratelimit.Must(httplimit.PerKey(inherited, httplimit.Header("X-User"), httplimit.Trakt, httplimit.OnError(never(t))))(fine)
	require.Equal(t, 429, do(h, "/", "X-User: 7").Code)
}
