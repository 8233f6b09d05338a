// Package simulate plays traffic through limiters and policies in virtual time, and reports what
// they granted and refused.
//
//	report := simulate.Replay(events, limiter)
//	fmt.Println(report.Granted, "of", report.Offered, "events were granted,")
//	fmt.Println("at most", report.MostGranted(time.Minute), "of them in a minute")
//
// The time is that of the events, so nothing is waited for. A week of traffic takes only as long as
// the limiter takes to decide.
//
// Replay plays one limiter and keeps every decision. [Run] plays many keys through whole policies,
// with clients that try again, and keeps what a [Result] has. Command ratesim does that for logs.
//
// # Traffic
//
// Events come from an access log ([ReadLog]), from any other [iter.Seq], or from a generator:
// [Constant], [Poisson], [OnOff], [FlashCrowd]. Generators yield events with N == 1, in order of
// time, from a start on. They end 292 years later; [Until] ends them earlier. A rate of 0 yields no
// events. The same arguments yield the same events each time, on the same platform. Other platforms
// may round floating-point numbers differently. An error of a generator is a
// [*ratelimit.ArgumentError].
//
// # Cost
//
// Replay costs little more than the calls of TakeAt that it makes: see docs/benchmarks.md. It keeps
// 16 bytes for each request, from which the methods of [Report] compute their answers. Run keeps
// nothing for each request.
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

// Event is a request for N events at a time, all or none.
type Event struct {
	At time.Time
	N  int
}

// Replay calls l.TakeAt for each of the events, in the order of the sequence, and reports the
// decisions. This charges the limiter, so pass a new one.
//
// Make the limiter with a mock clock that shows the time of the first event, such as a
// limittest.Clock. Otherwise results can differ from run to run: some limiters count from the time
// when they were made, as a slidingwindow.Counter does with its buckets. Times more than 146 years
// from then are taken as the nearer end of that range. Times may be in any order, but many limiters
// refuse late ones.
//
// The sequence must end: see [Until]. Replay panics if events or l is nil.
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

// since is t.Sub(start) without its most expensive step, a check for overflow. The seconds show
// that as well.
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

// Report is what a limiter granted and refused. Requests and Never are numbers of requests. The
// others are numbers of events, so a request for n counts n times.
type Report struct {
	Requests int // how many were made
	Never    int // how many could never be granted, because N exceeds the limit or is negative

	Offered int // events in all requests; a negative N counts as 0
	Granted int // events granted
	Refused int // events refused: all others

	start            time.Time // of the first
	granted, refused list
}

// record is a granted request with its time since the start, or a refused one with its RetryAfter.
type record struct {
	time time.Duration
	n    int
}

// list is a list in parts of one length, so that it grows without being copied. Only the first part
// grows, since it is small at first.
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

// Grants returns the requests that were granted, in the order in which they were made. They can be
// replayed with a second limiter, behind the first. Times must lie within 292 years of the first
// request's.
func (r Report) Grants() iter.Seq[Event] {
	return func(yield func(Event) bool) {
		for g := range r.granted.all() {
			if !yield(Event{At: r.start.Add(g.time), N: g.n}) {
				return
			}
		}
	}
}

// MostGranted returns the most events granted in any half-open window [a, a+window). For a closed
// window, add a nanosecond. A window of length 0 or less holds nothing. Times must lie within 292
// years of the first request's. It takes O(k log k) for k granted requests.
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

// Waits returns quantiles of the RetryAfter of refused requests: Waits(0.5, 1) returns the median
// and the longest. A quantile of 0 is the shortest. Quantiles outside of 0 to 1 count as the nearer
// end of that range, and NaN counts as 0. Requests that could never be granted are left out. If
// none is left, all results are 0. It takes O(k log k) for k refused requests.
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
