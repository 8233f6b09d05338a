//go:build explore

package explore_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/atomics"
	"github.com/seed-3506548a/ratelimit/internal/proof/explore"
)

// A call that never ends is found, whether it comes to the same state again and again, or to
// others.
func TestEndlessCalls(t *testing.T) {
	for _, step := range []uint64{0, 1} {
		r := explore.Explore(func() explore.Scenario[int] {
			var word atomics.Uint64
			return explore.Scenario[int]{
				Callers: [][]explore.Operation[int]{{{Name: "forever", Do: func() any {
					for {
						was := word.Load()
						word.CompareAndSwap(was, was+step)
					}
				}}}},
			}
		})
		require.Contains(t, r.Failure, "goes on without an end")
		require.Contains(t, r.Failure, "forever")
	}
}

// The explorer finds what is planted. Each fault is one that the tests of a limiter with a single
// caller cannot see.
func TestPlantedFaults(t *testing.T) {
	find := func(t *testing.T, k kind, all [][][]string) {
		r, _ := k.explore(k.worlds[0], all)
		require.NotEmpty(t, r.Failure, "in %d schedules", r.Schedules)
		t.Logf("found in schedule %d:\n%s", r.Schedules, r.Failure)
	}
	t.Run("a Store in place of a CAS", func(t *testing.T) {
		atomics.StoreForCAS = true
		defer func() { atomics.StoreForCAS = false }()
		find(t, explored[0], [][][]string{{{"take"}, {"take"}}})
		find(t, explored[1], [][][]string{{{"take"}, {"take"}}})
		find(t, explored[4], [][][]string{{{"take"}, {"take"}}})
	})
	t.Run("a frame that is not frozen", func(t *testing.T) {
		atomics.NoFreeze = true
		defer func() { atomics.NoFreeze = false }()
		find(t, explored[0], [][][]string{{{"set rate"}, {"take"}}})
		find(t, explored[1], [][][]string{{{"set rate"}, {"take"}}})
		find(t, explored[4], [][][]string{{{"take"}, {"set rate"}}})
	})
	t.Run("a ring that nobody writes to", func(t *testing.T) {
		atomics.NoMax = true
		defer func() { atomics.NoMax = false }()
		find(t, explored[5], [][][]string{{{"take", "take"}, {"refuse"}}})
	})
	for _, fault := range []string{"", "a stale time moves the state back", "a refund gives back what has drained"} {
		w := explored[0].worlds[0]
		faulty := kind{
			limiter: func(w world, c ratelimit.Clock) limiter { return newPlain(w, c, fault) },
			model:   explored[0].model,
			worlds:  []world{w},
		}
		all := [][][]string{{{"take"}, {"take"}, {"refund"}}, {{"take", "refund"}, {"take", "refuse"}}}
		if fault == "" {
			r, _ := faulty.explore(w, all)
			require.Empty(t, r.Failure)
			continue
		}
		t.Run(fault, func(t *testing.T) { find(t, faulty, all) })
	}
}

// plain is a bucket without frames, for times near its origin, that can have faults.
type plain struct {
	limiter
	fault  string
	clock  ratelimit.Clock
	origin time.Time
	tat    atomics.Uint64 // nanoseconds since a second before the origin
	each   uint64
	depth  uint64
}

func newPlain(w world, c ratelimit.Clock, fault string) limiter {
	each := uint64(w.rate.Per) / uint64(w.rate.Events)
	p := &plain{fault: fault, clock: c, origin: c.Now().Add(-time.Second), each: each, depth: uint64(w.burst) * each}
	p.tat.Init(0)
	return p
}

func (p *plain) decide(tat, now uint64, n int) (ratelimit.Decision, uint64) {
	d := ratelimit.Decision{Limit: int(p.depth / p.each)}
	after := max(tat, now) + uint64(n)*p.each
	if p.fault == "a stale time moves the state back" && now < tat {
		after = max(tat, now) - (tat-now)%2 + uint64(n)*p.each
	}
	if d.OK = after-now <= p.depth; !d.OK {
		d.RetryAfter = time.Duration(after - now - p.depth)
		after = max(tat, now)
	}
	d.Remaining = int((p.depth - min(p.depth, after-now)) / p.each)
	d.ResetAfter = time.Duration(after - now)
	return d, after
}

func (p *plain) TakeAt(t time.Time, n int) ratelimit.Decision {
	now := uint64(t.Sub(p.origin))
	for {
		tat := p.tat.Load()
		d, after := p.decide(tat, now, n)
		if !d.OK || p.tat.CompareAndSwap(tat, after) {
			return d
		}
	}
}

func (p *plain) PeekAt(t time.Time, n int) ratelimit.Decision {
	d, _ := p.decide(p.tat.Load(), uint64(t.Sub(p.origin)), n)
	return d
}

func (p *plain) RefundAt(t time.Time, n int, held time.Duration) {
	for {
		tat := p.tat.Load()
		credit := uint64(n)*p.each - uint64(held+p.clock.Now().Sub(t))
		if p.fault == "a refund gives back what has drained" {
			credit = uint64(n) * p.each
		}
		if p.tat.CompareAndSwap(tat, tat-credit) {
			return
		}
	}
}
