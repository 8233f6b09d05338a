package slidingwindow

import (
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/timeline"
	"github.com/seed-3506548a/ratelimit/internal/waiting"
)

// SetRate is SetRateAt by the limiter's clock.
func (l *Counter) SetRate(rate ratelimit.Rate) error {
	defer waiting.Changed(l)
	return l.setRate("slidingwindow.Counter.SetRate", l.line.Now(), rate)
}

// SetRateAt changes the number of events as of the bucket of t; rate.Per must be the one that the
// limiter was made with. What was granted keeps counting, also if it is more than the new limit,
// and in buckets before that of t nothing is granted any more, unless nothing ever was. Nothing
// granted up to then can be refunded, nor what is granted afterwards in the bucket that was the
// newest, or became it. A greater number lets the difference pass at once. No grant is lost or
// counted twice by changes under load. It costs O(buckets) time and allocates a new ring. Errors
// are those of the constructor.
func (l *Counter) SetRateAt(t time.Time, rate ratelimit.Rate) error {
	defer waiting.Changed(l)
	return l.setRate("slidingwindow.Counter.SetRateAt", l.line.At(t), rate)
}

// setRate repeats until its own plan was taken: a turn more means that another caller's was.
func (l *Counter) setRate(fn string, off int64, rate ratelimit.Rate) error {
	for {
		f := l.current.Load()
		s := f.Scale.spec
		if rate.Per != s.rate.Per {
			return &ratelimit.ArgumentError{Func: fn, Field: "rate.Per", Value: rate.Per,
				Want: s.rate.Per.String() + ", as the limiter was made: only Events can change"}
		}
		if err := checkCounter(fn, rate, int(s.buckets)); err != nil {
			return err
		}
		if rate == s.rate {
			return nil
		}
		bucket := timeline.FloorDiv(timeline.Clamp(off), s.width)
		change := &counterPlan{Successor: func(f *counterFrame, word uint64) *counterFrame {
			return f.Scale.converted(word, bucket, rate)
		}}
		if l.current.Replace(f, change) {
			return nil
		}
	}
}
