package limittest_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/fixedwindow"
	"github.com/seed-3506548a/ratelimit/gcra"
	"github.com/seed-3506548a/ratelimit/limittest"
	"github.com/seed-3506548a/ratelimit/slidingwindow"
)

// liar is a right limiter, but for what it says of some calls.
type liar struct {
	ratelimit.Limiter
	take   func(l ratelimit.Limiter, n int, d ratelimit.Decision) ratelimit.Decision // of Take
	allow  func(l ratelimit.Limiter, ok bool) bool
	decide func(l ratelimit.Limiter, t time.Time, d ratelimit.Decision) ratelimit.Decision // of all
}

func (l liar) decided(t time.Time, d ratelimit.Decision) ratelimit.Decision {
	if l.decide == nil {
		return d
	}
	return l.decide(l.Limiter, t, d)
}

func (l liar) Allow() bool {
	ok := l.Limiter.Allow()
	if l.allow != nil {
		ok = l.allow(l.Limiter, ok)
	}
	return ok
}

func (l liar) Take(n int) ratelimit.Decision {
	d := l.decided(l.Clock().Now(), l.Limiter.Take(n))
	if l.take != nil {
		d = l.take(l.Limiter, n, d)
	}
	return d
}

func (l liar) TakeAt(t time.Time, n int) ratelimit.Decision {
	return l.decided(t, l.Limiter.TakeAt(t, n))
}

func (l liar) PeekAt(t time.Time, n int) ratelimit.Decision {
	return l.decided(t, l.Limiter.PeekAt(t, n))
}

// wrapper is a liar that seems to be made of limiters.
type wrapper struct{ liar }

func (l wrapper) Unwrap() []ratelimit.Limiter { return []ratelimit.Limiter{l.Limiter} }

func lying(lies liar) limittest.New {
	return func(opts ...ratelimit.Option) (ratelimit.Limiter, error) {
		l, err := newBucket(faults{})(opts...)
		lies := lies
		lies.Limiter = l
		return lies, err
	}
}

func TestLies(t *testing.T) {
	require.NoError(t, limittest.TestLimiter(lying(liar{})))
	refused := func(d ratelimit.Decision) bool { return !d.OK && d.RetryAfter < time.Hour }
	for what, row := range map[string]struct {
		lies liar
		want string
	}{
		"only Allow charges refusals": {liar{allow: func(l ratelimit.Limiter, ok bool) bool {
			if !ok { // leaves what a refusal that is charged leaves
				b := l.(*bucket)
				b.mu.Lock()
				defer b.mu.Unlock()
				b.set(b.clock.Now(), b.owed(b.clock.Now())+1)
			}
			return ok
		}}, "after Allow, and after TakeAt"},
		"Allow never refuses": {liar{allow: func(ratelimit.Limiter, bool) bool { return true }}, "Allow returns true"},
		"only Take waits a nanosecond short": {liar{take: func(_ ratelimit.Limiter, _ int, d ratelimit.Decision) ratelimit.Decision {
			if refused(d) {
				d.RetryAfter--
			}
			return d
		}}, "returns {OK:false"},
		"only Take returns no waits": {liar{take: func(_ ratelimit.Limiter, _ int, d ratelimit.Decision) ratelimit.Decision {
			if refused(d) {
				d.RetryAfter = 0
			}
			return d
		}}, "RetryAfter:0s"},
		"only Take leaves one more when it refuses": {liar{take: func(_ ratelimit.Limiter, _ int, d ratelimit.Decision) ratelimit.Decision {
			if refused(d) {
				d.Remaining++
			}
			return d
		}}, "Take(1) returns {OK:false Limit:5 Remaining:1"},
		"Take takes one event of several": {liar{take: func(l ratelimit.Limiter, n int, d ratelimit.Decision) ratelimit.Decision {
			if d.OK && n == 2 {
				l.RefundAt(l.Clock().Now(), 1, 0)
			}
			return d
		}}, "after Take(2), and after TakeAt"},
	} {
		err := limittest.TestLimiter(lying(row.lies))
		require.ErrorContains(t, err, "CallsAgree: ", what)
		require.ErrorContains(t, err, row.want, what)
	}
	longer := liar{decide: func(_ ratelimit.Limiter, _ time.Time, d ratelimit.Decision) ratelimit.Decision {
		if d.ResetAfter > 0 {
			d.ResetAfter += 20 * time.Millisecond
		}
		return d
	}}
	require.ErrorContains(t, limittest.TestLimiter(lying(longer)), "the limiter is full again a nanosecond before ResetAfter")
	byThree := liar{decide: func(_ ratelimit.Limiter, _ time.Time, d ratelimit.Decision) ratelimit.Decision {
		d.By = 3
		return d
	}}
	require.ErrorContains(t, limittest.TestLimiter(func(opts ...ratelimit.Option) (ratelimit.Limiter, error) {
		l, err := lying(byThree)(opts...)
		if err != nil {
			return nil, err
		}
		return wrapper{l.(liar)}, nil
	}), "its By is 3, want less than 1, the number of limiters that Unwrap returns")
}

