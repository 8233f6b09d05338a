package table

import (
	"math/bits"
	"unsafe"

	"github.com/seed-3506548a/ratelimit/internal/atomics"
)

// set is eight words, a cache line. A key belongs to one set, and is in at most one of its words:
//
//	24 bits   tag of the key, from its hash; 0 if it was reset
//	40 bits   theoretical arrival time (TAT) in ticks, modulo 2^40
//
// A word of 0 is empty. At a time t, a word owes its TAT less t, or nothing if the TAT has passed.
// Then its key is idle: it cannot be told from a new one, and another key may take the word.
//
// # The rule
//
//	the key is in the set      debt = what its word owes
//	it is not                  take the word with the least TAT, the first of several;
//	                           debt = what that word owes
//	debt + n events too much   refuse, and store nothing
//	else                       CAS(word, tag | now + debt + n events);
//	                           if that fails, begin again
//
// The order of the words, for "the first of several", is that in which the key looks at them. It
// depends on the key's tag only: see place.word.
//
// A new key inherits what the word that it takes owes. So it never gets more than its limit, for
//
//	the true TAT of a key in the set is at most its word's TAT
//	the true TAT of any other key is at most the least TAT of the set
//
// A grant raises the word's TAT by what it grants, which keeps the first. A key that loses its word
// had the least TAT of the set, and the least TAT only grows, which keeps the second.
//
// No key gets into two words. Each CAS raises the TAT of its word, or takes the tag off it, so no
// word is ever again what it was. Suppose that A puts K into word i by a CAS at time a, and B puts
// K into another word j by a CAS at a later time b, with K still in i. B has not seen K, so it read
// word i before a: it saw at most what A replaced there, v_i <= w_i. A chose i, so (w_i, i) < (u_j,
// j), where u_j is what A saw in j. Word j only grows, and it did not change between B's read and
// b, which is after a, so u_j <= v_j, what B saw there. B chose j, so (v_j, j) < (v_i, i). Together
// (w_i, i) < (u_j, j) <= (v_j, j) < (v_i, i) <= (w_i, i), which cannot be.
//
// # The newest time
//
// 40 bits of ticks come round, after hours or years, depending on the rate. So the table remembers
// the newest time at which it granted something, to within slack. Let N be that, read after the
// words of a set:
//
//   - All callers before N - late are refused.
//   - Callers after N + slack move N to their time before they grant.
//   - So words have TATs below N + slack + maxDepth, and one below N - late owes nothing to
//     anybody.
//   - Before N moves on, by a lap of 2^37 ticks at most, a share of the words is visited, so that
//     in each lap each word is.
//
// To visit a word is to raise its TAT to N - late, if it is older. No caller notices that, and the
// TAT still only grows. So no word's TAT is further than 2^39 from N, either way, and its 40 bits
// say which time is meant. N does not move before the share was visited. A visitor that finds that
// N has moved has only read words, and gives up.
//
// A caller that is suspended for a lap or more between reading an empty word and taking it leaves a
// word that is older than that. In the end it may be taken for a later one, and refuse its keys for
// a while. It never grants too much.
type set [setSize]atomics.Uint64

const (
	setSize = 8

	late    uint64 = 1 << 24
	slack   uint64 = late / 2
	lapBits        = 37
	lap     uint64 = 1 << lapBits // in which all words are visited
	half    uint64 = 1 << (tatBits - 1)
)

// newSets returns n empty sets, each in a cache line.
func newSets(n int) []set {
	words := atomics.NewUint64s((n+1)*setSize - 1)
	past := uintptr(unsafe.Pointer(unsafe.SliceData(words))) % unsafe.Sizeof(set{})
	first := -past % unsafe.Sizeof(set{}) / unsafe.Sizeof(words[0])
	return unsafe.Slice((*set)(unsafe.Pointer(&words[first])), n)
}

func tagOf(word uint64) uint64 { return word >> tatBits }

func pack(tag, tat uint64) uint64 { return tag<<tatBits | tat&tatMask }

// tat returns the whole of a word's TAT.
func tat(word, newest uint64) uint64 {
	oldest := newest - half
	return oldest + (word-oldest)&tatMask
}

// least returns which of the words has the least TAT, the first of several. It is a function of
// what was read.
func least(words *[setSize]uint64, newest uint64) (i uint64) {
	oldest := newest - half
	least := ^uint64(0)
	for i, word := range words {
		age := uint64(i) // of an empty one, before all others
		if word != 0 {
			age |= ((word-oldest)&tatMask + 1) * setSize
		}
		least = min(least, age)
	}
	return least % setSize
}

// owed returns what a word owes at now.
func owed(word, now, newest uint64) uint64 {
	if word == 0 {
		return 0
	}
	t := tat(word, newest)
	return max(t, now) - now
}

// advance moves the newest time on to now. If that is far, it goes by laps until all words are old,
// and skips whole rounds of the 40 bits then: they look the same afterwards.
func (t *Table) advance(now uint64) {
	hopped := uint64(0)
	for {
		newest := t.newest.Load()
		switch far := now - newest; {
		case newest == 0: // no word was ever written
			t.newest.CompareAndSwap(0, now)
			continue
		case now <= newest:
			return
		case hopped >= half && far > tatMask:
			t.newest.CompareAndSwap(newest, newest+far&^tatMask)
			continue
		default:
			to := newest + min(far, lap)
			if t.sweep(newest, to) && t.newest.CompareAndSwap(newest, to) {
				hopped += to - newest
			}
		}
	}
}

// sweep visits the sets whose turn it is while the newest time moves on between two times, at most
// a lap apart. It reports false, and gives up, if another caller has moved it.
func (t *Table) sweep(from, to uint64) bool {
	sets := uint64(len(t.sets))
	visited := func(at uint64) uint64 { // since the beginning of time
		high, low := bits.Mul64(at, sets)
		return high<<(64-lapBits) | low>>lapBits
	}
	old := from - late
	for v := visited(from); v < visited(to); v++ {
		turn := &t.sets[v%sets]
		for i := range turn {
			for {
				word := turn[i].Load()
				if t.newest.Load() != from { // or what the word says would be another time
					return false
				}
				if word == 0 || tat(word, from) >= old || turn[i].CompareAndSwap(word, notEmpty(pack(tagOf(word), old))) {
					break
				}
			}
		}
	}
	return true
}

// notEmpty keeps a word without a tag from being 0, if its TAT happens to be 0: then it would be
// the least of all.
func notEmpty(word uint64) uint64 { return max(word, 1) }

// Reset takes the tag off the key's word.
func (t *Table) Reset(hash uint64) {
	p := t.place(hash)
	for {
		s := t.look(p)
		if !s.present || s.word.CompareAndSwap(s.was, notEmpty(pack(0, s.was))) {
			return
		}
		t.count(hash).retries.Add(1)
	}
}
