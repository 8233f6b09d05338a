package limittest_test

import (
	"errors"
	"sync"
	"time"

	"github.com/seed-3506548a/ratelimit"
)

// windowFaults are what is wrong with windows.
type windowFaults struct {
	countsBoundaryBefore bool // an event at the end of a full window counts in that
	freshWhenRefunded    bool // forgets the windows before the one whose events all came back
}

// windows counts events in full seconds, as one would write it.
type windows struct {
	clock ratelimit.Clock
	limit int
	windowFaults

	mu    sync.Mutex
	state counted
}

// counted is the state of windows: how many events of the window from begin on are granted.
type counted struct {
	used  bool
	begin time.Time
	count int
}

func newWindows(limit int, f windowFaults, opts ...ratelimit.Option) (*windows, error) {
	o := ratelimit.Options{Clock: ratelimit.SystemClock{}}
	for _, opt := range opts {
		if opt == nil {
			return nil, errors.New("there is an option that is nil")
		}
		opt(&o)
	}
	if o.Clock == nil {
		return nil, errors.New("the clock is nil")
	}
	return &windows{clock: o.Clock, limit: limit, windowFaults: f}, nil
}

// wait returns how long it is from t until n events are granted.
func (w *windows) wait(s counted, t time.Time, n int) time.Duration {
	switch end := s.begin.Add(time.Second); {
	case !s.used || !t.Before(end) || n == 0:
		return 0
	case s.count+n > w.limit:
		return end.Sub(t)
	default:
		return max(s.begin.Sub(t), 0)
	}
}

func (w *windows) decide(s counted, t time.Time, n int) (ratelimit.Decision, counted) {
	t = t.Round(0)
	d := ratelimit.Decision{Limit: w.limit, RetryAfter: ratelimit.Never}
	if n >= 0 && n <= w.limit {
		d.RetryAfter = w.wait(s, t, n)
		d.OK = d.RetryAfter == 0
	}
	if d.OK && n > 0 {
		end := s.begin.Add(time.Second)
		over := !t.Before(end)
		if w.countsBoundaryBefore && s.count >= w.limit {
			over = t.After(end)
		}
		if !s.used || over {
			s = counted{used: true, begin: t.Truncate(time.Second)}
		}
		s.count += n
	}
	for d.Remaining < w.limit && w.wait(s, t, d.Remaining+1) == 0 {
		d.Remaining++
	}
	switch end := s.begin.Add(time.Second); {
	case !s.used:
	case s.count == 0:
		d.ResetAfter = max(s.begin.Sub(t), 0)
	default:
		d.ResetAfter = max(end.Sub(t), 0)
	}
	return d, s
}

func (w *windows) TakeAt(t time.Time, n int) (d ratelimit.Decision) {
	w.mu.Lock()
	defer w.mu.Unlock()
	d, w.state = w.decide(w.state, t, n)
	return d
}

func (w *windows) PeekAt(t time.Time, n int) ratelimit.Decision {
	w.mu.Lock()
	defer w.mu.Unlock()
	d, _ := w.decide(w.state, t, n)
	return d
}

func (w *windows) RefundAt(t time.Time, n int, held time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if now := w.clock.Now(); t.Before(now) {
		t = now
	}
	begin := t.Round(0).Truncate(time.Second)
	if n < 1 || n > w.limit || held < 0 || !begin.Equal(w.state.begin) || t.Add(-held).Before(begin) {
		return
	}
	w.state.count = max(w.state.count-n, 0)
	if w.freshWhenRefunded && w.state.count == 0 {
		w.state.used = false
	}
}

func (w *windows) Take(n int) ratelimit.Decision { return w.TakeAt(w.clock.Now(), n) }

func (w *windows) Allow() bool { return w.Take(1).OK }

func (w *windows) Clock() ratelimit.Clock { return w.clock }
