package strikes

import (
	"fmt"
	"slices"
	"time"

	"github.com/seed-3506548a/ratelimit"
)

// Do is what a step does when it is reached.
type Do uint8

// What a step does. Log and Notify are reported; of the others, the last step that is reached acts.
const (
	Log Do = iota
	Notify
	Throttle
	Block
	Revoke
)

// Step is one step of a ladder: what follows so many strikes in a span of time.
type Step struct {
	After  int           // strikes, 1 or more
	Within time.Duration // in a span that begins with the first of them; 0 only with After 1: each strike
	Do     Do
	For    time.Duration // how long a Throttle or a Block lasts: more than 0
	Slow   int32         // of a Throttle: which limit the caller keeps meanwhile
}

// The most steps of a ladder, and the most different spans among them.
const (
	MaxSteps = 16
	MaxSpans = 4
)

// Ladder is the steps of a rule, in the document's order. It is immutable.
type Ladder struct {
	steps []Step
	spans []time.Duration // without 0, which needs no tally
}

// NewLadder returns the ladder of these steps. The error is a [*ratelimit.ArgumentError] if there
// are too many of them, or if one is not as its fields say.
func NewLadder(steps []Step) (Ladder, error) {
	refuse := func(field string, value any, want string) (Ladder, error) {
		return Ladder{}, &ratelimit.ArgumentError{Func: "strikes.NewLadder", Field: field, Value: value, Want: want}
	}
	if len(steps) > MaxSteps {
		return refuse("len(steps)", len(steps), fmt.Sprintf("at most %d", MaxSteps))
	}
	l := Ladder{steps: slices.Clone(steps)}
	for i, s := range steps {
		field := func(name string) string { return fmt.Sprintf("steps[%d].%s", i, name) }
		switch {
		case s.After < 1:
			return refuse(field("After"), s.After, "1 or more")
		case s.Within < 0:
			return refuse(field("Within"), s.Within, "0s or more")
		case s.Within == 0 && s.After > 1:
			return refuse(field("Within"), s.Within, "more than 0s, as After is more than 1")
		case s.Do > Revoke:
			return refuse(field("Do"), s.Do, "Log, Notify, Throttle, Block or Revoke")
		case s.For <= 0 && (s.Do == Throttle || s.Do == Block):
			return refuse(field("For"), s.For, "more than 0s")
		}
		if s.Within > 0 && !slices.Contains(l.spans, s.Within) {
			l.spans = append(l.spans, s.Within)
		}
		if len(l.spans) > MaxSpans {
			return refuse(field("Within"), s.Within, fmt.Sprintf("at most %d different spans", MaxSpans))
		}
	}
	return l, nil
}

// Struck is what a refusal came to.
type Struck struct {
	Counted bool   // it was a strike: the first refusal of an episode
	Reached uint16 // a bit for each Log and Notify step whose count became After by it
	Acts    int    // the index of the step that acts; -1: none
	Until   int64  // the end of what that step does, by its For
}

// none is what a refusal comes to that is no strike.
var none = Struck{Acts: -1}

// strike makes next what was becomes by a strike at now, and returns what that comes to.
func (l *Ladder) strike(next, was *Dossier, now int64, told time.Duration, elsewhere uint16) Struck {
	*next = *was
	next.episode = episodeAt(now, told)
	next.tallies = [MaxSpans]tally{}
	for i, within := range l.spans {
		next.tallies[i] = was.tally(within).with(now)
	}
	s := Struck{Counted: true, Acts: -1}
	for i, step := range l.steps {
		count := next.Strikes(step.Within)
		switch {
		case step.Do <= Notify:
			if count == step.After {
				s.Reached |= 1 << i
			}
		case count >= step.After:
			s.Acts = i
		}
	}
	if s.Acts >= 0 {
		step := &l.steps[s.Acts]
		s.Until = after(now, step.For)
		if elsewhere>>s.Acts&1 == 0 {
			next.raise(step.Do, s.Until, step.Slow)
		}
	}
	return s
}
