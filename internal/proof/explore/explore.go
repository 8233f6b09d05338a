//go:build explore

package explore

import (
	"unsafe"

	"github.com/seed-3506548a/ratelimit/internal/atomics"
)

// Operation is one call of a caller. Do returns what the caller was told.
type Operation[M any] struct {
	Name string
	Do   func() any
	// Model does the same to the model, one at a time, and returns what it says.
	Model func(m M) any
	// Lost, if there is one, reports whether the caller may also be told this if the call changed
	// nothing, since it lost a race.
	Lost func(told any) bool
}

// Scenario is one limiter, fresh for each schedule, with its callers and its model.
type Scenario[M any] struct {
	Callers [][]Operation[M]
	Model   func() M      // a copy of the model before the callers begin
	Clone   func(m M) M   // a copy of m
	Final   func() any    // what can be told of the limiter when all callers are done
	Explain func(m M) any // what should be told, by the model

	// Remembers says that what a call does in a turn of a loop may depend on earlier turns, since
	// it is a composition of several loops: see atomics.Pointer.
	Remembers bool
}

// Result says what was explored.
type Result struct {
	Schedules   int    // that were run to their end
	States      int    // that were met on the way
	Preemptions int    // the most in one schedule; -1: no bound, all schedules were run
	Failure     string // a schedule that no order of operations explains; empty if there is none
}

// exhaustible is how many schedules are run before the explorer resorts to a bound on preemptions.
const exhaustible = 1_000_000

// Explore runs all schedules of the scenario that build returns, except those of which it is known
// that nothing else can come of them than of others that are run: of schedules that differ only in
// the order of independent steps one stands for all (sleep sets: Godefroid, Partial-Order Methods
// for the Verification of Concurrent Systems, 1996), and of those that lead to the same state one
// goes on. If these are more than a million, it runs all schedules with at most three preemptions
// instead: switches away from a caller that could have gone on.
func Explore[M any](build func() Scenario[M]) Result {
	x := explorer[M]{build: build, bound: -1, reduce: true}
	r := x.explore()
	if r.Failure == "" && r.Schedules > exhaustible {
		x = explorer[M]{build: build, bound: 3}
		r = x.explore()
	}
	return r
}

// Outcomes returns what can come of the scenario, and in how many schedules: in those that Explore
// runs, or in all.
func Outcomes[M any](build func() Scenario[M], reduce bool) (map[string]bool, int) {
	x := explorer[M]{build: build, bound: -1, reduce: reduce}
	r := x.explore()
	return x.outcomes, r.Schedules
}

type explorer[M any] struct {
	build    func() Scenario[M]
	bound    int  // on preemptions; -1 for none
	reduce   bool // let one schedule stand for all that come to the same
	outcomes map[string]bool
	visited  map[uint64][]sleepers // by state: who was asleep each time that it was gone on from
}

// sleepers is a set of callers.
type sleepers uint32

// variable names a variable, in the same way in all schedules with a common beginning: who created
// the variable that is next at or below it in memory, as which of its creations, and how far below.
// All variables that nobody is known to have created have the same name.
type variable struct {
	creator, creation int
	offset            uintptr
}

// step is what a caller did between two choices.
type step struct {
	caller      int
	variable    variable
	address     uintptr
	wrote       bool
	first, last bool // of a call
}

// independent steps have the same effects, also on which calls are over before others begin, in
// either order.
func (a step) independent(b step) bool {
	ordersCalls := a.last && b.first || a.first && b.last
	return a.caller != b.caller && (a.variable != b.variable || !a.wrote && !b.wrote) && !ordersCalls
}

// choice is a point of a schedule.
type choice struct {
	callers []int  // who can go on
	chosen  int    // an index of callers
	done    []step // what the callers before that one did when they were chosen
	asleep  []step // steps that need not be chosen here: a schedule equal but for order has them earlier
}

func (x *explorer[M]) explore() Result {
	defer func() { atomics.Explorer = nil }()
	result := Result{Preemptions: x.bound}
	x.outcomes = map[string]bool{} // those that an order of operations explains
	x.visited = map[uint64][]sleepers{}
	var path []choice
	for {
		e := &execution[M]{explorer: x, current: building, memory: map[variable]uint64{}, names: map[unsafe.Pointer]uint64{}}
		atomics.Explorer = e
		e.Scenario = x.build()
		if path = e.run(path); e.endless {
			result.Failure = "goes on without an end: " + e.describe(path)
			return result
		}
		if e.complete {
			result.Schedules++
			if key := e.outcome(); !x.outcomes[key] {
				if !e.linearizable() {
					result.Failure = e.describe(path)
					return result
				}
				x.outcomes[key] = true
			}
		}
		result.States = len(x.visited)
		for len(path) > 0 && path[len(path)-1].chosen == len(path[len(path)-1].callers)-1 {
			path = path[:len(path)-1]
		}
		if len(path) == 0 || x.bound < 0 && result.Schedules > exhaustible {
			return result
		}
		path[len(path)-1].chosen++
	}
}
