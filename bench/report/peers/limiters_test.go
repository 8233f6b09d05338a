package peers_test

import (
	"context"
	"math"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	russellluo "github.com/RussellLuo/slidingwindow"
	tollbooth "github.com/didip/tollbooth/v7/limiter"
	"github.com/failsafe-go/failsafe-go/ratelimiter"
	"github.com/go-chi/httprate"
	juju "github.com/juju/ratelimit"
	sethvargo "github.com/sethvargo/go-limiter/memorystore"
	"github.com/throttled/throttled/v2"
	"github.com/throttled/throttled/v2/store/memstore"
	ulule "github.com/ulule/limiter/v3"
	"github.com/ulule/limiter/v3/drivers/store/memory"
	uber "go.uber.org/ratelimit"
	"golang.org/x/time/rate"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/fixedwindow"
	"github.com/seed-3506548a/ratelimit/gcra"
	"github.com/seed-3506548a/ratelimit/slidingwindow"
	"github.com/seed-3506548a/ratelimit/tokenbucket"
)

// What is granted always is a billion a second, or in windows so many that no row uses them up.
// What is refused is all but one a day.
const (
	day   = 24 * time.Hour
	plain = 1_000_000_000
)

// pick returns what an outcome takes of a parameter.
func pick[T any](o outcome, ifGranted, ifRefused T) T {
	if o == granted {
		return ifGranted
	}
	return ifRefused
}

// perSecond and perDay are rates for a bucket and for a window of that outcome, and burst a
// bucket's size.
func (o outcome) perSecond() ratelimit.Rate {
	return pick(o, ratelimit.PerSecond(plain), ratelimit.PerDay(1))
}
func (o outcome) perDay() ratelimit.Rate { return ratelimit.PerDay(o.burst()) }
func (o outcome) burst() int             { return pick(o, math.MaxInt32, 1) }

