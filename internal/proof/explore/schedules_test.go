//go:build explore

package explore_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/atomics"
	"github.com/seed-3506548a/ratelimit/internal/proof/explore"
	"github.com/seed-3506548a/ratelimit/limittest"
)

// threeByOne has three callers with an operation each, of all kinds.
func threeByOne(kinds []string) (all [][][]string) {
	for i, a := range kinds {
		for j, b := range kinds[i:] {
			for _, c := range kinds[i+j:] {
				all = append(all, [][]string{{a}, {b}, {c}})
			}
		}
	}
	return all
}

// twoByTwo has two callers with two operations each, of all kinds.
func twoByTwo(kinds []string) (all [][][]string) {
	var pairs [][]string
	for _, a := range kinds {
		for _, b := range kinds {
			pairs = append(pairs, []string{a, b})
		}
	}
	for i, a := range pairs {
		for _, b := range pairs[i:] {
			all = append(all, [][]string{a, b})
		}
	}
	return all
}

// oneAhead has a caller with an operation, of all kinds, and another that meanwhile takes an event,
// and one much later.
func oneAhead(kinds []string) (all [][][]string) {
	for _, a := range kinds {
		all = append(all, [][]string{{a}, {"take", "take later"}})
	}
	return all
}

// allowing has one or two callers who call Allow, which is a loop of its own, beside an operation
// of all kinds.
func allowing(kinds []string) (all [][][]string) {
	for _, a := range kinds {
		all = append(all, [][]string{{"allow"}, {a}}, [][]string{{"allow"}, {"allow"}, {a}}, [][]string{{"allow", "allow"}, {a}})
	}
	return all
}

// peeking has a caller who asks, and takes nothing, beside one or two operations of all kinds.
func peeking(kinds []string) (all [][][]string) {
	for _, a := range kinds {
		all = append(all, [][]string{{"peek"}, {a}}, [][]string{{"peek"}, {a, "take"}})
	}
	return all
}

// charging has a caller who charges more than fits, beside one or two operations of all kinds.
func charging(kinds []string) (all [][][]string) {
	for _, a := range append(kinds, "charge") {
		all = append(all, [][]string{{"charge"}, {a}}, [][]string{{"charge"}, {a, "take"}}, [][]string{{"charge", a}, {"take"}},
			[][]string{{"charge"}, {a}, {"take"}})
		if slices.Contains(kinds, "reserve") {
			all = append(all, [][]string{{"charge", a}, {"reserve"}})
		}
	}
	return all
}

// explore explores the scenarios that the callers make in w, until one fails.
func (k kind) explore(w world, all [][][]string) (total explore.Result, bounded int) {
	total.Preemptions = -1
	for _, callers := range all {
		r := explore.Explore(func() explore.Scenario[*state] { return k.build(w).scenario(callers) })
		total.Schedules += r.Schedules
		total.States += r.States
		if r.Preemptions >= 0 {
			bounded++
		}
		if r.Failure != "" {
			total.Failure = fmt.Sprintf("%v\n%s", callers, r.Failure)
			break
		}
	}
	return total, bounded
}

// sample returns one of the scenarios for a short test, and otherwise those that the flags choose.
func sample(all [][][]string) [][][]string {
	if testing.Short() {
		return all[len(all)/2 : len(all)/2+1]
	}
	return explore.Some(all, 20, len(all))
}

func TestAllSchedules(t *testing.T) {
	for _, k := range explored {
		for _, shape := range []struct { // those with fewer schedules first
			name string
			all  [][][]string
		}{
			{"1 caller gets ahead", oneAhead(k.does)},
			{"Peek", peeking(k.does)},
			{"Allow", allowing(k.does)},
			{"Charge", charging(k.does)},
			{"2 callers, 2 operations", twoByTwo(k.does)},
			{"3 callers, 1 operation", threeByOne(k.does)},
		} {
			for _, w := range k.worlds {
				t.Run(k.name+"/"+w.name+"/"+shape.name, func(t *testing.T) {
					scenarios := sample(shape.all)
					r, bounded := k.explore(w, scenarios)
					require.Empty(t, r.Failure)
					t.Logf("%d scenarios, %d of them with all schedules of at most 3 preemptions, the others with all: %d schedules, %d states",
						len(scenarios), bounded, r.Schedules, r.States)
				})
			}
		}
	}
}

// A reservation that three callers cancel is given back once.
func TestCancelOnce(t *testing.T) {
	bucket := explored[0]
	r := explore.Explore(func() explore.Scenario[*state] {
		s := bucket.build(bucket.worlds[0])
		s.prior[1], s.prior[2] = s.prior[0], s.prior[0]
		scenario := s.scenario([][]string{{"cancel"}, {"cancel"}, {"cancel"}})
		for _, caller := range scenario.Callers {
			cancel := caller[0].Model
			caller[0].Model = func(m *state) any {
				told := cancel(m)
				m.cancelled = [3]bool{true, true, true}
				return told
			}
		}
		return scenario
	})
	require.Empty(t, r.Failure)
	t.Logf("%d schedules", r.Schedules)
}

