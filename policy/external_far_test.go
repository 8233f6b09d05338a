package policy_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/limittest"
	"github.com/seed-3506548a/ratelimit/policy"
)

// far keeps limits for several engines. What a key has consumed stays when it is asked by another
// rate.
type far struct {
	clock  *limittest.Clock
	opened []string // what was opened, with its limit

	mutex    sync.Mutex
	limiters map[string]farLimiter    // by name and key
	calls    []string                 // "take api/x:gcra:1m0s user=7", less the algorithm and the period
	known    map[string]time.Duration // the RetryAfter of refusals that need not be asked for, by "api/x user=7"
	before   func(call string)
	down     error
	standIn  bool
}

type farLimiter interface {
	ratelimit.Limiter
	ratelimit.Charger
}

func newFar(clock *limittest.Clock) *far {
	return &far{clock: clock, limiters: map[string]farLimiter{}}
}

func (f *far) open(name string, l policy.Limit) (policy.Store, error) {
	f.opened = append(f.opened, name+" "+l.String())
	return &farStore{f, name, l}, nil
}

// made returns the calls since it was asked last.
func (f *far) made() []string {
	calls := f.calls
	f.calls = nil
	return calls
}

type farStore struct {
	*far
	name  string
	limit policy.Limit
}

func (s *farStore) Limiter(key string) ratelimit.Limiter { return &farKey{s, key} }

// farKey is the limit of a key.
type farKey struct {
	*farStore
	key string
}

func (k *farKey) do(what string, how func(l farLimiter) ratelimit.Decision) ratelimit.Decision {
	limit, _, _ := strings.Cut(k.name, ":")
	call := what + " " + limit + " " + k.key
	if k.before != nil {
		k.before(call)
	}
	k.mutex.Lock()
	defer k.mutex.Unlock()
	k.calls = append(k.calls, call)
	switch {
	case k.down != nil && k.standIn:
		return ratelimit.Decision{OK: true, Limit: 1000, Remaining: 1000, By: -6}
	case k.down != nil:
		return ratelimit.Decision{RetryAfter: ratelimit.Never, ResetAfter: ratelimit.Never, By: -6}
	}
	at := k.name + "{" + k.key + "}"
	l := k.limiters[at]
	if l == nil {
		l = ratelimit.Must(k.limit.New(ratelimit.WithClock(k.clock))).(farLimiter)
		k.limiters[at] = l
	}
	switch l := l.(type) {
	case interface {
		SetRate(ratelimit.Rate, int) error
	}:
		_ = l.SetRate(k.limit.Rate, max(k.limit.Burst, 1))
	case interface{ SetRate(ratelimit.Rate) error }:
		_ = l.SetRate(k.limit.Rate)
	}
	return how(l)
}

func (k *farKey) Allow() bool { return k.Take(1).OK }

func (k *farKey) Take(n int) ratelimit.Decision { return k.TakeAt(k.clock.Now(), n) }

func (k *farKey) Clock() ratelimit.Clock { return k.clock }

func (k *farKey) Err() error { return k.down }

func (k *farKey) TakeAt(t time.Time, n int) ratelimit.Decision {
	return k.do("take", func(l farLimiter) ratelimit.Decision { return l.TakeAt(t, n) })
}

func (k *farKey) PeekAt(t time.Time, n int) ratelimit.Decision {
	return k.do("peek", func(l farLimiter) ratelimit.Decision { return l.PeekAt(t, n) })
}

func (k *farKey) ChargeAt(t time.Time, n int) ratelimit.Decision {
	return k.do("charge", func(l farLimiter) ratelimit.Decision { return l.ChargeAt(t, n) })
}

func (k *farKey) RefundAt(t time.Time, n int, held time.Duration) {
	k.do("refund", func(l farLimiter) ratelimit.Decision { l.RefundAt(t, n, held); return ratelimit.Decision{} })
}

func (k *farKey) Remembered(n int) (ratelimit.Decision, bool) {
	limit, _, _ := strings.Cut(k.name, ":")
	wait, ok := k.known[limit+" "+k.key]
	return ratelimit.Decision{Limit: 1000, RetryAfter: wait, ResetAfter: wait}, ok && n > 0
}

// newFarScene returns a scene of a policy some of whose limits are in a store.
func newFarScene(t *testing.T, fields string, limits ...string) (*scene, *far) {
	t.Helper()
	s := &scene{t: t, clock: limittest.NewClock(t0)}
	f := newFar(s.clock)
	s.Engine = f.engine(t, fields, limits...)
	return s, f
}

func (f *far) engine(t *testing.T, fields string, limits ...string) *policy.Engine {
	t.Helper()
	opts := []policy.Option{policy.WithClock(f.clock)}
	for _, limit := range limits {
		opts = append(opts, policy.WithStore(limit, f.open))
	}
	e, err := policy.New(parse(t, fields), 1000, opts...)
	require.NoError(t, err)
	return e
}
