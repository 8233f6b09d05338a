//go:build explore

package table

import (
	"cmp"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/atomics"
	"github.com/seed-3506548a/ratelimit/internal/proof/explore"
	"github.com/seed-3506548a/ratelimit/limittest"
)

// world is a table of one set as callers meet it. Ticks are nanoseconds, times count from when the
// table was made, and a burst is 2 events of 256 ticks. The lap ends at 0: whoever moves the newest
// time on from before to then looks after the words.
type world struct {
	name   string
	newest int64
	words  []held // of the set, from the second on; all others are other keys' for long
	does   []action
	known  bool // nobody takes another's word
	most   int  // scenarios of a kind, or all if that is 0: these have many schedules each
}

// held is a word: whose it is, nobody's if that is 0, and its TAT. The zero value is an empty word.
type held struct {
	key uint64
	tat int64
}

// action is what a caller does, to a key, at a time. A key is its own hash, and looks at the word
// of that number first.
type action struct {
	verb string
	key  uint64
	at   int64
}

const (
	event = 256
	early = -int64(slack) - 1 // of a newest time that any grant at 0 moves
)

// of returns what does the same to several keys.
func of(verb string, at int64, keys ...uint64) (all []action) {
	for _, key := range keys {
		all = append(all, action{verb, key, at})
	}
	return all
}

var worlds = []world{
	{name: "empty words", newest: -1, words: []held{{}, {}},
		does: slices.Concat(of("take", 0, 1, 2, 3), of("take", 384, 2), of("charge", 0, 1), of("reset", 0, 1, 2))},
	{name: "one word for all", newest: -1, words: []held{{1, event}},
		does: slices.Concat(of("take", 0, 1, 2, 3), of("take", 384, 1, 2), of("reset", 0, 1, 2))},
	{name: "two words for three keys", newest: -1, words: []held{{1, 2 * event}, {2, event}},
		does: slices.Concat(of("take", 0, 1, 2, 3), of("take", 384, 3), of("charge", 0, 3), of("reset", 0, 1, 2))},
	{name: "three words", newest: -1, words: []held{{1, 384}, {2, 256}, {3, 384}},
		does: slices.Concat(of("take", 0, 1, 2, 3), of("take", 384, 4), of("reset", 0, 2, 3))},
	{name: "known keys", newest: -1, words: []held{{1, 0}, {2, event}, {3, 2 * event}}, known: true,
		does: slices.Concat(of("take", 0, 1, 2, 3), of("take", 384, 2, 3), of("charge", 0, 1, 2))},
	{name: "seen before", newest: -1, words: []held{{1, event}, {2, 2 * event}},
		does: slices.Concat(of("see", 0, 1, 2, 3), of("take", 0, 1, 3), of("reset", 0, 1))},
	{name: "words that expire", newest: -1, words: []held{{8, 0}, {9, 100}, {10, -100}},
		does: slices.Concat(of("take", -256, 2, 3), of("take", 0, 1, 2), of("take", 256, 1, 2), of("reset", 0, 2))},
	{name: "the newest time moves", newest: early, words: []held{{9, early - 2000}, {10, -1000}, {3, early - int64(late) - 10}}, most: 100,
		does: slices.Concat(of("take", -1, 1, 2, 3), of("take", 0, 1, 2, 3), of("charge", 0, 1), of("reset", 0, 3), of("take", early-int64(late)+10, 2))},
}

// claim is the model, and beside it what each key owes in truth: the TAT of a limiter of its own.
type claim struct {
	model
	limit *Limit
	own   [5]uint64
}

func (m *claim) clone() *claim {
	c := *m
	c.sets = append([][setSize]entry(nil), m.sets...)
	return &c
}

// broken says what of the table's claim does not hold.
func (m *claim) broken() string {
	for key := range uint64(len(m.own)) {
		if e, _, _, _ := m.find(key, 0); m.own[key] > e.tat {
			return fmt.Sprintf("key %d owes more than it is known to", key)
		}
	}
	return ""
}

// setting is a world's table, made for one schedule.
type setting struct {
	world
	core  *Table
	model *claim
}

