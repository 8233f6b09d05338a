// Package simulate plays traffic through a limiter in virtual time, and reports what became of it.
//
//	report := simulate.Replay(events, limiter)
//	fmt.Println(report.Granted, "of", report.Offered, "granted;", report.MostGranted(time.Minute), "in a minute")
//
// Nothing is waited for: the time is that of the events, so a week takes as long as the limiter
// takes to decide.
//
// # Traffic
//
// Events come from a log ([ReadLog]), from any other [iter.Seq], or from a generator: [Constant],
// [Poisson], [OnOff], [FlashCrowd]. These make events of N == 1 from a start on, in the order of
// time, and end only 292 years later: cut them by [Until]. A rate of 0 makes none. The same
// arguments make the same events each time that the sequence is run through, on one platform; on
// another, where floating-point numbers are rounded otherwise, they may differ. Errors of
// generators are an [*ratelimit.ArgumentError].
//
// # Cost
//
// Replay costs little more than the TakeAt it calls (docs/benchmarks.md), and keeps 16 bytes for
// each request, so that reports can be asked for what nobody thought of before.
package simulate

import (
	"cmp"
	"iter"
	"math"
	"slices"
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/identity"
)

// Event is a request: N events, all or none, at a time.
type Event struct {
	At time.Time
	N  int
}

// Replay asks l for each of the events, in their order, by its TakeAt, and reports what it said.
// The limiter is charged as by any other caller: hand in a new one. Times may be in any order, as
// far as the limiter takes late ones, and within 146 years of when it was made.
//
// The same events and limiter make the same report, if the limiter was also made at the same time
// by its clock: some count from then, as the buckets of a slidingwindow.Counter do. So make it on a
// mock that shows the time of the first event.
//
// The events must come to an end: see [Until]. Replay panics if events or l is nil.
func Replay(events iter.Seq[Event], l ratelimit.Limiter) Report {
	switch {
	case events == nil:
		panic("simulate.Replay: events is nil, want a sequence")
	case identity.IsNil(l):
		panic("simulate.Replay: l is nil, want a limiter")
	}
	var r Report
	for e := range events {
		d := l.TakeAt(e.At, e.N)
		if r.Requests == 0 {
			r.start = e.At
		}
		r.Requests++
		n := max(e.N, 0)
		r.Offered = sum(r.Offered, n)
		switch {
		case d.OK:
			r.Granted = sum(r.Granted, n)
			r.granted.append(record{since(r.start, e.At), n})
		case d.RetryAfter == ratelimit.Never:
			r.Refused = sum(r.Refused, n)
			r.Never++
		default:
			r.Refused = sum(r.Refused, n)
			r.refused.append(record{d.RetryAfter, n})
		}
	}
	return r
}

// since is t.Sub(start) without its dearest step, a check for overflow: from the seconds one can
// tell.
func since(start, t time.Time) time.Duration {
	const most = math.MaxInt64/int64(time.Second) - 1
	switch seconds := t.Unix() - start.Unix(); {
	case seconds > most:
		return math.MaxInt64
	case seconds < -most:
		return math.MinInt64
	default:
		return time.Duration(seconds)*time.Second + time.Duration(t.Nanosecond()-start.Nanosecond())
	}
}

// sum returns a+n, or the largest int if that is more.
func sum(a, n int) int { return a + min(n, math.MaxInt-a) }

// Report is what became of the events that were played through a limiter. All numbers but that of
// Requests and Never are of events: a request for n counts n times.
type Report struct {
	Requests int // that were asked for
	Never    int // those of them that could never have been granted, as with n above the limit, or below 0

	Offered int // the events that were asked for; negative ones count as 0
	Granted int // those of them that were granted
	Refused int // and that were refused: the others

	start            time.Time // of the first
	granted, refused list
}

// record is a granted request and its time since the start, or a refused one and its RetryAfter.
type record struct {
	time time.Duration
	n    int
}

// list is a list in parts of one length, so that it grows without being copied; but the first part
// is small at first.
type list struct {
	parts  [][]record
	length int
}

const part = 1 << 12

func (l *list) append(r record) {
	i := l.length / part
	if l.length%part == 0 {
		l.parts = append(l.parts, make([]record, 0, min(l.length, part)))
	}
	l.parts[i] = append(l.parts[i], r)
	l.length++
}

func (l *list) all() iter.Seq[record] {
	return func(yield func(record) bool) {
		for i := range l.length {
			if !yield(l.parts[i/part][i%part]) {
				return
			}
		}
	}
}

// sorted returns a copy in the order of time.
func (l *list) sorted() []record {
	sorted := slices.AppendSeq(make([]record, 0, l.length), l.all())
	slices.SortFunc(sorted, func(a, b record) int { return cmp.Compare(a.time, b.time) })
	return sorted
}

// Grants returns the requests that were granted, in the order in which they were made. It may be
// played through the limiter behind. Times must be within 292 years of the first request's.
func (r Report) Grants() iter.Seq[Event] {
	return func(yield func(Event) bool) {
		for g := range r.granted.all() {
			if !yield(Event{At: r.start.Add(g.time), N: g.n}) {
				return
			}
		}
	}
}

// MostGranted returns the most events granted in any half-open window [a, a+window). A closed one
// is a nanosecond longer; one of length 0 or less holds nothing. It takes O(k log k) for k granted
// requests, whose times must be within 292 years of the first request's.
func (r Report) MostGranted(window time.Duration) (most int) {
	if window <= 0 {
		return 0
	}
	grants := r.granted.sorted()
	inside, first := 0, 0
	for _, g := range grants {
		for uint64(g.time-grants[first].time) >= uint64(window) { // unsigned, it does not overflow
			inside -= grants[first].n
			first++
		}
		inside = sum(inside, g.n)
		most = max(most, inside)
	}
	return most
}

// Waits returns, for each of the quantiles, the RetryAfter that such a share of the refused
// requests was told at most, those that could never be granted left out: Waits(0.5, 1) is the
// median and the longest. The shares are from 0, for the shortest, to 1; others count as the nearer
// of these, and what is no number as 0. Without refusals all are 0. It takes O(k log k) for k
// refused requests.
func (r Report) Waits(quantiles ...float64) []time.Duration {
	refused := r.refused.sorted()
	waits := make([]time.Duration, len(quantiles))
	for i, q := range quantiles {
		if len(refused) == 0 {
			break
		}
		rank := 1
		if q > 0 { // and a number
			const below = 1 - 0x1p-50 // for a product that is a whole number but for its rounding
			rank = int(math.Ceil(min(q, 1) * float64(len(refused)) * below))
		}
		waits[i] = refused[max(rank, 1)-1].time
	}
	return waits
}
