package slidingwindow

import (
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/timeline"
)

// SetRate is SetRateAt by the clock. In its errors it is the function fn.
func (l *counterCore) SetRate(fn string, rate ratelimit.Rate) error {
	return l.setRate(fn, l.line.Now(), rate)
}

// SetRateAt changes the number of events as of the bucket of t. In its errors it is the function
// fn.
func (l *counterCore) SetRateAt(fn string, t time.Time, rate ratelimit.Rate) error {
	return l.setRate(fn, l.line.At(t), rate)
}

func (l *counterCore) setRate(fn string, off int64, rate ratelimit.Rate) error {
	return l.current.Change(func(f *counterFrame) (*counterPlan, error) {
		s := f.Scale.spec
		if rate.Per != s.rate.Per {
			return nil, otherPer(fn, rate, s.rate)
		}
		if err := checkCounter(fn, rate, int(s.buckets)); err != nil {
			return nil, err
		}
		if rate == s.rate {
			return nil, nil
		}
		bucket := timeline.FloorDiv(timeline.Clamp(off), s.width)
		return &counterPlan{Successor: func(f *counterFrame, word uint64) *counterFrame {
			return f.Scale.converted(word, bucket, rate)
		}}, nil
	})
}

// otherPer is the error of a change to a rate of another length.
func otherPer(fn string, rate, present ratelimit.Rate) error {
	return &ratelimit.ArgumentError{Func: fn, Field: "rate.Per", Value: rate.Per,
		Want: present.Per.String() + ", as the limiter was made: only Events can change"}
}

// converted returns the frame of another rate that counts the same events. The rate changes with
// the given bucket, which becomes the newest if it is later.
func (c *counterScale) converted(word uint64, bucket int64, rate ratelimit.Rate) *counterFrame {
	c.settle(word)
	st, s := c.state(word), newCounterSpec(rate, c.spec.buckets)
	if st.fresh {
		return newCounterFrame(s, bucket, nil)
	}
	newest := max(bucket, st.bucket)
	s.changed, s.settled = max(bucket, c.spec.changed), newest
	return newCounterFrame(s, newest, c.counts(st, newest))
}