func (w world) build() *setting {
	c := gcra(ratelimit.Rate{Events: 1, Per: finest}, 2, 1, ratelimit.WithClock(limittest.NewClock(time.Unix(0, 0))))
	m := &claim{limit: &c.limited}
	m.model = model{scale: &c.scale, sets: make([][setSize]entry, 1), newest: c.scale.at(w.newest), clock: c.scale.at(0), still: true}
	c.newest.Store(m.newest)
	for i := range m.sets[0] {
		e := &m.sets[0][i]
		*e = entry{100 + uint64(i), c.scale.at(1 << 30)}
		if known := i - 1; known >= 0 && known < len(w.words) {
			h := w.words[known]
			if h == (held{}) {
				*e = entry{}
				continue
			}
			*e = entry{h.key, c.scale.at(h.tat)}
			if h.key < uint64(len(m.own)) {
				m.own[h.key] = e.tat
			}
		}
		c.sets[0][i].Store(pack(e.tag, e.tat))
	}
	return &setting{w, c, m}
}

// told is what an order of the operations must explain. What a new key is refused for is what it
// saw, which need not have been the least of the set at any one time; that it is refused must be
// right.
func (w world) told(d ratelimit.Decision) any {
	if !d.OK && !w.known {
		return false
	}
	return d
}

type operation = explore.Operation[*claim]

func (s *setting) operation(a action) operation {
	const most = 3 // events, more than a burst
	return operation{
		Name: fmt.Sprint(a),
		// Who moves the newest time does so before the grant; others are late as soon as that.
		Lost: func(told any) bool { return told == false && a.at < -int64(late) },
		Do: func() any {
			var d ratelimit.Decision
			switch a.verb {
			case "take":
				s.core.Take(&d, a.key, a.at, 1, s.model.limit)
			case "see":
				s.see(&d, a)
			case "charge":
				s.core.Owe(&d, a.key, a.at, most, s.model.limit)
			case "reset":
				s.core.Reset(a.key)
			}
			return s.told(d)
		},
		Model: func(m *claim) any {
			var d ratelimit.Decision
			own := &m.own[a.key]
			switch a.verb {
			case "take", "see":
				if d = m.take(a.key, a.at, 1, m.limit, true); d.OK {
					*own = max(*own, m.scale.at(a.at)) + event
				}
			case "charge":
				d = m.owe(a.key, a.at, most, m.limit, m.latest())
				*own = max(*own, m.owed.at) + m.owed.cost
			case "reset":
				m.reset(a.key)
				*own = 0
			}
			return s.told(d)
		},
	}
}

// see is a take in steps.
func (s *setting) see(d *ratelimit.Decision, a action) {
	c, limit := s.core, s.model.limit
	var sight Sight
	c.See(&sight, a.key)
	if c.Allows(&sight, a.at, 1, limit) {
		c.TakeSeen(d, &sight, a.key, a.at, 1, limit)
		return
	}
	seen := &sight.slot
	told := c.judge(*seen, sight.now, limit.perEvent, limit)
	c.report(d, outcome{told, seen.debt(sight.now), seen.newest}, a.at, sight.now, 1, limit)
}

func (s *setting) scenario(callers [][]action) explore.Scenario[*claim] {
	const keys = 5 // of which some never came
	grid := [...]int64{-300, 0, 1, 300, 600}
	var all [keys * len(grid)]ratelimit.Decision
	scenario := explore.Scenario[*claim]{
		Remembers: true,
		Model:     s.model.clone,
		Clone:     (*claim).clone,
		Final: func() any {
			seen := map[uint64]bool{}
			for i := range s.core.sets[0] {
				tag := tagOf(s.core.sets[0][i].Load())
				if tag > 0 && seen[tag] {
					return "a key twice"
				}
				seen[tag] = true
			}
			for i := range all {
				s.core.Peek(&all[i], uint64(1+i%keys), grid[i/keys], 1, s.model.limit)
			}
			return all
		},
		Explain: func(m *claim) any {
			if broken := m.broken(); broken != "" {
				return broken
			}
			for i := range all {
				all[i] = m.take(uint64(1+i%keys), grid[i/keys], 1, m.limit, false)
			}
			return all
		},
	}
	for _, actions := range callers {
		var operations []operation
		for _, a := range actions {
			operations = append(operations, s.operation(a))
		}
		scenario.Callers = append(scenario.Callers, operations)
	}
	return scenario
}

// sequences returns all sequences of n of the actions.
func sequences(does []action, n int) (all [][]action) {
	if n == 0 {
		return [][]action{nil}
	}
	for _, rest := range sequences(does, n-1) {
		for _, a := range does {
			all = append(all, append([]action{a}, rest...))
		}
	}
	return all
}

