package policy_test

import (
	"math"
	"strconv"
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/policy"
)

// source turns bytes into choices; when they are used up, it chooses 0.
type source struct{ data []byte }

func (s *source) below(n int) int {
	if len(s.data) == 0 {
		return 0
	}
	b := s.data[0]
	s.data = s.data[1:]
	return int(b) % n
}

// one reports true once in n times, and never when the bytes are used up.
func (s *source) one(n int) bool { return s.below(n) == n-1 && n > 1 }

func choose[T any](s *source, of ...T) T { return of[s.below(len(of))] }

// policy returns a policy of few rules, with small numbers. It is nearly always valid.
func (s *source) policy() policy.Policy {
	var p policy.Policy
	for range s.below(3) {
		p.Costs = append(p.Costs, policy.Cost{Match: []string{s.pattern()}, N: s.below(4)})
	}
	for i := range 1 + s.below(3) {
		p.Rules = append(p.Rules, s.rule("r"+strconv.Itoa(i)))
	}
	if s.one(4) {
		p.Rules = append(p.Rules, policy.Rule{Name: "free", Mode: policy.Exempt, When: []string{"plan=free"}, Match: []string{"/b/"}})
	}
	for range s.below(4) {
		if o, ok := s.override(&p); ok {
			p.Overrides = append(p.Overrides, o)
		}
	}
	for p.Validate() != nil && len(p.Overrides) > 0 {
		p.Overrides = p.Overrides[1:]
	}
	for i := range p.Rules {
		for p.Validate() != nil && len(p.Rules[i].Ladder) > 0 {
			p.Rules[i].Ladder = p.Rules[i].Ladder[1:]
		}
	}
	return p
}

func (s *source) pattern() string {
	return choose(s, "/", "/a", "GET /a/{id}", "/b/", "POST /", "/b/{$}", "GET /")
}

func (s *source) rule(name string) policy.Rule {
	r := policy.Rule{Name: name, Key: choose(s, []string{"user"}, nil, []string{"user|ip"}, []string{"user", "ip"}, []string{"ip"},
		[]string{"user|ip", "ip|user"}),
		Mode: choose(s, policy.Enforce, policy.Enforce, policy.Enforce, policy.Watch, policy.Shadow)}
	if s.one(3) {
		r.Match = []string{s.pattern()}
	}
	if s.one(3) {
		r.When = []string{choose(s, "plan=pro|free", "ip", "plan!=pro", "!plan", "ip=1")}
	}
	if len(r.Key) > 0 {
		r.Missing = choose(s, "", "skip", "share")
	}
	for i := range 1 + s.below(3) {
		r.Limits = append(r.Limits, s.limit("l"+strconv.Itoa(i)))
	}
	if s.one(2) {
		for range 1 + s.below(3) {
			r.Ladder = append(r.Ladder, s.step())
		}
	}
	return r
}

func (s *source) rate() ratelimit.Rate {
	rate := ratelimit.Per(1+s.below(5), choose(s, time.Second, 3*time.Second, 1_000_000_007, 10*time.Second, time.Minute))
	if s.one(40) {
		rate.Events = 0
	}
	return rate
}

func (s *source) limit(name string) policy.Limit {
	l := policy.Limit{Name: name, Rate: s.rate(), As: choose(s, policy.GCRA, policy.Interval, policy.Anchored, policy.Aligned, policy.Log, policy.Counter)}
	if s.one(2) && (l.As == policy.GCRA || l.As == policy.Interval || l.As == policy.Counter) {
		l.Burst = 1 + s.below(6)
	}
	switch s.below(6) {
	case 1:
		l.Of = "tokens"
	case 2:
		l.Count = []string{choose(s, "401", "4xx")}
	}
	switch s.below(5) {
	case 1:
		l.Hidden = true
	case 2:
		shown := ratelimit.Per(1+s.below(9), l.Rate.Per)
		l.Shown = &shown
	}
	return l
}

func (s *source) step() policy.Step {
	step := policy.Step{After: 1 + s.below(3), Do: choose(s, "log", "notify", "throttle", "throttle", "block", "block", "revoke")}
	if step.After > 1 || s.one(2) {
		step.Within = choose(s, policy.Span(2*time.Second), policy.Span(10*time.Second), policy.Span(time.Minute))
	}
	if step.Do == "throttle" {
		to := s.rate()
		to.Events = max(to.Events, 1)
		step.To = &to
	}
	if step.Do == "throttle" || step.Do == "block" {
		step.For = choose(s, policy.Span(time.Second), policy.Span(3*time.Second), policy.Span(20*time.Second))
	}
	if step.Do != "log" && step.Do != "notify" {
		step.Who = choose(s, nil, nil, []string{"user"}, []string{"ip"}, []string{"user", "ip"})
	}
	return step
}

// override returns one for a limit of the policy.
func (s *source) override(p *policy.Policy) (o policy.Override, ok bool) {
	r := &p.Rules[s.below(len(p.Rules))]
	if len(r.Limits) == 0 {
		return o, false
	}
	l := &r.Limits[s.below(len(r.Limits))]
	o.Limit = r.Name + "/" + l.Name
	if s.one(2) {
		o.Match = []string{s.pattern()}
	} else {
		o.When = []string{choose(s, "plan=pro", "plan=free", "plan", "user=1")}
	}
	switch s.below(5) {
	case 0, 1:
		rate := s.rate()
		if l.As != policy.GCRA {
			rate.Per = l.Rate.Per
		}
		o.Rate = &rate
	case 2:
		if l.As != policy.GCRA && l.As != policy.Interval {
			return o, false
		}
		o.Burst = 1 + s.below(8)
	case 3:
		o.Unlimited = true
	default:
		if l.Hidden {
			return o, false
		}
	}
	if !o.Unlimited && !l.Hidden && (s.one(4) || o.Rate == nil && o.Burst == 0) {
		shown := ratelimit.Per(1+s.below(9), l.Rate.Per)
		o.Shown = &shown
	}
	return o, true
}

// request returns one of few users and addresses.
func (s *source) request() policy.Request {
	r := policy.Request{Method: choose(s, "GET", "GET", "POST", "HEAD"), Path: choose(s, "/a", "/a/1", "/b/", "/b/c/d", "")}
	for _, name := range []string{"user", "ip", "plan"} {
		v := choose(s, "1", "2", "1", "2", "1", "")
		if name == "plan" {
			v = choose(s, "", "", "pro", "free")
		}
		if v != "" || s.one(2) {
			r.Attrs = append(r.Attrs, policy.Attr{Name: name, Value: v})
		}
	}
	if s.one(5) {
		r.Cost = choose(s, 2, 3, 5, 9, -1, math.MaxInt32, math.MaxInt, math.MinInt)
	}
	if s.one(2) {
		r.Amounts = []policy.Amount{{Name: "tokens", N: choose(s, 1, 2, 3, 0, 7, -1)}}
	}
	if s.one(8) {
		r.Tighten = []policy.Tightening{{Limit: choose(s, "l0", "l1", "r0/l0", "r1/l0"), To: choose(s, 1, 2, 0, 3, -1, 100)}}
	}
	r.Refuse = s.one(30)
	return r
}

// outcome returns one of a request that was granted.
func (s *source) outcome() policy.Outcome {
	o := policy.Outcome{Status: choose(s, 200, 401, 404, 401, 0)}
	if s.one(2) {
		o.Amounts = []policy.Amount{{Name: "tokens", N: choose(s, 0, 1, 2, 4, 20, -3)}}
	}
	return o
}
