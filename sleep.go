package ratelimit

import (
	"context"
	"time"
)

const (
	// racesForMicrosecond is after how many lost races of one wait the pause before the next try
	// gets a microsecond longer. Most races are over after a yield. Where many callers keep the
	// limiter busy, a longer pause leaves them the processor.
	racesForMicrosecond = 8

	// lagStep is by how much the next sleep gets longer when the clock does not show the time yet
	// although the system's timer has fired. A coarse clock is late by a step or less, so short
	// sleeps find it soon. A clock that stands still must not keep a processor busy.
	lagStep = 50 * time.Microsecond

	// longestPause bounds both pauses. It is how much later than possible a request may be served
	// because of them, and it keeps a waiter from asking more than a thousand times a second.
	longestPause = time.Millisecond

	// mockTurns is how often a sleep may set the timer of a [TimerClock] again because the clock
	// has moved meanwhile: a mock that moved before the timer was set would not fire it. A real
	// clock moves all the time, so there must be an end.
	mockTurns = 3
)

// pauseAfter returns how long to wait before the next try after so many lost races.
func pauseAfter(races int) time.Duration {
	return min(time.Duration(races/racesForMicrosecond)*time.Microsecond, longestPause)
}

// sleep waits until it is t by the clock, w is woken, ctx is done, or something arrives in changed,
// which it reports.
func (w *waiter) sleep(ctx context.Context, clock Clock, t time.Time, changed <-chan struct{}) (again bool, err error) {
	timers, _ := clock.(TimerClock)
	for turn := 0; ; turn++ {
		now := clock.Now()
		d := t.Sub(now)
		if d <= 0 {
			return false, nil
		}
		var timer *time.Timer
		var over <-chan time.Time
		if timers != nil {
			over = timers.After(d)
			if turn < mockTurns && clock.Now().After(now) {
				continue
			}
		} else {
			timer = time.NewTimer(max(d, min(time.Duration(turn)*lagStep, longestPause)))
			over = timer.C
		}
		var ended, woken bool
		select {
		case <-over:
		case <-changed:
			again = true
		case <-w.wake:
			woken = true
		case <-ctx.Done():
			ended = true
		}
		if timer != nil {
			timer.Stop()
		}
		switch {
		case again || woken:
			return again, nil
		case ended && clock.Now().Before(t):
			return false, ctx.Err()
		}
	}
}
