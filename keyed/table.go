package keyed

import (
	"fmt"
	"hash/maphash"
	"math"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/timeline"
)

// Table is a limit for each key, in a fixed number of words: see the package documentation for what it guarantees
// and costs. Keys are compared as Go's maps do: a NaN is never the same key again, and what cannot be compared, in an
// interface, panics.
//
// Its zero value is of no use, and its methods panic on it: call [NewGCRA] or [NewAlignedWindow]. It is safe for
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
	words    []uint64 // whole sets, each in a cache line
	capacity int
	failOpen bool

	newest atomic.Uint64 // see set.go

	rare [8]rare
}

// rare counts what seldom happens; there are several, each in a cache line, so that the callers who count do not
// meet.
type rare struct {
	inherited, saturated, untracked, retries atomic.Uint64
	_                                        [32]byte
}

const maxCapacity = min(1<<30, math.MaxInt/32)

// NewGCRA returns a table that gives each key what [gcra.New] of the rate and burst would, for at least capacity
// live keys: those that owe something. It reads the time from the system's monotonic clock unless [WithClock] gives it
// another.
//
// The error is a [*ratelimit.ArgumentError] unless
//
//	0 <= rate.Events <= 2^31-1, rate.Per > 0, at most one event a nanosecond
//	1 <= burst <= 2^31-1, and 2^38 ticks: 2^30 for rates of up to one in 256 ns
//	1 <= capacity <= 2^30 (2^26-1 on 32-bit platforms)
//
// At rate.Events == 0 every event is refused; by limits of [Table.Limit], with ticks of a nanosecond, for which a caller is
// late after 16 ms: make the table for the fastest limit instead.
//
// [gcra.New]: https://pkg.go.dev/github.com/seed-3506548a/ratelimit/gcra#New
func NewGCRA[K comparable](rate ratelimit.Rate, burst, capacity int, opts ...Option) (*Table[K], error) {
	const fn = "keyed.NewGCRA"
	if err := checkRate(fn, rate); err != nil {
		return nil, err
	}
	return newTable[K](fn, newGCRA(rate), rate, burst, capacity, opts)
}

// NewAlignedWindow returns a table that gives each key rate.Events in each window, which begins and ends at multiples of
// rate.Per since the Unix epoch, by the wall clock or by that of [WithClock]; for at least capacity keys in a window.
//
// The error is a [*ratelimit.ArgumentError] unless
//
//	0 <= rate.Events <= 2^22 (4,194,304), rate.Per > 0, at most one event a nanosecond
//	1 <= capacity <= 2^30 (2^26-1 on 32-bit platforms)
//
// At rate.Events == 0 every event is refused.
func NewAlignedWindow[K comparable](rate ratelimit.Rate, capacity int, opts ...Option) (*Table[K], error) {
	const fn = "keyed.NewAlignedWindow"
	if err := checkRate(fn, rate); err != nil {
		return nil, err
	}
	if rate.Events > maxWindow {
		return nil, &ratelimit.ArgumentError{Func: fn, Field: "rate.Events", Value: rate.Events, Want: fmt.Sprintf("0 to %d", maxWindow)}
	}
	return newTable[K](fn, newWindow(rate), rate, max(rate.Events, 1), capacity, opts)
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
	if s.aligned {
		c.line.Align(rate.Per, time.Unix(0, 0))
	}
	slots := (2*capacity + setSize - 1) / setSize * setSize
	words := chosen.storage
	if !chosen.supplied {
		words = make([]uint64, slots+setSize-1)
	}
	if words = aligned(words); len(words) < slots {
		return nil, &ratelimit.ArgumentError{Func: fn, Field: "len(WithStorage)", Value: len(chosen.storage),
			Want: fmt.Sprintf("%d or more words for this capacity, or %d that begin at a multiple of 64 bytes", slots+setSize-1, slots)}
	}
	c.words = words[:slots:slots]
	return t, nil
}

