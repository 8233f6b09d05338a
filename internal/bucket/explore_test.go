//go:build explore

package bucket

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/atomics"
	"github.com/seed-3506548a/ratelimit/internal/proof/explore"
	"github.com/seed-3506548a/ratelimit/limittest"
)

// A Striped is explored from below the choice of stripes, which depends on where stacks are.

// act is what a caller does.
type act struct {
	kind   string
	stripe int
	off    int64
	n      int
}

// plot is a Striped and what its callers do. When they are done, all that there is at one time is
// taken: that is when it shows if too much was left.
type plot struct {
	rate, burst, stripes int
	habit                uint64
	before               []act
	callers              [][]act
	loaded               bool  // the TAT is after all times, so that it shows how many events are charged
	latest               int64 // the time of refunds and changes of rate: not before any that callers use
	end                  int64 // math.MaxInt64: the end of the last lease
}

// newPlot returns a random one, at times within a few grains.
func newPlot(random *rand.Rand, shape []int) plot {
	rates := []int{100_000, 1_000_000, 300_000, 100_000_000, math.MaxInt32}
	p := plot{rate: rates[random.IntN(len(rates))], stripes: 1 + random.IntN(2), habit: uint64(2 + random.IntN(8))}
	p.burst = 20*(1+random.IntN(2)) + int(int64(p.rate)*int64(random.IntN(10)*grain)/1e9)
	const last = length - 1 // of a lease from 0 on
	edges := []int64{0, 0, 0, 1, -1, grain - 1, grain, -grain}
	p.latest = grain
	if random.IntN(2) == 0 { // all leases are over when something is given back or changes
		edges = append(edges, last, last, last, last, last, last+1)
		p.latest = last + 1
	}
	off := func() int64 { return edges[random.IntN(len(edges))] }
	do := func(kinds ...string) act {
		return act{kinds[random.IntN(len(kinds))], random.IntN(p.stripes), off(), 1 + random.IntN(3)}
	}
	kinds := []string{"allow", "allow", "allow", "take", "take", "refund", "rate"}
	if p.loaded = random.IntN(2) == 0; p.loaded {
		kinds = kinds[:5]
		load := int(int64(p.rate)*20*grain/1e9) + 1
		p.burst += load
		p.before = append(p.before, act{"take", 0, 0, load})
	}
	for range random.IntN(6) {
		a := do("allow", "allow", "take")
		a.n *= 1 + random.IntN(4)
		p.before = append(p.before, a)
	}
	for _, acts := range shape {
		var caller []act
		for range acts {
			caller = append(caller, do(kinds...))
		}
		p.callers = append(p.callers, caller)
	}
	if p.end = last; random.IntN(2) == 0 {
		p.end = math.MaxInt64
	}
	return p
}

func (p plot) scenario(t testing.TB) explore.Scenario[int] {
	h := newHot(t, p.rate, p.burst, p.stripes)
	for i := range h.stripes {
		h.expect(i, p.habit)
	}
	for _, a := range p.before {
		h.do(a, p.latest)
	}
	left, granted, word := h.left(), h.granted(), h.core.current.Load().Word.Load()
	h.clock.Set(hotStart.Add(time.Duration(p.latest)))
	scenario := explore.Scenario[int]{
		Remembers: true,
		Model:     func() int { return 0 },
		Clone:     func(int) int { return 0 },
		Final: func() any {
			f := h.core.current.Load()
			charged := int((f.Word.Load() - word) / f.Scale.perEvent)
			if have := h.granted() - granted + h.left() - left; p.loaded && have > charged {
				return fmt.Sprintf("%d granted or left of %d that were charged", have, charged)
			}
			h.drain(min(p.end, h.leased.load()))
			return h.exceeded()
		},
		Explain: func(int) any { return "" },
	}
	for _, acts := range p.callers {
		var operations []explore.Operation[int]
		for _, a := range acts {
			operations = append(operations, explore.Operation[int]{
				Name:  fmt.Sprint(a),
				Do:    func() any { return h.do(a, p.latest) },
				Model: func(int) any { return nil },
				Lost:  func(any) bool { return true }, // it is only asked what was granted in all
			})
		}
		scenario.Callers = append(scenario.Callers, operations)
	}
	return scenario
}

