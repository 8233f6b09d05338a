package keyed

import (
	"hash/maphash"
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/table"
	"github.com/seed-3506548a/ratelimit/internal/timeline"
	"github.com/seed-3506548a/ratelimit/internal/waiting"
)

// Table limits each key, in memory of a fixed size. See the package documentation for what it
// guarantees, what it costs, and what it does with wrong times and more keys than its capacity.
//
// Keys are compared as in Go's maps. So a NaN is another key each time, and a key in an interface
// panics if it cannot be compared.
//
// The zero Table is not usable, and its methods panic: call [NewGCRA] or [NewAlignedWindow]. A
// Table is safe for simultaneous use, and must not be copied after first use.
type Table[K comparable] struct {
	core table.Table
	seed maphash.Seed
}

// Limit is a rate and a burst for keys of a [Table], other than the table's own. [Table.Limit]
// makes one. The zero Limit refuses every event.
type Limit struct{ limit table.Limit }

// Rate returns the rate that the limit was made with.
func (l Limit) Rate() ratelimit.Rate { return l.limit.Rate() }

// Burst returns the burst that the limit was made with.
func (l Limit) Burst() int { return l.limit.Burst() }

// NewGCRA returns a table that grants each key up to burst events at once, and further events at
// the rate. A key is limited as by a limiter of package gcra, but may get an event up to one tick
// earlier than there. A tick is 1/m of the time between two events, and m is 256 at nearly all
// rates: see the package documentation.
//
// The table has room for capacity live keys: keys whose burst is not full again. If there are more,
// new keys may be refused earlier: see Capacity there. The table reads the system's monotonic
// clock, unless [WithClock] sets another.
//
// The error is a [*ratelimit.ArgumentError] unless
//
//	0 <= rate.Events <= 2^31-1, rate.Per > 0, at most one event in 1 ns
//	1 <= burst <= 2^31-1, and burst*m <= 2^38: at most 2^30 events if m is 256
//	1 <= capacity <= 2^30 (2^26-1 on 32-bit platforms)
//
// A rate of 0 refuses every event. Do not use it to make a table for other limits ([Table.Limit]):
// its ticks are nanoseconds, so requests that are more than 16 ms old may be late. Make the table
// with the rate of the fastest limit.
func NewGCRA[K comparable](rate ratelimit.Rate, burst, capacity int, opts ...Option) (*Table[K], error) {
	const fn = "keyed.NewGCRA"
	return newTable[K](fn, opts, func(t *table.Table, line timeline.Timeline) error {
		return t.InitGCRA(fn, rate, burst, capacity, line)
	})
}

// NewAlignedWindow returns a table that grants each key up to rate.Events events in each window.
// Windows begin at multiples of rate.Per since the Unix epoch, by the wall clock, unless
// [WithClock] sets another. The table has room for capacity keys in each window. If there are more,
// new keys may be refused earlier: see Capacity in the package documentation.
//
// The error is a [*ratelimit.ArgumentError] unless
//
//	0 <= rate.Events <= 2^22 (4,194,304), rate.Per > 0, at most one event in 1 ns
//	1 <= capacity <= 2^30 (2^26-1 on 32-bit platforms)
//
// A rate of 0 refuses every event.
func NewAlignedWindow[K comparable](rate ratelimit.Rate, capacity int, opts ...Option) (*Table[K], error) {
	return newAligned[K]("keyed.NewAlignedWindow", rate, time.Unix(0, 0), capacity, opts)
}

// NewAlignedWindowTo is like [NewAlignedWindow], with windows that begin at multiples of rate.Per
// before and after the instant at. For example, weeks begin on Monday if at is a Monday. See
// package fixedwindow about daylight saving time.
func NewAlignedWindowTo[K comparable](rate ratelimit.Rate, at time.Time, capacity int, opts ...Option) (*Table[K], error) {
	return newAligned[K]("keyed.NewAlignedWindowTo", rate, at, capacity, opts)
}

