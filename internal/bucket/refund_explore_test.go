//go:build explore

package bucket

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/atomics"
	"github.com/seed-3506548a/ratelimit/internal/proof/explore"
)

// steppedClock is a clock of which each reading is a step of the schedule.
type steppedClock struct{ off atomics.Uint64 }

func (c *steppedClock) Now() time.Time { return hotStart.Add(time.Duration(c.off.Load())) }

// errand is what a caller does by the clock: it takes events, gives back the nth grant of before,
// or moves the clock on.
type errand struct {
	kind string
	n    int
}

// tenth is that of an emission interval at one event a second.
const tenth = int64(time.Second / 10)

// shift is a Bucket at one event a second, of which each of before was granted at 0, and whose
// callers go by a clock that moves.
type shift struct {
	burst   int
	before  []int
	callers [][]errand
}

func newShift(random *rand.Rand, shape []int) shift {
	s := shift{burst: 2 + random.IntN(2)}
	for left := s.burst; left > 0 && len(s.before) < 3; {
		n := 1 + random.IntN(left)
		s.before = append(s.before, n)
		left -= n
	}
	refunds := random.Perm(len(s.before)) // each at most once
	for _, acts := range shape {
		var caller []errand
		for range acts {
			switch random.IntN(3) {
			case 0:
				if len(refunds) > 0 {
					caller = append(caller, errand{"refund", refunds[0]})
					refunds = refunds[1:]
					continue
				}
				fallthrough
			case 1:
				caller = append(caller, errand{"take", 1 + random.IntN(2)})
			default:
				caller = append(caller, errand{"wait", 1 + random.IntN(12)})
			}
		}
		s.callers = append(s.callers, caller)
	}
	return s
}

// scenario is the shift. When it is over, all that there is from then on is taken, in steps, and
// the bound is checked over all intervals: for what was not given back, it is
//
//	burst + floor(seconds)
func (s shift) scenario() explore.Scenario[int] {
	clock := new(steppedClock)
	clock.off.Init(0)
	b := new(Bucket)
	rate := ratelimit.PerSecond(1)
	if err := b.Init("f", "burst", rate, s.burst, []ratelimit.Option{ratelimit.WithClock(clock)}); err != nil {
		panic(err)
	}
	at := map[int64]int{} // events that were granted and not given back
	take := func(off int64, n int) bool {
		var d ratelimit.Decision
		if b.TakeAt(&d, hotStart.Add(time.Duration(off)), n); d.OK {
			at[off] += n
		}
		return d.OK
	}
	for _, n := range s.before {
		take(0, n)
	}
	scenario := explore.Scenario[int]{
		Remembers: true,
		Model:     func() int { return 0 },
		Clone:     func(int) int { return 0 },
		Explain:   func(int) any { return "" },
		Final: func() any {
			end := int64(clock.off.Load())
			for off := end; off <= end+20*tenth; off += tenth {
				for take(off, 1) {
				}
			}
			return exceededBy(at, s.burst)
		},
	}
	for _, errands := range s.callers {
		var operations []explore.Operation[int]
		for _, e := range errands {
			operations = append(operations, explore.Operation[int]{
				Name:  fmt.Sprint(e),
				Model: func(int) any { return nil },
				Lost:  func(any) bool { return true },
				Do: func() any {
					switch e.kind {
					case "take":
						return take(int64(clock.off.Load()), e.n)
					case "wait":
						clock.off.Store(clock.off.Load() + uint64(int64(e.n)*tenth))
						return nil
					}
					now := clock.Now()
					b.RefundAt(now, s.before[e.n], now.Sub(hotStart))
					at[0] -= s.before[e.n]
					return nil
				},
			})
		}
		scenario.Callers = append(scenario.Callers, operations)
	}
	return scenario
}

func exceededBy(at map[int64]int, burst int) string {
	var times []int64
	for off := range at {
		times = append(times, off)
	}
	slices.Sort(times)
	for i, first := range times {
		sum := 0
		for _, last := range times[i:] {
			sum += at[last]
			if most := burst + int((last-first)/int64(time.Second)); sum > most {
				return fmt.Sprintf("%d granted in [%d, %d], want at most %d: %v", sum, first, last, most, at)
			}
		}
	}
	return ""
}

// TestAllRefunds explores refunds while the clock moves, and others take and give back: in no
// schedule is more granted than if what was given back had never been granted.
func TestAllRefunds(t *testing.T) {
	for i, shape := range []struct {
		acts   []int // of each caller
		shifts int
	}{{[]int{1, 2}, 500}, {[]int{2, 2}, 500}, {[]int{1, 1, 1}, 200}, {[]int{1, 1, 2}, 40}} {
		t.Run(fmt.Sprintf("refunds/callers with %v operations", shape.acts), func(t *testing.T) {
			if testing.Short() {
				shape.shifts /= 20
			}
			random := rand.New(rand.NewPCG(uint64(i), 3))
			schedules, states, bounded := 0, 0, 0
			for range shape.shifts {
				s := newShift(random, shape.acts)
				r := explore.Explore(s.scenario)
				require.Empty(t, r.Failure, "%+v", s)
				schedules += r.Schedules
				states += r.States
				if r.Preemptions >= 0 {
					bounded++
				}
			}
			t.Logf("%d scenarios, %d of them with all schedules of at most 3 preemptions, the others with all: %d schedules, %d states",
				shape.shifts, bounded, schedules, states)
		})
	}
}
