// Package strikes remembers what keys have done too often: strikes, blocks and throttles in a
// [Table], and revocations in a [Revoked]. Package policy decides by it.
//
// A strike is the first refusal of a key in an episode, which lasts as long as the key was told to
// wait, but at least a second: so many refusals at once are one strike. A [Ladder] says how many
// strikes in which spans have a key blocked or throttled.
//
// # Guarantee
//
// All that is known of a key changes by one CAS. So of all refusals in an episode one is the
// strike, whoever asks at once; no strike and no block is lost; and a key inherits nothing from
// another, unless the 64-bit hashes of both are the same.
//
// A table remembers up to 8 keys in each of capacity/4 buckets. If all 8 places of a bucket are
// taken, a key that is neither blocked nor throttled is forgotten for another: one of which nothing
// matters any more, else the one with the fewest strikes, of these the one whose episode ended
// first. If all 8 are blocked or throttled, the new strike or block is not recorded: nobody is set
// free before the time, and nobody is blocked for what others did. Stats counts both.
//
// Times are nanoseconds since an origin of the caller's, within 2^62 either way, in any order. An
// end holds at all times before it. An episode holds from a second before its strike, for requests
// that came together have their times in any order; at times before, as after a clock was set back,
// a refusal is a new strike, and a span that begins later begins anew.
//
// What is over stays until its place is needed, so as long as Stats counts nothing, what a key is
// told does not depend on others.
//
// # Cost
//
// A look at a key loads one pointer, and if the bucket has keys compares at most 8 hashes. A
// refusal in an episode costs the same. A strike copies the bucket: two allocations of 144 bytes.
// Lock-free. A table is 2 bytes for each of capacity, and 160 to 288 bytes for each key that it
// remembers.
package strikes

import (
	"math/bits"
	"sync/atomic"
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/atomics"
)

// Table has the dossiers of keys, which are told by their hashes. It is safe for simultaneous use
// and must not be copied.
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
	next := new(bucket)
	if b != nil {
		*next = *b
	}
	forgets := place < next.n && next.hashes[place] != hash && !next.all[place].over(now)
	next.n = max(next.n, place+1)
	next.hashes[place], next.all[place] = hash, d
	if !at.CompareAndSwap(b, next) {
		return false
	}
	if forgets {
		t.forgotten.Add(1)
	}
	return true
}
