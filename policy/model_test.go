package policy_test

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/limittest"
	"github.com/seed-3506548a/ratelimit/policy"
)

// reference is the engine as it is written down, for one caller at a time: slow and obvious. Keys
// are texts, penalties are plain structs, and limiters are models in unbounded integers.
//
// Two things are as the engine has them for its speed, and not as one would wish them: a table's
// gcra goes by ticks, and a limiter in a map grows for a larger bound. See table and limiters.
type reference struct {
	policy   policy.Policy
	clock    *limittest.Clock
	origin   time.Time
	capacity int

	meters    map[string]meter   // by rule, limit, as, of, count, period and key
	throttles map[string]*table  // by whom they slow down, and to what
	dossiers  map[string]dossier // by whose they are
	revoked   map[string]bool
	undo      []func() // of what was changed since Decide or Peek began
}

// answer is what a Decision says.
type answer struct {
	OK         bool
	Action     policy.Action
	RetryAfter time.Duration
	Standings  []policy.Standing
	Binding    int
	MoreAfter  time.Duration
	Reached    []policy.Reached
	Shadow     bool
}

// settled is what Done and Undo need.
type settled struct {
	over  bool
	at    time.Time
	cost  int
	rules []*applied
}

// applied is a rule that a request is for, and asked a limit of it.
type applied struct {
	*policy.Rule
	key     string
	missing bool
	limits  []*asked
	crossed bool // a rule that refuses nothing would have
}

type asked struct {
	rule    *policy.Rule
	own     policy.Limit
	bound   policy.Limit // as an override has it
	meter   meter
	key     string
	n       int // must fit,
	cost    int // is charged
	told    ratelimit.Decision
	beyond  int // what a test takes off the limit
	charged bool
}

func newReference(p policy.Policy, capacity int, c *limittest.Clock) *reference {
	m := &reference{clock: c, origin: c.Now(), capacity: capacity, meters: map[string]meter{}, throttles: map[string]*table{},
		dossiers: map[string]dossier{}, revoked: map[string]bool{}}
	m.replace(p)
	return m
}

// replace reports whether all that is kept can be.
func (m *reference) replace(p policy.Policy) bool {
	meters := map[string]meter{}
	for i := range p.Rules {
		r := &p.Rules[i]
		for _, l := range r.Limits {
			var overridden []policy.Limit
			for j := range p.Overrides {
				if o := &p.Overrides[j]; names(o.Limit, r, l) && !o.Unlimited {
					overridden = append(overridden, changed(l, o))
				}
			}
			id := identity(r, l)
			kept, ok := m.meters[id]
			if !ok {
				kept = m.newMeter(l, overridden)
			}
			for _, b := range append(overridden, l) {
				if !kept.keeps(b) {
					return false
				}
			}
			meters[id] = kept
		}
	}
	m.policy, m.meters = p, meters
	m.forget()
	for i := range p.Rules {
		for _, s := range p.Rules[i].Ladder {
			m.prepare(&p.Rules[i], s)
		}
	}
	return true
}

// forget forgets what ladders have done that the policy does not have.
func (m *reference) forget() {
	live := map[string]bool{}
	for i := range m.policy.Rules {
		r := &m.policy.Rules[i]
		for _, s := range r.Ladder {
			live[whose(ofRule(r, ""))] = true
			if len(s.Who) > 0 && r.Mode != policy.Shadow {
				live[whose(ofWho(s.Who, ""))] = true
			}
		}
	}
	maps.DeleteFunc(m.dossiers, func(of string, _ dossier) bool { return !live[whose(of)] })
	maps.DeleteFunc(m.revoked, func(of string, _ bool) bool { return !live[whose(of)] })
	maps.DeleteFunc(m.throttles, func(name string, _ *table) bool { return !live[name[:strings.LastIndex(name, " to ")]] })
}

// whose returns the ladder, or the who, of a key.
func whose(of string) string {
	of, _, _ = strings.Cut(of, ";")
	return of
}

func identity(r *policy.Rule, l policy.Limit) string {
	return strings.Join([]string{r.Name, l.Name, string(l.As), l.Of, strings.Join(l.Count, " "), l.Rate.Per.String(), strings.Join(r.Key, " ")}, "; ")
}

// names reports whether the name, or rule/name, is the limit's.
func names(name string, r *policy.Rule, l policy.Limit) bool {
	return name == l.Name || name == r.Name+"/"+l.Name
}