// The schedules that the explorer leaves out have no outcome that the others do not have.
func TestOneScheduleStandsForAll(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes a minute")
	}
	type scenario struct {
		kind
		world   world
		callers [][]string
	}
	var all []scenario
	for _, callers := range [][][]string{
		{{"take"}, {"take"}, {"take"}},
		{{"take"}, {"refund"}, {"reserve"}},
		{{"take", "cancel"}, {"reserve"}},
		{{"refuse", "take"}, {"take", "refund"}},
		{{"set rate"}, {"take"}},
		{{"set rate"}, {"refuse", "take"}},
	} {
		bucket := explored[0]
		for _, w := range bucket.worlds {
			if len(callers) > 2 && w.name != "inside the frame" {
				continue // too many schedules to run them all
			}
			all = append(all, scenario{bucket, w, callers})
		}
	}
	for _, callers := range [][][]string{{{"take"}, {"take"}}, {{"take"}, {"refund"}}} {
		for _, k := range explored[4:] {
			for _, w := range k.worlds {
				if slices.Contains([]string{"inside the bucket", "a bucket skipped", "of 1"}, w.name) { // the others have too many
					all = append(all, scenario{k, w, callers})
				}
			}
		}
	}
	for _, s := range explore.Some(all, 3, len(all)) {
		s.oneStandsForAll(t, s.world, s.callers)
	}
}

// Real callers lose races, and what they get together stays right.
func TestConservationUnderContention(t *testing.T) {
	const rounds = 50
	for _, k := range explored {
		t.Run(k.name, func(t *testing.T) {
			before := atomics.LostRaces.Load()
			for round := range rounds {
				require.NoError(t, limittest.TestLimiter(func(opts ...ratelimit.Option) (ratelimit.Limiter, error) {
					chosen := ratelimit.Options{Clock: ratelimit.SystemClock{}}
					for _, opt := range opts {
						if opt == nil {
							return nil, errors.New("an option is nil")
						}
						opt(&chosen)
					}
					if chosen.Clock == nil {
						return nil, errors.New("the clock is nil")
					}
					return k.limiter(world{rate: ratelimit.PerSecond(10), burst: 10}, chosen.Clock), nil
				}))
				if n := atomics.LostRaces.Load() - before; n > 0 {
					t.Logf("%d races were lost in %d rounds", n, round+1)
					return
				}
			}
			t.Logf("no race was lost in %d rounds", rounds)
		})
	}
}

func (k kind) oneStandsForAll(t *testing.T, w world, callers [][]string) {
	build := func() explore.Scenario[*state] { return k.build(w).scenario(callers) }
	few, r := explore.Outcomes(build, true)
	all, n := explore.Outcomes(build, false)
	require.LessOrEqual(t, n, 1_000_000, "more are not run")
	require.Equal(t, all, few)
	t.Logf("%s, %s, %v: %d schedules, which stand for %d, have %d outcomes", k.name, w.name, callers, r, n, len(all))
}

// writes counts what is written.
type writes int

func (w *writes) New(unsafe.Pointer, uintptr) { *w++ }
func (w *writes) Root(unsafe.Pointer)         {}
func (w *writes) Step(unsafe.Pointer)         {}
func (w *writes) Saw(uint64)                  {}
func (w *writes) Wrote(uint64)                { *w++ }
func (w *writes) Name(unsafe.Pointer) uint64  { return 0 }

// A refusal writes nothing at all, and neither do a look and a request for nothing.
func TestRefusalWritesNothing(t *testing.T) {
	for _, k := range explored {
		k.refusalsWriteNothing(t)
	}
}

func (k kind) refusalsWriteNothing(t *testing.T) {
	for _, w := range k.worlds {
		for _, late := range []time.Duration{-time.Hour, -1, 0, 1} {
			s := k.build(w)
			s.limiter.TakeAt(s.now, s.burst)
			s.limiter.TakeAt(s.now, 1)
			var written writes
			atomics.Explorer = &written
			at := s.now.Add(late)
			refused := 0
			for _, n := range []int{-1, 1, 2, 3, s.burst - 1, s.burst, s.burst + 1} {
				s.limiter.PeekAt(at, n)
				if !s.limiter.PeekAt(at, n).OK {
					s.limiter.TakeAt(at, n)
					if reserver, ok := s.limiter.(ratelimit.Reserver); ok {
						_, d := reserver.ReserveAt(at, n, -1)
						require.False(t, d.OK)
					}
					refused++
				}
			}
			s.limiter.TakeAt(at, 0)
			if !s.limiter.PeekAt(s.now, 1).OK {
				require.False(t, s.limiter.Allow())
			}
			atomics.Explorer = nil
			require.Zero(t, written)
			require.Positive(t, refused)
		}
	}
}

// A change to a rate that could not hold what is charged meanwhile is refused, or comes before the
// charge: none of it is forgotten.
func TestChangeThatCannotHoldACharge(t *testing.T) {
	const charged = 10_000_000
	bucket := explored[0]
	slow := ratelimit.PerHour(1) // at which 640,511 events can be owed
	r := explore.Explore(func() explore.Scenario[*state] {
		s := bucket.build(bucket.worlds[0])
		off := s.offset(s.now)
		never := ratelimit.PerSecond(0) // nothing drains, so a charge needs no other frame
		require.NoError(t, s.limiter.SetRateAt(s.now, never, 3))
		s.model.limiter.SetRate(off, off, never, 3)
		scenario := s.scenario([][]string{{"take"}, {"take"}})
		scenario.Callers[0] = []operation{{Name: "charge",
			Do:    func() any { return s.limiter.ChargeAt(s.now, charged) },
			Model: func(m *state) any { m.charged = true; return m.limiter.Charge(off, charged) }}}
		scenario.Callers[1] = []operation{{Name: "set rate",
			Do: func() any { return s.limiter.SetRateAt(s.now, slow, 3) == nil },
			Model: func(m *state) any {
				if m.charged {
					return false
				}
				m.limiter.SetRate(off, off, slow, 3)
				return true
			}}}
		return scenario
	})
	require.Empty(t, r.Failure)
	t.Logf("%d schedules", r.Schedules)
}