// peeker is a right limiter, but for its looks.
type peeker struct {
	ratelimit.Limiter
	look func(l ratelimit.Limiter, t time.Time, n int) ratelimit.Decision
}

func (l peeker) PeekAt(t time.Time, n int) ratelimit.Decision { return l.look(l.Limiter, t, n) }

// allower can answer yes or no.
type allower struct {
	ratelimit.Limiter
	allow func(l ratelimit.Limiter, t time.Time) bool
	fits  func(l ratelimit.Limiter, t time.Time, n int) bool
}

func (l allower) AllowAt(t time.Time) bool { return l.allow(l.Limiter, t) }

func (l allower) FitsAt(t time.Time, n int) bool { return l.fits(l.Limiter, t, n) }

func TestLooksThatChange(t *testing.T) {
	for _, limit := range []int{1, 2, 5} {
		for what, look := range map[string]func(ratelimit.Limiter, time.Time, int) ratelimit.Decision{
			"each is charged": func(l ratelimit.Limiter, t time.Time, n int) ratelimit.Decision { return l.TakeAt(t, n) },
			"what it finds full is charged": func(l ratelimit.Limiter, t time.Time, n int) ratelimit.Decision {
				d := l.PeekAt(t, n)
				if n == d.Limit {
					l.TakeAt(t, 1)
				}
				return d
			},
		} {
			err := limittest.TestLimiter(func(opts ...ratelimit.Option) (ratelimit.Limiter, error) {
				l, err := gcra.New(ratelimit.PerSecond(10), limit, opts...)
				return peeker{l, look}, err
			})
			require.ErrorContains(t, err, "PeekChangesNothing: ", "%s, Limit %d", what, limit)
		}
	}
}

func TestAllowersThatLie(t *testing.T) {
	take := func(l ratelimit.Limiter, t time.Time) bool { return l.TakeAt(t, 1).OK }
	peek := func(l ratelimit.Limiter, t time.Time, n int) bool { return l.PeekAt(t, n).OK }
	for what, row := range map[string]struct {
		allower allower
		want    string
	}{
		"none": {allower{allow: take, fits: peek}, ""},
		"it always allows": {allower{allow: func(ratelimit.Limiter, time.Time) bool { return true }, fits: peek},
			"CallsAgree: 0 events at"},
		"it allows and charges nothing": {allower{allow: func(l ratelimit.Limiter, t time.Time) bool { return l.PeekAt(t, 1).OK }, fits: peek},
			"and after TakeAt of one event"},
		"everything fits": {allower{allow: take, fits: func(ratelimit.Limiter, time.Time, int) bool { return true }}, "FitsAt("},
		"what fits is charged": {allower{allow: take, fits: func(l ratelimit.Limiter, t time.Time, n int) bool { return l.TakeAt(t, n).OK }},
			"FitsAt("},
	} {
		err := limittest.TestLimiter(func(opts ...ratelimit.Option) (ratelimit.Limiter, error) {
			l, err := newBucket(faults{})(opts...)
			row.allower.Limiter = l
			return row.allower, err
		})
		if row.want == "" {
			require.NoError(t, err, what)
			continue
		}
		require.ErrorContains(t, err, row.want, what)
	}
}

// hidden are limiters of which Remaining does not show all that counts.
var hidden = map[string]limittest.New{
	"full seconds": func(opts ...ratelimit.Option) (ratelimit.Limiter, error) {
		return behindGCRA(fixedwindow.NewAligned(ratelimit.Per(20, 20*time.Second), opts...))
	},
	"a window": func(opts ...ratelimit.Option) (ratelimit.Limiter, error) {
		return behindGCRA(fixedwindow.NewAnchored(ratelimit.Per(20, 20*time.Second), opts...))
	},
	"a slower bucket": func(opts ...ratelimit.Option) (ratelimit.Limiter, error) {
		return behindGCRA(gcra.New(ratelimit.PerSecond(1), 20, opts...))
	},
}