// limiters are what is compared: the floor, this module's, and peers. Where a peer is a store of
// keys, it has one. What blocks is one that sleeps until it can grant, so it cannot refuse.
// slidingwindow.Log is not here: while a caller is suspended, the others can use up the events that
// it remembers, and the caller is refused.
var limiters = []struct {
	name   string
	blocks bool
	build  func(b *testing.B, o outcome) (allow func() bool)
}{
	// What no limiter on a clock can do without: a clock read, and a CAS if it grants.
	{name: "floor", build: func(_ *testing.B, o outcome) func() bool {
		var word atomic.Int64
		if o == refused {
			return func() bool { return time.Since(origin) < 0 }
		}
		return func() bool {
			for now := int64(time.Since(origin)); !word.CompareAndSwap(word.Load(), now); {
			}
			return true
		}
	}},
	{name: "gcra", build: func(_ *testing.B, o outcome) func() bool { return newGCRA(o).Allow }},
	{name: "gcra-striped", build: func(_ *testing.B, o outcome) func() bool {
		return ratelimit.Must(gcra.NewStriped(o.perSecond(), o.burst())).Allow
	}},
	{name: "tokenbucket", build: func(_ *testing.B, o outcome) func() bool {
		return ratelimit.Must(tokenbucket.New(o.perSecond(), o.burst())).Allow
	}},
	{name: "tokenbucket-interval", build: func(_ *testing.B, o outcome) func() bool {
		return ratelimit.Must(tokenbucket.NewInterval(o.perSecond(), o.burst())).Allow
	}},
	{name: "fixedwindow-anchored", build: func(_ *testing.B, o outcome) func() bool {
		return ratelimit.Must(fixedwindow.NewAnchored(o.perDay())).Allow
	}},
	{name: "fixedwindow-aligned", build: func(_ *testing.B, o outcome) func() bool { // reads the wall clock, which takes longer
		return ratelimit.Must(fixedwindow.NewAligned(o.perDay())).Allow
	}},
	{name: "slidingwindow-counter", build: func(_ *testing.B, o outcome) func() bool { // counts up to 2^27, more than can be asked for
		return ratelimit.Must(slidingwindow.NewCounter(pick(o, ratelimit.PerSecond(100_000_000), ratelimit.PerDay(1)), 10)).Allow
	}},
	{name: "x-time-rate", build: func(_ *testing.B, o outcome) func() bool { return newXTimeRate(o).Allow }},
	// Its Take sleeps until the next event is due. At one a nanosecond on the system's clock it
	// never does, since a call takes longer.
	{name: "uber", blocks: true, build: func(*testing.B, outcome) func() bool {
		l := uber.New(plain)
		return func() bool { return !l.Take().IsZero() }
	}},
	{name: "juju", build: func(_ *testing.B, o outcome) func() bool {
		l := juju.NewBucket(pick(o, time.Nanosecond, day), int64(o.burst()))
		return func() bool { return l.TakeAvailable(1) == 1 }
	}},
	{name: "throttled", build: func(b *testing.B, o outcome) func() bool {
		store, err := memstore.NewCtx(1 << 16)
		must(b, err)
		quota := throttled.RateQuota{MaxRate: throttled.PerDuration(1, pick(o, time.Nanosecond, day)), MaxBurst: o.burst() - 1}
		l, err := throttled.NewGCRARateLimiterCtx(store, quota)
		must(b, err)
		l.SetMaxCASAttemptsLimit(math.MaxInt) // or the row in which all are granted has errors
		return func() bool {
			limited, _, err := l.RateLimitCtx(context.Background(), "key", 1)
			return err == nil && !limited
		}
	}},
	{name: "sethvargo", build: func(b *testing.B, o outcome) func() bool {
		l, err := sethvargo.New(&sethvargo.Config{Tokens: uint64(o.burst()), Interval: day})
		must(b, err)
		b.Cleanup(func() { must(b, l.Close(context.Background())) })
		return func() bool {
			_, _, _, ok, err := l.Take(context.Background(), "key")
			return ok && err == nil
		}
	}},
	{name: "failsafe-smooth", build: func(_ *testing.B, o outcome) func() bool {
		return ratelimiter.NewSmoothWithMaxRate[any](pick(o, time.Nanosecond, day)).TryAcquirePermit
	}},
	{name: "failsafe-bursty", build: func(_ *testing.B, o outcome) func() bool {
		return ratelimiter.NewBursty[any](uint(o.burst()), day).TryAcquirePermit
	}},
	{name: "russellluo", build: func(_ *testing.B, o outcome) func() bool {
		l, _ := russellluo.NewLimiter(day, int64(o.burst()), func() (russellluo.Window, russellluo.StopFunc) {
			return russellluo.NewLocalWindow()
		})
		return l.Allow
	}},
	{name: "ulule", build: func(_ *testing.B, o outcome) func() bool {
		l := ulule.New(memory.NewStore(), ulule.Rate{Period: day, Limit: int64(o.burst())})
		return func() bool {
			c, err := l.Get(context.Background(), "key")
			return err == nil && !c.Reached
		}
	}},
	{name: "httprate", build: func(_ *testing.B, o outcome) func() bool { // without the headers of a response
		l := httprate.NewRateLimiter(o.burst(), day, httprate.WithResponseHeaders(httprate.ResponseHeaders{}))
		request := httptest.NewRequest("GET", "/", nil)
		return func() bool { return !l.OnLimit(nil, request, "key") }
	}},
	{name: "tollbooth", build: func(_ *testing.B, o outcome) func() bool {
		l := tollbooth.New(nil).SetMax(pick(o, plain, 1/day.Seconds())).SetBurst(o.burst())
		return func() bool { return !l.LimitReached("key") }
	}},
}

func newGCRA(o outcome) *gcra.Limiter { return ratelimit.Must(gcra.New(o.perSecond(), o.burst())) }

func newXTimeRate(o outcome) *rate.Limiter {
	return rate.NewLimiter(pick(o, rate.Limit(plain), rate.Every(day)), o.burst())
}

func must(b *testing.B, err error) {
	if err != nil {
		b.Fatal(err)
	}
}
