package policy

import (
	"math"
	"math/big"
	"slices"
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/table"
	"github.com/seed-3506548a/ratelimit/internal/timeline"
)

// lockFree is a store in a table, as of keyed.Table. What is asked of a bucket most often is asked
// of the table itself, in steps: see asked.
type lockFree struct {
	table.Table
	aligned bool
	window  table.Limit // all that a window can count; of windows only
}

// off returns the moment on the table's timeline: that of a bucket's is the engine's.
func (s *lockFree) off(at *moment) int64 {
	if s.aligned {
		return s.Line().At(at.t)
	}
	return at.off
}

// A bucket's table is made for a rate times 2^k, so that a tick is a small fraction of an event,
// and rates of a later policy are rounded by less: the greatest k with ticks of 600 ns and more,
// since a caller is late after 2^24 ticks (10 s), and a burst of 2^37 ticks at most. If that cannot
// keep all bounds, ticks may be shorter.
const (
	finest   = 256 // ticks of an event of the table's own rate
	minTick  = 600 // nanoseconds
	maxDepth = 1 << 37
)

// newBucketTable returns nil if no table can keep all bounds.
func newBucketTable(bounds []*bound, capacity int, line *timeline.Timeline) *lockFree {
	base := baseOf(bounds)
	rates := func(k int) (ratelimit.Rate, bool) {
		events := base.rate.Events << k
		return ratelimit.Per(events, base.rate.Per), events > 0 && events <= math.MaxInt32 && events>>k == base.rate.Events &&
			int64(base.burst) <= maxDepth>>k/finest
	}
	best := 0
	for k := 1; ; k++ {
		rate, ok := rates(k)
		if !ok || int64(rate.Per)/int64(rate.Events) < minTick*finest {
			break
		}
		best = k
	}
	for k := best; ; k++ {
		rate, ok := rates(k)
		if !ok && k > best {
			return nil
		}
		s := new(lockFree)
		if s.InitGCRA(fnTable, rate, 1, capacity, *line) != nil {
			return nil
		}
		if bindAll(s, bounds) == nil {
			return s
		}
	}
}

// baseOf returns the bound that a table is made for: at the lowest rate of which each bound's event
// is a whole number of events, so that no rate is rounded; or, if its ticks would be too short, at
// the first rate.
func baseOf(bounds []*bound) bound {
	i := max(slices.IndexFunc(bounds, func(b *bound) bool { return b.most > 0 }), 0)
	base := *bounds[i]
	if base.most == 0 {
		base.rate.Events, base.burst = 1, 1
		return base
	}
	events := wholes(bounds, base.rate.Per)
	if !events.IsInt64() || events.Int64() > min(math.MaxInt32, int64(base.rate.Per)/(minTick*finest)) {
		return base
	}
	whole := ratelimit.Per(int(events.Int64()), base.rate.Per)
	deepest := big.NewInt(1)
	for _, b := range bounds {
		depth, _ := b.in(whole)
		if depth.Mul(depth, big.NewInt(int64(b.most))).Cmp(deepest) > 0 {
			deepest = depth
		}
	}
	if deepest.Cmp(big.NewInt(min(maxDepth/finest, math.MaxInt32))) > 0 {
		return base
	}
	base.rate, base.burst = whole, int(deepest.Int64())
	return base
}

// The table of a window is as wide as can be, so that a Replace may raise the limit.
const widest = 1 << 22

// newWindowTable returns nil if no table can keep all bounds.
func newWindowTable(bounds []*bound, capacity int, line *timeline.Timeline) *lockFree {
	s := &lockFree{aligned: true}
	rate := ratelimit.Per(widest, bounds[0].rate.Per)
	if s.InitAligned(fnTable, rate, time.Unix(0, 0), capacity, *line) != nil {
		return nil
	}
	var err error
	if s.window, err = s.Limit(fnTable, rate, widest); err != nil || bindAll(s, bounds) != nil {
		return nil
	}
	return s
}

// fnTable is the function in errors of what a table cannot keep.
const fnTable = "keyed.Table.Limit"

func (s *lockFree) bind(b *bound) (err error) {
	b.ticks, err = s.Limit(fnTable, b.rate, max(b.most, 1))
	return err
}

func (s *lockFree) look(d *ratelimit.Decision, at moment, a *asked, n int) {
	s.Peek(d, a.hash, s.off(&at), n, &a.bound.ticks)
}

func (s *lockFree) fits(at moment, a *asked, n int) bool {
	return s.Fits(a.hash, s.off(&at), n, &a.bound.ticks)
}

func (s *lockFree) take(d *ratelimit.Decision, at moment, a *asked, n int) {
	s.Take(d, a.hash, s.off(&at), n, &a.bound.ticks)
}

func (s *lockFree) charge(at moment, a *asked, n int) {
	off := s.off(&at)
	if s.aligned {
		n = min(n, s.room(off, a.hash))
	}
	var d ratelimit.Decision
	s.Owe(&d, a.hash, off, n, &a.bound.ticks)
}

// room returns how many events a window can count yet, or the last one that has counted some: more
// would be counted in the next. It is the same until the window ends, which is after off, since one
// event is counted there. Where a charge is made at another time than off, it is not known.
func (s *lockFree) room(off int64, key uint64) int {
	var d ratelimit.Decision
	if s.Peek(&d, key, off, 1, &s.window); d.By == table.Late || d.By == table.Ahead {
		return widest
	}
	s.Peek(&d, key, off+int64(d.ResetAfter)-1, 0, &s.window)
	return d.Remaining
}

func (s *lockFree) refund(time.Time, *asked, int, time.Duration) {}

func (s *lockFree) class() class { return last }
