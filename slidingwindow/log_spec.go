package slidingwindow

import (
	"fmt"

	"github.com/seed-3506548a/ratelimit"
)

// maxLog is the most events of a Log: it keeps 128 MB of times then.
const maxLog = 1 << 24

// logSpec is a limit. It is immutable.
type logSpec struct {
	rate ratelimit.Rate

	// The last change of rate, before which nothing is granted, and the newest time then: grants up to
	// it give nothing back. 0 if nothing was granted before.
	changed, settled uint64
}

// checkLog is the constructor's check of its arguments.
func checkLog(fn string, rate ratelimit.Rate) error {
	refuse := func(field string, value any, want string) error {
		return &ratelimit.ArgumentError{Func: fn, Field: field, Value: value, Want: want}
	}
	switch {
	case rate.Events < 0 || rate.Events > maxLog:
		return refuse("rate.Events", rate.Events, fmt.Sprintf("0 to %d; a Counter can do more", maxLog))
	case rate.Per <= 0:
		return refuse("rate.Per", rate.Per, "more than 0s")
	case rate.Per > 1<<58:
		return refuse("rate.Per", rate.Per, "at most 2^58 ns (9 years)")
	}
	return nil
}

// renewed returns a frame with more cells, and with the state that step makes of the last one, or with the
// same if it does not want that any longer.
func (c *logScale) renewed(word uint64, step func(st logState) (logState, bool)) *logFrame {
	st := c.load(word)
	after, ok := step(st)
	if !ok {
		after = st
	}
	cells := min(2*len(c.cells), 1<<cellBits)
	return newLogFrame(c.spec, cells, after, len(c.ring), func(event uint64) uint64 { return c.at(st, event) })
}

// converted returns the frame of another rate with the same events, none of which can be given back. The
// rate changes at now, but not before the newest time: what was expired then is not known any more, so
// late callers could be granted too much.
func (c *logScale) converted(word, now uint64, rate ratelimit.Rate) *logFrame {
	st := c.load(word)
	s := &logSpec{rate: rate}
	held := 0
	if st.time > 0 {
		s.changed, s.settled = max(now, st.time, c.changed), st.time
		for held < len(c.ring) && c.at(st, st.count-1-uint64(held)) > s.changed-c.per {
			held++
		}
	}
	after := st
	after.prior, after.first = st.count, st.count
	return newLogFrame(s, len(c.cells), after, held, func(event uint64) uint64 { return c.at(st, event) })
}