func newAligned[K comparable](fn string, rate ratelimit.Rate, at time.Time, capacity int, opts []Option) (*Table[K], error) {
	return newTable[K](fn, opts, func(t *table.Table, line timeline.Timeline) error {
		return t.InitAligned(fn, rate, at, capacity, line)
	})
}

func newTable[K comparable](fn string, opts []Option, init func(*table.Table, timeline.Timeline) error) (*Table[K], error) {
	chosen, err := choose(fn, opts)
	if err != nil {
		return nil, err
	}
	line, err := timeline.New(fn, chosen.clock)
	if err != nil {
		return nil, err
	}
	t := &Table[K]{seed: maphash.MakeSeed()}
	if chosen.failOpen {
		t.core.FailOpen()
	}
	if err := init(&t.core, line); err != nil {
		return nil, err
	}
	return t, nil
}

// Allow reports whether one event of the key may happen now, and charges it if so. It is a faster
// Take(k, 1).OK.
func (t *Table[K]) Allow(k K) bool {
	return t.core.Allow(t.hash(k), t.core.Line().Now())
}

// Take charges n events of the key now, all of them or none. Decision.By is [Late], [Ahead] or
// [Inherited] if the request is refused for one of these reasons, and else 0.
func (t *Table[K]) Take(k K, n int) (d ratelimit.Decision) {
	t.core.Take(&d, t.hash(k), t.core.Line().Now(), n, t.core.Own())
	return d
}

// TakeAt is like [Table.Take], as of the time at.
func (t *Table[K]) TakeAt(at time.Time, k K, n int) (d ratelimit.Decision) {
	t.core.Take(&d, t.hash(k), t.core.Line().At(at), n, t.core.Own())
	return d
}

// TakeLimitAt is like [Table.TakeAt], by another limit than the table's. [Table.Limit] makes such
// limits. The zero Limit, and a limit of another table, refuse every event.
//
// A table of aligned windows keeps for each key how many events its window has granted, by whatever
// limits. A key that has used 60 of 60 has 540 left of a limit of 600.
//
// A table of GCRA keeps for each key the time at which it is idle again, whatever limit its events
// were granted by. A key that has used up 10 events at 10 a minute is idle again after 60 s. A
// faster limit does not change that, and grants nothing until the rest of these 60 s fits into its
// own burst/rate. So let all limits have the same burst/rate: then a key that has used up one of
// them waits for one event of another. Call [Table.Reset] to let the key begin anew.
func (t *Table[K]) TakeLimitAt(at time.Time, k K, n int, limit Limit) (d ratelimit.Decision) {
	t.core.Take(&d, t.hash(k), t.core.Line().At(at), n, &limit.limit)
	return d
}

// PeekLimitAt returns what TakeLimitAt would, and charges nothing. It may already be outdated.
func (t *Table[K]) PeekLimitAt(at time.Time, k K, n int, limit Limit) (d ratelimit.Decision) {
	t.core.Peek(&d, t.hash(k), t.core.Line().At(at), n, &limit.limit)
	return d
}

// FitsLimitAt reports PeekLimitAt(at, k, n, limit).OK, and costs less.
func (t *Table[K]) FitsLimitAt(at time.Time, k K, n int, limit Limit) bool {
	return t.core.Fits(t.hash(k), t.core.Line().At(at), n, &limit.limit)
}

// ChargeLimitAt is ChargeAt by another limit than the table's, which [Table.Limit] has made.
func (t *Table[K]) ChargeLimitAt(at time.Time, k K, n int, limit Limit) (d ratelimit.Decision) {
	t.core.Owe(&d, t.hash(k), t.core.Line().At(at), n, &limit.limit)
	return d
}

// ChargeAt counts n events of the key as granted at the time at, even if they exceed the limit: see
// [ratelimit.Charger]. The key is then refused until it is within its limit again. A late time
// counts as the earliest time that is not late, and one too far ahead as the latest that is not.
//
// A key can owe 2^38 ticks, which are at least 2^30 events at the table's rate, or 2^38 events of a
// window. What exceeds that is not counted. ChargeAt is lock-free and does not allocate.
func (t *Table[K]) ChargeAt(at time.Time, k K, n int) (d ratelimit.Decision) {
	t.core.Owe(&d, t.hash(k), t.core.Line().At(at), n, t.core.Own())
	return d
}

