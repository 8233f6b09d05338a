package redislimit_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/redislimit"
)

// engine is an engine that does what a function does.
type engine struct {
	redislimit.Engine
	run func(ctx context.Context) ([]int64, error)
}

func (e engine) Run(ctx context.Context, _ *redislimit.Script, _, _ []string) ([]int64, error) {
	return e.run(ctx)
}

// A request waits for the timeout once, however many steps it has.
func TestTimeoutIsOfAllSteps(t *testing.T) {
	slow := func(ctx context.Context) ([]int64, error) {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(200 * time.Millisecond):
			return []int64{1}, nil // the quick script cannot decide
		}
	}
	never := func(ctx context.Context) ([]int64, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	for name, row := range map[string]struct {
		run  func(context.Context) ([]int64, error)
		opts []redislimit.Option
	}{
		"two scripts":         {run: slow},
		"lease":               {never, []redislimit.Option{redislimit.Lease(1, 10)}},
		"lease, two scripts":  {slow, []redislimit.Option{redislimit.Lease(1, 10)}},
		"combined":            {never, []redislimit.Option{redislimit.Combine()}},
		"combined and leased": {never, []redislimit.Option{redislimit.Combine(), redislimit.Lease(1, 10)}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				limit := hundred(t, engine{run: row.run}, append(row.opts, redislimit.Timeout(300*time.Millisecond))...)
				began := time.Now()
				var wg sync.WaitGroup
				for range 3 {
					wg.Go(func() {
						_, err := limit.Take(t.Context(), "k", 1)
						if err == nil || time.Since(began) != 300*time.Millisecond {
							t.Errorf("after %v: %v, want an error after 300ms", time.Since(began), err)
						}
					})
				}
				wg.Wait()
				time.Sleep(time.Second) // what is still under way ends, in the bubble's time
			})
		})
	}
}

// A panic of the engine does not hold up the requests that wait to be sent together.
func TestCombineAfterAPanic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fault := make(chan bool)
		limit := hundred(t, engine{run: func(context.Context) ([]int64, error) {
			if <-fault {
				panic("engine")
			}
			return []int64{t0.UnixMicro(), 0, 0}, nil
		}}, redislimit.Combine(), redislimit.Timeout(time.Hour))
		take := func() (d ratelimit.Decision, err error) { return limit.Take(t.Context(), "k", 1) }
		var wg sync.WaitGroup
		wg.Go(func() {
			defer func() {
				if recover() == nil {
					t.Error("the panic is the caller's")
				}
			}()
			_, _ = take()
		})
		synctest.Wait()
		for range 2 {
			wg.Go(func() {
				if d, err := take(); !d.OK || err != nil {
					t.Errorf("%+v, %v", d, err)
				}
			})
		}
		synctest.Wait()
		fault <- true
		fault <- false
		wg.Wait()
		wg.Go(func() { fault <- false })
		d, err := take()
		require.NoError(t, err)
		require.True(t, d.OK)
	})
}
