package httplimit

import (
	"slices"
	"time"
)

// learned is what refusals have taught about a barrier: how fast is too fast, and how many are
// granted in how long.
type learned struct {
	gap     time.Duration // the shortest time from one request to the next
	changed time.Time     // when the gap was last changed
	easing  time.Duration // after how long it is made shorter
	eased   bool          // it was, and nothing contradicts it yet
	windows []window
	history []time.Time // when requests were sent that were granted, oldest first
	refused time.Time   // when the last refusal came that was learned from
	taught  int         // how many windows that one has taught, 0 or 1: the last
}

// window is a limit that was found out: of so many requests in any such length of time.
type window struct {
	requests int
	length   time.Duration
	expires  time.Time
}

// isLike reports whether the windows have about the same length.
func (w window) isLike(o window) bool { return o.length/2 <= w.length && w.length/2 <= o.length }

const (
	// longestHistory bounds the memory of a barrier. Limits of more requests are not found out.
	longestHistory = 4096

	// A gap recovers by a tenth after easeAfter, and again. From then on, each time is after half
	// as long, down to easeOften. What was too much is taken back, and the next time is after twice
	// as long.
	easeAfter = time.Hour
	easeOften = 2 * time.Minute

	// longestGap bounds what a contradiction can do to a client that sends little.
	longestGap = 10 * time.Second

	// A found limit is tried again after so many of its windows: it may have been raised.
	windowsKept = 50

	// A refusal teaches no limit if it is over soon: after less than this part of the window.
	mostIdle = 10

	// A window is taken for a usual one if it can be, and then for so much longer, as a request may
	// travel faster than the one before it.
	travel = time.Second

	// mostWindows is how many limits are found out: an API has a few, of different lengths.
	mostWindows = 4
)

// opens returns the first time from at on at which the next request keeps to what was learned. open
// is false if that depends on requests that are under way.
func (l *learned) opens(at, last time.Time, flying int) (first time.Time, open bool) {
	if l.gap > 0 {
		at = latest(at, last.Add(l.gap))
	}
	open = true
	for _, w := range l.windows {
		if at.After(w.expires) {
			continue
		}
		switch i := len(l.history) + flying - w.requests; {
		case i >= len(l.history):
			open = false
		case i >= 0:
			at = latest(at, l.history[i].Add(w.length))
		}
	}
	return at, open
}

// granted takes note of a request that was sent at that time.
func (l *learned) granted(sent, now time.Time) {
	if len(l.history) >= 2*longestHistory {
		l.history = append([]time.Time(nil), l.history[longestHistory:]...)
	}
	i := l.since(sent.Add(1))
	l.history = append(l.history, time.Time{})
	copy(l.history[i+1:], l.history[i:])
	l.history[i] = sent
	if l.taught > 0 && sent.Before(l.refused) { // it was under way at the refusal
		l.windows[len(l.windows)-1].requests++
	}
	if l.gap > 0 && now.Sub(l.changed) >= l.easing {
		l.changed, l.eased = now, true
		l.easing = max(l.easing/2, easeOften)
		if l.gap -= l.gap / 10; l.gap < time.Millisecond {
			l.gap = 0
		}
	}
}

// isNew reports whether there is something to learn from the refusal of a request: it was sent
// after the last refusal.
func (l *learned) isNew(sent, now time.Time) bool {
	if sent.Before(l.refused) {
		return false
	}
	l.refused, l.taught = now, 0
	return true
}

// takenBack makes the gap what it was before it was made shorter, if nothing was refused since.
func (l *learned) takenBack(now time.Time) bool {
	if !l.eased {
		return false
	}
	l.gap, l.changed, l.eased = l.gap+l.gap/9, now, false
	l.easing = 2 * max(l.easing, easeAfter)
	return true
}

// contradicted slows down after a refusal although the headers say that something is left, or that
// says nothing: to half of the rate or less. People limit seconds, minutes, hours and days: what
// was granted since the last refusal is taken for what is granted in the next longer one of these.
// But if a window ends after wait, what was granted is granted in it.
func (l *learned) contradicted(sent, now time.Time, wait time.Duration) {
	first := l.since(l.refused)
	if !l.isNew(sent, now) || first == len(l.history) {
		return
	}
	if l.takenBack(now) {
		return
	}
	l.changed = now
	n, elapsed := time.Duration(len(l.history)-first), now.Sub(l.history[first])
	l.gap = max(2*elapsed/n, 2*l.gap, usual(elapsed)/n)
	if wait > 0 {
		l.gap = min(l.gap, (elapsed+wait)/n)
	}
	l.gap = min(max(l.gap, time.Millisecond), longestGap)
	l.easing = max(l.easing, easeAfter)
}

// usual returns the shortest window longer than elapsed that people limit by: a second, minute,
// hour or day.
func usual(elapsed time.Duration) time.Duration {
	for _, unit := range []time.Duration{time.Second, time.Minute, time.Hour} {
		if elapsed < unit {
			return unit
		}
	}
	return 24 * time.Hour
}

// exhausted finds out a limit by a refusal that is over after wait: a window ends then, and the
// requests that were granted fill it. Requests before a pause longer than wait are of another
// window. The wait may be longer than the window, as it may be a punishment: so a length of less
// than twice a usual one is taken for that. A window that was found out before and has about the
// same length was too short.
func (l *learned) exhausted(sent, now time.Time, wait time.Duration) {
	if !l.isNew(sent, now) || len(l.history) == 0 || l.takenBack(now) {
		return
	}
	first := len(l.history) - 1
	for first > 0 && l.history[first].Sub(l.history[first-1]) <= wait {
		first--
	}
	w := window{requests: len(l.history) - first, length: now.Add(wait).Sub(l.history[first])}
	if wait < w.length/mostIdle || w.length >= longestBelieved || w.requests > longestHistory {
		return
	}
	if unit := usual(now.Sub(l.history[first])); w.length < 2*unit && !slices.ContainsFunc(l.windows, w.isLike) {
		w.length = min(w.length, unit+travel)
	}
	l.windows = slices.DeleteFunc(l.windows, func(old window) bool {
		if w.isLike(old) {
			w.length = max(w.length, old.length)
			return true
		}
		return now.After(old.expires)
	})
	if len(l.windows) < mostWindows {
		w.expires = now.Add(windowsKept * w.length)
		l.windows, l.taught = append(l.windows, w), 1
	}
}

// since returns the index of the first request in the history that was sent at t or later.
func (l *learned) since(t time.Time) int {
	i := len(l.history)
	for i > 0 && !l.history[i-1].Before(t) {
		i--
	}
	return i
}

// longest returns how long what was learned is of use.
func (l *learned) longest() (d time.Duration) {
	if l.gap > 0 {
		d = easeAfter
	}
	for _, w := range l.windows {
		d = max(d, w.length)
	}
	return d
}