// PeekAt returns what TakeAt would, and charges nothing. It may already be outdated.
func (t *Table[K]) PeekAt(at time.Time, k K, n int) (d ratelimit.Decision) {
	t.core.Peek(&d, t.hash(k), t.core.Line().At(at), n, t.core.Own())
	return d
}

// Limit returns another limit for keys of this table, to be used with [Table.TakeLimitAt] and
// [Table.LimiterBy]: for a customer with another plan, or an endpoint that costs more. Make each
// limit once and keep it.
//
// Make the table with the rate of the fastest limit that you will ever need. A faster table refuses
// old times earlier: see Wrong times in the package documentation. With GCRA, the time from one
// event to the next is rounded up to whole ticks of the table, so a limit grants a little less than
// its rate. Limits that are slower than the table's lose less than 1/m of their rate, and m is 256
// at nearly all rates. Faster ones lose more: a limit of 900 a minute in a table of 60 a minute
// loses 5 %, because its events are 17.07 ticks apart, which is rounded up to 18.
//
// The error is a [*ratelimit.ArgumentError] unless the table's constructor would accept rate and
// burst, and
//
//   - for GCRA, two events are 16 to 2^38 ticks apart after rounding up, or rate is the table's. So
//     the limit is at most 16 times as fast as the table if m is 256;
//   - for aligned windows, rate.Per is the table's, rate.Events is at most the table's, and burst
//     is rate.Events, or 1 if that is 0.
func (t *Table[K]) Limit(rate ratelimit.Rate, burst int) (Limit, error) {
	t.must()
	l, err := t.core.Limit("keyed.Table.Limit", rate, burst)
	return Limit{l}, err
}

// Reset forgets the key: its next request is that of a new key. What the key owed stays in its word
// until it has drained, so a new key may inherit it if all words of the set owe something.
func (t *Table[K]) Reset(k K) {
	t.core.Reset(t.hash(k))
	waiting.Changed(view[K]{t, k})
}

// Limiter returns the limiter of one key, to compose it ([ratelimit.All]) or to wait for it
// ([ratelimit.Wait]). It calls the table, and has no state of its own. Limiters of the same table
// and key are equal.
func (t *Table[K]) Limiter(k K) ratelimit.Limiter { return view[K]{t, k} }

// LimiterBy is like [Table.Limiter], by another limit than the table's: see [Table.TakeLimitAt].
func (t *Table[K]) LimiterBy(k K, limit Limit) ratelimit.Limiter { return limitedView[K]{t, k, limit} }

// RefundAt does nothing: a table gives nothing back.
func (t *Table[K]) RefundAt(time.Time, K, int, time.Duration) {}

// Clock returns the clock that Allow and Take read.
func (t *Table[K]) Clock() ratelimit.Clock { return t.core.Line().Clock() }

// Rate returns the rate that the table was made with.
func (t *Table[K]) Rate() ratelimit.Rate { return t.core.Own().Rate() }

// Burst returns the burst that the table was made with, or for aligned windows rate.Events.
func (t *Table[K]) Burst() int { return t.core.Own().Burst() }

// Capacity returns the capacity that the table was made with.
func (t *Table[K]) Capacity() int { return t.core.Capacity() }

// Stats returns what the table has counted. It reads up to 8192 words.
func (t *Table[K]) Stats() Stats {
	t.must()
	return Stats(t.core.Stats(t.core.Line().Now()))
}

func (t *Table[K]) hash(k K) uint64 {
	t.must()
	return maphash.Comparable(t.seed, k)
}

func (t *Table[K]) made() bool { return t.core.Made() }

func (t *Table[K]) must() {
	if !t.made() {
		panic("keyed: a Table that was not made: call NewGCRA or NewAlignedWindow")
	}
}
