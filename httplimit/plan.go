package httplimit

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/policy"
)

// plan is what a middleware has to know of the policy that its engine has. It is immutable.
type plan struct {
	version      any
	err          error  // an attribute that nobody provides
	names        []bool // which of the attributes the policy names
	trustsNobody bool   // one of these does
	settled      map[limitName]bool
	tests        []testHeader
}

type limitName struct{ rule, limit string }

// testHeader is a request's header field that lowers the limit of a name.
type testHeader struct{ field, limit string }

// current returns the plan of the policy that the engine has now.
func (m *middleware) current() *plan {
	version := m.engine.Version()
	if p := m.latest.Load(); p != nil && p.version == version {
		return p
	}
	p := m.plan(version) // of this version or a later one, which is found out the next time
	m.latest.Store(p)
	return p
}

func (m *middleware) plan(version any) *plan {
	whole := m.engine.Policy()
	p := &plan{version: version, names: make([]bool, len(m.who)), settled: map[limitName]bool{}}
	for _, name := range whole.Attributes() {
		i, ok := slices.BinarySearchFunc(m.who, name, func(a attribute, name string) int { return strings.Compare(a.name, name) })
		if !ok {
			p.err = &ratelimit.ArgumentError{Func: "httplimit.Middleware", Field: "who[" + strconv.Quote(name) + "]", Value: nil,
				Want: "an attribute, as the policy names it"}
			continue
		}
		p.names[i] = true
		p.trustsNobody = p.trustsNobody || m.who[i].trustsNobody
	}
	for _, rule := range whole.Rules {
		for _, l := range rule.Limits {
			if len(l.Count) > 0 || l.Of != "" {
				p.settled[limitName{rule.Name, l.Name}] = true
			}
			t := testHeader{http.CanonicalHeaderKey(testPrefix + l.Name), l.Name}
			if !slices.Contains(p.tests, t) {
				p.tests = append(p.tests, t)
			}
		}
	}
	return p
}

// asksAs reports whether p has the same attributes read as o, which has been fit.
func (p *plan) asksAs(o *plan) bool {
	return p == o || p.err == nil && slices.Equal(p.names, o.names)
}

// settles reports whether a limit that applied is settled after the response.
func (p *plan) settles(d *policy.Decision) bool {
	if len(p.settled) == 0 {
		return false
	}
	for i := range d.Standings {
		if s := &d.Standings[i]; p.settled[limitName{s.Rule, s.Name}] {
			return true
		}
	}
	return false
}

const (
	testField  = "X-Ratelimit"
	testPrefix = "X-Ratelimit-"
)

// test has the engine refuse the request, or lower limits for it, as its header fields want it.
// What is no number is no wish.
func (p *plan) test(ask *policy.Request, h http.Header) {
	ask.Refuse = forces(first(h[testField]))
	for _, t := range p.tests {
		if to, ok := parseLimit(first(h[t.field])); ok {
			ask.Tighten = append(ask.Tighten, policy.Tightening{Limit: t.limit, To: to})
		}
	}
}

func first(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return values[0]
}

// forces reports whether the value is neither blank nor zero.
func forces(value string) bool {
	return strings.Trim(value, " \t") != "" && strings.Trim(value, " \t0") != ""
}

// parseLimit parses a whole number, not negative.
func parseLimit(value string) (n int, ok bool) {
	digits := strings.Trim(value, " \t")
	if digits == "" || strings.Trim(digits, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.Atoi(digits)
	if err != nil {
		return 0, false // it is larger than any limit
	}
	return n, true
}
