package policy

import (
	"slices"
	"strings"
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/strikes"
)

// ladder is a rule's: what is done to its keys.
type ladder struct {
	*penalties
	compiled strikes.Ladder
	steps    []step
}

type step struct {
	Step
	who  *who  // nil: the key of the rule
	slow int32 // the place of a throttle among those of who
}

// who is a key that steps hit in every rule.
type who struct {
	*penalties
	key key
}

// penalties are what has become of keys. When the policy is replaced, the next generation has the
// same table and the same set, but throttles of its own: so one that is not used leaves no trace.
type penalties struct {
	generation *generation
	strikes    *strikes.Table
	revoked    *strikes.Revoked // nil: no step revokes
	throttles  []throttle       // their places stay
}

// throttle is a gcra for keys that are throttled.
type throttle struct {
	to    ratelimit.Rate
	limit *limit
}

// penalties returns the generation's own of that name: a copy of those before, if there are any.
func (g *generation) penalties(all map[string]*penalties, name string) *penalties {
	p, ok := all[name]
	switch {
	case !ok:
		p = &penalties{strikes: strikes.New(g.engine.capacity)}
	case p.generation == g:
		return p
	default:
		before := p
		p = &penalties{strikes: before.strikes, revoked: before.revoked, throttles: slices.Clone(before.throttles)}
	}
	p.generation = g
	all[name] = p
	return p
}

// throttle returns the place of the throttle of a step, which is made if there is none.
func (g *generation) throttle(p *penalties, s *Step) (place int32, err error) {
	at := slices.IndexFunc(p.throttles, func(t throttle) bool { return t.to == *s.To })
	if at < 0 {
		l := s.throttle()
		made := &limit{own: l.bind(), tally: new(tally)}
		if made.store, err = g.engine.newStore(&l, []*bound{&made.own}, max(g.engine.capacity/8, 64)); err != nil {
			return 0, err
		}
		made.class = made.store.class()
		made.table, _ = made.store.(*lockFree)
		at, p.throttles = len(p.throttles), append(p.throttles, throttle{to: *s.To, limit: made})
	}
	return int32(at), nil
}

// ladder compiles that of a rule.
func (g *generation) ladder(r *Rule) (*ladder, error) {
	l := &ladder{penalties: g.penalties(g.engine.ladders, r.Name+" "+strings.Join(r.Key, " "))}
	var steps []strikes.Step
	for _, s := range r.Ladder {
		one := step{Step: s}
		if len(s.Who) > 0 && r.Mode != Shadow { // which has no effect on others
			one.who = g.who(s.Who)
		}
		compiled := strikes.Step{After: s.After, Within: time.Duration(s.Within), Do: deeds[s.Do], For: time.Duration(s.For)}
		if s.Do == doThrottle {
			var err error
			if compiled.Slow, err = g.throttle(l.penalties, &s); err != nil {
				return nil, err
			}
			if one.who != nil {
				if one.slow, err = g.throttle(one.who.penalties, &s); err != nil {
					return nil, err
				}
			}
		}
		if s.Do == doRevoke {
			l.revokes(g.engine.capacity)
			if one.who != nil {
				one.who.revokes(g.engine.capacity)
			}
		}
		l.steps = append(l.steps, one)
		steps = append(steps, compiled)
	}
	var err error
	l.compiled, err = strikes.NewLadder(steps)
	return l, err
}

// revokes makes the set of the revoked, if there is none.
func (p *penalties) revokes(capacity int) {
	if p.revoked == nil {
		p.revoked = strikes.NewRevoked(capacity)
	}
}

var deeds = map[string]strikes.Do{
	doLog: strikes.Log, doNotify: strikes.Notify, doThrottle: strikes.Throttle, doBlock: strikes.Block, doRevoke: strikes.Revoke,
}

func (g *generation) who(parts []string) *who {
	p := g.penalties(g.engine.whos, strings.Join(parts, " "))
	for _, w := range g.whos {
		if w.penalties == p {
			return w
		}
	}
	w := &who{penalties: p, key: g.key(parts, false)}
	g.whos = append(g.whos, w)
	return w
}
