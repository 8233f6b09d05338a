//go:build explore

package explore_test

import (
	"fmt"
	"math/big"
	"slices"
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/fixedwindow"
	"github.com/seed-3506548a/ratelimit/gcra"
	"github.com/seed-3506548a/ratelimit/internal/proof/compare"
	"github.com/seed-3506548a/ratelimit/internal/proof/explore"
	"github.com/seed-3506548a/ratelimit/internal/proof/model"
	"github.com/seed-3506548a/ratelimit/limittest"
	"github.com/seed-3506548a/ratelimit/slidingwindow"
	"github.com/seed-3506548a/ratelimit/tokenbucket"
)

// limiter is what is explored.
type limiter interface {
	ratelimit.Limiter
	ratelimit.Charger
	SetRateAt(t time.Time, rate ratelimit.Rate, size int) error
}

// state is the model's: the limiter's, and which reservations were cancelled.
type state struct {
	limiter   model.Limiter
	cancelled [3]bool // each caller's reservation
	charged   bool    // more than every rate can hold
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
	before time.Duration  // how long ago an event was taken, and, of Reservers, one reserved for each caller
	made   time.Duration  // how long before that the limiter was made
	fresh  bool           // or nothing was, and the limiter is made so long ago, or, if that is 0, later
	long   bool           // events were taken before that one too, each a rate.Per before the next
	worn   bool           // callers who are suspended for ever have all cells of a Log but one
	bottom bool           // the limiter is made 200 years later: of what lies so far in the past, all is one time
}

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// Operations of all limiters, and those of Reservers besides.
var (
	common   = []string{"take", "refuse", "refund", "set rate"}
	reserves = append(common, "reserve", "cancel")
)

type operation = explore.Operation[*state]

// setting is a limiter made for one schedule, and what its callers refer to.
type setting struct {
	world
	limiter limiter
	origin  time.Time
	taken   time.Time // when the event before was
	now     time.Time
	prior   [3]ratelimit.Reservation
	did     [3]any // to the model
	model   *state
}

// kind is a limiter to explore, with its model.
type kind struct {
	name    string
	limiter func(w world, c ratelimit.Clock) limiter
	model   func(w world, origin time.Time) model.Limiter
	does    []string
	worlds  []world
}

