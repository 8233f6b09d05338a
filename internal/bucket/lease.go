package bucket

import (
	"unsafe"

	"github.com/seed-3506548a/ratelimit/internal/atomics"
	"github.com/seed-3506548a/ratelimit/internal/timeline"
)

// A lease is events that were charged together, and may be granted one by one at any time from
// first to last. It is charged as if all of them were granted as late as they may be, if there is
// room as early as they may be: n events are charged if
//
//	max(TAT, last) + n*T <= first + burst*T
//
// and the left side becomes the TAT. With first == last that is Take. So the bound holds for the
// times at which events of a lease are granted, whichever these are; see docs/correctness.md.
//
// A lease says all about itself: equal leases are equal rights. So it does no harm if a caller is
// suspended between reading a lease and using it, or if a lease comes back.
//
//	bits 14 to 63  first, an offset that is a multiple of 2^14 ns
//	bits 0 to 13   how many events are left
type lease uint64

const (
	grain    = 1 << 14   // nanoseconds from one first to the next
	mostLeft = grain - 1 // events of a lease
	length   = 8 * grain // nanoseconds in which a lease can be used: 131 us
	prompt   = 2 * grain // a lease that is used up within this makes the next one greater

	// worth is how many events the rate must bring while a lease can be used. At slower rates there
	// are no leases.
	worth = 8

	// thrift is how many events a stripe must have used for each that it wastes.
	thrift = 64
)

func newLease(first int64, left uint64) lease { return lease(uint64(first) | left) }

func (l lease) first() int64 { return int64(l &^ mostLeft) }
func (l lease) left() uint64 { return uint64(l & mostLeft) }

// covers reports whether what is left may be granted at off.
func (l lease) covers(off int64) bool { return uint64(off)-uint64(l&^mostLeft) < length }

// stripe has the lease of the callers that it is chosen by. It fills a cache line.
//
// Any caller moves the lease by CAS, in three ways:
//
//	grant    left -> left - n, at an offset that the lease covers
//	deposit  left -> left + n, if first is the same
//	         or a lease with a later first takes its place; what was left is lost
type stripe struct {
	lease atomics.Uint64

	// habit is thrift times the number of events of the next lease. It only matters for speed, so
	// callers may overwrite each other's.
	habit atomics.Uint64

	_ [48]byte
}

// init makes s a stripe with nothing left, before any other caller sees it.
func (s *stripe) init() { s.lease.Init(uint64(newLease(timeline.Bottom, 0))) }

// take takes n events that may be granted at off, if so many are left. The step is computed from
// one load of the lease and lands only if the lease has not moved since, or is the same again. If
// another caller's change landed first, it is tried again.
func (s *stripe) take(off int64, n uint64) bool {
	for {
		held := lease(s.lease.Load())
		if !held.covers(off) || held.left() < n {
			return false
		}
		if s.lease.CompareAndSwap(uint64(held), uint64(held)-n) {
			return true
		}
	}
}

// deposit adds n events of a lease that has been charged. They are lost if the stripe has a later
// lease already, whose time is not theirs, or no room for them. A race is lost to another caller's
// grant or deposit only.
func (s *stripe) deposit(first int64, n uint64) {
	for {
		held := lease(s.lease.Load())
		next := newLease(first, n)
		switch {
		case held.first() > first:
			return
		case held.first() == first:
			if n == 0 || held.left()+n > mostLeft {
				return
			}
			next = held + lease(n)
		}
		if s.lease.CompareAndSwap(uint64(held), uint64(next)) {
			return
		}
	}
}

// expects returns the habit of callers that found the lease held at a later time than it covers, or
// with nothing left: what expired unused counts thrift times, so a stripe wastes at most one event
// for each 63 that it has used.
func (s *stripe) expects(held lease) uint64 {
	habit := s.habit.Load()
	return habit - min(habit, thrift*held.left())
}

// learn sets the habit, after n events were charged at off because nothing was left of held.
func (s *stripe) learn(habit uint64, held lease, off int64, n uint64) {
	if held.left() == 0 && uint64(off-held.first()) < prompt {
		habit = min(habit+n, thrift*mostLeft)
	}
	if habit != s.habit.Load() {
		s.habit.Store(habit)
	}
}

// offer is what of a lease can be charged.
type offer struct {
	first int64  // offset from which it can be used
	from  uint64 // what the TAT is raised from: its time, or the lease's last instant
	most  uint64 // events; 0 if there is no lease
}

// last returns the offset until which the lease can be used.
func (o *offer) last() int64 { return o.first + length - 1 }

// offers returns the lease that a caller at off can charge, when word is the TAT and held the lease
// of its stripe. A caller leases at most one share of what there is room for, and nothing if there
// is room for less than two shares, so that the rest is left to the others.
//
// A caller that is late for the stripe's lease leases nothing, as it could not deposit it.
func (c *scale) offers(word uint64, held lease, off int64, share uint64) (o offer) {
	o.first = off &^ mostLeft
	switch {
	case c.perNano*(length/worth) < c.perEvent, o.first < held.first(), !c.holds(o.first), !c.holds(o.last()):
		return o
	}
	o.from = max(word, c.ticks(o.last()))
	share *= c.perEvent // at most 2^59, as the rate is worth it
	if room := c.ticks(o.first) + c.depth; room >= o.from+2*share {
		o.most = min((room-o.from)/share, mostLeft)
	}
	return o
}

// here returns a number that is the same for most calls of a goroutine, and seldom the same for
// two: where its stack is. No stack is smaller than 2 KiB.
func here() uint64 {
	var onStack byte
	return uint64(uintptr(unsafe.Pointer(&onStack))>>11) * 0x9e3779b97f4a7c15
}
