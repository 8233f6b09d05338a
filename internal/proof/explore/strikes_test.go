//go:build explore

package explore_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/atomics"
	"github.com/seed-3506548a/ratelimit/internal/proof/explore"
	"github.com/seed-3506548a/ratelimit/internal/proof/model"
	"github.com/seed-3506548a/ratelimit/internal/strikes"
)

// struck is a table of one bucket with its model, in which a has been struck once. It may be full
// of others that are blocked.
type struck struct {
	table *strikes.Table
	model *model.Strikes
}

const (
	keyA, keyB uint64 = 1, 1 << 63
	apart             = int64(10 * time.Second) // the strike before, and now
)

var (
	rungs = []strikes.Step{
		{After: 2, Within: time.Minute, Do: strikes.Notify},
		{After: 2, Within: time.Minute, Do: strikes.Throttle, For: time.Minute, Slow: 1},
		{After: 3, Within: time.Hour, Do: strikes.Block, For: time.Minute},
	}
	spans = []time.Duration{time.Minute, time.Hour}
)

func newStruck(full bool) struck {
	s := struck{strikes.New(1), model.NewStrikes(1)}
	keys := []uint64{keyA}
	if full {
		keys = []uint64{2, 3, keyA, 4, 5, 6, 7, 8}
	}
	for i, key := range keys {
		s.strike(key, int64(i))
	}
	for _, key := range keys {
		if key != keyA {
			s.table.Raise(key, 0, strikes.Block, 2*apart, 0)
			s.model.Raise(key, 0, strikes.Block, 2*apart, 0)
		}
	}
	return s
}

func (s struck) strike(key uint64, now int64) {
	ladder, _ := strikes.NewLadder(rungs)
	s.table.Strike(key, now, 0, &ladder, 0)
	s.model.Strike(key, now, 0, rungs, 0)
}

// looked is what a look tells.
type looked struct {
	model.Known
	there bool
}

func look(d *strikes.Dossier, now int64) (l looked) {
	if l.there = d != nil; !l.there {
		return l
	}
	l.Episode = d.InEpisode(now)
	if until, ok := d.Blocked(now); ok {
		l.Block = until
	}
	if until, slow, ok := d.Throttled(now); ok {
		l.Throttle, l.Slow = until, slow
	}
	for i, within := range spans {
		l.Strikes[i] = d.Strikes(within)
	}
	return l
}

func lookModel(m *model.Strikes, key uint64, now int64) looked {
	k, ok := m.Look(key, now, spans)
	return looked{k, ok}
}

// refused is what a refusal tells.
type refused struct {
	strikes.Struck
	looked
}

// operation returns one of the given name; the callers are at different times.
func (s struck) operation(name string, caller int) explore.Operation[*model.Strikes] {
	now := apart + int64(caller)
	ladder, _ := strikes.NewLadder(rungs)
	key := keyA
	if name == "strike b" {
		key = keyB
	}
	switch name {
	case "strike a", "strike b":
		return explore.Operation[*model.Strikes]{Name: name,
			Do: func() any {
				d, told := s.table.Strike(key, now, 0, &ladder, 0)
				return refused{told, look(d, now)}
			},
			Model: func(m *model.Strikes) any {
				told := m.Strike(key, now, 0, rungs, 0)
				return refused{told, lookModel(m, key, now)}
			}}
	case "strike a later": // in another episode
		return explore.Operation[*model.Strikes]{Name: name,
			Do: func() any {
				d, told := s.table.Strike(key, 2*now, 0, &ladder, 0)
				return refused{told, look(d, now)}
			},
			Model: func(m *model.Strikes) any {
				told := m.Strike(key, 2*now, 0, rungs, 0)
				return refused{told, lookModel(m, key, now)}
			}}
	case "block a":
		return explore.Operation[*model.Strikes]{Name: name,
			Do:    func() any { return s.table.Raise(key, now, strikes.Block, now+1+int64(caller), 0) },
			Model: func(m *model.Strikes) any { return m.Raise(key, now, strikes.Block, now+1+int64(caller), 0) }}
	case "pardon a":
		return explore.Operation[*model.Strikes]{Name: name,
			Do:    func() any { return s.table.Pardon(key, now) },
			Model: func(m *model.Strikes) any { return m.Pardon(key, now) }}
	case "look at a":
		return explore.Operation[*model.Strikes]{Name: name,
			Do:    func() any { return look(s.table.Look(key), now) },
			Model: func(m *model.Strikes) any { return lookModel(m, key, now) }}
	}
	panic(name)
}

func (s struck) scenario(callers [][]string) explore.Scenario[*model.Strikes] {
	type all struct {
		strikes.Stats
		keys [9]looked
	}
	scenario := explore.Scenario[*model.Strikes]{
		Model: s.model.Clone,
		Clone: (*model.Strikes).Clone,
		Final: func() any {
			a := all{Stats: s.table.Stats(), keys: [9]looked{look(s.table.Look(keyB), apart)}}
			for key := range 8 {
				a.keys[1+key] = look(s.table.Look(uint64(1+key)), apart)
			}
			return a
		},
		Explain: func(m *model.Strikes) any {
			a := all{Stats: m.Stats, keys: [9]looked{lookModel(m, keyB, apart)}}
			for key := range 8 {
				a.keys[1+key] = lookModel(m, uint64(1+key), apart)
			}
			return a
		},
	}
	for i, names := range callers {
		var operations []explore.Operation[*model.Strikes]
		for _, name := range names {
			operations = append(operations, s.operation(name, i))
		}
		scenario.Callers = append(scenario.Callers, operations)
	}
	return scenario
}

