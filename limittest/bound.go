package limittest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed-3506548a/ratelimit"
)

// TestBound asks the limiter a few thousand times, at times that jump forwards and back and that
// follow its RetryAfter. It returns an error if the limiter grants more than most(length) in a
// closed interval of that length between two grants. A token bucket, for instance, has
//
//	most = func(length time.Duration) int { return burst + int(length/interval) }
//
// step is about the time in which the limiter grants one more event. TestBound also returns an
// error if less than half of the bound is ever used in intervals of 20 steps or more, because the
// bound is probably not that of this limiter.
//
// A limiter of several parts, such as a count in an hour and a gap between two events, needs a call
// for each part, with a configuration in which that part binds.
func TestBound(build New, step time.Duration, most func(length time.Duration) int) error {
	if step <= 0 || step > math.MaxInt64/1000 {
		return &ratelimit.ArgumentError{Func: "limittest.TestBound", Field: "step", Value: step, Want: "1ns to 2562h"}
	}
	l, err := build(ratelimit.WithClock(NewClock(start)))
	if err != nil {
		return err
	}
	type grant struct {
		at time.Time
		n  int
	}
	random := rand.New(rand.NewPCG(1, 2))
	var grants []grant
	origin := l.Clock().Now()
	limit := l.PeekAt(origin, 0).Limit
	now := origin
	for range 2000 {
		n := 1 + random.IntN(max(1, min(3, limit)))
		d := l.TakeAt(now, n)
		if d.OK {
			grants = append(grants, grant{now, n})
		}
		switch random.IntN(8) {
		case 0:
			now = now.Add(-time.Duration(random.Int64N(int64(4 * step)))) // an earlier time
		case 1, 2:
			now = now.Add(time.Duration(random.Int64N(int64(2 * step))))
		case 3:
			now = origin.Add(time.Duration(random.Int64N(int64(100 * step))))
		case 4, 5, 6:
			if d.RetryAfter < 365*24*time.Hour {
				now = now.Add(d.RetryAfter - time.Duration(random.IntN(2)))
			}
		}
	}
	slices.SortFunc(grants, func(a, b grant) int { return a.at.Compare(b.at) })
	used := 0.0
	for i, first := range grants {
		sum := 0
		for _, last := range grants[i:] {
			sum += last.n
			bound := most(last.at.Sub(first.at))
			if sum > bound {
				return fmt.Errorf("%d events are granted in the %v from %v, want at most %d", sum, last.at.Sub(first.at), first.at.Sub(origin), bound)
			}
			if last.at.Sub(first.at) >= 20*step {
				used = max(used, float64(sum)/float64(bound))
			}
		}
	}
	if used < 0.5 {
		return fmt.Errorf("only %.2f of the bound is used in intervals of 20 steps or more: is it the bound of this limiter?", used)
	}
	return nil
}

// conservation checks that simultaneous callers at one time together get what there is. In every
// other round some give back what they got. A limiter may keep some of that, but must not give out
// more.
func conservation(build New) error {
	const rounds, callers = 300, 4
	for round := range rounds {
		l, _, err := onClock(build, start)
		if err != nil {
			return err
		}
		limit := l.PeekAt(start, 0).Limit
		var kept, ready atomic.Int64
		var group sync.WaitGroup
		for caller := range callers {
			group.Go(func() {
				random := rand.New(rand.NewPCG(uint64(round), uint64(caller)))
				for ready.Add(1); ready.Load() < callers; {
					runtime.Gosched()
				}
				for refused, turn := 0, 0; refused < 3 && turn < 10*limit; turn++ {
					n := 1 + random.IntN(max(1, min(3, limit)))
					switch {
					case n == 1 && random.IntN(2) == 0:
						if l.Allow() {
							kept.Add(1)
						} else {
							refused++
						}
					case !l.TakeAt(start, n).OK:
						refused++
					case round%2 == 1 && random.IntN(4) == 0:
						l.RefundAt(start, n, 0)
					default:
						kept.Add(int64(n))
					}
				}
			})
		}
		group.Wait()
		remain := l.PeekAt(start, 0).Remaining
		if sum := int(kept.Load()) + remain; sum > limit || sum < limit && round%2 == 0 {
			return fmt.Errorf("%d simultaneous callers were granted %d events, and %d remain, want %d together", callers, kept.Load(), remain, limit)
		}
	}
	return nil
}
