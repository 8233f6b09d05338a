//go:build explore

package explore_test

import (
	"fmt"
	"math/big"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/gcra"
	"github.com/seed-3506548a/ratelimit/internal/atomics"
	"github.com/seed-3506548a/ratelimit/internal/proof/explore"
	"github.com/seed-3506548a/ratelimit/internal/proof/model"
	"github.com/seed-3506548a/ratelimit/limittest"
	"github.com/seed-3506548a/ratelimit/penalty"
)

// penalized is a penalty on a bucket of two, with its model.
type penalized struct {
	limiter *penalty.Limiter
	model   *model.Penalty
}

const blockLength = time.Hour

// newPenalized returns one that a block was begun for, which ends so much after now. If it is over,
// one of two was taken now.
func newPenalized(ends time.Duration) penalized {
	inner := ratelimit.Must(gcra.New(ratelimit.PerSecond(10), 2, ratelimit.WithClock(limittest.NewClock(start))))
	p := penalized{
		limiter: ratelimit.Must(penalty.New(inner, blockLength)),
		model:   &model.Penalty{Inner: model.NewBucket(ratelimit.PerSecond(10), 2), Block: blockLength},
	}
	take := func(at time.Duration, n int) {
		p.limiter.TakeAt(start.Add(at), n)
		p.model.Take(big.NewInt(int64(at)), n)
	}
	take(ends-blockLength, 2)
	take(ends-blockLength, 1)
	take(0, 1)
	return p
}

// answered is what some order of the operations explains: whether a request is granted, and if not,
// how long the block lasts. What the bucket says in a block may be of a moment later.
type answered struct {
	ok    bool
	block time.Duration
}

func answer(d ratelimit.Decision) answered {
	if d.RetryAfter < time.Second {
		return answered{ok: d.OK} // the bucket's, or the last of the block before
	}
	return answered{d.OK, d.RetryAfter}
}

// operation returns one of the given name; the callers are at different times.
func (p penalized) operation(name string, caller int) explore.Operation[*model.Penalty] {
	at := time.Duration(caller)
	off := big.NewInt(int64(at))
	n := 1
	if name == "take two" {
		n = 2
	}
	switch name {
	case "peek":
		return explore.Operation[*model.Penalty]{Name: name,
			Do:    func() any { return answer(p.limiter.PeekAt(start.Add(at), n)) },
			Model: func(m *model.Penalty) any { return answer(m.Peek(off, n)) }}
	case "pardon":
		return explore.Operation[*model.Penalty]{Name: name,
			Do:    func() any { p.limiter.Pardon(); return nil },
			Model: func(m *model.Penalty) any { m.SetRate(nil, nil, ratelimit.Rate{}, 0); return nil }}
	default:
		return explore.Operation[*model.Penalty]{Name: name,
			Do:    func() any { return answer(p.limiter.TakeAt(start.Add(at), n)) },
			Model: func(m *model.Penalty) any { return answer(m.Take(off, n)) }}
	}
}

func (p penalized) scenario(callers [][]string) explore.Scenario[*model.Penalty] {
	grid := [...]time.Duration{-1, 0, time.Minute - 1, time.Minute, blockLength - 1, blockLength, blockLength + 1, blockLength + 2}
	scenario := explore.Scenario[*model.Penalty]{
		Remembers: true,
		Model:     func() *model.Penalty { return p.model.Clone().(*model.Penalty) },
		Clone:     func(m *model.Penalty) *model.Penalty { return m.Clone().(*model.Penalty) },
		Final: func() any {
			var all [len(grid)]ratelimit.Decision
			for i, at := range grid {
				all[i] = p.limiter.PeekAt(start.Add(at), 1)
			}
			return all
		},
		Explain: func(m *model.Penalty) any {
			var all [len(grid)]ratelimit.Decision
			for i, at := range grid {
				all[i] = m.Peek(big.NewInt(int64(at)), 1)
			}
			return all
		},
	}
	for i, names := range callers {
		var operations []explore.Operation[*model.Penalty]
		for _, name := range names {
			operations = append(operations, p.operation(name, i))
		}
		scenario.Callers = append(scenario.Callers, operations)
	}
	return scenario
}

// In all schedules some order explains who was granted and who was told to wait until when: one
// refusal begins a block, and no other moves its end.
func TestPenalty(t *testing.T) {
	kinds := []string{"take", "take two", "peek", "pardon"}
	for _, ends := range []time.Duration{0, 1, 2, time.Minute, -time.Hour} {
		for _, shape := range []struct {
			name string
			all  [][][]string
		}{{"2 callers, 2 operations", twoByTwo(kinds)}, {"3 callers, 1 operation", threeByOne(kinds)}} {
			t.Run(fmt.Sprintf("after a block that ends in %v/%s", ends, shape.name), func(t *testing.T) {
				schedules := 0
				for _, callers := range sample(shape.all) {
					r := explore.Explore(func() explore.Scenario[*model.Penalty] { return newPenalized(ends).scenario(callers) })
					require.Empty(t, r.Failure, callers)
					require.Equal(t, -1, r.Preemptions)
					schedules += r.Schedules
				}
				t.Logf("all %d schedules", schedules)
			})
		}
	}
}

// What is refused in a block writes nothing.
func TestARefusalInABlockWritesNothing(t *testing.T) {
	p := newPenalized(blockLength)
	var written writes
	atomics.Explorer = &written
	defer func() { atomics.Explorer = nil }()
	for _, n := range []int{-1, 0, 1, 2, 3} {
		p.limiter.TakeAt(start, n)
		p.limiter.PeekAt(start, n)
	}
	require.False(t, p.limiter.Allow())
	p.limiter.Blocked()
	require.Zero(t, written)
}
