// Package soak runs limiters with real goroutines on real clocks, for as long as a flag says: all
// limiters at once, and a server over loopback whose policy is replaced every second. What was
// granted is recorded, and every bound is checked over all intervals afterwards. It is for tests
// only, which make soak runs; here is what they share with those of redislimit.
package soak

import (
	"flag"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit/internal/proof/bounds"
)

var duration = flag.Duration("soak.duration", 0, "how long each soak runs: they are skipped at 0, which is the default")

// Duration returns how long to soak, and skips the test if that is not at all.
func Duration(t testing.TB) time.Duration {
	if *duration <= 0 {
		t.Skip("make soak runs this, for -soak.duration")
	}
	return *duration
}

// Grants is a list of what was granted, in memory that is allocated when it is made: so what is
// recorded does not hide what else grows.
type Grants struct {
	mutex sync.Mutex
	spans []bounds.Span
	lost  int
}

// NewGrants returns a list with room for so many spans. Make it larger than the bound allows.
func NewGrants(room int) *Grants { return &Grants{spans: make([]bounds.Span, 0, room)} }

// Add records a grant. It is safe for simultaneous use.
func (g *Grants) Add(s bounds.Span) {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	if len(g.spans) == cap(g.spans) {
		g.lost++
		return
	}
	g.spans = append(g.spans, s)
}

// Check requires the bound on what was granted, and returns how much of it was used at most and how
// many events were granted.
func (g *Grants) Check(t testing.TB, share bounds.Share, name string) (most float64, events int64) {
	require.Zero(t, g.lost, "%s: more was granted than there is room for", name)
	if len(g.spans) == 0 {
		return 0, 0
	}
	for _, s := range g.spans {
		events += s.N
	}
	most = share(g.spans)
	require.LessOrEqual(t, most, 1.0, name)
	return most, events
}

// Spans returns what was recorded, in the order in which it was.
func (g *Grants) Spans() []bounds.Span { return g.spans }
