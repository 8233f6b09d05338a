package ratelimit

import (
	"context"
	"time"
)

// sleep waits until it is t by the clock, or w is woken, or ctx is done, or changed gets something,
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
			if turn < 3 && clock.Now().After(now) {
				continue // a mock was moved on before it knew of us: tell it again; but real ones never stand still
			}
		} else {
			least := min(time.Duration(turn)*50*time.Microsecond, time.Millisecond) // a coarse clock may lag behind
			timer = time.NewTimer(max(d, least))
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
