//go:build explore

package explore

import (
	"fmt"
	"hash/maphash"
	"iter"
	"slices"
	"unsafe"

	"github.com/seed-3506548a/ratelimit/internal/atomics"
)

// Operation is one call of a caller. Do returns what the caller was told.
type Operation[M any] struct {
	Name string
	Do   func() any
	// Model does the same to the model, one at a time, and returns what it says.
	Model func(m M) any
	// Lost, if there is one, reports whether the caller may also be told this if the call changed nothing,
	// since it lost a race.
	Lost func(told any) bool
}

// Scenario is one limiter, fresh for each schedule, with its callers and its model.
type Scenario[M any] struct {
	Callers [][]Operation[M]
	Model   func() M      // a copy of the model before the callers begin
	Clone   func(m M) M   // a copy of m
	Final   func() any    // what can be told of the limiter when all callers are done
	Explain func(m M) any // what should be told, by the model

	// Remembers says that what a call does in a turn of a loop may depend on earlier turns, since it is a
	// composition of several loops: see atomics.Pointer.
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

// Explore runs all schedules of the scenario that build returns, except those of which it is known that
// nothing else can come of them than of others that are run: of schedules that differ only in the order
// of independent steps one stands for all (sleep sets: Godefroid, Partial-Order Methods for the
// Verification of Concurrent Systems, 1996), and of those that lead to the same state one goes on. If
// these are more than a million, it runs all schedules with at most three preemptions instead: switches
// away from a caller that could have gone on.
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
		if path = e.run(path); e.complete {
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

// execution is one schedule.
type execution[M any] struct {
	Scenario[M]
	explorer *explorer[M]
	threads  []*thread
	current  int // the caller that runs, or building
	root     variable
	created  []creation
	doing    step
	memory   map[variable]uint64       // hashes of what callers have written to each variable
	sum      uint64                    // of these
	names    map[unsafe.Pointer]uint64 // of what pointers point to
	complete bool
	final    any
}

const building = -1

// creation is a part of memory with variables in it.
type creation struct {
	base, size uintptr
	name       variable
	seen       uint64 // by its creator until then, which determines what it was created with
}

// thread is a caller under way.
type thread struct {
	next    func() (struct{}, bool)
	yield   func(struct{}) bool
	running bool
	calls   []call
	at      int    // the call that it is in
	pending step   // what it does next
	seen    uint64 // a hash of all that it was told in this turn, and of told, which determine all that it does
	told    uint64 // a hash of what its calls returned so far
	named   uint64 // how many pointers it has named
}

// call is an operation and when it happened: the numbers of its first and last step.
type call struct {
	begin, end int
	told       any
}

var seed = maphash.MakeSeed()

// hash returns a hash of a sequence: of its beginning's hash and the next value (splitmix64).
func hash(beginning, next uint64) uint64 {
	h := (beginning ^ next) * 0x9e3779b97f4a7c15
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	return h ^ h>>31 + 1
}

// New implements [atomics.Hooks].
func (e *execution[M]) New(p unsafe.Pointer, size uintptr) {
	name := variable{creator: e.current}
	for _, c := range e.created {
		if c.name.creator == e.current {
			name.creation++
		}
	}
	e.created = append(e.created, creation{uintptr(p), size, name, e.seen()})
}

// seen returns what the caller that runs was told, as a hash.
func (e *execution[M]) seen() uint64 {
	if e.current == building {
		return 0
	}
	return e.threads[e.current].seen
}

// Root implements [atomics.Hooks].
func (e *execution[M]) Root(p unsafe.Pointer) { e.root = e.creation(uintptr(p)).name }

// Step implements [atomics.Hooks]: the caller stops before the step.
func (e *execution[M]) Step(p unsafe.Pointer) {
	if e.current == building {
		return
	}
	t := e.threads[e.current]
	t.pending = step{caller: e.current, variable: e.name(uintptr(p)), address: uintptr(p), first: t.calls[t.at].begin == 0}
	if t.pending.variable == e.root && !e.Remembers {
		t.seen = t.told // a new turn
	}
	t.seen = hash(t.seen, 0) // it has got further, also if it was told nothing
	t.yield(struct{}{})
}

// Saw implements [atomics.Hooks].
func (e *execution[M]) Saw(value uint64) {
	if e.current != building {
		t := e.threads[e.current]
		t.seen = hash(t.seen, value)
	}
}

// Wrote implements [atomics.Hooks].
func (e *execution[M]) Wrote(value uint64) {
	if e.current != building {
		e.doing.wrote = true
		v := e.doing.variable
		c := e.creation(e.doing.address)
		now := hash(hash(hash(hash(hash(2, uint64(v.creator)), uint64(v.creation)), c.seen), uint64(v.offset)), value)
		e.sum += now - e.memory[v]
		e.memory[v] = now
	}
}

// Name implements [atomics.Hooks]: by who had the pointer first, and as its how manieth.
func (e *execution[M]) Name(p unsafe.Pointer) uint64 {
	if p == nil {
		return 0
	}
	name, ok := e.names[p]
	if !ok {
		count := uint64(len(e.names))
		if e.current != building {
			t := e.threads[e.current]
			t.named++
			count = t.named
		}
		name = hash(hash(hash(1, uint64(e.current+1)), e.seen()), count)
		e.names[p] = name
	}
	return name
}

// state returns a hash of all that the rest of the schedule depends on: what is in memory, what each
// caller was told, and which calls were over before which began.
func (e *execution[M]) state() uint64 {
	h := hash(3, e.sum)
	for i, t := range e.threads {
		h = hash(hash(h, t.seen), uint64(t.at))
		for _, c := range t.calls {
			if c.begin == 0 {
				break
			}
			for j, other := range e.threads {
				over := 0
				for _, d := range other.calls[:other.at] {
					if j != i && d.end < c.begin {
						over++
					}
				}
				h = hash(h, uint64(over))
			}
		}
	}
	return h
}

// fresh reports whether the execution has not been in its state before with no others asleep than
// those that are now, and takes it down.
func (x *explorer[M]) fresh(e *execution[M], asleep []step) bool {
	var now sleepers
	for _, s := range asleep {
		now |= 1 << s.caller
	}
	state := e.state()
	for _, then := range x.visited[state] {
		if then&^now == 0 {
			return false
		}
	}
	x.visited[state] = append(x.visited[state], now)
	return true
}

func (e *execution[M]) name(p uintptr) variable {
	c := e.creation(p)
	c.name.offset = p - c.base
	return c.name
}

// creation returns the part of memory that an address lies in.
func (e *execution[M]) creation(p uintptr) creation {
	for _, c := range slices.Backward(e.created) {
		if c.base <= p && p < c.base+c.size {
			return c
		}
	}
	return creation{base: p, name: variable{creator: building - 1}}
}

// begin lets all callers run to their first step.
func (e *execution[M]) begin() {
	for i, operations := range e.Callers {
		t := &thread{calls: make([]call, len(operations))}
		t.next, _ = iter.Pull(func(yield func(struct{}) bool) {
			t.yield = yield
			for i, operation := range operations {
				t.at = i
				t.calls[i].told = operation.Do()
				t.told = hash(t.told, maphash.String(seed, fmt.Sprint(t.calls[i].told)))
				t.seen = t.told
			}
			t.at = len(operations)
		})
		e.threads = append(e.threads, t)
		e.current = i
		_, t.running = t.next()
	}
}

// do lets the caller do its pending step, as the schedule's number'th, and run to the next one.
func (e *execution[M]) do(caller, number int) step {
	t := e.threads[caller]
	at := t.at
	c := &t.calls[at]
	if c.begin == 0 {
		c.begin = number
	}
	c.end = number
	e.current, e.doing = caller, t.pending
	_, t.running = t.next()
	e.doing.last = t.at != at
	return e.doing
}

// run follows path, and from its end on the first choice each time, which it appends. It gives up,
// not complete, where all that is left has been run in another order.
func (e *execution[M]) run(path []choice) []choice {
	e.begin()
	last, preemptions := -1, 0
	var asleep []step
	for number := 0; ; number++ {
		if number == len(path) {
			callers := e.choices(last, preemptions, asleep)
			if len(callers) == 0 || e.explorer.reduce && !e.explorer.fresh(e, asleep) {
				break
			}
			path = append(path, choice{callers: callers, asleep: asleep})
		}
		c := &path[number]
		who := c.callers[c.chosen]
		if last >= 0 && who != last && e.threads[last].running {
			preemptions++
		}
		last = who
		did := e.do(who, number+1)
		if len(c.done) <= c.chosen {
			c.done = append(c.done, did)
		}
		asleep = nil
		if e.explorer.reduce {
			for _, other := range slices.Concat(c.asleep, c.done[:c.chosen]) {
				if other.independent(did) {
					asleep = append(asleep, other)
				}
			}
		}
	}
	e.complete = !slices.ContainsFunc(e.threads, func(t *thread) bool { return t.running })
	for number, i := len(path), 0; i < len(e.threads); i++ { // so that no coroutine is left behind
		for e.threads[i].running {
			number++
			e.do(i, number)
		}
	}
	e.current = building
	if e.complete {
		e.final = e.Final()
	}
	return path
}

// choices returns who can go on and is not asleep, the one that went last before the others; only
// that one if another would be a preemption too many.
func (e *execution[M]) choices(last, preemptions int, asleep []step) (callers []int) {
	if last >= 0 && e.threads[last].running {
		callers = append(callers, last)
		if preemptions == e.explorer.bound {
			return callers
		}
	}
	for i, t := range e.threads {
		if i != last && t.running {
			callers = append(callers, i)
		}
	}
	return slices.DeleteFunc(callers, func(caller int) bool {
		return slices.ContainsFunc(asleep, func(s step) bool { return s.caller == caller })
	})
}