// left returns how many events of leases are left.
func (h *hot) left() (sum int) {
	for i := range h.stripes {
		sum += int(lease(h.stripes[i].lease.Load()).left())
	}
	return sum
}

// granted returns how many events have been granted.
func (h *hot) granted() (sum int) {
	for _, g := range h.grants {
		sum += g.n
	}
	return sum
}

// do does it, and returns what the caller is told.
func (h *hot) do(a act, latest int64) any {
	s := &h.stripes[a.stripe%len(h.stripes)]
	switch a.kind {
	case "allow":
		ok := h.allow(s, a.off)
		if ok {
			h.used(a.off, 1)
		}
		return ok
	case "take":
		var d ratelimit.Decision
		h.Striped.take(&d, s, a.off, a.n)
		if d.OK {
			h.used(a.off, a.n)
		}
		return d
	case "refund": // what was granted before
		if a.n > len(h.grants) {
			return nil
		}
		g := &h.grants[a.n-1]
		n := g.n
		g.n = 0
		h.RefundAt(hotStart.Add(time.Duration(latest)), n, time.Duration(latest-g.off))
		return n
	}
	if err := h.SetRateAt("f", "burst", hotStart.Add(time.Duration(latest)), ratelimit.PerSecond(h.other()), h.burst); err != nil {
		return err
	}
	h.paces = append(h.paces, pace{latest, math.MaxInt64, int64(h.other())})
	return nil
}

// other is a rate to change to: much faster.
func (h *hot) other() int { return min(int(h.paces[0].rate), 20_000_000) * 100 }

// TestAllSchedules explores random plots. In no schedule is more granted than may be.
func TestAllSchedules(t *testing.T) {
	for i, shape := range []struct {
		acts        []int // of each caller
		least, most int   // plots
	}{{[]int{1, 1}, 5000, 5000}, {[]int{2, 1}, 2000, 2000}, {[]int{2, 2}, 100, 1000}, {[]int{1, 1, 1}, 10, 100}} {
		t.Run(fmt.Sprintf("striped bucket/callers with %v operations", shape.acts), func(t *testing.T) {
			plots := explore.Share(shape.least, shape.most)
			if testing.Short() {
				plots = shape.most / 50
			}
			random := explore.Random(uint64(i))
			schedules, states, bounded, lost := 0, 0, 0, atomics.LostRaces.Load()
			for range plots {
				p := newPlot(random, shape.acts)
				r := explore.Explore(func() explore.Scenario[int] { return p.scenario(t) })
				require.Empty(t, r.Failure, "%+v", p)
				schedules += r.Schedules
				states += r.States
				if r.Preemptions >= 0 {
					bounded++
				}
			}
			t.Logf("%d scenarios, %d of them with all schedules of at most 3 preemptions, the others with all: %d schedules, %d states",
				plots, bounded, schedules, states)
			require.Greater(t, atomics.LostRaces.Load(), lost)
		})
	}
}

// A change of rate that is suspended, before whatever step, holds up nobody: who asks then is told
// by the old rate or by the new one.
func TestNobodyWaitsForASuspendedChangeOfRate(t *testing.T) {
	for _, taken := range []int{0, 3} { // of a burst of 4
		stalled, number := true, 0
		for ; stalled; number++ {
			clock := limittest.NewClock(time.Unix(1, 0))
			var b Striped
			require.NoError(t, b.Init("f", "burst", ratelimit.PerSecond(1_000_000), 4, 1, []ratelimit.Option{ratelimit.WithClock(clock)}))
			var d ratelimit.Decision
			b.TakeAt(&d, clock.Now(), taken)
			stalled = explore.Stall(func() {
				require.NoError(t, b.SetRate("f", "burst", ratelimit.PerSecond(500_000), 8))
			}, number, func() {
				granted := 0
				for b.Allow() {
					granted++
				}
				require.GreaterOrEqual(t, granted, 4-taken)
				require.LessOrEqual(t, granted, 8)
			})
		}
		require.Greater(t, number, 3, "it has some steps")
	}
}
