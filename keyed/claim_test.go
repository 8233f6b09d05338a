package keyed

import (
	"flag"
	"testing"

	"github.com/stretchr/testify/require"
)

var everything = flag.Bool("keyed.everything", false, "run the rule with 3 words, 3 callers and 2 calls each: minutes, and gigabytes")

// rule is find, or a tempting variant of it.
type rule func(set *[setSize]uint64, tag, now, newest uint64) (i, debt uint64, present bool)

// world runs callers on one set, of which only the first words are in play, step by step: each load
// of a word and each CAS is one. What a call is about (key and time, or that the key is to be
// reset) is chosen when it begins. All choices and interleavings are run.
type world struct {
	rule                  rule
	words, callers, calls int
	initial               state
	noResets, noCharges   bool
	ignored               string // a violation that is not looked for

	seen map[state]struct{}
	bad  string
}

const (
	moment = 1 << 50 // that times are counted from, and the newest of the table: within late, all may come
	event  = 2       // ticks
	depth  = 2 * event
)

var times = [...]uint8{0, 3, reset, charge} // that callers come at

const (
	reset  = 100 // is none: the key is to be reset
	charge = 50  // is 0, and the key is to be charged, whether it fits or not
)

// state fits into a map's key. TATs count from moment, and 0 is that of an empty word; keys are
// tags, from 1.
type state struct {
	words  [3]word
	actors [3]actor
	truth  [4]uint8 // each key's own TAT, as an exact limiter would have it
}

type word struct{ tag, tat uint8 }

type actor struct {
	calls, key, time, read uint8
	saw                    [3]word
}

// packed returns the set as the table has it, in the order in which a key looks at it. Words that
// are out of play are other keys', and never the least.
func (w *world) packed(words [3]word, key uint8) (set [setSize]uint64) {
	for i := range set {
		if i >= w.words {
			set[i] = pack(uint64(100+i), moment+1000)
		} else if known := words[w.at(key, i)]; known != (word{}) {
			set[i] = pack(uint64(known.tag), moment+uint64(known.tat))
		}
	}
	return set
}

// at returns the i-th word that a key looks at: the keys begin with different ones.
func (w *world) at(key uint8, i int) int { return (int(key) + i) % w.words }

// explore runs everything that can happen from s on.
func (w *world) explore(s state) {
	if _, ok := w.seen[s]; ok || w.bad != "" {
		return
	}
	w.seen[s] = struct{}{}
	if bad := w.violation(&s); bad != "" && bad != w.ignored {
		w.bad = bad
		return
	}
	for a := range w.callers {
		switch actor := &s.actors[a]; {
		case int(actor.calls) == w.calls:
		case actor.key == 0:
			for key := range uint8(3) {
				for _, time := range times {
					if time == reset && w.noResets || time == charge && w.noCharges {
						continue
					}
					next := s
					next.actors[a].key, next.actors[a].time = key+1, time
					w.explore(next)
				}
			}
		case int(actor.read) < w.words:
			next := s
			i := w.at(actor.key, int(actor.read))
			next.actors[a].saw[i] = s.words[i]
			next.actors[a].read++
			w.explore(next)
		default:
			w.explore(w.act(s, a))
		}
	}
}

// act has a caller decide by what it saw, and store that if nothing has changed.
func (w *world) act(s state, a int) state {
	actor := &s.actors[a]
	set := w.packed(actor.saw, actor.key)
	at := actor.time
	if at == reset || at == charge {
		at = 0
	}
	now := moment + uint64(at)
	looked, debt, present := w.rule(&set, uint64(actor.key), now, moment)
	i := w.at(actor.key, int(looked))
	if granted := debt+event <= depth || actor.time == charge; actor.time == reset && present || actor.time != reset && granted {
		if s.words[i] != actor.saw[i] {
			actor.read, actor.saw = 0, [3]word{}
			return s
		}
		if actor.time == reset {
			s.words[i].tag, s.truth[actor.key] = 0, 0
		} else {
			s.words[i] = word{actor.key, uint8(now + debt + event - moment)}
			s.truth[actor.key] = max(s.truth[actor.key], at) + event
		}
	}
	*actor = struct {
		calls, key, time, read uint8
		saw                    [3]word
	}{calls: actor.calls + 1}
	return s
}

// violation says what of the invariant does not hold.
func (w *world) violation(s *state) string {
	var at [4]int
	least := s.words[0].tat
	for i, word := range s.words[:w.words] {
		least = min(least, word.tat)
		if word.tag > 0 && at[word.tag] > 0 {
			return "a key twice"
		}
		at[word.tag] = i + 1
	}
	for key := 1; key < len(s.truth); key++ {
		if has := at[key]; has > 0 && s.truth[key] > s.words[has-1].tat || has == 0 && s.truth[key] > least {
			return "a key owes more than it is known to"
		}
	}
	return ""
}

func (w *world) run() string {
	w.seen = map[state]struct{}{}
	w.explore(w.initial)
	return w.bad
}

// worlds have all words empty, or some taken by key 1, 2 or 3.
func worlds(r rule) []*world {
	small := []*world{
		{rule: r, words: 2, callers: 2, calls: 2},
		{rule: r, words: 2, callers: 2, calls: 3, noCharges: true},
		{rule: r, words: 3, callers: 2, calls: 2},
		{rule: r, words: 2, callers: 3, calls: 1},
		{rule: r, words: 3, callers: 2, calls: 1},
		{rule: r, words: 2, callers: 3, calls: 1, initial: state{words: [3]word{{1, 4}, {2, 2}}, truth: [4]uint8{0, 4, 2, 0}}},
		{rule: r, words: 3, callers: 3, calls: 1, initial: state{words: [3]word{{1, 3}, {2, 2}, {3, 3}}, truth: [4]uint8{0, 3, 2, 2}}},
	}
	if *everything {
		return append(small, &world{rule: r, words: 2, callers: 3, calls: 2, noResets: true, noCharges: true}, &world{rule: r, words: 3, callers: 3, calls: 2, noResets: true, noCharges: true})
	}
	return small
}

func TestNoKeyTwiceAndNoDebtLost(t *testing.T) {
	for _, w := range worlds(find) {
		require.Empty(t, w.run(), "%d words, %d callers, %d calls", w.words, w.callers, w.calls)
		t.Logf("%d words, %d callers, %d calls: %d states", w.words, w.callers, w.calls, len(w.seen))
	}
}

// The tempting variants fail.
func TestTemptingRules(t *testing.T) {
	firstExpired := func(set *[setSize]uint64, tag, now, newest uint64) (uint64, uint64, bool) {
		i, debt, present := find(set, tag, now, newest)
		if !present {
			for j, word := range set {
				if owed(word, now, newest) == 0 {
					return uint64(j), 0, false
				}
			}
		}
		return i, debt, present
	}
	forgetful := func(set *[setSize]uint64, tag, now, newest uint64) (uint64, uint64, bool) {
		i, debt, present := find(set, tag, now, newest)
		if !present {
			debt = 0
		}
		return i, debt, present
	}
	for name, row := range map[string]struct {
		rule rule
		want string
	}{
		"the first that owes nothing": {firstExpired, "a key twice"},
		"the least, without its debt": {forgetful, "a key owes more than it is known to"},
	} {
		found := map[string]bool{}
		for _, w := range worlds(row.rule) {
			found[w.run()] = true
			w.ignored, w.bad = "a key owes more than it is known to", ""
			found[w.run()] = true
		}
		require.True(t, found[row.want], "%s: %v", name, found)
	}
}
