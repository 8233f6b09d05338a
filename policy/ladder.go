package policy

import (
	"hash/maphash"
	"slices"
	"strings"
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/strikes"
)

// ladder is a rule's: what is done to its keys.
type ladder struct {
	*penalties
	compiled  strikes.Ladder
	steps     []step
	throttles []throttle
}

type step struct {
	Step
	who  *who  // nil: the key of the rule
	slow int32 // the place of a throttle among those of who
}

// who is a key that steps hit in every rule.
type who struct {
	*penalties
	key       key
	throttles []throttle
}

// penalties are what has become of keys. They stay when the policy is replaced.
type penalties struct {
	strikes *strikes.Table
	id      uint64      // in the engine's set of the revoked
	slowed  *[]throttle // is only appended to, so that places stay
}

// throttle is a gcra for keys that are throttled.
type throttle struct {
	to    ratelimit.Rate
	limit *limit
}

func (e *Engine) penaltiesOf(all map[string]*penalties, name string) *penalties {
	p, ok := all[name]
	if !ok {
		p = &penalties{strikes: strikes.New(e.capacity), id: maphash.String(e.seed, name), slowed: new([]throttle)}
		all[name] = p
	}
	return p
}

// throttle returns the place of the throttle to a rate, which is made if there is none.
func (e *Engine) throttle(p *penalties, to ratelimit.Rate) (place int32, err error) {
	for i := range *p.slowed {
		if (*p.slowed)[i].to == to {
			return int32(i), nil
		}
	}
	l := Limit{Rate: to, As: GCRA, Burst: inASecond(to)}
	made := &limit{own: l.bind(), tally: new(tally)}
	if made.store, err = e.newStore(&l, []*bound{&made.own}, max(e.capacity/8, 64)); err != nil {
		return 0, err
	}
	made.class = made.store.class()
	made.table, _ = made.store.(*lockFree)
	*p.slowed = append(*p.slowed, throttle{to, made})
	return int32(len(*p.slowed) - 1), nil
}

// inASecond returns the burst of a throttle: what its rate lets through in a second, at least 1.
func inASecond(rate ratelimit.Rate) int {
	return int(max(1, min(int64(rate.Events)*int64(time.Second)/int64(rate.Per), 1<<20)))
}

// ladder compiles that of a rule.
func (g *generation) ladder(r *Rule) (*ladder, error) {
	e := g.engine
	l := &ladder{penalties: e.penaltiesOf(e.ladders, r.Name+" "+strings.Join(r.Key, " "))}
	var steps []strikes.Step
	for _, s := range r.Ladder {
		one := step{Step: s}
		if len(s.Who) > 0 && r.Mode != Shadow { // which has no effect on others
			one.who = g.who(s.Who)
		}
		compiled := strikes.Step{After: s.After, Within: time.Duration(s.Within), Do: deeds[s.Do], For: time.Duration(s.For)}
		if s.Do == doThrottle {
			var err error
			if compiled.Slow, err = e.throttle(l.penalties, *s.To); err != nil {
				return nil, err
			}
			if one.who != nil {
				if one.slow, err = e.throttle(one.who.penalties, *s.To); err != nil {
					return nil, err
				}
			}
		}
		l.steps = append(l.steps, one)
		steps = append(steps, compiled)
	}
	var err error
	l.compiled, err = strikes.NewLadder(steps)
	return l, err
}

var deeds = map[string]strikes.Do{
	doLog: strikes.Log, doNotify: strikes.Notify, doThrottle: strikes.Throttle, doBlock: strikes.Block, doRevoke: strikes.Revoke,
}

func (g *generation) who(parts []string) *who {
	p := g.engine.penaltiesOf(g.engine.whos, strings.Join(parts, " "))
	for _, w := range g.whos {
		if w.penalties == p {
			return w
		}
	}
	w := &who{penalties: p, key: g.key(parts, false)}
	g.whos = append(g.whos, w)
	return w
}

// snapshot takes the throttles that there are when all ladders are compiled: those that a Replace
// adds are not this generation's.
func (g *generation) snapshot() {
	for i := range g.rules {
		if l := g.rules[i].ladder; l != nil {
			l.throttles = slices.Clone(*l.slowed)
		}
	}
	for _, w := range g.whos {
		w.throttles = slices.Clone(*w.slowed)
	}
}
