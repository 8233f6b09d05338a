package slidingwindow

import (
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/timeline"
)

// SetRate is SetRateAt by the clock. In its errors it is the function fn.
func (l *logCore) SetRate(fn string, rate ratelimit.Rate) error {
	return l.setRate(fn, l.line.Now(), rate)
}

// SetRateAt changes the number of events as of t. In its errors it is the function fn.
func (l *logCore) SetRateAt(fn string, t time.Time, rate ratelimit.Rate) error {
	return l.setRate(fn, l.line.At(t), rate)
}

func (l *logCore) setRate(fn string, off int64, rate ratelimit.Rate) error {
	now := instant(timeline.Clamp(off))
	return l.current.Change(func(f *logFrame) (*logPlan, error) {
		s := f.Scale.spec
		if rate.Per != s.rate.Per {
			return nil, otherPer(fn, rate, s.rate)
		}
		if err := checkLog(fn, rate); err != nil {
			return nil, err
		}
		if rate == s.rate {
			return nil, nil
		}
		return &logPlan{Successor: func(f *logFrame, word uint64) *logFrame {
			return f.Scale.converted(word, now, rate)
		}}, nil
	})
}

// converted returns the frame of another rate with the same events, none of which can be given
// back. The rate changes at now, but not before the newest time. Events that had expired by then
// are not known any more, so callers that are later than that could be granted too much.
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
