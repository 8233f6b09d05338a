// Package table is the core of keyed.Table, and has the gcra and aligned limits of package policy:
// a limit for each key, in memory of a fixed size. Keys are 64-bit hashes, and times are offsets on
// the table's timeline.
//
//	core.go    how a key is found, the rule of a grant, and the Decision
//	sight.go   the same in steps, for callers that ask several tables
//	set.go     what a word means, and why the rule holds
//	charge.go  events that are charged whether they fit or not
//	scale.go   ticks
//	limit.go   a rate and a burst in ticks
package table

import (
	"fmt"
	"math"
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/atomics"
	"github.com/seed-3506548a/ratelimit/internal/timeline"
)

// Table is a table of hashed keys. [Table.InitGCRA] or [Table.InitAligned] makes one; it must not
// be copied afterwards. It is safe for simultaneous use, and lock-free.
type Table struct {
	line     timeline.Timeline
	scale    scale
	limited  Limit // of the table
	sets     []set
	capacity int
	failOpen bool
	made     int64 // when, by its clock
	replays  bool  // its clock is a caller's own, such as a mock, and may stand still in a replay

	newest atomics.Uint64 // see set

	rare [8]rare
}

// MaxCapacity is the most keys that a table can have room for.
const MaxCapacity = min(1<<30, math.MaxInt/32)

// Values of By in a Decision that refuses: see keyed, which has the same.
const (
	Late      = -3
	Ahead     = -4
	Inherited = -5
)

// InitGCRA makes t a table that grants each key up to burst events at once, and further events at
// the rate. Errors name the function fn. For the ranges see keyed.NewGCRA.
func (t *Table) InitGCRA(fn string, rate ratelimit.Rate, burst, capacity int, line timeline.Timeline) error {
	if err := checkRate(fn, rate); err != nil {
		return err
	}
	t.line = line
	return t.init(fn, newGCRA(rate), burst, capacity)
}

// InitAligned makes t a table that grants each key up to rate.Events events in each window. Windows
// begin at multiples of rate.Per before and after the instant at. For the ranges see
// keyed.NewAlignedWindow.
func (t *Table) InitAligned(fn string, rate ratelimit.Rate, at time.Time, capacity int, line timeline.Timeline) error {
	if err := checkRate(fn, rate); err != nil {
		return err
	}
	if rate.Events > maxWindow {
		return &ratelimit.ArgumentError{Func: fn, Field: "rate.Events", Value: rate.Events, Want: fmt.Sprintf("0 to %d", maxWindow)}
	}
	line.Align(rate.Per, at)
	t.line = line
	return t.init(fn, newWindow(rate), max(rate.Events, 1), capacity)
}

func (t *Table) init(fn string, s scale, burst, capacity int) (err error) {
	if capacity < 1 || capacity > MaxCapacity {
		return &ratelimit.ArgumentError{Func: fn, Field: "capacity", Value: capacity, Want: fmt.Sprintf("1 to %d", MaxCapacity)}
	}
	t.scale, t.capacity = s, capacity
	if t.limited, err = t.Limit(fn, s.rate, burst); err != nil {
		return err
	}
	t.made = t.line.Now()
	t.replays = t.line.Injected != nil && t.line.Coarse == nil
	t.sets = newSets((2*capacity + setSize - 1) / setSize)
	return nil
}

// FailOpen has the table, which is not in use yet, grant what it would refuse with [Inherited].
func (t *Table) FailOpen() { t.failOpen = true }

// Made reports whether the table was made.
func (t *Table) Made() bool { return t.sets != nil }

// Own returns the limit that the table was made with.
func (t *Table) Own() *Limit { return &t.limited }

// Line returns the timeline that offsets are on.
func (t *Table) Line() *timeline.Timeline { return &t.line }

// Capacity returns the number of live keys that there is room for.
func (t *Table) Capacity() int { return t.capacity }
