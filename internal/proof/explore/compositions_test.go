//go:build explore

package explore_test

import (
	"fmt"
	"math/big"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/burst"
	"github.com/seed-3506548a/ratelimit/gcra"
	"github.com/seed-3506548a/ratelimit/internal/proof/explore"
	"github.com/seed-3506548a/ratelimit/internal/proof/model"
	"github.com/seed-3506548a/ratelimit/limittest"
	"github.com/seed-3506548a/ratelimit/slidingwindow"
)

// composed is a composition and its model, which all act at one time.
type composed struct {
	limiter ratelimit.Limiter
	members []ratelimit.Limiter
	model   model.All
}

var compositions = map[string]func(c ratelimit.Clock) composed{
	"All of a bucket and a log": func(c ratelimit.Clock) composed {
		with := ratelimit.WithClock(c)
		a := ratelimit.Must(gcra.New(ratelimit.PerSecond(1), 3, with))
		b := ratelimit.Must(slidingwindow.NewLog(ratelimit.PerSecond(2), with))
		return composed{ratelimit.Must(ratelimit.All(a, b)), []ratelimit.Limiter{a, b},
			model.All{model.NewBucket(ratelimit.PerSecond(1), 3), model.NewLog(ratelimit.PerSecond(2))}}
	},
	"All of two buckets": func(c ratelimit.Clock) composed {
		with := ratelimit.WithClock(c)
		a := ratelimit.Must(gcra.New(ratelimit.PerSecond(1), 3, with))
		b := ratelimit.Must(gcra.New(ratelimit.PerSecond(1), 2, with))
		return composed{ratelimit.Must(ratelimit.All(a, b)), []ratelimit.Limiter{a, b},
			model.All{model.NewBucket(ratelimit.PerSecond(1), 3), model.NewBucket(ratelimit.PerSecond(1), 2)}}
	},
	"burst": func(c ratelimit.Clock) composed {
		inner := ratelimit.Must(gcra.New(ratelimit.PerSecond(1), 3, ratelimit.WithClock(c)))
		l := ratelimit.Must(burst.New(inner, ratelimit.PerSecond(2)))
		return composed{l, l.Unwrap(),
			model.All{model.NewBucket(ratelimit.PerSecond(1), 3), model.NewLog(ratelimit.PerSecond(2))}}
	},
}

// In all schedules, what a composition told is explained by some order, except that a refusal may
// also be that of a lost race; and in the end each member has counted what was granted, and nothing
// else.
func TestCompositions(t *testing.T) {
	for name, build := range compositions {
		for _, callers := range [][][]int{{{1}, {1}}, {{2}, {2}}, {{1}, {2}}, {{2, 1}, {1}}, {{1, 1}, {2, 1}}} {
			t.Run(fmt.Sprintf("%s/%v", name, callers), func(t *testing.T) {
				r := explore.Explore(func() explore.Scenario[model.All] { return build(limittest.NewClock(start)).scenario(callers) })
				require.Empty(t, r.Failure)
				t.Logf("%d schedules, %d states, bound on preemptions %d", r.Schedules, r.States, r.Preemptions)
			})
		}
	}
}

func (x composed) scenario(callers [][]int) explore.Scenario[model.All] {
	off := new(big.Int)
	scenario := explore.Scenario[model.All]{
		Remembers: true,
		Model:     func() model.All { return x.model.Clone().(model.All) },
		Clone:     func(m model.All) model.All { return m.Clone().(model.All) },
		Final: func() any {
			var all [4]ratelimit.Decision
			for i := range all {
				all[i] = x.members[i%2].PeekAt(start.Add(time.Duration(i/2)*time.Second), 1)
			}
			return all
		},
		Explain: func(m model.All) any {
			var all [4]ratelimit.Decision
			for i := range all {
				all[i] = m[i%2].Peek(big.NewInt(int64(i/2)*int64(time.Second)), 1)
			}
			return all
		},
	}
	for _, takes := range callers {
		var operations []explore.Operation[model.All]
		for _, n := range takes {
			operations = append(operations, explore.Operation[model.All]{
				Name:  fmt.Sprint("take ", n),
				Do:    func() any { return x.limiter.TakeAt(start, n).OK },
				Model: func(m model.All) any { return m.Take(off, n).OK },
				Lost:  func(told any) bool { return told == false },
			})
		}
		scenario.Callers = append(scenario.Callers, operations)
	}
	return scenario
}