// In all schedules some order explains which refusal is the strike, which step acts, what is known
// of each key, who was forgotten and who found no place.
func TestStrikes(t *testing.T) {
	kinds := []string{"strike a", "strike b", "strike a later", "block a", "pardon a", "look at a"}
	for _, full := range []bool{false, true} {
		for _, shape := range []struct {
			name string
			all  [][][]string
		}{{"2 callers, 2 operations", twoByTwo(kinds)}, {"3 callers, 1 operation", threeByOne(kinds)}} {
			t.Run(fmt.Sprintf("full %v/%s", full, shape.name), func(t *testing.T) {
				schedules, lost := 0, atomics.LostRaces.Load()
				for _, callers := range sample(shape.all) {
					r := explore.Explore(func() explore.Scenario[*model.Strikes] { return newStruck(full).scenario(callers) })
					require.Empty(t, r.Failure, callers)
					require.Equal(t, -1, r.Preemptions)
					schedules += r.Schedules
				}
				require.Greater(t, atomics.LostRaces.Load(), lost)
				t.Logf("all %d schedules of %d scenarios", schedules, len(sample(shape.all)))
			})
		}
	}
}

// Neither a look writes anything, nor what is no strike.
func TestWhatIsNoStrikeWritesNothing(t *testing.T) {
	s := newStruck(true)
	set := strikes.NewRevoked(2)
	set.Add(keyA)
	ladder, err := strikes.NewLadder(rungs)
	require.NoError(t, err)
	var written writes
	atomics.Explorer = &written
	defer func() { atomics.Explorer = nil }()
	for _, key := range []uint64{keyA, keyB} {
		s.table.Look(key)
		var d strikes.Dossier
		require.True(t, s.table.Peek(&d, key, apart, 0, &ladder, 0).Counted)
		_, told := s.table.Strike(key, apart, ratelimit.Never, &ladder, 0)
		require.False(t, told.Counted)
		set.Has(key)
	}
	_, told := s.table.Strike(keyA, 3, 0, &ladder, 0)
	require.False(t, told.Counted)
	require.False(t, s.table.Pardon(keyB, 0))
	require.True(t, set.Add(keyA))
	require.False(t, set.Remove(keyB))
	require.Zero(t, written)
}

// keySet is the model of a set of revoked keys.
type keySet struct {
	capacity int
	keys     []uint64
}

func (s keySet) clone() keySet { return keySet{s.capacity, slices.Clone(s.keys)} }

// In all schedules some order explains who is in a set of at most so many, except that a set may
// also seem full for what another call has taken and not used.
func TestRevoked(t *testing.T) {
	kinds := []string{"add a", "add b", "remove a", "has a"}
	for _, capacity := range []int{1, 2} {
		t.Run(fmt.Sprint("of ", capacity), func(t *testing.T) {
			schedules := 0
			for _, callers := range sample(slices.Concat(twoByTwo(kinds), threeByOne(kinds))) {
				r := explore.Explore(func() explore.Scenario[*keySet] { return revocations(capacity, callers) })
				require.Empty(t, r.Failure, callers)
				require.Equal(t, -1, r.Preemptions)
				schedules += r.Schedules
			}
			t.Logf("all %d schedules", schedules)
		})
	}
}

func revocations(capacity int, callers [][]string) explore.Scenario[*keySet] {
	type all struct {
		a, b bool
		len  int
	}
	set := strikes.NewRevoked(capacity)
	operation := func(name string) explore.Operation[*keySet] {
		key := keyA
		switch name {
		case "add b":
			key = keyA + 1 // of the same word
			fallthrough
		case "add a":
			return explore.Operation[*keySet]{Name: name,
				Do: func() any { return set.Add(key) },
				Model: func(m *keySet) any {
					if slices.Contains(m.keys, key) {
						return true
					}
					if len(m.keys) == m.capacity {
						return false
					}
					m.keys = append(m.keys, key)
					return true
				},
				Lost: func(told any) bool { return told == false }}
		case "remove a":
			return explore.Operation[*keySet]{Name: name,
				Do: func() any { return set.Remove(key) },
				Model: func(m *keySet) any {
					before := len(m.keys)
					m.keys = slices.DeleteFunc(m.keys, func(k uint64) bool { return k == key })
					return len(m.keys) < before
				}}
		default:
			return explore.Operation[*keySet]{Name: name,
				Do:    func() any { return set.Has(key) },
				Model: func(m *keySet) any { return slices.Contains(m.keys, key) }}
		}
	}
	scenario := explore.Scenario[*keySet]{
		Remembers: true,
		Model:     func() *keySet { return &keySet{capacity: capacity} },
		Clone: func(m *keySet) *keySet {
			c := m.clone()
			return &c
		},
		Final: func() any { return all{set.Has(keyA), set.Has(keyA + 1), set.Len()} },
		Explain: func(m *keySet) any {
			return all{slices.Contains(m.keys, keyA), slices.Contains(m.keys, keyA+1), len(m.keys)}
		},
	}
	for _, names := range callers {
		var operations []explore.Operation[*keySet]
		for _, name := range names {
			operations = append(operations, operation(name))
		}
		scenario.Callers = append(scenario.Callers, operations)
	}
	return scenario
}