// aligned returns the part of words that begins with a cache line; nothing if none does, as words themselves may be
// misaligned on 32-bit platforms.
func aligned(words []uint64) []uint64 {
	const line = setSize * 8
	past := uintptr(unsafe.Pointer(unsafe.SliceData(words))) % line
	if len(words) == 0 || past%8 != 0 {
		return nil
	}
	skip := int((line - past) % line / 8)
	return words[min(skip, len(words)):]
}

// Allow reports whether one event of the key may happen now, and charges it if so. It is Take(k, 1).OK.
func (t *Table[K]) Allow(k K) bool {
	c := &t.core
	return c.charge(t.hash(k), c.scale.at(c.line.Now()), 1, &c.limited).ok()
}

// Take charges n events of the key now, all of them or none. See [ratelimit.Decision] for what it returns.
func (t *Table[K]) Take(k K, n int) (d ratelimit.Decision) {
	t.core.take(&d, t.hash(k), t.core.line.Now(), n, &t.core.limited)
	return d
}

// TakeAt charges n events of the key as of at, all of them or none; at may be any time.
func (t *Table[K]) TakeAt(at time.Time, k K, n int) (d ratelimit.Decision) {
	t.core.take(&d, t.hash(k), t.core.line.At(at), n, &t.core.limited)
	return d
}

// TakeLimitAt is TakeAt by another limit than the table's, which [Table.Limit] has made; by any other, and by none, it
// refuses every event. What a key owes does not depend on the limit that it was granted by.
func (t *Table[K]) TakeLimitAt(at time.Time, k K, n int, limit Limit) (d ratelimit.Decision) {
	t.core.take(&d, t.hash(k), t.core.line.At(at), n, &limit)
	return d
}

// PeekAt returns what TakeAt would, and charges nothing. It may already be outdated.
func (t *Table[K]) PeekAt(at time.Time, k K, n int) (d ratelimit.Decision) {
	t.core.peek(&d, t.hash(k), t.core.line.At(at), n, &t.core.limited)
	return d
}

// Limit returns a limit for single calls of TakeLimitAt: for the customer that has bought more, or the endpoint that costs
// more. It is made once, in the table's ticks, which are a 256th of the table's emission interval, or a nanosecond if
// that is more; the limit's own is rounded up to whole ones.
//
// The error is a [*ratelimit.ArgumentError] for what the constructor refuses; for rates so much faster than the table's
// that an emission interval is less than 16 ticks; and, of windows, for another length, or more events
// than the table's. The burst of windows is rate.Events.
func (t *Table[K]) Limit(rate ratelimit.Rate, burst int) (Limit, error) {
	return t.core.limit("keyed.Table.Limit", rate, burst)
}

// Reset forgets the key: it is as one that was never seen. What its word owes stays there, for the key that takes it
// next.
func (t *Table[K]) Reset(k K) { t.core.reset(t.hash(k)) }

// Limiter returns the limiter of one key: to compose it ([ratelimit.All]), or to wait ([ratelimit.Wait]). It has no
// state of its own, and its RefundAt gives nothing back, since a TAT is never lowered. Two of the same table and key
// are equal.
func (t *Table[K]) Limiter(k K) ratelimit.Limiter { return view[K]{t, k} }

// refundAt gives nothing back.
func (t *Table[K]) refundAt(time.Time, K, int, time.Duration) {}

// Clock returns the clock that Allow and Take read.
func (t *Table[K]) Clock() ratelimit.Clock { return t.core.line.Clock() }

// Rate returns the rate that the table was made with.
func (t *Table[K]) Rate() ratelimit.Rate { return t.core.limited.rate }

// Burst returns the burst that the table was made with; of windows, the events.
func (t *Table[K]) Burst() int { return t.core.limited.burst }

// Capacity returns the capacity that the table was made with.
func (t *Table[K]) Capacity() int { return t.core.capacity }

// Stats returns what the table has come across. It looks at up to 1024 sets.
func (t *Table[K]) Stats() Stats { return t.core.stats(t.core.line.Now()) }

func (t *Table[K]) hash(k K) uint64 { return maphash.Comparable(t.core.seed, k) }