// changed returns the limit as an override has it.
func changed(l policy.Limit, o *policy.Override) policy.Limit {
	if o.Rate != nil {
		l.Rate, l.Shown = *o.Rate, nil
	}
	if o.Shown != nil {
		l.Shown = o.Shown
	}
	if o.Burst != 0 {
		l.Burst = o.Burst
	}
	return l
}

func (m *reference) onUndo(f func()) { m.undo = append(m.undo, f) }

// Attributes, conditions, patterns and keys.

func value(r *policy.Request, name string) string {
	for _, a := range r.Attrs {
		if a.Name == name && a.Value != "" {
			return a.Value
		}
	}
	return ""
}

func holds(r *policy.Request, condition string) bool {
	if name, list, ok := strings.Cut(condition, "!="); ok {
		return !slices.Contains(strings.Split(list, "|"), value(r, name))
	}
	if name, list, ok := strings.Cut(condition, "="); ok {
		return slices.Contains(strings.Split(list, "|"), value(r, name))
	}
	if name, ok := strings.CutPrefix(condition, "!"); ok {
		return value(r, name) == ""
	}
	return value(r, condition) != ""
}

// served remembers what a ServeMux said that has only the one pattern.
var served = map[[3]string]bool{}

func matches(r *policy.Request, pattern string) bool {
	if r.Path == "" {
		return false
	}
	k := [3]string{pattern, r.Method, r.Path}
	is, ok := served[k]
	if !ok {
		mux := http.NewServeMux()
		mux.Handle(pattern, http.NotFoundHandler())
		request, err := http.NewRequest(r.Method, "http://host"+r.Path, nil)
		if err == nil {
			_, found := mux.Handler(request)
			is = found != ""
		}
		served[k] = is
	}
	return is
}

func includes(r *policy.Request, match, when []string) bool {
	return (len(match) == 0 || slices.ContainsFunc(match, func(p string) bool { return matches(r, p) })) &&
		!slices.ContainsFunc(when, func(c string) bool { return !holds(r, c) })
}

// keyOf returns the text of a key: of each part, the name and the value of the first that is there.
func keyOf(r *policy.Request, parts []string, share bool) (key string, ok bool) {
	for _, part := range parts {
		there := false
		for _, name := range strings.Split(part, "|") {
			if v := value(r, name); v != "" {
				key += "\x00" + name + "\x01" + v
				there = true
				break
			}
		}
		if !there && !share {
			return "", false
		} else if !there {
			key += "\x00"
		}
	}
	return key, true
}

// Settling.

func amountOf(all []policy.Amount, name string) (int, bool) {
	for _, a := range all {
		if a.Name == name {
			return a.N, true
		}
	}
	return 0, false
}

func (m *reference) done(s *settled, o policy.Outcome) {
	if s.over {
		return
	}
	s.over = true
	t := o.Time
	if t.IsZero() {
		t = m.clock.Now()
	}
	for _, r := range s.rules {
		if r.crossed || r.missing {
			continue
		}
		for _, a := range r.limits {
			actual, known := amountOf(o.Amounts, a.own.Of)
			charged := 0
			if a.charged {
				charged = a.cost
			}
			switch actual = max(actual, 0); {
			case len(a.own.Count) > 0:
				if slices.ContainsFunc(a.own.Count, func(c string) bool { return counts(c, o.Status) }) {
					a.meter.charge(t, a.key, s.cost, a.bound)
				}
			case a.own.Of == "" || !known:
			case actual > charged:
				a.meter.charge(t, a.key, actual-charged, a.bound)
			case actual < charged:
				a.meter.refund(t, a.key, charged-actual, max(t.Sub(s.at), 0), a.bound)
			}
		}
	}
	m.undo = nil
}

func counts(text string, status int) bool {
	if class, ok := strings.CutSuffix(text, "xx"); ok {
		return int(class[0]-'0') == status/100
	}
	return int(text[0]-'0')*100+int(text[1]-'0')*10+int(text[2]-'0') == status
}

func (m *reference) undone(s *settled) {
	if s.over {
		return
	}
	s.over = true
	now := m.clock.Now()
	if now.Before(s.at) {
		now = s.at
	}
	for _, r := range s.rules {
		for _, a := range r.limits {
			if a.charged {
				a.meter.refund(now, a.key, a.cost, now.Sub(s.at), a.bound)
			}
		}
	}
}
