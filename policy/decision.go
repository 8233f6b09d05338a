package policy

import (
	"log/slog"
	"slices"
	"time"

	"github.com/seed-3506548a/ratelimit"
)

// Action is what decided about a request: [Granted], [ByExempt], [ByLimit], [ByThrottle],
// [ByBlock], [ByRevoke], [ByTest], [ByMissing] or [ByStore].
type Action string

// The actions. A request that several of these refuse is said to be refused by the first of revoke,
// block, missing, limit, throttle, store and test.
const (
	Granted    Action = ""
	ByExempt   Action = "exempt"   // granted: a rule with mode exempt is for it
	ByLimit    Action = "limit"    // a limit refused it
	ByThrottle Action = "throttle" // the throttle of a ladder did
	ByBlock    Action = "block"    // the key was blocked already
	ByRevoke   Action = "revoke"   // the key is revoked, until it is pardoned
	ByTest     Action = "test"     // Tighten or Refuse of the Request did
	ByMissing  Action = "missing"  // it has no value for a part of a rule's key
	ByStore    Action = "store"    // a limit's store did not answer, and fails closed: see WithStore
)

// Decision is the answer to a [Request]. An engine fills it in and reuses its slices, so a Decision
// that is used again allocates nothing. Its zero value is ready to be filled in.
//
// It belongs to one request at a time, and is not safe for simultaneous use.
type Decision struct {
	// OK reports whether the request may be served. If so, it was charged.
	OK bool

	// Action is what decided.
	Action Action

	// RetryAfter is 0 if OK. Otherwise, with no other traffic, the same request is granted that
	// much later, and is refused a nanosecond earlier: the longest wait of all that refuse. (Tests
	// of a Request come after all else, and may refuse it then.) It is Never if the key is revoked
	// or missing, if a limit can never grant so much, or if the Action is ByStore, as then nobody
	// knows. (With a full keyed.Map it is an estimate.) Limits in a store that were not asked do
	// not count.
	RetryAfter time.Duration

	// Standings are all limits that applied, in the order of the policy; none if it is exempt.
	Standings []Standing

	// Binding is the index in Standings of the limit that a client is told of, if it is told of
	// one: of those that refuse, the one with the longest wait; if none does, the one with the
	// least Remaining of those without Count. In place of a hidden one it is the first of its rule
	// that may be told. It is -1 if there is none.
	Binding int

	// MoreAfter is how long until the binding limit grants one more than now, as it is enforced. So
	// a Shown of fewer events can have a Remaining of 0 then, too. It is Never if all of the limit
	// remains, or if none binds.
	MoreAfter time.Duration

	// Reached are the steps of ladders that this request has reached, in the order of the policy;
	// also those of rules that watch or are in shadow.
	Reached []Reached

	// Shadow reports whether a rule with mode shadow would have refused the request.
	Shadow bool

	// Err is why a store did not answer, if the Action is ByStore; else nil.
	Err error

	settlement settlement // what Done and Undo need
}

// Standing is how a limit stands: after a request that was granted, or without one that was not.
type Standing struct {
	Rule, Name string

	// Rate, Limit and Remaining are as shown: if the limit has a Shown, by that.
	Rate             ratelimit.Rate
	Limit, Remaining int

	// RetryAfter and ResetAfter are the limit's own, as it is enforced.
	RetryAfter, ResetAfter time.Duration

	// Crossed reports whether the limit does not grant the request.
	Crossed bool

	// Full reports that the limit has no room for a new key, and refuses it for that: more keys are
	// live than the capacity of [New]. No limit in a table does so: see [Counts].
	Full bool

	// Hidden limits, and those of rules with mode shadow, must not be told to clients.
	Hidden, Shadow bool

	// Reduced reports whether the rate that is enforced is lower than the one that is shown.
	Reduced bool

	// Unanswered reports that the limit's store was not asked, because something else refuses, or
	// did not answer: then Remaining and the waits are not the limit's.
	Unanswered bool
}

// Reached is a step of a ladder that a request has reached: the one that acts, or one that logs or
// notifies at its number of strikes. The Step is the policy's own: its To and Who must not be
// changed, unless the Decision is a Clone.
type Reached struct {
	Rule    string
	Step    Step
	Strikes int
}

// Clone returns a copy that shares nothing with d. Settle one of them: to call Done for both counts
// twice.
func (d *Decision) Clone() Decision {
	c := *d
	c.Standings = slices.Clone(d.Standings)
	c.Reached = slices.Clone(d.Reached)
	for i := range c.Reached {
		s := &c.Reached[i].Step
		s.To, s.Who = copied(s.To), slices.Clone(s.Who)
	}
	c.settlement.asked = slices.Clone(d.settlement.asked)
	c.settlement.throttles = slices.Clone(d.settlement.throttles)
	c.settlement.matched = slices.Clone(d.settlement.matched)
	c.settlement.attributes = slices.Clone(d.settlement.attributes)
	return c
}

// LogValue returns what a log needs: the decision, what decided, and the limit that binds.
func (d *Decision) LogValue() slog.Value {
	attrs := []slog.Attr{slog.Bool("ok", d.OK)}
	if d.Action != "" {
		attrs = append(attrs, slog.String("action", string(d.Action)))
	}
	if !d.OK {
		if d.RetryAfter == ratelimit.Never {
			attrs = append(attrs, slog.String("retry_after", "never"))
		} else {
			attrs = append(attrs, slog.Duration("retry_after", d.RetryAfter))
		}
	}
	if d.Binding >= 0 && d.Binding < len(d.Standings) {
		s := &d.Standings[d.Binding]
		attrs = append(attrs, slog.String("rule", s.Rule), slog.String("limit", s.Name), slog.Int("remaining", s.Remaining))
	}
	for _, r := range d.Reached {
		attrs = append(attrs, slog.Group("reached", slog.String("rule", r.Rule), slog.String("do", r.Step.Do), slog.Int("strikes", r.Strikes)))
	}
	if d.Shadow {
		attrs = append(attrs, slog.Bool("shadow", true))
	}
	if d.Err != nil {
		attrs = append(attrs, slog.String("error", d.Err.Error()))
	}
	return slog.GroupValue(attrs...)
}

// Cost returns how many events the request counted as; 0 if no rule was for it, or one exempted it.
func (d *Decision) Cost() int { return d.settlement.cost }
