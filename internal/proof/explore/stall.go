//go:build explore

package explore

import (
	"iter"
	"unsafe"

	"github.com/seed-3506548a/ratelimit/internal/atomics"
)

// Stall suspends a call before its step of the given number (from 0 on), calls others meanwhile,
// and then lets it go on. It reports whether the call had so many steps.
func Stall(call func(), number int, others func()) bool {
	outer := atomics.Explorer
	defer func() { atomics.Explorer = outer }()
	s := &stall{left: number}
	atomics.Explorer = s
	next, stop := iter.Pull(func(yield func(struct{}) bool) {
		s.yield = yield
		call()
	})
	defer stop()
	_, stalled := next()
	atomics.Explorer = nil
	others()
	if stalled {
		next()
	}
	return stalled
}

// Steps makes a call, and returns how many steps it had.
func Steps(call func()) int {
	const many = 1 << 30
	s := &stall{left: many}
	s.watch(call)
	return many - s.left
}

// Abandon makes a call up to its step of the given number (from 0 on), before which it is suspended
// for ever.
func Abandon(call func(), number int) {
	s := &stall{left: number}
	s.yield = func(struct{}) bool { panic(s) }
	defer func() {
		if got := recover(); got != any(s) && got != nil {
			panic(got)
		}
	}()
	s.watch(call)
}

// watch makes a call with s in the place of the explorer.
func (s *stall) watch(call func()) {
	outer := atomics.Explorer
	defer func() { atomics.Explorer = outer }()
	atomics.Explorer = s
	call()
}

// stall is the call's explorer.
type stall struct {
	left  int
	yield func(struct{}) bool
}

func (s *stall) Step(unsafe.Pointer) {
	if s.left == 0 {
		s.yield(struct{}{})
	}
	s.left--
}

func (s *stall) New(unsafe.Pointer, uintptr) {}
func (s *stall) Root(unsafe.Pointer)         {}
func (s *stall) Saw(uint64)                  {}
func (s *stall) Wrote(uint64)                {}
func (s *stall) Name(unsafe.Pointer) uint64  { return 0 }