// threeByOne has three callers with an action each.
func threeByOne(does []action) (all [][][]action) {
	for i, a := range does {
		for j, b := range does[i:] {
			for _, c := range does[i+j:] {
				all = append(all, [][]action{{a}, {b}, {c}})
			}
		}
	}
	return all
}

// twoByTwo has two callers with two actions each.
func twoByTwo(does []action) (all [][][]action) {
	pairs := sequences(does, 2)
	for i, a := range pairs {
		for _, b := range pairs[i:] {
			all = append(all, [][]action{a, b})
		}
	}
	return all
}

// overtaken has a caller with an action, and another that meanwhile does three.
func overtaken(does []action) (all [][][]action) {
	for _, a := range does {
		for _, three := range sequences(does, 3) {
			all = append(all, [][]action{{a}, three})
		}
	}
	return all
}

// feasible leaves out what has too many schedules: three callers of whom two move the newest time,
// and look after all words.
func (w world) feasible(all [][][]action) [][][]action {
	return slices.DeleteFunc(all, func(callers [][]action) bool {
		moving := 0
		for _, actions := range callers {
			if w.newest+int64(slack) < actions[0].at {
				moving++
			}
		}
		return len(callers) > 2 && moving > 1
	})
}

// sample returns so many of the scenarios, or all if that is 0: a few of them for a short test, and
// otherwise those that the flags choose.
func sample(all [][][]action, most int) [][][]action {
	if testing.Short() {
		return explore.Some(all, 5, 5)
	}
	return explore.Some(all, 20, cmp.Or(most, len(all)))
}

// In every schedule, what the callers were told and what is known of each key afterwards is what
// the rule says of some order of their actions, one at a time; no key is in two words, and none
// owes more than it is known to.
func TestAllSchedules(t *testing.T) {
	for _, shape := range []struct { // those with fewer schedules first
		name string
		most int
		all  func(does []action) [][][]action
	}{
		{"2 callers, 2 actions", 0, twoByTwo},
		{"2 callers, 1 and 3 actions", 500, overtaken},
		{"3 callers, 1 action", 0, threeByOne},
	} {
		for _, w := range worlds {
			t.Run("table/"+w.name+"/"+shape.name, func(t *testing.T) {
				all := w.feasible(shape.all(w.does))
				scenarios, schedules, states := sample(all, cmp.Or(w.most, shape.most)), 0, 0
				for _, callers := range scenarios {
					r := explore.Explore(func() explore.Scenario[*claim] { return w.build().scenario(callers) })
					require.Empty(t, r.Failure, "%v", callers)
					require.Negative(t, r.Preemptions, "all schedules")
					schedules += r.Schedules
					states += r.States
				}
				t.Logf("%d of %d scenarios, each with all schedules: %d schedules, %d states", len(scenarios), len(all), schedules, states)
			})
		}
	}
}

// What one caller alone cannot show is found.
func TestPlantedFaults(t *testing.T) {
	atomics.StoreForCAS = true
	defer func() { atomics.StoreForCAS = false }()
	r := explore.Explore(func() explore.Scenario[*claim] {
		return worlds[0].build().scenario([][]action{{{"take", 1, 0}}, {{"take", 1, 0}}})
	})
	require.NotEmpty(t, r.Failure, "in %d schedules", r.Schedules)
}

// Callers that are suspended for good, before whatever step, keep nobody from going on.
func TestNobodyWaitsForASuspendedCaller(t *testing.T) {
	for _, w := range worlds {
		for _, crowd := range []int{1, 20} {
			number := 0
			for w.stall(t, crowd, number) {
				number++
			}
			require.Greater(t, number, 2)
			t.Logf("%s: %d callers suspended before each of %d steps", w.name, crowd, number)
		}
	}
}

// stall suspends a crowd of callers before the step of the given number, and asks for events, all
// of which are granted. It reports whether a caller had so many steps.
func (w world) stall(t *testing.T, crowd, number int) bool {
	s := w.build()
	take := func(key uint64, at int64) bool {
		var d ratelimit.Decision
		s.core.Take(&d, key, at, 1, s.model.limit)
		return d.OK
	}
	stalled := false
	others := func() {
		for i := range int64(100) {
			require.True(t, take(1+uint64(i)%3, 1000*(i+1)))
		}
	}
	for i := range crowd {
		inner := others
		others = func() {
			stalled = explore.Stall(func() { take(1+uint64(i)%3, 384) }, number, inner) || stalled
		}
	}
	others()
	requireNoKeyTwice(t, s.core)
	return stalled
}
