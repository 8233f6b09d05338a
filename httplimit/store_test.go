package httplimit_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/httplimit"
	"github.com/seed-3506548a/ratelimit/keyed"
	"github.com/seed-3506548a/ratelimit/policy"
)

// What a store of the policy does not answer is no 429: it goes to OnError, or is answered by 503.
func TestMiddlewareWithStoreThatDoesNotAnswer(t *testing.T) {
	down := errors.New("no route to host")
	var fails error
	open := func(_ string, l policy.Limit) (policy.Store, error) {
		return keyed.NewMap(10, func(string) (ratelimit.Limiter, error) {
			if fails != nil {
				return nil, fails
			}
			return l.New()
		})
	}
	p, err := policy.Parse([]byte(`{"rules": [{"name": "api", "key": ["user"], "limits": [{"name": "day", "rate": "1/day", "as": "gcra"}]}]}`))
	require.NoError(t, err)
	for _, told := range []*reports{nil, {}, {answer: 500}, {answer: 500, proceed: true}, {proceed: true}} {
		fails = nil
		var opts []httplimit.Option
		if told != nil {
			opts = append(opts, httplimit.OnError(told.onError))
		}
		e, err := policy.New(p, 10, policy.WithStore("day", open))
		require.NoError(t, err)
		h := limited(t, e, httplimit.IETF(11), fine, opts...)
		use(t, h, 1, "/", "X-User: 7")
		require.Equal(t, 429, do(h, "/", "X-User: 7").Code)
		fails = down
		w := do(h, "/", "X-User: 8")
		require.Empty(t, field(w, "Retry-After"))
		require.Empty(t, field(w, "RateLimit"))
		switch {
		case told == nil:
			require.Equal(t, 503, w.Code)
			continue
		case told.answer != 0:
			require.Equal(t, 500, w.Code)
			require.Empty(t, w.Body.String(), "one answer is enough")
		case told.proceed:
			require.Equal(t, "fine", w.Body.String(), "without limits")
		default:
			require.Equal(t, 503, w.Code)
		}
		require.Len(t, told.all, 1)
		var failed *httplimit.StoreError
		require.ErrorAs(t, told.all[0], &failed)
		require.ErrorIs(t, failed, down)
		require.EqualError(t, failed, "httplimit: the store could not decide: policy: limit api/day: no route to host")
	}
}

// A new key that finds no room is no 429 either: it owes nothing. Known keys are decided as ever.
func TestMiddlewareWithoutRoom(t *testing.T) {
	e, clock := newEngineFor(t, 2, `{"rules": [
		{"name": "api", "key": ["user"], "limits": [{"name": "log", "rate": "3/h", "as": "log"}]},
		{"name": "addresses", "key": ["ip"], "limits": [{"name": "gcra", "rate": "5/h", "as": "gcra"}]},
		{"name": "tried", "key": ["user"], "mode": "shadow", "limits": [{"name": "shadow", "rate": "1/h", "as": "gcra"}]}]}`)
	told := &reports{}
	closed := limited(t, e, httplimit.IETF(11), fine, httplimit.OnError(told.onError))
	open := limited(t, e, httplimit.IETF(11), fine, httplimit.OnError((&reports{proceed: true}).onError))
	silently := limited(t, e, httplimit.IETF(11), fine)
	use(t, closed, 2, "/", "X-User: 1")
	use(t, closed, 2, "/", "X-User: 2")
	require.Empty(t, told.all)

	w := do(closed, "/", "X-User: 3")
	require.Equal(t, 503, w.Code)
	require.Empty(t, field(w, "Retry-After"))
	require.Equal(t, 503, do(silently, "/", "X-User: 3").Code)
	require.Equal(t, "fine", do(open, "/", "X-User: 3").Body.String(), "without limits")
	require.Equal(t, []error{&httplimit.StoreError{By: keyed.Full}}, told.all)
	use(t, closed, 1, "/", "X-User: 1")
	require.Equal(t, 429, do(closed, "/", "X-User: 3").Code, "its address has used up its limit")
	require.Equal(t, 429, do(closed, "/", "X-User: 1").Code)
	require.Len(t, told.all, 1)

	clock.Advance(time.Hour)
	require.Equal(t, 200, do(closed, "/", "X-User: 3").Code)
}
