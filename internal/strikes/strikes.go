// Package strikes is a stand-in.
package strikes

import (
	"sync"
	"time"
)

type Do int

const (
	Log Do = iota
	Notify
	Throttle
	Block
	Revoke
)

type Step struct {
	After  int
	Within time.Duration
	Do     Do
	For    time.Duration
	Slow   int32
}

type Ladder struct{ steps []Step }

func NewLadder(steps []Step) Ladder    { return Ladder{steps} }
func (l *Ladder) Slow(step int) int32 { return l.steps[step].Slow }

type tally struct {
	begin int64
	count int32
}

type Dossier struct {
	episode, block, throttle int64
	slow                     int32
	tallies                  map[time.Duration]tally
}

const none = -1 << 63

func (d *Dossier) Blocked(now int64) (int64, bool) { return d.block, now < d.block }
func (d *Dossier) Throttled(now int64) (int64, int32, bool) {
	return d.throttle, d.slow, now < d.throttle
}

type Table struct {
	mutex sync.Mutex
	all   map[uint64]*Dossier
}

func New(capacity int) *Table { return &Table{all: map[uint64]*Dossier{}} }
func (t *Table) Look(hash uint64) *Dossier {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	return t.all[hash]
}

type Struck struct {
	Counted         bool
	Acts            int
	Reached         uint16
	Counts          [16]int32
	Block, Throttle int64
	Slow            int32
}

func (t *Table) Strike(hash uint64, now int64, told time.Duration, l *Ladder, elsewhere uint16, commit bool) (s Struck) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	s.Acts = -1
	d := &Dossier{episode: none, block: none, throttle: none, tallies: map[time.Duration]tally{}}
	if old := t.all[hash]; old != nil {
		c := *old
		c.tallies = map[time.Duration]tally{}
		for k, v := range old.tallies {
			c.tallies[k] = v
		}
		d = &c
	}
	if now < d.episode {
		return s
	}
	s.Counted = true
	end := func(d time.Duration) int64 {
		if now+int64(d) < now {
			return 1<<63 - 1
		}
		return now + int64(d)
	}
	d.episode = end(max(told, time.Second))
	done := map[time.Duration]bool{}
	for i, st := range l.steps {
		if st.Within > 0 && !done[st.Within] {
			done[st.Within] = true
			v, ok := d.tallies[st.Within]
			if !ok || now < v.begin || now-v.begin >= int64(st.Within) {
				v = tally{begin: now}
			}
			v.count++
			d.tallies[st.Within] = v
		}
		s.Counts[i] = 1
		if st.Within > 0 {
			s.Counts[i] = d.tallies[st.Within].count
		}
		switch {
		case st.Do == Log || st.Do == Notify:
			if int(s.Counts[i]) == st.After {
				s.Reached |= 1 << i
			}
		case int(s.Counts[i]) >= st.After:
			s.Acts = i
		}
	}
	if s.Acts >= 0 && elsewhere>>s.Acts&1 == 0 {
		switch st := l.steps[s.Acts]; st.Do {
		case Block:
			d.block = max(d.block, end(st.For))
		case Throttle:
			d.throttle, d.slow = max(d.throttle, end(st.For)), st.Slow
		}
	}
	s.Block, s.Throttle, s.Slow = d.block, d.throttle, d.slow
	if commit {
		t.all[hash] = d
	}
	return s
}

func (t *Table) Raise(hash uint64, now, block, throttle int64, slow int32) (int64, int64, int32) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	d := &Dossier{episode: none, block: none, throttle: none}
	if old := t.all[hash]; old != nil {
		c := *old
		d = &c
	}
	if block != 0 {
		d.block = max(d.block, block)
	}
	if throttle != 0 {
		d.throttle, d.slow = max(d.throttle, throttle), slow
	}
	t.all[hash] = d
	return d.block, d.throttle, d.slow
}

func (t *Table) Pardon(hash uint64) bool {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	_, ok := t.all[hash]
	delete(t.all, hash)
	return ok
}

type Revoked struct {
	mutex    sync.Mutex
	all      map[uint64]bool
	capacity int
}

func NewRevoked(capacity int) *Revoked { return &Revoked{all: map[uint64]bool{}, capacity: capacity} }
func (r *Revoked) Has(h uint64) bool {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	return r.all[h]
}
func (r *Revoked) Len() int {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	return len(r.all)
}
func (r *Revoked) Add(h uint64) bool {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if r.all[h] {
		return true
	}
	if len(r.all) >= r.capacity {
		return false
	}
	r.all[h] = true
	return true
}
func (r *Revoked) Room(h uint64) bool {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	return r.all[h] || len(r.all) < r.capacity
}
func (r *Revoked) Remove(h uint64) bool {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	ok := r.all[h]
	delete(r.all, h)
	return ok
}
