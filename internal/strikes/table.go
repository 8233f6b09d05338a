// Package strikes remembers what keys have done too often: strikes, blocks and throttles in a
// [Table], and revocations in a [Revoked]. Package policy decides by it.
//
// A strike is the first refusal of a key in an episode. An episode lasts as long as that refusal's
// RetryAfter, but at least a second. So many refusals at once are one strike. A [Ladder] sets after
// how many strikes, in which spans of time, a key is blocked or throttled.
//
// # Guarantee
//
// All that is known of a key changes by one CAS. So one of all refusals in an episode is the
// strike, however many callers ask at once. No strike and no block is lost. And a key inherits
// nothing from another, unless the 64-bit hashes of both are the same.
//
// A table remembers up to 8 keys in each of capacity/4 buckets. If all 8 places of a bucket are
// taken, a new key takes the place of one that is neither blocked nor throttled. It takes that of a
// key of which nothing matters any more, or else of the one with the fewest strikes; of several,
// the one whose episode ended first. If all 8 are blocked or throttled, the new strike or block is
// not recorded. So no block ends early, and no key is blocked for what others did. Stats counts
// both cases.
//
// Times are nanoseconds since an origin that the caller chooses, within 2^62 either way, in any
// order. A block holds at all times before its end. An episode begins a second before its strike,
// because the times of requests that come together are in any order. A refusal at an earlier time,
// for example after a clock was set back, is a new strike, and begins a span again that had begun
// later.
//
// What is over stays until its place is needed. So as long as Stats counts nothing, the answers
// about a key do not depend on other keys.
//
// # Cost
//
// A look at a key loads one pointer, and compares at most 8 hashes if the bucket has keys. Whether
// a key is blocked or throttled costs less if no key of the bucket is: one comparison. A refusal in
// an episode costs a look. A strike copies the bucket: two allocations of 144 bytes. All calls are
// lock-free. A table takes 2 bytes for each key of its capacity, and 160 to 288 bytes for each key
// that it remembers.
package strikes

import (
	"math/bits"
	"sync/atomic"
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/atomics"
)

// Table has the dossiers of keys, which it distinguishes by their hashes. It is safe for
// simultaneous use and must not be copied.
type Table struct {
	buckets []atomics.Pointer[bucket]

	_ [64]byte // between what only is read, and what is written

	forgotten, unrecorded atomic.Int64
}

// Stats is what has happened in a table.
type Stats struct {
	Forgotten  int64 // keys that another took the place of, though something of them mattered
	Unrecorded int64 // strikes, blocks and throttles that there was no place for
}

// New returns a table with room for as many keys as capacity in most cases, and for twice as many
// at most.
func New(capacity int) *Table {
	return &Table{buckets: atomics.NewPointers[bucket](max(1, capacity/4))}
}

// at returns the bucket of a hash, by its high bits.
func (t *Table) at(hash uint64) *atomics.Pointer[bucket] {
	high, _ := bits.Mul64(hash, uint64(len(t.buckets)))
	return &t.buckets[high]
}

// Look returns what is known of the key; nil if nothing is. It writes nothing, and does not
// allocate.
func (t *Table) Look(hash uint64) *Dossier {
	if b := t.at(hash).Load(); b != nil {
		return b.find(hash)
	}
	return nil
}

// Fetch has the processor fetch what Held reads, and does not wait for it.
func (t *Table) Fetch(hash uint64) {
	if b := t.at(hash).Load(); b != nil {
		atomic.LoadInt32(&b.n) // immutable; but a plain load without a use is left out
	}
}

// Held is Look for keys that are blocked or throttled at now, and nil for others. It costs less: if
// no key of the bucket is, it reads only that.
func (t *Table) Held(hash uint64, now int64) *Dossier {
	if b := t.at(hash).Load(); b != nil && now < b.held {
		if d := b.find(hash); d != nil && d.held(now) {
			return d
		}
	}
	return nil
}

// Strike has a refusal at now count, which told the key to wait for so long, unless the key is in
// an episode. It returns what is known of the key then, nil if nothing is, and what the refusal
// came to. A refusal for ever, by [ratelimit.Never], is no strike.
//
// elsewhere has a bit for each step that hits another key than this: if that step acts, the caller
// has to [Table.Raise] it there.
//
// It allocates nothing if the refusal is no strike. The loop goes on only if another call has
// changed the bucket.
func (t *Table) Strike(hash uint64, now int64, told time.Duration, l *Ladder, elsewhere uint16) (*Dossier, Struck) {
	at := t.at(hash)
	for {
		b := at.Load()
		was := b.find(hash)
		if !strikes(was, now, told) {
			return was, none
		}
		place := b.place(hash, now)
		if place < 0 {
			t.unrecorded.Add(1)
			return was, none
		}
		next := new(Dossier)
		s := l.strike(next, known(was), now, told, elsewhere)
		if t.replace(at, b, place, hash, next, now) {
			return next, s
		}
	}
}

// Peek returns what Strike would, with what would be known of the key in d. It writes nothing else,
// and does not allocate.
func (t *Table) Peek(d *Dossier, hash uint64, now int64, told time.Duration, l *Ladder, elsewhere uint16) Struck {
	b := t.at(hash).Load()
	was := b.find(hash)
	if !strikes(was, now, told) || b.place(hash, now) < 0 {
		*d = *known(was)
		return none
	}
	return l.strike(d, known(was), now, told, elsewhere)
}

// strikes reports whether a refusal is a strike, if the key was known so.
func strikes(was *Dossier, now int64, told time.Duration) bool {
	return told != ratelimit.Never && (was == nil || !was.InEpisode(now))
}

// Raise has the key blocked or throttled until then, or longer if it is already: for steps that hit
// another key than the one that was struck. It reports whether there was a place for it.
func (t *Table) Raise(hash uint64, now int64, do Do, until int64, slow int32) bool {
	at := t.at(hash)
	for {
		b := at.Load()
		place := b.place(hash, now)
		if place < 0 {
			t.unrecorded.Add(1)
			return false
		}
		next := new(Dossier)
		*next = *known(b.find(hash))
		next.raise(do, until, slow)
		if t.replace(at, b, place, hash, next, now) {
			return true
		}
	}
}

// Pardon ends the key's episode, block and throttle, and forgets its strikes. It reports whether
// there were any at now.
func (t *Table) Pardon(hash uint64, now int64) bool {
	at := t.at(hash)
	for {
		b := at.Load()
		was := b.find(hash)
		if was == nil {
			return false
		}
		if at.CompareAndSwap(b, b.without(hash)) {
			return !was.over(now)
		}
	}
}

// Stats returns what has happened so far.
func (t *Table) Stats() Stats {
	return Stats{Forgotten: t.forgotten.Load(), Unrecorded: t.unrecorded.Load()}
}

// replace publishes a copy of the bucket with the dossier in that place, unless another call has
// changed the bucket.
func (t *Table) replace(at *atomics.Pointer[bucket], b *bucket, place int, hash uint64, d *Dossier, now int64) bool {
	next := &bucket{held: never}
	if b != nil {
		*next = *b
	}
	next.held = max(next.held, d.block, d.throttle)
	forgets := int32(place) < next.n && next.hashes[place] != hash && !next.all[place].over(now)
	next.n = max(next.n, int32(place+1))
	next.hashes[place], next.all[place] = hash, d
	if !at.CompareAndSwap(b, next) {
		return false
	}
	if forgets {
		t.forgotten.Add(1)
	}
	return true
}
