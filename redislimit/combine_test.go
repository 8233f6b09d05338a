package redislimit_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/redislimit"
)

// held is an engine that keeps the arguments of all scripts, and answers one when it is let.
type held struct {
	redislimit.Engine
	mutex sync.Mutex
	asked [][]string
	let   chan []int64 // a reply, or nil for errHeld
}

var errHeld = errors.New("held")

func (h *held) Run(_ context.Context, _ *redislimit.Script, _, args []string) ([]int64, error) {
	h.mutex.Lock()
	h.asked = append(h.asked, args)
	h.mutex.Unlock()
	if reply := <-h.let; reply != nil {
		return reply, nil
	}
	return nil, errHeld
}

// news returns the arguments of the scripts that are under way for the first time.
func (h *held) news() [][]string {
	synctest.Wait()
	asked := h.asked
	h.asked = nil
	return asked
}

type answer struct {
	d   ratelimit.Decision
	err error
}

// asking returns a function that takes n events in the background, when all before it wait.
func asking(t *testing.T, l taker) (ask func(n int), answers chan answer) {
	answers = make(chan answer, 1000)
	return func(n int) {
		go func() {
			d, err := l.Take(t.Context(), "k", n)
			answers <- answer{d, err}
		}()
		synctest.Wait()
	}, answers
}

// nothing is the reply of a bucket's script where nothing is owed.
var nothing = []int64{t0.UnixMicro(), 0, 0}

// At most 256 requests are sent together. More that come meanwhile are sent alone, at once.
func TestHowManyAreCombined(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &held{let: make(chan []int64)}
		limit := ratelimit.Must(redislimit.NewGCRA(h, "test", ratelimit.PerDay(1), 1000, redislimit.Combine()))
		ask, answers := asking(t, limit)
		for range 1 + 256 {
			ask(1)
		}
		require.Len(t, h.news(), 1)
		require.Equal(t, 256, limit.Waiting("k"))
		ask(2)
		require.Len(t, h.news(), 1)
		require.Equal(t, 256, limit.Waiting("k"))
		for range 2 {
			h.let <- nothing
		}
		together := h.news()
		require.Len(t, together, 1)
		require.Len(t, together[0], 1+4+1+256)
		h.let <- nothing
		synctest.Wait()
		remaining := map[int]int{}
		for range 1 + 256 + 1 {
			a := <-answers
			require.NoError(t, a.err)
			remaining[a.d.Remaining]++
		}
		require.Equal(t, 2, remaining[999])
		require.Equal(t, 2, remaining[998])
		require.Len(t, remaining, 256)
	})
}

// Requests of different rates are not sent together.
func TestRatesAreNotCombined(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &held{let: make(chan []int64)}
		limit := hundred(t, h, redislimit.Combine())
		ask, answers := asking(t, limit)
		ask(1)
		ask(2)
		require.NoError(t, limit.SetRate(ratelimit.PerDay(1), 50))
		require.Len(t, h.news(), 1)
		ask(3)
		require.Len(t, h.news(), 1)
		h.let <- nothing
		h.let <- nothing
		require.Len(t, h.news(), 1)
		h.let <- nothing
		synctest.Wait()
		var got [][2]int
		for range 3 {
			a := <-answers
			require.NoError(t, a.err)
			got = append(got, [2]int{a.d.Limit, a.d.Remaining})
		}
		require.ElementsMatch(t, [][2]int{{100, 99}, {100, 98}, {50, 47}}, got)
	})
}

// If requests that were sent together are not answered, each returns the error.
func TestErrorOfAllThatWereCombined(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &held{let: make(chan []int64)}
		ask, answers := asking(t, hundred(t, h, redislimit.Combine()))
		for range 4 {
			ask(1)
		}
		h.let <- nothing
		synctest.Wait()
		require.NoError(t, (<-answers).err)
		h.let <- nil
		synctest.Wait()
		for range 3 {
			a := <-answers
			require.ErrorIs(t, a.err, errHeld)
			require.Equal(t, redislimit.Unreachable, a.d.By)
		}
	})
}

// Each algorithm decides about requests that are sent together as if they came one after the other.
func TestCombinedDecisions(t *testing.T) {
	for name, build := range algorithms {
		t.Run(name, func(t *testing.T) {
			g := &gate{newMini(t), make(chan int), make(chan error)}
			combined, err := build(g, ratelimit.PerMinute(10), redislimit.Combine(), redislimit.Remember(0))
			require.NoError(t, err)
			alone, err := build(newMini(t), ratelimit.PerMinute(10), redislimit.Remember(0))
			require.NoError(t, err)
			ns := []int{1, 4, 7, 2, 3, 1, 5} // the first is sent alone
			answers := make([]ratelimit.Decision, len(ns))
			var wg sync.WaitGroup
			for i, n := range ns {
				wg.Go(func() {
					d, err := combined.Take(t.Context(), "k", n)
					if err != nil {
						t.Error(err)
					}
					answers[i] = d
				})
				if i == 0 {
					<-g.asked
					continue
				}
				require.Eventually(t, func() bool { return combined.(interface{ Waiting(key string) int }).Waiting("k") == i }, 20*time.Second, us)
			}
			g.let <- nil
			<-g.asked
			g.let <- nil
			wg.Wait()
			for i, n := range ns {
				want, err := alone.Take(t.Context(), "k", n)
				require.NoError(t, err)
				require.Equal(t, want, answers[i], "%d", i)
			}
		})
	}
}
