//go:build explore

package explore_test

import (
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/fixedwindow"
	"github.com/seed-3506548a/ratelimit/gcra"
	"github.com/seed-3506548a/ratelimit/internal/atomics"
	"github.com/seed-3506548a/ratelimit/internal/explore"
	"github.com/seed-3506548a/ratelimit/internal/limittest"
	"github.com/seed-3506548a/ratelimit/tokenbucket"
)

// limiter is what is explored.
type limiter interface {
	ratelimit.Limiter
	ratelimit.Reserver
	SetRateAt(t time.Time, rate ratelimit.Rate, size int) error
}

// state is the model's: the limiter's, and which reservations were cancelled.
type state struct {
	limiter   limittest.Reserver
	cancelled [3]bool // each caller's reservation
}

func (s *state) clone() *state {
	c := *s
	c.limiter = s.limiter.Clone()
	return &c
}

// world is the state of affairs that callers meet.
type world struct {
	name   string
	rate   ratelimit.Rate
	burst  int
	other  ratelimit.Rate // what SetRateAt sets
	before time.Duration  // how long ago an event was taken, and one reserved for each caller
	fresh  bool           // or nothing was
	plain  bool           // or an event was taken, and none reserved
}

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// kinds are the operations that callers do.
var kinds = []string{"take", "refuse", "refund", "set rate", "reserve", "cancel"}

type operation = explore.Operation[*state]

// setting is a limiter made for one schedule, and what its callers refer to.
type setting struct {
	world
	limiter limiter
	origin  time.Time
	now     time.Time
	prior   [3]ratelimit.Reservation
	model   *state
}

// kind is a limiter to explore, with its model.
type kind struct {
	name    string
	limiter func(w world, c ratelimit.Clock) limiter
	model   func(w world, origin time.Time) limittest.Reserver
	worlds  []world
}

var explored = []kind{
	{
		name: "bucket", // of gcra and tokenbucket.New
		limiter: func(w world, c ratelimit.Clock) limiter {
			return ratelimit.Must(gcra.New(w.rate, w.burst, ratelimit.WithClock(c)))
		},
		model: func(w world, _ time.Time) limittest.Reserver { return limittest.NewBucket(w.rate, w.burst) },
		worlds: []world{
			{name: "inside the frame", rate: ratelimit.PerSecond(10), burst: 5, other: ratelimit.PerSecond(4), before: 50 * time.Millisecond},
			{name: "frame outgrown", rate: ratelimit.PerSecond(1_000_000_007), burst: 2, other: ratelimit.PerSecond(999_999_937), before: time.Hour},
			{name: "fresh, before its frame", rate: ratelimit.PerSecond(1_000_000_007), burst: 2, other: ratelimit.PerSecond(10), fresh: true},
		},
	},
	{
		name: "window", // of tokenbucket.NewInterval
		limiter: func(w world, c ratelimit.Clock) limiter {
			return ratelimit.Must(tokenbucket.NewInterval(w.rate, w.burst, ratelimit.WithClock(c)))
		},
		model: func(w world, _ time.Time) limittest.Reserver { return limittest.NewInterval(w.rate, w.burst) },
		worlds: []world{
			{name: "inside the interval", rate: ratelimit.Per(2, 100*time.Millisecond), burst: 5, other: ratelimit.Per(1, 100*time.Millisecond), before: 50 * time.Millisecond},
			{name: "at the interval's end", rate: ratelimit.Per(3, 50*time.Millisecond), burst: 4, other: ratelimit.Per(1, 50*time.Millisecond), before: 50 * time.Millisecond},
			{name: "frame outgrown", rate: ratelimit.PerSecond(2), burst: 1 << 24, other: ratelimit.PerSecond(1), before: 500 * 24 * time.Hour},
			{name: "fresh", rate: ratelimit.PerSecond(2), burst: 2, other: ratelimit.PerSecond(1), fresh: true},
		},
	},
	{
		name: "anchored window", // of fixedwindow.NewAnchored
		limiter: func(w world, c ratelimit.Clock) limiter {
			return fixed{Limiter: ratelimit.Must(fixedwindow.NewAnchored(w.rate, ratelimit.WithClock(c)))}
		},
		model: func(w world, _ time.Time) limittest.Reserver { return limittest.NewAnchored(w.rate) },
		worlds: []world{
			{name: "rollover", rate: ratelimit.Per(3, 50*time.Millisecond), burst: 3, other: ratelimit.Per(2, 50*time.Millisecond), before: 50 * time.Millisecond, plain: true},
			{name: "inside", rate: ratelimit.PerSecond(3), burst: 3, other: ratelimit.PerSecond(2), before: 50 * time.Millisecond, plain: true},
		},
	},
	{
		name: "aligned window", // of fixedwindow.NewAligned
		limiter: func(w world, c ratelimit.Clock) limiter {
			return fixed{Limiter: ratelimit.Must(fixedwindow.NewAligned(w.rate, ratelimit.WithClock(c)))}
		},
		model: func(w world, origin time.Time) limittest.Reserver { return limittest.NewAligned(w.rate, origin) },
		worlds: []world{
			{name: "rollover", rate: ratelimit.PerSecond(3), burst: 3, other: ratelimit.PerSecond(2), before: 50 * time.Millisecond, plain: true},
			{name: "inside", rate: ratelimit.PerHour(3), burst: 3, other: ratelimit.PerHour(2), before: 50 * time.Millisecond, plain: true},
		},
	},
}

