//go:build explore

package explore

import (
	"iter"
	"unsafe"

	"github.com/seed-3506548a/ratelimit/internal/atomics"
)

// Stall suspends a call before its step of the given number (from 0 on), calls others meanwhile, and then
// lets it go on. It reports whether the call had so many steps.
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
