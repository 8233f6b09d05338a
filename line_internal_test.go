package ratelimit

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// phase is where a waiter is in its call.
type phase int

const (
	outside  phase = iota
	looking        // is about to ask whether it is the first
	standing       // waits to be woken
	asking         // is the first, and has the limiter to itself
	gone
)

// crowd is a line and its waiters. Each step of a waiter is one that it makes alone: join, turn and
// leave hold the mutex.
type crowd struct {
	line    line
	waiters [3]*waiter
	phases  [3]phase
}

func newCrowd() *crowd {
	c := &crowd{line: line{limiter: Unlimited()}}
	for i := range c.waiters {
		c.waiters[i] = newWaiter(1)
	}
	return c
}

// step is what the waiter does next; or it leaves, served or not.
type step struct {
	waiter int
	leaves bool
}

// take makes a step, if it can be made. A fault is a wrong version of leave.
func (c *crowd) take(s step, fault func(c *crowd)) bool {
	w := c.waiters[s.waiter]
	switch p := &c.phases[s.waiter]; {
	case *p == gone || *p == outside && s.leaves:
		return false
	case s.leaves:
		c.line.leave(w)
		fault(c)
		*p = gone
	case *p == outside:
		c.line.join(w, math.MaxInt)
		*p = looking
	case *p == looking:
		if _, _, first := c.line.turn(w, time.Time{}); first {
			*p = asking
		} else {
			*p = standing
		}
	case *p == standing:
		select {
		case <-w.wake:
			*p = looking
		default:
			return false
		}
	case *p == asking:
		return false // it is served, and leaves
	}
	return true
}

// stuck reports whether all waiters in the line wait to be woken.
func (c *crowd) stuck() bool {
	first := c.line.first
	for i, w := range c.waiters {
		if w == first {
			return c.phases[i] == standing && len(w.wake) == 0
		}
	}
	return false
}

// String returns all that distinguishes crowds.
func (c *crowd) String() string {
	text := fmt.Sprint(c.phases)
	for w := c.line.first; w != nil; w = w.behind {
		for i := range c.waiters {
			if c.waiters[i] == w {
				text += fmt.Sprint(" ", i, len(w.wake))
			}
		}
	}
	return text
}

// search makes all steps in all orders, and returns those that lead to where nobody is served any
// more.
func search(fault func(c *crowd)) (stuck []step, states int) {
	seen := map[string]bool{}
	var from func(path []step) []step
	from = func(path []step) []step {
		for w := range 3 {
			for _, leaves := range []bool{false, true} {
				c := newCrowd()
				for _, s := range path {
					c.take(s, fault)
				}
				next := step{w, leaves}
				if !c.take(next, fault) || seen[c.String()] {
					continue
				}
				seen[c.String()] = true
				way := slices.Concat(path, []step{next})
				if c.stuck() {
					return way
				}
				if found := from(way); found != nil {
					return found
				}
			}
		}
		return nil
	}
	return from(nil), len(seen)
}

// A waiter that leaves, at any point, does not stop the next.
func TestNoWakeUpIsLost(t *testing.T) {
	stuck, states := search(func(*crowd) {})
	require.Empty(t, stuck)
	require.Greater(t, states, 100)
	t.Logf("%d states", states)

	stuck, _ = search(func(c *crowd) { // the tempting version: a waiter that leaves unserved wakes nobody
		if c.line.first != nil {
			select {
			case <-c.line.first.wake:
			default:
			}
		}
	})
	require.NotEmpty(t, stuck)
}