// fixed is a fixed window, whose capacity is its number of events; it cannot reserve.
type fixed struct {
	ratelimit.Reserver
	*fixedwindow.Limiter
}

func (l fixed) SetRateAt(t time.Time, rate ratelimit.Rate, _ int) error {
	return l.Limiter.SetRateAt(t, rate)
}

func (k kind) build(w world) *setting {
	s := &setting{world: w, now: start}
	clock := limittest.NewClock(start)
	s.origin = start.Add(-w.before)
	if w.fresh {
		s.origin = start.Add(time.Hour)
	}
	clock.Set(s.origin)
	s.limiter = k.limiter(w, clock)
	s.model = &state{limiter: k.model(w, s.origin)}
	if !w.fresh {
		s.limiter.TakeAt(s.origin, 1)
		s.model.limiter.Take(new(big.Int), 1)
		for i := range s.prior {
			if w.plain {
				break
			}
			s.prior[i], _ = s.limiter.ReserveAt(s.origin, 1, time.Second)
			s.model.limiter.Reserve(new(big.Int), 1, time.Second)
		}
	}
	clock.Set(start)
	return s
}

func (s *setting) offset(t time.Time) *big.Int { return limittest.Offset(s.origin, t) }

// told is what a reservation tells.
type told struct {
	ratelimit.Decision
	delay time.Duration
}

// operation returns an operation of the given kind; the first of callers a and b are at other times.
func (s *setting) operation(kind string, caller int) operation {
	at := s.now.Add(-time.Duration(caller) * time.Nanosecond)
	if s.fresh {
		at = s.now.Add(time.Duration(caller) * time.Hour)
	}
	off, now := s.offset(at), s.offset(s.now)
	switch kind {
	case "take":
		return operation{Name: kind,
			Do:    func() any { return s.limiter.TakeAt(at, 1) },
			Model: func(m *state) any { return m.limiter.Take(off, 1) }}
	case "refuse":
		return operation{Name: kind,
			Do:    func() any { return s.limiter.TakeAt(at, s.burst) },
			Model: func(m *state) any { return m.limiter.Take(off, s.burst) }}
	case "refund":
		held := at.Sub(s.origin)
		return operation{Name: kind,
			Do:    func() any { s.limiter.RefundAt(at, 1, held); return nil },
			Model: func(m *state) any { m.limiter.Refund(off, now, 1, held); return nil }}
	case "set rate":
		return operation{Name: kind,
			Do: func() any { return s.limiter.SetRateAt(at, s.other, 1+caller) },
			Model: func(m *state) any {
				size := 1 + caller
				if _, ok := s.limiter.(fixed); ok {
					size = s.other.Events
				}
				m.limiter.SetRate(off, now, s.other, size)
				return nil
			}}
	case "reserve":
		return operation{Name: kind,
			Do: func() any {
				r, d := s.limiter.ReserveAt(at, 1, time.Second)
				if !d.OK {
					return told{Decision: d}
				}
				return told{d, r.ActAt().Sub(at)}
			},
			Model: func(m *state) any {
				delay, d := m.limiter.Reserve(off, 1, time.Second)
				if !d.OK {
					delay = 0
				}
				return told{d, delay}
			}}
	case "cancel":
		return operation{Name: kind,
			Do: func() any {
				if s.prior[caller] != nil {
					s.prior[caller].CancelAt(at)
				}
				return nil
			},
			Model: func(m *state) any {
				if s.prior[caller] != nil && !m.cancelled[caller] {
					m.cancelled[caller] = true
					m.limiter.Cancel(off, now, 1, s.offset(s.prior[caller].ActAt()))
				}
				return nil
			}}
	}
	panic(kind)
}

