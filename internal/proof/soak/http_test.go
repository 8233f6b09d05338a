package soak_test

import (
	"context"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/proof/bounds"
	"github.com/seed-3506548a/ratelimit/internal/proof/soak"
)

// TestSoakHTTP has a hundred clients ask a server with a middleware, of which half misbehave, while
// the policy is replaced every second. Each limit that all policies have must hold over all
// intervals, and so must blocks; and memory and goroutines must be flat.
func TestSoakHTTP(t *testing.T) {
	duration := soak.Duration(t)
	goroutines := runtime.NumGoroutine()
	polite, rude, addresses := names()
	users := slices.Concat(polite, rude, addresses)
	s := newService(t, duration, users, addresses)
	behaving, misbehaving, answered, closeAll := newClients(s.url)

	ctx, cancel := context.WithCancel(t.Context()) // without a deadline, which polite clients would heed
	defer time.AfterFunc(duration, cancel).Stop()
	watch := soak.NewWatch(duration)
	var group sync.WaitGroup
	for i := range behaving {
		group.Go(func() { behaving[i].behave(ctx) })
		group.Go(func() { misbehaving[i].misbehave(ctx) })
	}
	replaced := 0
	for ticker := time.NewTicker(time.Second); ctx.Err() == nil; {
		select {
		case <-ticker.C:
			replaced++
			require.NoError(t, s.engine.Replace(policyAt(t, replaced)))
		case <-ctx.Done():
			ticker.Stop()
		}
	}
	group.Wait()
	stats := s.engine.Stats()
	// A Transport remembers up to 8192 requests for each of its barriers, of 24 bytes each.
	early, late := watch.RequireFlat(t, 16<<20)
	closeAll()
	s.stop(t)
	require.Eventually(t, func() bool { return runtime.NumGoroutine() <= goroutines+2 }, 20*time.Second, 10*time.Millisecond, "goroutines that are left")

	for i, kind := range []string{"polite", "misbehaving"} {
		a := answered[i]
		t.Logf("50 %s clients: %d requests were granted, %d refused by 429, %d answered otherwise, %d not answered",
			kind, a.granted.Load(), a.refused.Load(), a.other.Load(), a.none.Load())
	}
	for i, action := range actions {
		t.Logf("decided by %q: %d", action, s.decided[i].Load())
	}
	t.Logf("%d would be refused by the rule in shadow; the policy was replaced %d times; %+v", s.shadowed.Load(), replaced, stats.Counts)
	t.Logf("heap after a garbage collection: %d kB early, %d kB late; goroutines: %d early, %d late", early.Heap>>10, late.Heap>>10, early.Goroutines, late.Goroutines)
	require.Equal(t, s.decided[0].Load(), s.handled.Load(), "handlers ran for what was granted, and for nothing else")
	require.Positive(t, s.shadowed.Load())
	require.Zero(t, stats.Unrecorded)

	s.check(t, "address", addresses, func(string) bounds.Share { return bounds.BucketShare(address, 30+1.0/256) })
	for _, l := range limits {
		s.check(t, l.path, users, func(string) bounds.Share { return l.share })
	}
	s.check(t, "/fail", users, func(name string) bounds.Share { // see Engine: Guarantee
		return bounds.SlidingShare(ratelimit.Per(failures+s.underWay[listed{"/fail", name}].atMost()-1, 2*time.Second))
	})
	s.check(t, "/bytes", users, func(name string) bounds.Share {
		return bounds.BucketShare(ratelimit.PerSecond(volume), float64(volume+s.underWay[listed{"/bytes", name}].atMost()*2*mostBytes))
	})
	s.checkBlocks(t, users)
}

// check checks a limit for each name.
func (s *service) check(t *testing.T, path string, all []string, share func(name string) bounds.Share) {
	worst, granted := 0.0, int64(0)
	for _, name := range all {
		if g := s.grants[listed{path, name}]; g != nil {
			most, events := g.Check(t, share(name), path+" "+name)
			worst, granted = max(worst, most), granted+events
		}
	}
	if path == "" {
		path = "all paths"
	}
	t.Logf("%s: %d events granted, at most %.4f of the bound", path, granted, worst)
	require.Positive(t, worst, path)
}

// checkBlocks requires that nothing was granted while a key was blocked.
func (s *service) checkBlocks(t *testing.T, users []string) {
	blocks := 0
	for _, name := range users {
		granted := s.grants[listed{"/strict", name}].Spans()
		for _, block := range s.grants[listed{"blocks", name}].Spans() {
			blocks++
			require.False(t, slices.ContainsFunc(granted, func(g bounds.Span) bool { return g.Lo > block.Lo && g.Hi < block.Hi }),
				"%s was granted something while blocked, %+v", name, block)
		}
	}
	t.Logf("/strict: %d blocks, and nothing granted within", blocks)
	require.Positive(t, blocks)
}
