package policy_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit/limittest"
	"github.com/seed-3506548a/ratelimit/policy"
)

var t0 = time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)

// scene is an engine on a clock that a test sets, and the last decision.
type scene struct {
	t *testing.T
	*policy.Engine
	clock *limittest.Clock
	d     policy.Decision
}

// parse reads a policy; the text is what "rules" and the names beside it have.
func parse(t testing.TB, fields string) policy.Policy {
	t.Helper()
	p, err := policy.Parse([]byte("{" + fields + "}"))
	require.NoError(t, err)
	return p
}

func newScene(t *testing.T, fields string, opts ...policy.Option) *scene {
	t.Helper()
	s := &scene{t: t, clock: limittest.NewClock(t0)}
	var err error
	s.Engine, err = policy.New(parse(t, fields), 1000, append([]policy.Option{policy.WithClock(s.clock)}, opts...)...)
	require.NoError(t, err)
	return s
}

// at sets the clock to so long after the beginning.
func (s *scene) at(after time.Duration) *scene {
	s.clock.Set(t0.Add(after))
	return s
}

// request has the attributes that are written as "user=7".
func request(attrs ...string) *policy.Request {
	r := &policy.Request{Method: "GET", Path: "/"}
	for _, a := range attrs {
		name, value, _ := strings.Cut(a, "=")
		r.Attrs = append(r.Attrs, policy.Attr{Name: name, Value: value})
	}
	return r
}

// ask decides about a request with the attributes.
func (s *scene) ask(attrs ...string) *policy.Decision { return s.decide(request(attrs...)) }

func (s *scene) decide(r *policy.Request) *policy.Decision {
	s.Decide(r, &s.d)
	return &s.d
}

func (s *scene) peek(attrs ...string) *policy.Decision {
	s.Peek(request(attrs...), &s.d)
	return &s.d
}

// pass asks so often, and requires that all of it is granted.
func (s *scene) pass(times int, attrs ...string) {
	s.t.Helper()
	for i := range times {
		require.True(s.t, s.ask(attrs...).OK, "request %d: %v", i, s.d.LogValue())
	}
}

// refuse asks, and requires that the action refuses it, for so long.
func (s *scene) refuse(by policy.Action, wait time.Duration, attrs ...string) *policy.Decision {
	s.t.Helper()
	d := s.ask(attrs...)
	require.False(s.t, d.OK)
	require.Equal(s.t, by, d.Action)
	require.Equal(s.t, wait, d.RetryAfter)
	return d
}

// remaining returns what remains of a limit, for a request with the attributes.
func (s *scene) remaining(limit string, attrs ...string) int {
	s.t.Helper()
	var d policy.Decision
	s.Peek(&policy.Request{Method: "GET", Path: "/", Attrs: request(attrs...).Attrs, Cost: -1}, &d)
	for _, standing := range d.Standings {
		if standing.Name == limit {
			return standing.Remaining
		}
	}
	require.Fail(s.t, "no such limit", limit)
	return 0
}