// scenario has callers do operations of the given kinds.
func (s *setting) scenario(callers [][]string) explore.Scenario[*state] {
	grid := []time.Duration{-40 * time.Millisecond, -1, 0, 1, 50 * time.Millisecond, 100 * time.Millisecond, time.Hour}
	scenario := explore.Scenario[*state]{
		Model: func() *state { return s.model.clone() },
		Clone: (*state).clone,
		Final: func() any {
			var all [7]ratelimit.Decision
			for i, d := range grid {
				all[i] = s.limiter.PeekAt(s.now.Add(d), 1)
			}
			return all
		},
		Explain: func(m *state) any {
			var all [7]ratelimit.Decision
			for i, d := range grid {
				all[i] = m.limiter.Peek(s.offset(s.now.Add(d)), 1)
			}
			return all
		},
	}
	for i, names := range callers {
		var operations []operation
		for _, name := range names {
			operations = append(operations, s.operation(name, i))
		}
		scenario.Callers = append(scenario.Callers, operations)
	}
	return scenario
}

// threeByOne has three callers with an operation each, of all kinds.
func threeByOne(kinds []string) (all [][][]string) {
	for i, a := range kinds {
		for j, b := range kinds[i:] {
			for _, c := range kinds[i+j:] {
				all = append(all, [][]string{{a}, {b}, {c}})
			}
		}
	}
	return all
}

// twoByTwo has two callers with two operations each, of all kinds.
func twoByTwo(kinds []string) (all [][][]string) {
	var pairs [][]string
	for _, a := range kinds {
		for _, b := range kinds {
			pairs = append(pairs, []string{a, b})
		}
	}
	for i, a := range pairs {
		for _, b := range pairs[i:] {
			all = append(all, [][]string{a, b})
		}
	}
	return all
}

// explore explores the scenarios that the callers make in w, until one fails.
func (k kind) explore(w world, all [][][]string) (total explore.Result, bounded int) {
	total.Preemptions = -1
	for _, callers := range all {
		r := explore.Explore(func() explore.Scenario[*state] { return k.build(w).scenario(callers) })
		total.Schedules += r.Schedules
		if r.Preemptions >= 0 {
			bounded++
		}
		if r.Failure != "" {
			total.Failure = fmt.Sprintf("%v\n%s", callers, r.Failure)
			break
		}
	}
	return total, bounded
}

func TestAllSchedules(t *testing.T) {
	for _, k := range explored {
		operations := kinds
		if _, ok := k.build(k.worlds[0]).limiter.(fixed); ok {
			operations = []string{"take", "refuse", "refund", "set rate"}
		}
		shapes := map[string][][][]string{
			"3 callers, 1 operation": threeByOne(operations), "2 callers, 2 operations": twoByTwo(operations)}
		for _, w := range k.worlds {
			for shape, all := range shapes {
				t.Run(k.name+"/"+w.name+"/"+shape, func(t *testing.T) {
					r, bounded := k.explore(w, all)
					require.Empty(t, r.Failure)
					t.Logf("%d scenarios, %d of them with all schedules of at most 3 preemptions, the others with all: %d schedules",
						len(all), bounded, r.Schedules)
				})
			}
		}
	}
}

