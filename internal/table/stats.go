package table

import "sync/atomic"

// Stats is what a table has counted: see keyed.Stats.
type Stats struct {
	Slots int
	Live  int

	Inherited uint64
	Saturated uint64
	Untracked uint64
	Late      uint64
	Ahead     uint64
	Retries   uint64
}

// rare counts what seldom happens. There are several, each in a cache line, so that callers that
// count do not meet.
type rare struct {
	inherited, saturated, untracked, late, ahead, retries atomic.Uint64
	_                                                     [16]byte
}

// add counts a verdict.
func (r *rare) add(told verdict) {
	switch told {
	case crowded:
		r.saturated.Add(1)
	case untracked:
		r.untracked.Add(1)
	case tooLate:
		r.late.Add(1)
	case tooEarly:
		r.ahead.Add(1)
	}
}

// Stats returns what was counted, and how many keys are live at off in the sets that it looks at.
func (t *Table) Stats(off int64) (s Stats) {
	const most = 1024
	now, newest := t.scale.at(off), t.newest.Load()
	sets := len(t.sets)
	looked := min(sets, most)
	live := 0
	for i := range looked {
		seen := &t.sets[int64(i)*int64(sets)/int64(looked)]
		for j := range seen {
			if word := seen[j].Load(); tagOf(word) != 0 && owed(word, now, newest) > 0 {
				live++
			}
		}
	}
	s.Slots = sets * setSize
	s.Live = int(int64(live) * int64(sets) / int64(looked))
	for i := range t.rare {
		r := &t.rare[i]
		s.Inherited += r.inherited.Load()
		s.Saturated += r.saturated.Load()
		s.Untracked += r.untracked.Load()
		s.Late += r.late.Load()
		s.Ahead += r.ahead.Load()
		s.Retries += r.retries.Load()
	}
	return s
}
