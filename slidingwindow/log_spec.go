package slidingwindow

import (
	"fmt"

	"github.com/seed-3506548a/ratelimit"
)

// maxLog is the most events of a Log. It keeps 4 MB of times then, and the word counts 2^23
// versions before they have to be copied.
const maxLog = 1<<18 - 1

// logSpec is a limit. It is immutable.
type logSpec struct {
	rate ratelimit.Rate

	// The last change of rate, before which nothing is granted, and the newest time then: grants up
	// to it give nothing back. 0 if nothing was granted before.
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

// renewed returns a frame with all cells free but one, and with the same events but for the last
// ones, of which there are n more in after than in st; or less, if n is negative.
func (c *logScale) renewed(st, after logState, n int64) *logFrame {
	return newLogFrame(c.spec, after, max(uint64(c.limit), c.held(st, st.time)), func(ago uint64) uint64 {
		return c.at(st, uint64(int64(ago)-n))
	})
}

// converted returns the frame of another rate with the same events, none of which can be given
// back. The rate changes at now, but not before the newest time: what was expired then is not known
// any more, so late callers could be granted too much.
func (c *logScale) converted(word, now uint64, rate ratelimit.Rate) *logFrame {
	st := c.state(word)
	s := &logSpec{rate: rate}
	if st.time == 0 {
		return newLogFrame(s, st, 0, nil)
	}
	s.changed, s.settled = max(now, st.time, c.changed), st.time
	return newLogFrame(s, logState{time: st.time}, c.held(st, s.changed), func(ago uint64) uint64 {
		return c.at(st, ago)
	})
}

// held returns how many events have not expired at now. At the newest time or later, it knows of
// all that have not.
func (c *logScale) held(st logState, now uint64) (n uint64) {
	for n < uint64(len(c.ring)/2) && c.at(st, n+1) > now-c.per {
		n++
	}
	return n
}