func behindGCRA[L ratelimit.Limiter](slow L, err error) (ratelimit.Limiter, error) {
	if err != nil {
		return nil, err
	}
	fast, err := gcra.New(ratelimit.PerSecond(50), 4, ratelimit.WithClock(slow.Clock()))
	if err != nil {
		return nil, err
	}
	return ratelimit.All(slow, fast)
}

// What counts behind the limit that shows is part of being full.
func TestHiddenLimits(t *testing.T) {
	dishonest := func(all ratelimit.Limiter, at time.Time, d ratelimit.Decision) ratelimit.Decision {
		d.ResetAfter = all.(ratelimit.Composite).Unwrap()[1].PeekAt(at, 0).ResetAfter
		return d
	}
	for name, build := range hidden {
		require.NoError(t, limittest.TestLimiter(build), name)
		err := limittest.TestLimiter(func(opts ...ratelimit.Option) (ratelimit.Limiter, error) {
			l, err := build(opts...)
			return liar{Limiter: l, decide: dishonest}, err
		})
		require.ErrorContains(t, err, "but the limiter is not full then", name)
	}
}

func TestSmallLimits(t *testing.T) {
	for limit := 1; limit <= 3; limit++ {
		rate := ratelimit.Per(limit, 300*time.Millisecond)
		for name, build := range map[string]limittest.New{
			"gcra": func(opts ...ratelimit.Option) (ratelimit.Limiter, error) {
				return gcra.New(ratelimit.PerSecond(10), limit, opts...)
			},
			"NewAligned": func(opts ...ratelimit.Option) (ratelimit.Limiter, error) {
				return fixedwindow.NewAligned(ratelimit.PerSecond(limit), opts...)
			},
			"NewLog": func(opts ...ratelimit.Option) (ratelimit.Limiter, error) {
				return slidingwindow.NewLog(rate, opts...)
			},
			"windows": func(opts ...ratelimit.Option) (ratelimit.Limiter, error) {
				return newWindows(limit, windowFaults{}, opts...)
			},
		} {
			require.NoError(t, limittest.TestLimiter(build), "%s of %d", name, limit)
		}
		require.NoError(t, limittest.TestBound(func(opts ...ratelimit.Option) (ratelimit.Limiter, error) {
			return gcra.New(ratelimit.PerSecond(10), limit, opts...)
		}, interval, func(length time.Duration) int { return limit + int(length/interval) }))
	}
	for _, limit := range []int{0, 501} {
		require.ErrorContains(t, limittest.TestLimiter(func(opts ...ratelimit.Option) (ratelimit.Limiter, error) {
			return fixedwindow.NewAnchored(ratelimit.PerSecond(limit), opts...)
		}), fmt.Sprintf("AllOrNothing: its Limit is %d, want 1 to 500: see limittest.New", limit))
	}
}

func TestWrongWindows(t *testing.T) {
	for want, faults := range map[string]windowFaults{
		"that remained":        {countsBoundaryBefore: true},
		"Refund: 1 events at ": {freshWhenRefunded: true},
	} {
		require.ErrorContains(t, limittest.TestLimiter(func(opts ...ratelimit.Option) (ratelimit.Limiter, error) {
			return newWindows(3, faults, opts...)
		}), want)
	}
}

func TestWindowsThatDivideAMinute(t *testing.T) {
	for seconds := 1; seconds <= 60; seconds++ {
		if 60%seconds != 0 {
			continue
		}
		require.NoError(t, limittest.TestLimiter(func(opts ...ratelimit.Option) (ratelimit.Limiter, error) {
			return fixedwindow.NewAligned(ratelimit.Per(10, time.Duration(seconds)*time.Second), opts...)
		}), "%d s", seconds)
	}
}

// A constructor that calls an option without a look at it.
func TestConstructorThatPanics(t *testing.T) {
	require.ErrorContains(t, limittest.TestLimiter(func(opts ...ratelimit.Option) (ratelimit.Limiter, error) {
		var o ratelimit.Options
		for _, opt := range opts {
			opt(&o)
		}
		return newBucket(faults{})(opts...)
	}), "BadOptions: for a nil option the constructor panics: ")
}
