//go:build explore

package explore

import (
	"fmt"
	"hash/maphash"
	"iter"
	"slices"
	"unsafe"
)

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
	endless  bool // a call was not over after enough steps
	final    any
}

const building = -1

// enough is how many steps callers take until their calls must be over: many more than are needed.
const enough = 10_000

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

// begin lets all callers run to their first step.
func (e *execution[M]) begin() {
	for i, operations := range e.Callers {
		t := &thread{calls: make([]call, len(operations))}
		t.next, _ = iter.Pull(func(yield func(struct{}) bool) {
			t.yield = yield
			for i, operation := range operations {
				t.at = i
				t.calls[i].told = operation.Do()
				t.told = hash(t.told, maphash.String(hashSeed, fmt.Sprint(t.calls[i].told)))
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
			if len(callers) == 0 || number == enough || e.explorer.reduce && !e.explorer.fresh(e, asleep) {
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
		for ; e.threads[i].running && number < 2*enough; number++ {
			e.do(i, number+1)
		}
		e.endless = e.endless || e.threads[i].running
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
