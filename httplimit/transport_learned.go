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

	// A gap recovers by a tenth after so many of the units that it was guessed for, at most
	// easeAfter, and again. From then on, each time is after half as long, down to easeOften. What
	// was too much is taken back, and the next time is after twice as long.
	unitsKept = 600
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
// says nothing: to what was granted in the unit that guess finds, and to half of what was learned
// before or less. But if a window ends after wait, what was granted is granted in it.
func (l *learned) contradicted(sent, now time.Time, wait, named time.Duration) {
	first := l.since(l.refused)
	if !l.isNew(sent, now) || first == len(l.history) || l.takenBack(now) {
		return
	}
	unit, n := l.guess(first, sent, wait, named)
	elapsed := max(unit, min(sent.Sub(l.history[len(l.history)-n]), unit+tolerance(unit)))
	l.gap = max((elapsed+tolerance(unit)/2)/time.Duration(n), 2*l.gap)
	if wait > 0 {
		l.gap = min(l.gap, (now.Sub(l.history[first])+wait)/time.Duration(len(l.history)-first))
	}
	l.gap = min(max(l.gap, time.Millisecond), longestGap)
	l.changed = now
	l.easing = max(l.easing, min(unitsKept*unit, easeAfter))
}

// guess returns the shortest unit that a refusal can be about, and how many requests were granted
// in the last such time, of those from first on. It is not about a unit in which many more were
// granted before, nor about one that is far shorter than the wait, nor about one that is not
// shorter than a window of which the headers say that something is left.
func (l *learned) guess(first int, sent time.Time, wait, named time.Duration) (unit time.Duration, n int) {
	for i, longer := range units {
		if unit > 0 && named > 0 && longer >= named {
			break
		}
		unit = longer
		n = len(l.history) - max(first, l.since(sent.Add(-unit-tolerance(unit))))
		if i+1 < len(units) && wait > units[i+1]+travel {
			continue
		}
		if n > 0 && 2*l.most(unit) <= 3*n {
			break
		}
	}
	return unit, max(n, 1)
}

// most returns how many requests were granted within d at most.
func (l *learned) most(d time.Duration) (n int) {
	first := 0
	for i, at := range l.history {
		for at.Sub(l.history[first]) >= d {
			first++
		}
		n = max(n, i+1-first)
	}
	return n
}

// units are the windows that people limit by.
var units = [...]time.Duration{time.Second, time.Minute, time.Hour, 24 * time.Hour}

// usual returns the shortest window that people limit by and in which elapsed fits.
func usual(elapsed time.Duration) time.Duration {
	for _, unit := range units {
		if elapsed < unit+tolerance(unit) {
			return unit
		}
	}
	return units[len(units)-1]
}

// tolerance is by how much requests may be sent further apart than they arrive.
func tolerance(unit time.Duration) time.Duration { return min(unit/2, travel) }

// exhausted finds out a limit by a refusal that is over after wait: a window ends then, and the
// requests that were granted fill it, but no more than limit, if that is known. Requests before a
// pause longer than wait are of another window. The wait may be longer than the window, as it may
// be a punishment: so a length of up to twice a usual one is taken for that. A window that was
// found out before and has about the same length was too short.
func (l *learned) exhausted(sent, now time.Time, wait time.Duration, limit int64) {
	if !l.isNew(sent, now) || len(l.history) == 0 || l.takenBack(now) {
		return
	}
	first := len(l.history) - 1
	for first > 0 && l.history[first].Sub(l.history[first-1]) <= wait {
		first--
	}
	if limit > 0 && limit < int64(len(l.history)-first) {
		first = len(l.history) - int(limit)
	}
	w := window{requests: len(l.history) - first, length: now.Add(wait).Sub(l.history[first])}
	if wait < w.length/mostIdle || w.length >= longestBelieved || w.requests > longestHistory {
		return
	}
	if unit := usual(now.Sub(l.history[first])); w.length < 2*(unit+tolerance(unit)) && !slices.ContainsFunc(l.windows, w.isLike) {
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
