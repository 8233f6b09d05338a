package bugs

import (
	"context"
	"fmt"
	"math"
	"time"

	russellluo "github.com/RussellLuo/slidingwindow"
	"github.com/failsafe-go/failsafe-go/ratelimiter"
	"github.com/go-chi/httprate"
	sethvargo "github.com/sethvargo/go-limiter/memorystore"
	"github.com/throttled/throttled/v2"
	"github.com/throttled/throttled/v2/store/memstore"
	ulule "github.com/ulule/limiter/v3"
	"github.com/ulule/limiter/v3/drivers/store/memory"
)

// key is the one that all of those have that keep a limit for each.
const key = "key"

// throttledStore is one in which no time passes.
func throttledStore() throttled.GCRAStoreCtx {
	store := must(memstore.New(0))
	store.SetTimeNow(func() time.Time { return start })
	return throttled.WrapStoreWithContext(store)
}

// newThrottled returns a limiter of one a second, and 100 at once.
func newThrottled(store throttled.GCRAStoreCtx) (take func(n int) (granted bool, err error)) {
	l := must(throttled.NewGCRARateLimiterCtx(store, throttled.RateQuota{MaxRate: throttled.PerSec(1), MaxBurst: 99}))
	return func(n int) (bool, error) {
		limited, _, err := l.RateLimitCtx(context.Background(), key, n)
		return !limited && err == nil, err
	}
}

// In 64 bits of nanoseconds, so many seconds are less than nothing.
func throttledHuge() (seen string, wrong bool) {
	take := newThrottled(throttledStore())
	return atMost(0, count(1, func(int) bool {
		granted, _ := take(math.MaxInt)
		return granted
	}), 1)
}

func throttledNegative() (seen string, wrong bool) {
	take := newThrottled(throttledStore())
	_, _ = take(100)
	_, _ = take(-100)
	return atMost(0, count(100, func(int) bool {
		granted, _ := take(1)
		return granted
	}), 100)
}

// overtaken is the store of somebody whom another caller always comes before.
type overtaken struct {
	throttled.GCRAStoreCtx
	other func(n int) (granted bool, err error)
}

func (s overtaken) CompareAndSwapWithTTL(ctx context.Context, key string, from, to int64, ttl time.Duration) (bool, error) {
	must(s.other(1))
	return s.GCRAStoreCtx.CompareAndSwapWithTTL(ctx, key, from, to, ttl)
}

// The number is the default: SetMaxCASAttemptsLimit sets another.
func throttledRaces() (seen string, wrong bool) {
	store := throttledStore()
	other := newThrottled(store)
	must(other(1))
	_, err := newThrottled(overtaken{store, other})(1)
	left := count(100, func(int) bool { return must(other(1)) })
	return fmt.Sprintf("%d were left, and the answer was: %v", left, err), err != nil
}

// An interval brings its length in ns divided by the number of tokens, instead of that number. From
// 31623 a second on that is too few, and at a million in 5 ms it is 5. If more than one interval
// passes, it brings as many more: too few for up to 200000 of them.
func sethvargoRefill() (seen string, wrong bool) {
	const tokens, interval = 1_000_000, 5 * time.Millisecond
	store := must(sethvargo.New(&sethvargo.Config{Tokens: tokens, Interval: interval}))
	defer func() { _ = store.Close(context.Background()) }()
	remaining := func() uint64 {
		_, n, _, _, err := store.Take(context.Background(), key)
		return must(n, err)
	}
	remaining()
	time.Sleep(interval)
	left := remaining() + 1
	return fmt.Sprintf("at %d in %v, the next %v begin with %d", tokens, interval, interval, left), left < tokens
}

// The permits are taken before the wait, and not given back.
func failsafeCancel() (seen string, wrong bool) {
	l := ratelimiter.NewSmooth[any](1, time.Hour)
	canceled, cancel := context.WithCancel(context.Background())
	cancel()
	l.TryAcquirePermit()
	for range 10 {
		_ = l.AcquirePermit(canceled)
	}
	wait := l.ReservePermit().Round(time.Minute)
	return fmt.Sprintf("after 10 of them the next wait is %v, at most 1h would be right", wait), wait > time.Hour
}

// Below 0, the permits of the periods since are added, and not cut down to those of one. At least
// ten periods pass, which bring 100.
func failsafeDebt() (seen string, wrong bool) {
	const period = 100 * time.Microsecond
	l := ratelimiter.NewBursty[any](10, period)
	l.ReservePermits(11)
	time.Sleep(10 * period)
	granted := 0
	if l.TryAcquirePermits(50) {
		granted = 50
	}
	return atMost(10, granted, 50)
}

func newRussellLuo() *russellluo.Limiter {
	l, _ := russellluo.NewLimiter(time.Second, 100, func() (russellluo.Window, russellluo.StopFunc) {
		return russellluo.NewLocalWindow()
	})
	return l
}

// What came in the last fixed window is taken to have been spread over it. Here all came at its
// end, and one more comes in each of the next 998 ms.
func russellluoTwice() (seen string, wrong bool) {
	l, last := newRussellLuo(), start.Add(999*time.Millisecond)
	return atMost(100, count(1098, func(i int) bool {
		return l.AllowN(last.Add(time.Duration(max(0, i-99))*time.Millisecond), 1)
	}), 1098)
}

func russellluoNegative() (seen string, wrong bool) {
	l := newRussellLuo()
	l.AllowN(start, 100)
	l.AllowN(start, -100)
	return atMost(0, count(100, func(int) bool { return l.AllowN(start, 1) }), 100)
}

// The sum of the counts becomes negative.
func ululeHuge() (seen string, wrong bool) {
	l := ulule.New(memory.NewStore(), ulule.Rate{Period: time.Hour, Limit: 10})
	increment := func(n int64) bool { return !must(l.Increment(context.Background(), key, n)).Reached }
	increment(1)
	increment(math.MaxInt64)
	return atMost(9, count(1000, func(int) bool { return increment(1) }), 1000)
}

// Any window but the next one replaces all that was counted, also an earlier one. A limiter
// computes its window before it locks, so that callers may come with one that is over. Nothing here
// can fail.
func httprateLate() (seen string, wrong bool) {
	const length = time.Minute
	now, before := start, start.Add(-length)
	counter := httprate.NewLocalLimitCounter(length)
	_ = counter.IncrementBy(key, now, 100)
	_ = counter.IncrementBy(key, before, 1)
	counted, _, _ := counter.Get(key, now, before)
	return fmt.Sprintf("of 100 in the new window %d are counted", counted), counted != 100
}
