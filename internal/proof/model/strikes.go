package model

import (
	"cmp"
	"math"
	"math/big"
	"slices"
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/strikes"
)

// Strikes is the model of strikes.Table: it keeps the time of each strike.
type Strikes struct {
	strikes.Stats
	buckets [][]record
}

// record is what a bucket has of a key. It is replaced, never changed.
type record struct {
	hash            uint64
	from, until     *big.Int // of the episode
	block, throttle *big.Int // until when
	slow            int32
	times           map[time.Duration][]*big.Int // of the strikes, for each length of a span
}

// beforeAll is before all times: when there was none, it ended then.
var beforeAll = new(big.Int).Neg(power(64))

// Known is what a table knows of a key at some time.
type Known struct {
	Episode         bool
	Block, Throttle int64 // 0: there is none
	Slow            int32
	Strikes         [strikes.MaxSpans]int
}

// NewStrikes returns the model of a table of that capacity.
func NewStrikes(capacity int) *Strikes {
	return &Strikes{buckets: make([][]record, max(1, capacity/4))}
}

// Clone returns a copy.
func (m *Strikes) Clone() *Strikes {
	c := *m
	c.buckets = nil
	for _, bucket := range m.buckets {
		c.buckets = append(c.buckets, slices.Clone(bucket))
	}
	return &c
}

func (m *Strikes) bucket(hash uint64) *[]record {
	at := product(new(big.Int).SetUint64(hash), big.NewInt(int64(len(m.buckets))))
	return &m.buckets[at.Rsh(at, 64).Int64()]
}

// find returns the record of the key: an empty one if there is none.
func (m *Strikes) find(hash uint64) (r record, ok bool) {
	bucket := *m.bucket(hash)
	i := slices.IndexFunc(bucket, func(r record) bool { return r.hash == hash })
	if i < 0 {
		return record{hash: hash, from: beforeAll, until: beforeAll, block: beforeAll, throttle: beforeAll}, false
	}
	return bucket[i], true
}

// Strike is that of a table.
func (m *Strikes) Strike(hash uint64, at int64, told time.Duration, steps []strikes.Step, elsewhere uint16) strikes.Struck {
	now := big.NewInt(at)
	r, _ := m.find(hash)
	none := strikes.Struck{Acts: -1}
	if told == ratelimit.Never || r.episode(now) {
		return none
	}
	was := r.times
	r.times = map[time.Duration][]*big.Int{}
	s := strikes.Struck{Counted: true, Acts: -1}
	for i, step := range steps {
		r.times[step.Within] = append(slices.Clone(was[step.Within]), now)
		_, count := span(r.times[step.Within], step.Within)
		switch step.Do {
		case strikes.Log, strikes.Notify:
			if count == step.After {
				s.Reached |= 1 << i
			}
		default:
			if count >= step.After {
				s.Acts = i
				s.Until = later(now, step.For).Int64()
			}
		}
	}
	r.from = new(big.Int).Sub(now, big.NewInt(int64(time.Second)))
	r.until = later(now, max(told, time.Second))
	if s.Acts >= 0 && elsewhere&(1<<s.Acts) == 0 {
		r.raise(steps[s.Acts].Do, s.Until, steps[s.Acts].Slow)
	}
	if !m.put(r, now) {
		return none
	}
	return s
}

// Raise is that of a table.
func (m *Strikes) Raise(hash uint64, at int64, do strikes.Do, until int64, slow int32) bool {
	r, _ := m.find(hash)
	r.raise(do, until, slow)
	return m.put(r, big.NewInt(at))
}

// Pardon is that of a table.
func (m *Strikes) Pardon(hash uint64, at int64) bool {
	r, ok := m.find(hash)
	bucket := m.bucket(hash)
	*bucket = slices.DeleteFunc(*bucket, func(r record) bool { return r.hash == hash })
	return ok && r.matters(big.NewInt(at))
}

// Look returns what is known of the key at a time, with the strikes in spans of these lengths.
func (m *Strikes) Look(hash uint64, at int64, spans []time.Duration) (k Known, ok bool) {
	r, ok := m.find(hash)
	now := big.NewInt(at)
	k.Episode = r.episode(now)
	if now.Cmp(r.block) < 0 {
		k.Block = r.block.Int64()
	}
	if now.Cmp(r.throttle) < 0 {
		k.Throttle, k.Slow = r.throttle.Int64(), r.slow
	}
	for i, within := range spans {
		_, k.Strikes[i] = span(r.times[within], within)
	}
	return k, ok
}

// put puts the record into the place of its key or a free one, or that of the key which matters
// least, if there is one that is neither blocked nor throttled.
func (m *Strikes) put(r record, now *big.Int) bool {
	bucket := m.bucket(r.hash)
	if i := slices.IndexFunc(*bucket, func(other record) bool { return other.hash == r.hash }); i >= 0 {
		(*bucket)[i] = r
		return true
	}
	if len(*bucket) < 8 {
		*bucket = append(*bucket, r)
		return true
	}
	var free []record
	for _, other := range *bucket {
		if now.Cmp(other.block) >= 0 && now.Cmp(other.throttle) >= 0 {
			free = append(free, other)
		}
	}
	if len(free) == 0 {
		m.Unrecorded++
		return false
	}
	least := slices.MinFunc(free, func(a, b record) int {
		return cmp.Or(cmp.Compare(a.importance(now), b.importance(now)), a.until.Cmp(b.until))
	})
	if least.matters(now) {
		m.Forgotten++
	}
	(*bucket)[slices.IndexFunc(*bucket, func(other record) bool { return other.hash == least.hash })] = r
	return true
}

// importance orders records by what matters of them: nothing, no strikes, or so many.
func (r *record) importance(now *big.Int) int {
	if !r.matters(now) {
		return -1
	}
	return r.strikes(now)
}

// matters reports whether anything of the record can matter at a time or later.
func (r *record) matters(now *big.Int) bool {
	return now.Cmp(latest(r.until, r.block, r.throttle)) < 0 || r.strikes(now) > 0
}

// strikes returns the most strikes in a span that is not over.
func (r *record) strikes(now *big.Int) (most int) {
	for within, times := range r.times {
		begin, count := span(times, within)
		if within > 0 && minus(now, begin).Cmp(big.NewInt(int64(within))) < 0 {
			most = max(most, count)
		}
	}
	return most
}

func (r *record) episode(now *big.Int) bool {
	return now.Cmp(r.from) >= 0 && now.Cmp(r.until) < 0
}

func (r *record) raise(do strikes.Do, until int64, slow int32) {
	switch do {
	case strikes.Block:
		r.block = latest(r.block, big.NewInt(until))
	case strikes.Throttle:
		r.throttle, r.slow = latest(r.throttle, big.NewInt(until)), slow
	}
}

// span returns when the last span of strikes at these times began, and how many are in it: one is
// in the span of the one before unless that is over, or began later.
func span(times []*big.Int, within time.Duration) (begin *big.Int, count int) {
	for _, t := range times {
		if begin == nil || t.Cmp(begin) < 0 || minus(t, begin).Cmp(big.NewInt(int64(within))) >= 0 {
			begin, count = t, 0
		}
		count++
	}
	return begin, count
}

// later returns the time so much later, or the last of all times if that is before.
func later(now *big.Int, d time.Duration) *big.Int {
	return least(new(big.Int).Add(now, big.NewInt(int64(d))), big.NewInt(math.MaxInt64))
}
