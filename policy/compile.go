package policy

import (
	"fmt"
	"math/bits"
	"slices"
	"strings"

	"github.com/seed-3506548a/ratelimit"
)

// generation is a policy as it is asked: immutable once it is in use, but for what its stores
// count.
type generation struct {
	engine *Engine
	policy Policy
	names  names
	costs  []cost
	rules  []rule
	gates  []gate              // of the rules, side by side
	whos   []*who              // that a step of some rule names
	opens  map[place]OpenStore // of the limits that are in stores

	classes   []class // of the limits, in the order in which they are charged
	locked    bool    // some limit has a class before last
	outer     bool    // some limit is in a Store
	wall      bool    // some limit goes by the wall clock
	patterned bool    // something is for some paths only
	punishing bool    // some rule has a ladder
	watching  bool    // some rule watches or is in shadow
}

type cost struct {
	scope
	n int
}

type rule struct {
	scope
	name   string
	mode   Mode
	key    key
	skip   bool // if there is no key
	limits []limit
	ladder *ladder // nil: none
}

// limit is a Limit of a rule.
type limit struct {
	name   string
	of     string
	count  []statuses
	hidden bool
	window bool // what is used comes back at once, at its end
	store  store
	table  *lockFree // the store, if it is one
	class  class
	tally  *tally

	own       bound
	overrides overrides
}

// statuses is what a text of Count is for: 401, or from 400 to 499.
type statuses struct{ from, to int }

func parseStatuses(s string) statuses {
	if hundred, ok := strings.CutSuffix(s, "xx"); ok {
		from := int(hundred[0]-'0') * 100
		return statuses{from, from + 99}
	}
	status := 0
	for _, digit := range s {
		status = 10*status + int(digit-'0')
	}
	return statuses{status, status}
}

// stateID is what a limit's state is kept by when the policy is replaced.
type stateID struct {
	rule, limit, of, count, key string
	as                          Algorithm
	period                      int64
}

// compile returns the generation of a valid policy. It keeps the state of the generation before, if
// there is one; what it adds is the engine's only when the caller says so.
func (e *Engine) compile(p Policy, fn string) (*generation, error) {
	g := &generation{engine: e, policy: p}
	if err := g.findStores(fn); err != nil {
		return nil, err
	}
	for _, c := range p.Costs {
		g.costs = append(g.costs, cost{g.scope(c.Match, nil), c.N})
	}
	overridden := p.overridden()
	for i := range p.Rules {
		r := &p.Rules[i]
		compiled := rule{
			scope: g.scope(r.Match, r.When), name: r.Name, mode: r.Mode,
			key: g.key(r.Key, r.Missing == missingShare), skip: r.Missing == missingSkip,
		}
		for j := range r.Limits {
			l, err := g.limit(r, place{i, j}, overridden[place{i, j}])
			if err != nil {
				return nil, fmt.Errorf("%s: rules[%d].limits[%d]: %w", fn, i, j, err)
			}
			g.classes = append(g.classes, l.class)
			g.wall = g.wall || r.Limits[j].As == Aligned
			compiled.limits = append(compiled.limits, l)
		}
		g.watching = g.watching || r.Mode == Watch || r.Mode == Shadow
		if len(r.Ladder) > 0 {
			g.punishing = true
			var err error
			if compiled.ladder, err = g.ladder(r); err != nil {
				return nil, fmt.Errorf("%s: rules[%d].ladder: %w", fn, i, err)
			}
		}
		g.rules = append(g.rules, compiled)
		g.gates = append(g.gates, compiled.gate())
	}
	slices.Sort(g.classes)
	g.classes = slices.Compact(g.classes)
	if len(g.classes) > 0 {
		g.locked, g.outer = g.classes[0] < last, g.classes[0] == outer
	}
	return g, nil
}

// bind returns the bound of a limit.
func (l *Limit) bind() bound {
	b := bound{rate: l.Rate, burst: l.burst(), shown: l.Shown, most: l.Rate.Events}
	if (l.As == GCRA || l.As == Interval) && l.Rate.Events > 0 {
		b.most = b.burst
	}
	if l.Shown != nil {
		b.reduced = slower(l.Rate, *l.Shown)
	}
	return b
}

