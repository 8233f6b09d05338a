package window

import (
	"math"
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/timeline"
)

// DelayAt returns how long after t it takes until n more events can have been granted, one by one.
func (w *Window) DelayAt(t time.Time, n int) time.Duration {
	off := timeline.Clamp(w.line.At(t))
	f := w.current.Load()
	s := f.Scale.spec
	switch {
	case n == 0:
		return 0
	case n < 0 || s.limit == 0:
		return ratelimit.Never
	}
	return timeline.Wait(off, s.filled(f.Scale.state(f.Word.Load()), off, int64(n)))
}

// filled returns the offset at which n more events have been granted to a caller that takes each as
// soon as it fits, from off on. First it takes what fits at once; then, what fits at the end of the
// first length that makes room; and from then on, with the limit used up, what expires at the end
// of each length.
func (s *spec) filled(st state, off int64, n int64) int64 {
	if !st.fresh {
		off = max(off, s.changed)
	}
	now := s.remaining(st, off)
	if n <= now {
		return off
	}
	n -= now
	if st.fresh || off >= s.boundary(st, s.expires(st, 0)) {
		st = state{start: s.floor(off)}
	}
	st.count += now
	k := s.expires(st, s.limit-1)
	if n -= s.limit - max(0, st.count-k*s.events); n > 0 {
		lengths := ceilDiv(n, min(s.events, s.limit))
		if lengths > math.MaxInt64/2 {
			return timeline.Top + 1
		}
		k += lengths
	}
	return s.boundary(st, k)
}
