package keyed

import (
	"fmt"
	"hash/maphash"
	"math"
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/atomics"
	"github.com/seed-3506548a/ratelimit/internal/timeline"
	"github.com/seed-3506548a/ratelimit/internal/waiting"
)

// Table is a limit for each key, in a fixed number of words: see the package documentation for what
// it guarantees and costs. Keys are compared as Go's maps do: a NaN is never the same key again,
// and what cannot be compared, in an interface, panics.
//
// Its zero value is of no use, and its methods panic on it: call a constructor. It is safe for
// simultaneous use and must not be copied after first use.
type Table[K comparable] struct {
	core core
}

// core is a table for keys that have been hashed.
type core struct {
	line     timeline.Timeline
	scale    scale
	limited  Limit // of the table
	seed     maphash.Seed
	sets     []set
	capacity int
	failOpen bool
	made     int64 // when, by its clock
	replays  bool  // its clock is a caller's own, such as a mock, and need not go along with the times

	newest atomics.Uint64 // see set.go

	rare [8]rare
}

const maxCapacity = min(1<<30, math.MaxInt/32)

// NewGCRA returns a table that gives each key what [gcra.New] of the rate and burst would, for at
// least capacity live keys: those that owe something. It reads the time from the system's monotonic
// clock unless [WithClock] gives it another.
//
// The error is a [*ratelimit.ArgumentError] unless
//
//	0 <= rate.Events <= 2^31-1, rate.Per > 0, at most one event a nanosecond
//	1 <= burst <= 2^31-1, and 2^38 ticks: 2^30 for rates of up to one in 256 ns
//	1 <= capacity <= 2^30 (2^26-1 on 32-bit platforms)
//
// At rate.Events == 0 every event is refused; by limits of [Table.Limit], with ticks of a
// nanosecond, for which a caller is late after 16 ms: make the table for the fastest limit instead.
//
// [gcra.New]: https://pkg.go.dev/github.com/seed-3506548a/ratelimit/gcra#New
func NewGCRA[K comparable](rate ratelimit.Rate, burst, capacity int, opts ...Option) (*Table[K], error) {
	const fn = "keyed.NewGCRA"
	if err := checkRate(fn, rate); err != nil {
		return nil, err
	}
	return newTable[K](fn, newGCRA(rate), rate, burst, capacity, opts)
}

// NewAlignedWindow returns a table that gives each key rate.Events in each window, which begins and
// ends at multiples of rate.Per since the Unix epoch, by the wall clock or by that of [WithClock];
// for at least capacity keys in a window.
//
// The error is a [*ratelimit.ArgumentError] unless
//
//	0 <= rate.Events <= 2^22 (4,194,304), rate.Per > 0, at most one event a nanosecond
//	1 <= capacity <= 2^30 (2^26-1 on 32-bit platforms)
//
// At rate.Events == 0 every event is refused.
func NewAlignedWindow[K comparable](rate ratelimit.Rate, capacity int, opts ...Option) (*Table[K], error) {
	return newAligned[K]("keyed.NewAlignedWindow", rate, time.Unix(0, 0), capacity, opts)
}

// NewAlignedWindowTo is NewAlignedWindow for windows that begin and end at multiples of rate.Per
// from the instant at, before it as well as after it: for weeks that begin on Monday, say. See
// package fixedwindow for what daylight saving does.
func NewAlignedWindowTo[K comparable](rate ratelimit.Rate, at time.Time, capacity int, opts ...Option) (*Table[K], error) {
	return newAligned[K]("keyed.NewAlignedWindowTo", rate, at, capacity, opts)
}

func newAligned[K comparable](fn string, rate ratelimit.Rate, at time.Time, capacity int, opts []Option) (*Table[K], error) {
	if err := checkRate(fn, rate); err != nil {
		return nil, err
	}
	if rate.Events > maxWindow {
		return nil, &ratelimit.ArgumentError{Func: fn, Field: "rate.Events", Value: rate.Events, Want: fmt.Sprintf("0 to %d", maxWindow)}
	}
	t, err := newTable[K](fn, newWindow(rate), rate, max(rate.Events, 1), capacity, opts)
	if err != nil {
		return nil, err
	}
	line := &t.core.line
	made := line.Origin
	line.Align(rate.Per, at)
	t.core.made = line.At(made)
	return t, nil
}

func newTable[K comparable](fn string, s scale, rate ratelimit.Rate, burst, capacity int, opts []Option) (*Table[K], error) {
	if capacity < 1 || capacity > maxCapacity {
		return nil, &ratelimit.ArgumentError{Func: fn, Field: "capacity", Value: capacity, Want: fmt.Sprintf("1 to %d", maxCapacity)}
	}
	chosen, err := choose(fn, opts)
	if err != nil {
		return nil, err
	}
	t := &Table[K]{core{scale: s, seed: maphash.MakeSeed(), capacity: capacity, failOpen: chosen.failOpen}}
	c := &t.core
	if c.limited, err = c.limit(fn, rate, burst); err != nil {
		return nil, err
	}
	if c.line, err = timeline.New(fn, chosen.clock); err != nil {
		return nil, err
	}
	c.replays = c.line.Injected != nil && c.line.Coarse == nil
	c.sets = newSets((2*capacity + setSize - 1) / setSize)
	return t, nil
}

// Allow reports whether one event of the key may happen now, and charges it if so. It is Take(k,
// 1).OK.
func (t *Table[K]) Allow(k K) bool {
	c := &t.core
	return c.charge(t.hash(k), c.scale.at(c.line.Now()), 1, &c.limited).ok()
}

