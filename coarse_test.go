package ratelimit_test

import (
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/fixedwindow"
	"github.com/seed-3506548a/ratelimit/gcra"
	"github.com/seed-3506548a/ratelimit/slidingwindow"
	"github.com/seed-3506548a/ratelimit/tokenbucket"
)

func TestCoarseClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const step = time.Millisecond
		c, err := ratelimit.NewCoarseClock(step)
		require.NoError(t, err)
		defer c.Stop() // or the bubble would not end
		exact := func() {
			require.Equal(t, time.Now(), c.Now())
			require.Equal(t, time.Since(c.Origin()), c.Elapsed())
			require.Equal(t, time.Now().UnixNano(), c.UnixNano())
		}
		exact()
		time.Sleep(step / 2)
		exact()

		c.Start()
		c.Start()
		exact()
		time.Sleep(step - 1)
		require.Equal(t, step-1, time.Since(c.Now()), "nobody has read the clock yet")
		require.Equal(t, step/2+1, c.Elapsed())
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		exact()
		for range 100 {
			time.Sleep(step / 3)
			require.Less(t, time.Since(c.Now()), step)
			require.Equal(t, c.Now().Sub(c.Origin()), c.Elapsed())
			require.Equal(t, c.Now().UnixNano(), c.UnixNano())
		}

		c.Stop()
		c.Stop()
		time.Sleep(step / 2)
		exact()
		c.Start()
		time.Sleep(step / 2)
		require.Equal(t, step/2, time.Since(c.Now()))
		for range 100 { // to be stopped and to read at the same time
			time.Sleep(step / 2)
			c.Stop()
			time.Sleep(step)
			exact()
			c.Start()
			time.Sleep(step / 2)
		}
	})
}

// Started in the same nanosecond in which it was made, it shows that time, and its reading is not
// 0.
func TestCoarseClockThatIsStartedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := ratelimit.Must(ratelimit.NewCoarseClock(time.Millisecond))
		now := time.Now()
		for range 2 {
			require.Equal(t, time.Duration(1), c.Elapsed())
			require.Equal(t, now, c.Now())
			require.Equal(t, now.UnixNano(), c.UnixNano())
			require.Equal(t, now.Add(-1), c.Origin())
			c.Start()
		}
		c.Stop()
		require.Equal(t, time.Duration(1), c.Elapsed(), "it does not go back")
	})
}

func TestCoarseClockOfNoStep(t *testing.T) {
	c, err := ratelimit.NewCoarseClock(1)
	require.NoError(t, err)
	c.Start()
	c.Stop()
	for _, step := range []time.Duration{0, -1} {
		_, err := ratelimit.NewCoarseClock(step)
		require.ErrorContains(t, err, "step is")
		require.ErrorContains(t, err, "want more than 0s")
	}
}

func TestCoarseClockThatNobodyHasMade(t *testing.T) {
	var c ratelimit.CoarseClock
	require.Panics(t, c.Start)
}

// A limiter on a coarse clock decides as of the time that it shows, by every method.
func TestLimitersOnACoarseClock(t *testing.T) {
	rate := ratelimit.PerSecond(1000)
	for name, build := range map[string]func(...ratelimit.Option) (ratelimit.Limiter, error){
		"gcra":        func(o ...ratelimit.Option) (ratelimit.Limiter, error) { return gcra.New(rate, 5, o...) },
		"tokenbucket": func(o ...ratelimit.Option) (ratelimit.Limiter, error) { return tokenbucket.New(rate, 5, o...) },
		"interval": func(o ...ratelimit.Option) (ratelimit.Limiter, error) {
			return tokenbucket.NewInterval(ratelimit.Per(5, 3*time.Millisecond), 5, o...)
		},
		"anchored": func(o ...ratelimit.Option) (ratelimit.Limiter, error) {
			return fixedwindow.NewAnchored(ratelimit.Per(5, 3*time.Millisecond), o...)
		},
		"aligned": func(o ...ratelimit.Option) (ratelimit.Limiter, error) {
			return fixedwindow.NewAligned(ratelimit.Per(5, 3*time.Millisecond), o...)
		},
		"counter": func(o ...ratelimit.Option) (ratelimit.Limiter, error) {
			return slidingwindow.NewCounter(ratelimit.Per(5, 3*time.Millisecond), 3, o...)
		},
		"log": func(o ...ratelimit.Option) (ratelimit.Limiter, error) {
			return slidingwindow.NewLog(ratelimit.Per(5, 3*time.Millisecond), o...)
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				random := rand.New(rand.NewPCG(1, 2))
				time.Sleep(1_234_567) // to within an aligned window
				c := ratelimit.Must(ratelimit.NewCoarseClock(time.Millisecond))
				time.Sleep(12345)
				c.Start()
				defer c.Stop()
				l, err := build(ratelimit.WithClock(c))
				require.NoError(t, err)
				twin, err := build()
				require.NoError(t, err)
				require.Same(t, c, l.Clock())
				grants := 0
				for range 5000 {
					time.Sleep(time.Duration(random.IntN(600_000)))
					switch random.IntN(50) {
					case 0:
						c.Stop()
					case 1:
						c.Start()
					}
					n := random.IntN(3)
					want := twin.TakeAt(c.Now(), n)
					if n == 1 {
						require.Equal(t, want.OK, l.Allow())
					} else {
						require.Equal(t, want, l.Take(n))
					}
					if want.OK {
						grants += n
					}
				}
				require.Greater(t, grants, 1000)
			})
		})
	}
}

func TestCoarseClockUnderLoad(t *testing.T) {
	c := ratelimit.Must(ratelimit.NewCoarseClock(time.Microsecond))
	defer c.Stop()
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			last, elapsed := c.Now(), c.Elapsed()
			for range 10_000 {
				now, later := c.Now(), c.Elapsed()
				if now.Before(last) || later < elapsed || later < now.Sub(c.Origin()) {
					t.Errorf("went from %v to %v, %v to %v", last, now, elapsed, later)
					return
				}
				last, elapsed = now, later
			}
		})
	}
	for range 1000 {
		c.Start()
		c.Stop()
	}
	readers.Wait()
}

func TestReadingACoarseClockAllocatesNothing(t *testing.T) {
	c := ratelimit.Must(ratelimit.NewCoarseClock(time.Hour))
	c.Start()
	defer c.Stop()
	require.Zero(t, testing.AllocsPerRun(10, func() {
		for range 1000 {
			_, _, _ = c.Now(), c.Elapsed(), c.UnixNano()
		}
	}))
}