// slower reports whether a is a lower rate than b.
func slower(a, b ratelimit.Rate) bool {
	high, low := bits.Mul64(uint64(a.Events), uint64(b.Per))
	high2, low2 := bits.Mul64(uint64(b.Events), uint64(a.Per))
	return high < high2 || high == high2 && low < low2
}

func (g *generation) limit(r *Rule, at place, overridden []*Override) (limit, error) {
	l := &r.Limits[at.limit]
	compiled := limit{name: l.Name, of: l.Of, hidden: l.Hidden, window: l.As == Anchored || l.As == Aligned, own: l.bind()}
	for _, text := range l.Count {
		compiled.count = append(compiled.count, parseStatuses(text))
	}
	for _, o := range overridden {
		changed := o.apply(*l)
		b := changed.bind()
		b.unlimited = o.Unlimited
		compiled.overrides.add(override{g.scope(o.Match, o.When), b})
	}
	compiled.overrides.index()
	bounds := []*bound{&compiled.own}
	for i := range compiled.overrides.list {
		if b := &compiled.overrides.list[i].bound; !b.unlimited {
			bounds = append(bounds, b)
		}
	}

	id := stateID{r.Name, l.Name, l.Of, strings.Join(l.Count, " "), strings.Join(r.Key, " "), l.As, int64(l.Rate.Per)}
	var err error
	if compiled.store = g.engine.stores[id]; compiled.store != nil {
		err = bindAll(compiled.store, bounds)
	} else if open := g.opens[at]; open != nil {
		compiled.store, err = newExternal(l, id, open, bounds)
	} else {
		compiled.store, err = g.engine.newStore(l, bounds, g.engine.capacity)
	}
	if err != nil {
		return limit{}, err
	}
	g.engine.stores[id] = compiled.store
	if compiled.tally = g.engine.tallies[id]; compiled.tally == nil {
		compiled.tally = new(tally)
		g.engine.tallies[id] = compiled.tally
	}
	compiled.class = compiled.store.class()
	compiled.table, _ = compiled.store.(*lockFree)
	return compiled, nil
}

// override is one for a limit.
type override struct {
	scope
	bound bound
}

// overrides are those for a limit. There may be one for each of many customers, so those that ask
// for values of an attribute are looked up by its value, and the others are walked.
type overrides struct {
	list    []override
	byValue []byValue
	walked  []int // places in list, the last first
}

type byValue struct {
	attribute int
	places    map[string][]int // in list, the last first
}

func (o *overrides) add(one override) { o.list = append(o.list, one) }

func (o *overrides) index() {
	for at := len(o.list) - 1; at >= 0; at-- {
		when := o.list[at].when
		by := slices.IndexFunc(when, func(c clause) bool { return len(c.values) > 0 && !c.not })
		if by < 0 {
			o.walked = append(o.walked, at)
			continue
		}
		of := slices.IndexFunc(o.byValue, func(b byValue) bool { return b.attribute == when[by].attribute })
		if of < 0 {
			of = len(o.byValue)
			o.byValue = append(o.byValue, byValue{when[by].attribute, map[string][]int{}})
		}
		for _, value := range when[by].values {
			o.byValue[of].places[value] = append(o.byValue[of].places[value], at)
		}
	}
}

// of returns the bound of the last override that is for a request, or nil.
func (o *overrides) of(t *target, values []attribute) *bound {
	best := -1
	try := func(places []int) {
		for _, at := range places {
			if at <= best {
				return
			}
			if o.list[at].includes(t, values) {
				best = at
				return
			}
		}
	}
	for i := range o.byValue {
		try(o.byValue[i].places[values[o.byValue[i].attribute].value])
	}
	try(o.walked)
	if best < 0 {
		return nil
	}
	return &o.list[best].bound
}

// cost returns how many events a request counts as.
func (g *generation) cost(r *Request, t *target) int {
	if r.Cost != 0 {
		return r.Cost
	}
	for i := len(g.costs) - 1; i >= 0; i-- {
		if g.costs[i].includes(t, nil) {
			return g.costs[i].n
		}
	}
	return 1
}