// Take charges n events of the key now, all of them or none. See [ratelimit.Decision] for what it
// returns.
func (t *Table[K]) Take(k K, n int) (d ratelimit.Decision) {
	t.core.take(&d, t.hash(k), t.core.line.Now(), n, &t.core.limited)
	return d
}

// TakeAt charges n events of the key as of at, all of them or none; at may be any time.
func (t *Table[K]) TakeAt(at time.Time, k K, n int) (d ratelimit.Decision) {
	t.core.take(&d, t.hash(k), t.core.line.At(at), n, &t.core.limited)
	return d
}

// TakeLimitAt is TakeAt by another limit than the table's, which [Table.Limit] has made; by any
// other, and by none, it refuses every event. What a key owes does not depend on the limit that it
// was granted by.
func (t *Table[K]) TakeLimitAt(at time.Time, k K, n int, limit Limit) (d ratelimit.Decision) {
	t.core.take(&d, t.hash(k), t.core.line.At(at), n, &limit)
	return d
}

// ChargeAt counts n events of the key as granted at at, also if they exceed the limit: see
// [ratelimit.Charger]. What is owed beyond the limit is refused for until it has drained. A key
// owes at most 2^38 ticks, which are 2^30 events (of windows, 2^38 events); more is not counted. A
// time that is late counts as the earliest that is not, and one that is too far ahead as the
// latest. No allocation; lock-free.
func (t *Table[K]) ChargeAt(at time.Time, k K, n int) (d ratelimit.Decision) {
	t.core.owe(&d, t.hash(k), t.core.line.At(at), n, &t.core.limited)
	return d
}

// PeekAt returns what TakeAt would, and charges nothing. It may already be outdated.
func (t *Table[K]) PeekAt(at time.Time, k K, n int) (d ratelimit.Decision) {
	t.core.peek(&d, t.hash(k), t.core.line.At(at), n, &t.core.limited)
	return d
}

// PeekLimitAt is PeekAt by another limit than the table's: see [Table.TakeLimitAt].
func (t *Table[K]) PeekLimitAt(at time.Time, k K, n int, limit Limit) (d ratelimit.Decision) {
	t.core.peek(&d, t.hash(k), t.core.line.At(at), n, &limit)
	return d
}

// FitsLimitAt reports PeekLimitAt(at, k, n, limit).OK, and costs less.
func (t *Table[K]) FitsLimitAt(at time.Time, k K, n int, limit Limit) bool {
	return t.core.fits(t.hash(k), t.core.line.At(at), n, &limit)
}

// ChargeLimitAt is ChargeAt by another limit than the table's: see [Table.TakeLimitAt].
func (t *Table[K]) ChargeLimitAt(at time.Time, k K, n int, limit Limit) (d ratelimit.Decision) {
	t.core.owe(&d, t.hash(k), t.core.line.At(at), n, &limit)
	return d
}

// Limit returns a limit for single calls of TakeLimitAt: for the customer that has bought more, or
// the endpoint that costs more. It is made once, in the table's ticks, which are a 256th of the
// table's emission interval, or a nanosecond if that is more. The limit's own emission interval is
// rounded up to whole ticks, so limits faster than the table's get less than they say: up to a tick
// for each event, which is 5 % of 900 a minute in a table of 60 a minute (18 ticks for 17.07).
// Limits slower than the table's lose less than 1/256. So make the table for its fastest limit.
//
// The error is a [*ratelimit.ArgumentError] for what the constructor refuses; for rates so much
// faster than the table's that an emission interval is less than 16 ticks (16 times the table's);
// and, of windows, for another length, or more events than the table's. The burst of windows is
// rate.Events.
func (t *Table[K]) Limit(rate ratelimit.Rate, burst int) (Limit, error) {
	t.must()
	return t.core.limit("keyed.Table.Limit", rate, burst)
}

// Reset forgets the key: it is as one that was never seen. What its word owes stays there, for the
// key that takes it next.
func (t *Table[K]) Reset(k K) {
	t.core.reset(t.hash(k))
	waiting.Changed(view[K]{t, k})
}

// Limiter returns the limiter of one key: to compose it ([ratelimit.All]), or to wait
// ([ratelimit.Wait]). It has no state of its own, and its RefundAt gives nothing back, since a TAT
// is never lowered. Two of the same table and key are equal.
func (t *Table[K]) Limiter(k K) ratelimit.Limiter { return view[K]{t, k} }

// LimiterBy is Limiter by another limit than the table's: see [Table.TakeLimitAt].
func (t *Table[K]) LimiterBy(k K, limit Limit) ratelimit.Limiter { return limitedView[K]{t, k, limit} }

// RefundAt gives nothing back, since what a key owes is never lowered.
func (t *Table[K]) RefundAt(time.Time, K, int, time.Duration) {}

// Clock returns the clock that Allow and Take read.
func (t *Table[K]) Clock() ratelimit.Clock { return t.core.line.Clock() }

// Rate returns the rate that the table was made with.
func (t *Table[K]) Rate() ratelimit.Rate { return t.core.limited.rate }

// Burst returns the burst that the table was made with; of windows, the events.
func (t *Table[K]) Burst() int { return t.core.limited.burst }

// Capacity returns the capacity that the table was made with.
func (t *Table[K]) Capacity() int { return t.core.capacity }

// Stats returns what the table has come across. It looks at up to 1024 sets.
func (t *Table[K]) Stats() Stats {
	t.must()
	return t.core.stats(t.core.line.Now())
}

func (t *Table[K]) hash(k K) uint64 {
	t.must()
	return maphash.Comparable(t.core.seed, k)
}

func (t *Table[K]) made() bool { return t.core.sets != nil }

func (t *Table[K]) must() {
	if !t.made() {
		panic("keyed: a Table that was not made: call NewGCRA or NewAlignedWindow")
	}
}
