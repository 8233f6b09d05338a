package strikes

import "slices"

// places is how many keys a bucket has room for.
const places = 8

// bucket has the dossiers of the first n places. It is immutable; there is none without keys.
type bucket struct {
	n      int32
	held   int64 // from then on no key is blocked or throttled
	hashes [places]uint64
	all    [places]*Dossier
}

// find returns the dossier of the key, if there is one.
func (b *bucket) find(hash uint64) *Dossier {
	if b != nil {
		for i := range b.n {
			if b.hashes[i] == hash {
				return b.all[i]
			}
		}
	}
	return nil
}

// place returns the place for a dossier of the key: its own, or a free one, or else that of the key
// which is to be forgotten at now; -1 if none is.
func (b *bucket) place(hash uint64, now int64) int {
	if b == nil {
		return 0
	}
	if i := slices.Index(b.hashes[:b.n], hash); i >= 0 {
		return i
	}
	if b.n < places {
		return int(b.n)
	}
	victim := -1
	for i, d := range &b.all {
		if !d.held(now) && (victim < 0 || d.yields(b.all[victim], now)) {
			victim = i
		}
	}
	return victim
}

// without returns the bucket without the key, which it has.
func (b *bucket) without(hash uint64) *bucket {
	if b.n == 1 {
		return nil
	}
	next := &bucket{held: b.held}
	for i := range b.n {
		if b.hashes[i] != hash {
			next.hashes[next.n], next.all[next.n] = b.hashes[i], b.all[i]
			next.n++
		}
	}
	return next
}