var explored = []kind{
	{
		name: "bucket", // of gcra and tokenbucket.New
		limiter: func(w world, c ratelimit.Clock) limiter {
			return ratelimit.Must(gcra.New(w.rate, w.burst, ratelimit.WithClock(c)))
		},
		model: func(w world, _ time.Time) model.Limiter { return model.NewBucket(w.rate, w.burst) },
		does:  reserves,
		worlds: []world{
			{name: "inside the frame", rate: ratelimit.PerSecond(10), burst: 5, other: ratelimit.PerSecond(4), before: 50 * time.Millisecond},
			{name: "frame outgrown", rate: ratelimit.PerSecond(1_000_000_007), burst: 2, other: ratelimit.PerSecond(999_999_937), before: time.Hour},
			{name: "fresh, before its frame", rate: ratelimit.PerSecond(1_000_000_007), burst: 2, other: ratelimit.PerSecond(10), fresh: true},
			{name: "fresh, in its frame", rate: ratelimit.PerSecond(1_000_000_007), burst: 2, other: ratelimit.PerSecond(10), fresh: true, before: 1},
		},
	},
	{
		name: "window", // of tokenbucket.NewInterval
		limiter: func(w world, c ratelimit.Clock) limiter {
			return ratelimit.Must(tokenbucket.NewInterval(w.rate, w.burst, ratelimit.WithClock(c)))
		},
		model: func(w world, _ time.Time) model.Limiter { return model.NewInterval(w.rate, w.burst) },
		does:  reserves,
		worlds: []world{
			{name: "inside the interval", rate: ratelimit.Per(2, 100*time.Millisecond), burst: 5, other: ratelimit.Per(1, 100*time.Millisecond), before: 50 * time.Millisecond},
			{name: "at the interval's end", rate: ratelimit.Per(3, 50*time.Millisecond), burst: 4, other: ratelimit.Per(1, 50*time.Millisecond), before: 50 * time.Millisecond},
			{name: "frame outgrown", rate: ratelimit.PerSecond(2), burst: 1 << 24, other: ratelimit.PerSecond(1), before: 500 * 24 * time.Hour},
			{name: "fresh", rate: ratelimit.PerSecond(2), burst: 2, other: ratelimit.PerSecond(1), fresh: true},
			{name: "fresh, in its frame", rate: ratelimit.PerSecond(2), burst: 5, other: ratelimit.PerSecond(1), fresh: true, before: 1},
			// The frame ends between the times of the first two callers.
			{name: "at the frame's end", rate: ratelimit.Per(2, 100*time.Millisecond), burst: 5, other: ratelimit.Per(1, 100*time.Millisecond),
				before: 50 * time.Millisecond, made: 1<<59 - 1 - 150*time.Millisecond},
		},
	},
	{
		name: "anchored window", // of fixedwindow.NewAnchored
		limiter: func(w world, c ratelimit.Clock) limiter {
			return compare.Sized{Window: ratelimit.Must(fixedwindow.NewAnchored(w.rate, ratelimit.WithClock(c)))}
		},
		model: func(w world, _ time.Time) model.Limiter { return model.NewAnchored(w.rate) },
		does:  common,
		worlds: []world{
			{name: "rollover", rate: ratelimit.Per(3, 50*time.Millisecond), burst: 3, other: ratelimit.Per(2, 50*time.Millisecond), before: 50 * time.Millisecond},
			{name: "inside", rate: ratelimit.PerSecond(3), burst: 3, other: ratelimit.PerSecond(2), before: 50 * time.Millisecond},
		},
	},
	{
		name: "aligned window", // of fixedwindow.NewAligned
		limiter: func(w world, c ratelimit.Clock) limiter {
			return compare.Sized{Window: ratelimit.Must(fixedwindow.NewAligned(w.rate, ratelimit.WithClock(c)))}
		},
		model: func(w world, origin time.Time) model.Limiter { return model.NewAligned(w.rate, origin) },
		does:  common,
		worlds: []world{
			{name: "rollover", rate: ratelimit.PerSecond(3), burst: 3, other: ratelimit.PerSecond(2), before: 50 * time.Millisecond},
			{name: "inside", rate: ratelimit.PerHour(3), burst: 3, other: ratelimit.PerHour(2), before: 50 * time.Millisecond},
		},
	},
	counter(2, // buckets of slidingwindow.NewCounter, and a ring of 8 words
		world{name: "inside the bucket", rate: ratelimit.PerSecond(3), burst: 3, other: ratelimit.PerSecond(2), before: 50 * time.Millisecond},
		world{name: "next bucket", rate: ratelimit.Per(3, 100*time.Millisecond), burst: 3, other: ratelimit.Per(2, 100*time.Millisecond), before: 50 * time.Millisecond, long: true},
		world{name: "frame outgrown", rate: ratelimit.Per(1<<28-1, 20*time.Millisecond), burst: 1<<28 - 1, other: ratelimit.Per(2, 20*time.Millisecond), before: time.Hour},
	),
	counter(1, // and a ring of 4
		world{name: "a bucket skipped", rate: ratelimit.Per(3, 10*time.Millisecond), burst: 3, other: ratelimit.Per(2, 10*time.Millisecond), before: 25 * time.Millisecond},
		world{name: "fresh", rate: ratelimit.PerHour(2), burst: 2, other: ratelimit.PerHour(1), fresh: true},
	),
	{
		name: "log", // of slidingwindow.NewLog
		limiter: func(w world, c ratelimit.Clock) limiter {
			return compare.Sized{Window: ratelimit.Must(slidingwindow.NewLog(w.rate, ratelimit.WithClock(c)))}
		},
		model: func(w world, _ time.Time) model.Limiter { return model.NewLog(w.rate) },
		does:  append(common, "take two"),
		worlds: []world{
			{name: "of 1", rate: ratelimit.Per(1, 50*time.Millisecond), burst: 1, other: ratelimit.Per(2, 50*time.Millisecond), before: 60 * time.Millisecond},
			{name: "of 2, full ring", rate: ratelimit.Per(2, 50*time.Millisecond), burst: 2, other: ratelimit.Per(1, 50*time.Millisecond), before: 50 * time.Millisecond, long: true},
			{name: "of 3, full ring", rate: ratelimit.Per(3, 40*time.Millisecond), burst: 3, other: ratelimit.Per(2, 40*time.Millisecond), before: 30 * time.Millisecond, long: true},
			{name: "fresh", rate: ratelimit.PerHour(2), burst: 2, other: ratelimit.PerHour(1), fresh: true},
			{name: "of 2, worn out", rate: ratelimit.Per(2, 50*time.Millisecond), burst: 2, other: ratelimit.Per(1, 50*time.Millisecond), before: 30 * time.Millisecond, worn: true},
		},
	},
	{
		name: "bucket", // whose first event is at the beginning of its frame
		limiter: func(w world, c ratelimit.Clock) limiter {
			return ratelimit.Must(gcra.New(w.rate, w.burst, ratelimit.WithClock(c)))
		},
		model: func(w world, _ time.Time) model.Limiter { return model.NewBucket(w.rate, w.burst) },
		does:  common,
		worlds: []world{
			{name: "at the bottom of time", rate: ratelimit.PerSecond(10), burst: 3, other: ratelimit.PerSecond(4), bottom: true},
		},
	},
}

func counter(buckets int, worlds ...world) kind {
	return kind{
		name: fmt.Sprintf("counter of %d", buckets),
		limiter: func(w world, c ratelimit.Clock) limiter {
			return compare.Sized{Window: ratelimit.Must(slidingwindow.NewCounter(w.rate, buckets, ratelimit.WithClock(c)))}
		},
		model:  func(w world, _ time.Time) model.Limiter { return model.NewCounter(w.rate, buckets) },
		does:   common,
		worlds: worlds,
	}
}