// A reservation that three callers cancel is given back once.
func TestCancelOnce(t *testing.T) {
	bucket := explored[0]
	r := explore.Explore(func() explore.Scenario[*state] {
		s := bucket.build(bucket.worlds[0])
		s.prior[1], s.prior[2] = s.prior[0], s.prior[0]
		scenario := s.scenario([][]string{{"cancel"}, {"cancel"}, {"cancel"}})
		for _, caller := range scenario.Callers {
			cancel := caller[0].Model
			caller[0].Model = func(m *state) any {
				told := cancel(m)
				m.cancelled = [3]bool{true, true, true}
				return told
			}
		}
		return scenario
	})
	require.Empty(t, r.Failure)
	t.Logf("%d schedules", r.Schedules)
}

// The schedules that the explorer leaves out have no outcome that the others do not have.
func TestOneScheduleStandsForAll(t *testing.T) {
	for _, callers := range [][][]string{
		{{"take"}, {"take"}, {"take"}},
		{{"take"}, {"refund"}, {"reserve"}},
		{{"take", "cancel"}, {"reserve"}},
		{{"refuse", "take"}, {"take", "refund"}},
		{{"set rate"}, {"take"}},
		{{"set rate"}, {"refuse", "take"}},
	} {
		bucket := explored[0]
		for _, w := range bucket.worlds {
			if len(callers) > 2 && w.name != "inside the frame" {
				continue // too many schedules to run them all
			}
			build := func() explore.Scenario[*state] { return bucket.build(w).scenario(callers) }
			few, r := explore.Outcomes(build, true)
			all, n := explore.Outcomes(build, false)
			require.Equal(t, all, few)
			t.Logf("%v %s: %d schedules, which stand for %d, have %d outcomes", callers, w.name, r, n, len(all))
		}
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
	})
	t.Run("a frame that is not frozen", func(t *testing.T) {
		atomics.NoFreeze = true
		defer func() { atomics.NoFreeze = false }()
		find(t, explored[0], [][][]string{{{"set rate"}, {"take"}}})
		find(t, explored[1], [][][]string{{{"set rate"}, {"take"}}})
	})
	for _, fault := range []string{"", "a stale time moves the state back", "a refund gives back what has drained"} {
		w := explored[0].worlds[0]
		w.plain = true
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

func TestConserveUnderContention(t *testing.T) {
	for _, k := range explored {
		t.Run(k.name, func(t *testing.T) {
			limittest.ConserveUnderContention(t, func(size int, c ratelimit.Clock) (ratelimit.Limiter, error) {
				rate := ratelimit.Per(1, time.Hour)
				if strings.HasSuffix(k.name, "ed window") {
					rate.Events = size
				}
				return k.limiter(world{rate: rate, burst: size}, c), nil
			}, &atomics.LostRaces)
		})
	}
}

// writes counts what is written.
type writes int

func (w *writes) New(unsafe.Pointer, uintptr) { *w++ }
func (w *writes) Step(unsafe.Pointer)         {}
func (w *writes) Wrote()                      { *w++ }

// A refusal writes nothing at all, and neither do a look and a request for nothing.
func TestRefusalWritesNothing(t *testing.T) {
	for _, k := range explored {
		k.refusalsWriteNothing(t)
	}
}

func (k kind) refusalsWriteNothing(t *testing.T) {
	for _, w := range k.worlds {
		for _, late := range []time.Duration{-time.Hour, -1, 0, 1} {
			s := k.build(w)
			s.limiter.TakeAt(s.now, s.burst)
			s.limiter.TakeAt(s.now, 1)
			var written writes
			atomics.Explorer = &written
			at := s.now.Add(late)
			refused := 0
			for n := -1; n <= s.burst+1; n++ {
				s.limiter.PeekAt(at, n)
				if !s.limiter.PeekAt(at, n).OK {
					s.limiter.TakeAt(at, n)
					if _, ok := s.limiter.(fixed); !ok {
						_, d := s.limiter.ReserveAt(at, n, -1)
						require.False(t, d.OK)
					}
					refused++
				}
			}
			s.limiter.TakeAt(at, 0)
			if !s.limiter.PeekAt(s.now, 1).OK {
				require.False(t, s.limiter.Allow())
			}
			atomics.Explorer = nil
			require.Zero(t, written)
			require.Positive(t, refused)
		}
	}
}
