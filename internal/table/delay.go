package table

import (
	"math/bits"
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/timeline"
)

// Delay returns the least time after off in which n more events of the key can be granted by the
// limit, or Never. If the table fails open, a new key does not wait.
func (t *Table) Delay(hash uint64, off int64, n int, limit *Limit) time.Duration {
	switch {
	case n == 0:
		return 0
	case n < 0 || limit.most == 0 || limit.table != t:
		return ratelimit.Never
	}
	now := t.scale.at(off)
	s := t.look(t.place(hash))
	if t.failOpen && !s.present {
		return 0
	}
	high, cost := bits.Mul64(uint64(n), limit.perEvent)
	if high > 0 || cost > t.scale.top-now+limit.depth {
		return ratelimit.Never
	}
	least := now + s.debt(now) + cost - limit.depth // depth is less than any time
	if now+late < s.newest {
		least = max(least, s.newest-late)
	}
	return timeline.Wait(timeline.Clamp(off), t.scale.when(least))
}