func (k kind) build(w world) *setting {
	s := &setting{world: w, now: start}
	clock := limittest.NewClock(start)
	s.origin = start.Add(-w.before)
	if w.fresh && w.before == 0 {
		s.origin = start.Add(time.Hour)
	}
	s.taken = s.origin
	s.origin = s.origin.Add(-w.made)
	if w.bottom {
		s.origin = s.origin.AddDate(200, 0, 0)
	}
	clock.Set(s.origin)
	s.limiter = k.limiter(w, clock)
	s.model = &state{limiter: k.model(w, s.origin)}
	if w.long {
		for k := 5; k > 0; k-- {
			at := s.origin.Add(-time.Duration(k) * w.rate.Per)
			s.limiter.TakeAt(at, w.burst)
			s.model.limiter.Take(s.offset(at), w.burst)
		}
	}
	clock.Set(s.taken)
	if !w.fresh {
		s.limiter.TakeAt(s.taken, 1)
		s.model.limiter.Take(s.offset(s.taken), 1)
		if reserver, ok := s.limiter.(ratelimit.Reserver); ok && slices.Contains(k.does, "cancel") {
			for i := range s.prior {
				s.prior[i], _ = reserver.ReserveAt(s.taken, 1, time.Second)
				_, s.did[i], _ = s.model.limiter.(model.Reserver).Reserve(s.offset(s.taken), 1, time.Second)
			}
		}
	}
	if w.worn {
		fresh := w
		fresh.worn = false
		var twin *setting
		explore.Steps(func() { twin = k.build(fresh) })
		steps := explore.Steps(func() { twin.limiter.TakeAt(start, 1) })
		for taken := range 6 {
			// By its last step but one it moves the word; and for each cell that is taken, it has
			// looked at one more.
			explore.Abandon(func() { s.limiter.TakeAt(start, 1) }, steps-2+taken)
		}
	}
	clock.Set(start)
	return s
}

func (s *setting) offset(t time.Time) *big.Int { return model.Offset(s.origin, t) }

// told is what a reservation tells.
type told struct {
	ratelimit.Decision
	delay time.Duration
}

// operation returns an operation of the given kind; the first of callers a and b are at other
// times.
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
	case "peek":
		return operation{Name: kind,
			Do:    func() any { return s.limiter.PeekAt(at, 1) },
			Model: func(m *state) any { return m.limiter.Peek(off, 1) }}
	case "allow": // by the clock, which all share
		return operation{Name: kind,
			Do:    func() any { return s.limiter.Allow() },
			Model: func(m *state) any { return m.limiter.Take(now, 1).OK }}
	case "take later":
		later := at.Add(8 * s.rate.Per)
		return operation{Name: kind,
			Do:    func() any { return s.limiter.TakeAt(later, 1) },
			Model: func(m *state) any { return m.limiter.Take(s.offset(later), 1) }}
	case "take two":
		return operation{Name: kind,
			Do:    func() any { return s.limiter.TakeAt(at, 2) },
			Model: func(m *state) any { return m.limiter.Take(off, 2) }}
	case "refuse":
		return operation{Name: kind,
			Do:    func() any { return s.limiter.TakeAt(at, s.burst) },
			Model: func(m *state) any { return m.limiter.Take(off, s.burst) }}
	case "refund":
		held := at.Sub(s.taken)
		return operation{Name: kind,
			Do:    func() any { s.limiter.RefundAt(at, 1, held); return nil },
			Model: func(m *state) any { m.limiter.Refund(off, now, 1, held); return nil }}
	case "charge": // more than fits
		return operation{Name: kind,
			Do:    func() any { return s.limiter.ChargeAt(at, s.burst+2) },
			Model: func(m *state) any { return m.limiter.Charge(off, s.burst+2) }}
	case "set rate":
		return operation{Name: kind,
			Do: func() any { return s.limiter.SetRateAt(at, s.other, 1+caller) },
			Model: func(m *state) any {
				m.limiter.SetRate(off, now, s.other, 1+caller)
				return nil
			}}
	case "reserve":
		return operation{Name: kind,
			Do: func() any {
				r, d := s.limiter.(ratelimit.Reserver).ReserveAt(at, 1, time.Second)
				if !d.OK {
					return told{Decision: d}
				}
				return told{d, r.ActAt().Sub(at)}
			},
			Model: func(m *state) any {
				delay, _, d := m.limiter.(model.Reserver).Reserve(off, 1, time.Second)
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
				if s.prior[caller] != nil && !m.cancelled[caller] && !s.now.After(s.prior[caller].ActAt()) {
					m.cancelled[caller] = true
					m.limiter.(model.Reserver).GiveBack(off, now, 1, s.offset(s.prior[caller].ActAt()), s.did[caller])
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
