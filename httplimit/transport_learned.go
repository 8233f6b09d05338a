package httplimit

import "time"

// learned is what refusals have taught about a barrier: how fast is too fast, and how many are
// granted in how long.
type learned struct {
	gap     time.Duration // the shortest time from one request to the next
	eased   time.Time     // when the gap was last changed
	easing  time.Duration // after how long it is changed again; 0: it was never made shorter
	windows []window
	history []time.Time // when requests were sent that were granted, oldest first
	refused time.Time   // when the last refusal came that was learned from
	doubted time.Time   // when the last one came that contradicted the headers
	taught  int         // how many windows that one has taught, 0 or 1: the last
}

// window is a limit that was found out: of so many requests in any such length of time.
type window struct {
	requests int
	length   time.Duration
	expires  time.Time
}

const (
	// longestHistory bounds the memory of a barrier. Limits of more requests are not found out.
	longestHistory = 4096

	// A gap recovers by a tenth after easeAfter. If that was too much, it is taken back, and the
	// next time is after twice as long.
	easeAfter = 30 * time.Minute

	// longestGap bounds what a contradiction can do to a client that sends little.
	longestGap = 10 * time.Second

	// A found limit is tried again after so many of its windows: it may have been raised.
	windowsKept = 50

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
	if l.gap > 0 && now.Sub(l.eased) >= max(l.easing, easeAfter) {
		l.easing, l.eased = max(l.easing, easeAfter), now
		if l.gap -= l.gap / 10; l.gap < time.Millisecond {
			l.gap = 0
		}
	}
}

// begin returns the requests since the last refusal. ok is false if there are none, or if the
// refused request was sent before it: then there is nothing more to learn.
func (l *learned) begin(sent, now time.Time) (first int, ok bool) {
	if sent.Before(l.refused) {
		return 0, false
	}
	first = l.since(l.refused)
	l.refused, l.taught = now, 0
	return first, first < len(l.history)
}

// contradicted slows down after a refusal of a request although the headers say that something is
// left, or that says nothing: to half of the rate or less. People limit seconds, minutes, hours and
// days: what was granted since the last refusal is taken for what is granted in the next longer one
// of these.
func (l *learned) contradicted(sent, now time.Time) {
	first, ok := l.begin(sent, now)
	if !ok {
		return
	}
	l.doubted = now
	if l.easing > 0 && now.Sub(l.eased) < l.easing { // the gap was enough before
		l.gap += l.gap / 9
		l.easing, l.eased = 2*l.easing, now
		return
	}
	n, elapsed := time.Duration(len(l.history)-first), now.Sub(l.history[first])
	unit := 24 * time.Hour
	for _, shorter := range []time.Duration{time.Hour, time.Minute, time.Second} {
		if elapsed < shorter {
			unit = shorter
		}
	}
	l.gap = min(max(2*elapsed/n, 2*l.gap, unit/n, time.Millisecond), longestGap)
	l.eased = now
}

// exhausted finds out a limit by a refusal that is over after wait: the requests that were granted
// fill a window, which ends then. The window is that since the last refusal if one of about its
// length is known, which was too short, or else that of the whole history since a refusal was of
// another kind. Nothing follows if most of it was idle.
func (l *learned) exhausted(sent, now time.Time, wait time.Duration) {
	since, ok := l.begin(sent, now)
	if !ok || len(l.history) > longestHistory {
		return
	}
	begin := l.since(l.doubted)
	known := l.similar(now.Add(wait).Sub(l.history[since]))
	if known >= 0 {
		begin = since
	}
	w := window{requests: len(l.history) - begin, length: now.Add(wait).Sub(l.history[begin])}
	w.expires = now.Add(windowsKept * w.length)
	if wait < w.length/10 || w.length >= longestBelieved || known < 0 && len(l.windows) == mostWindows {
		return
	}
	if known >= 0 {
		w.length = max(w.length, l.windows[known].length)
		l.windows = append(l.windows[:known], l.windows[known+1:]...)
	}
	l.windows, l.taught = append(l.windows, w), 1
}

// since returns the index of the first request in the history that was sent at t or later.
func (l *learned) since(t time.Time) int {
	i := len(l.history)
	for i > 0 && !l.history[i-1].Before(t) {
		i--
	}
	return i
}

// similar returns the index of a window of about the length, or -1.
func (l *learned) similar(length time.Duration) int {
	for i, w := range l.windows {
		if w.length/2 <= length && length/2 <= w.length {
			return i
		}
	}
	return -1
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
