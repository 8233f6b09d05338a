package simulate

import (
	"cmp"
	"slices"
)

// byKey counts the requests of each key.
type byKey struct {
	of    []perKey // by the numbers of keys
	rows  *rows
	queue []keyed

	touched int64 // of no meaning: what is read is used
}

// perKey are the events of a key, and its requests that rules in shadow would have refused.
type perKey struct {
	offered, refused, shadow int64
	row                      int32 // over time, from the first refusal on; 0: there is none
	hit                      bool  // requests were refused, perhaps of no events
}

// keyed is a request of a key.
type keyed struct {
	now, n     int64
	key        int32
	ok, shadow bool
}

func newByKey() byKey { return byKey{rows: newRows(), queue: make([]keyed, 0, batch)} }

// count counts a request, at the next flush.
func (b *byKey) count(r keyed) {
	for int(r.key) >= len(b.of) {
		b.of = append(b.of, perKey{})
	}
	b.queue = append(b.queue, r)
	if len(b.queue) == batch {
		b.flush()
	}
}

// flush counts all requests of the queue.
func (b *byKey) flush() {
	for i := range b.queue {
		b.touched += b.of[b.queue[i].key].offered
	}
	for i := range b.queue {
		b.add(&b.queue[i])
	}
	b.queue = b.queue[:0]
}

func (b *byKey) add(r *keyed) {
	k := &b.of[r.key]
	k.offered += r.n
	if !r.ok {
		if !k.hit {
			k.hit, k.row = true, b.rows.next()
		}
		k.refused += r.n
	}
	if r.shadow {
		k.shadow++
	}
	if k.row > 0 {
		b.rows.add(r.now, k.row, r.ok, r.n)
	}
}

// result sets the keys of which most was refused, or else in shadow, or else offered; and how many
// keys were refused.
func (b *byKey) result(r *Result, keys *keys, top int) {
	b.flush()
	var all []int32
	r.Worst = []Key{}
	for i := range b.of {
		k := &b.of[i]
		if k.hit {
			r.KeysRefused++
		}
		if k.shadow > 0 {
			r.KeysShadow++
		}
		if k.offered > 0 || k.hit {
			all = append(all, int32(i))
		}
	}
	before := func(i, j int32) int {
		x, y := &b.of[i], &b.of[j]
		return cmp.Or(cmp.Compare(y.refused, x.refused), cmp.Compare(y.shadow, x.shadow), cmp.Compare(y.offered, x.offered),
			cmp.Compare(keys.name(i), keys.name(j)))
	}
	slices.SortFunc(all, before)
	for _, key := range all[:min(len(all), top)] {
		k := &b.of[key]
		w := Key{Key: keys.name(key), Offered: k.offered, Granted: k.offered - k.refused, Refused: k.refused, Shadow: k.shadow}
		if k.row > 0 {
			for _, bin := range b.rows.of[k.row-1] {
				w.Bins = append(w.Bins, Cells{bin.granted, bin.refused})
			}
			w.Busy = b.rows.busy[k.row-1].result(r.First)
		}
		r.Worst = append(r.Worst, w)
	}
}
