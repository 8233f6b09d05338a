package slidingwindow

import (
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/frame"
	"github.com/seed-3506548a/ratelimit/internal/timeline"
	"github.com/seed-3506548a/ratelimit/internal/waiting"
)

var (
	_ ratelimit.Limiter = (*Counter)(nil)
	_ ratelimit.Delayer = (*Counter)(nil)
)

// Counter limits events in a sliding window by counting them in buckets. See the package
// documentation for what it guarantees and costs.
//
// Its zero value is of no use, and most of its methods panic on it: call [NewCounter]. It is safe
// for simultaneous use and must not be copied after first use.
type Counter struct {
	line timeline.Timeline

	// The frame is replaced when its word cannot count to a bucket, and when the rate changes.
	current frame.Current[counterScale]
}

// NewCounter returns a limiter that grants at most rate.Events in any window of length rate.Per,
// which it cuts into the given number of buckets: the more, the less is withheld, and the more
// memory it takes. It reads the time from the system's monotonic clock unless [ratelimit.WithClock]
// gives it another.
//
// The error is a [*ratelimit.ArgumentError] unless
//
//	0 <= rate.Events, 0 < rate.Per <= 2^58 ns (9 years),
//	1 <= buckets <= 65535, and no more than there are nanoseconds in rate.Per,
//	2*bitlen(rate.Events) + bitlen(2*buckets) <= 60
//
// which is 2^27-1 events with 10 buckets. At rate.Events == 0 the limiter refuses every event.
func NewCounter(rate ratelimit.Rate, buckets int, opts ...ratelimit.Option) (*Counter, error) {
	const fn = "slidingwindow.NewCounter"
	if err := checkCounter(fn, rate, buckets); err != nil {
		return nil, err
	}
	line, err := timeline.New(fn, opts)
	if err != nil {
		return nil, err
	}
	l := &Counter{line: line}
	l.current.Init(newCounterFrame(newCounterSpec(rate, int64(buckets)), 0, nil))
	return l, nil
}

// Allow reports whether one event may happen now, and charges it if so.
//
// It is TakeAt for what is common: the time lies in the newest bucket, or in a later one where
// nothing fits either.
//
// Invariant of the loop: word and ring count exactly the events granted so far. The step is
// computed from one load of the word, and from a word of the ring that never changes (see
// [counterScale]), and lands only if the word has not moved since, so it is atomic. A lost race
// means that another caller's change landed; then the same step on the new word is right, with the
// time as read before. A refusal stores nothing, except that it may settle the ring for a grant
// that is under way.
func (l *Counter) Allow() bool {
	var off int64
	switch line := &l.line; {
	case line.Injected == nil:
		off = int64(time.Since(line.Origin))
	case line.Coarse != nil:
		off = int64(line.Coarse.Elapsed()) - line.Ahead
	default:
		off = line.Now()
	}
	for {
		f := l.current.Load()
		c := &f.Scale
		word := f.Word.Load()
		if int64(word) <= 0 {
			break // fresh, or frozen
		}
		newest := c.newest(word)
		oldest := newest - int64(c.buckets)
		passed := uint64(off - (c.first+newest)*c.width)
		if passed >= uint64(c.width) {
			if int64(passed) < 0 {
				break // before the newest bucket
			}
			if oldest += int64(passed) / c.width; oldest > newest {
				break // all has expired
			}
		}
		began := c.slot(oldest).Load()
		if c.newest(began) != oldest {
			break // not settled yet, or moved on
		}
		if c.since(word, began) >= uint64(c.limit) {
			return false
		}
		if passed >= uint64(c.width) {
			break // a new bucket
		}
		if f.Word.CompareAndSwap(word, word+1) {
			return true
		}
		frame.BackOff()
	}
	return l.allowAnywhere(off)
}

// allowAnywhere keeps the Decision that Allow has no use for out of its stack frame.
//
//go:noinline
func (l *Counter) allowAnywhere(off int64) bool {
	var d ratelimit.Decision
	l.take(&d, off, 1)
	return d.OK
}

// Take charges n events now, all of them or none. See [ratelimit.Decision] for what it returns.
func (l *Counter) Take(n int) (d ratelimit.Decision) {
	l.take(&d, l.line.Now(), n)
	return d
}

// TakeAt charges n events as of t, all of them or none; t may be any time.
func (l *Counter) TakeAt(t time.Time, n int) (d ratelimit.Decision) {
	l.take(&d, l.line.At(t), n)
	return d
}

// take is Allow for any n and any off, with a whole Decision.
//
// A refusal, and n == 0, acts when the word is loaded, if the newest bucket is the same after all
// of the ring has been read: then none of what was read has been overwritten. It may answer from a
// frozen word: that word was the limiter's state until its frame was replaced, which was not before
// f was loaded.
func (l *Counter) take(d *ratelimit.Decision, off int64, n int) {
	off = timeline.Clamp(off)
	for {
		f := l.current.Load()
		c := &f.Scale
		word := f.Word.Load()
		c.settle(word)
		st := c.state(word)
		bucket := timeline.FloorDiv(off, c.width)
		landed := false
		switch {
		case !c.decide(d, st, bucket, off, n) || n == 0:
			landed = c.state(f.Word.Load()).bucket == st.bucket
		case word >= frame.Frozen:
			l.current.Help(f)
		case bucket <= st.bucket:
			landed = f.Word.CompareAndSwap(word, word+uint64(n))
		case c.holds(bucket):
			after := c.word(counterState{bucket: bucket, before: st.before + st.count, count: int64(n)})
			if landed = f.Word.CompareAndSwap(word, after); landed {
				c.settle(after)
			}
		default:
			// The frame's last word decides; it may be another than the one just seen.
			if landed = l.current.Replace(f, countElsewhere(bucket, off, n)); landed {
				c.decide(d, c.state(f.Word.Load()), bucket, off, n)
			}
		}
		if landed {
			return
		}
	}
}

// countElsewhere plans a frame around a bucket in which n events are granted there; or, if they do
// not fit any longer, the same frame once more.
func countElsewhere(bucket, off int64, n int) *counterPlan {
	return &counterPlan{Successor: func(f *counterFrame, word uint64) *counterFrame {
		c := &f.Scale
		c.settle(word)
		st := c.state(word)
		var d ratelimit.Decision
		if !c.decide(&d, st, bucket, off, n) {
			return newCounterFrame(c.spec, st.bucket, c.counts(st, st.bucket))
		}
		newest := max(bucket, st.bucket) // a grant may have landed meanwhile, in a later bucket
		counts := c.counts(st, newest)
		counts[len(counts)-1] += int64(n)
		return newCounterFrame(c.spec, newest, counts)
	}}
}

// Peek returns what Take would, and charges nothing. It may already be outdated.
func (l *Counter) Peek(n int) (d ratelimit.Decision) {
	l.peek(&d, l.line.Now(), n)
	return d
}

// PeekAt returns what TakeAt would, and charges nothing. It may already be outdated.
func (l *Counter) PeekAt(t time.Time, n int) (d ratelimit.Decision) {
	l.peek(&d, l.line.At(t), n)
	return d
}

func (l *Counter) peek(d *ratelimit.Decision, off int64, n int) {
	off = timeline.Clamp(off)
	for {
		f := l.current.Load()
		c := &f.Scale
		word := f.Word.Load()
		c.settle(word)
		st := c.state(word)
		c.decide(d, st, timeline.FloorDiv(off, c.width), off, n)
		if c.state(f.Word.Load()).bucket == st.bucket {
			return
		}
	}
}

// RefundAt gives back n events that were granted at t-held, if nothing was granted in a later
// bucket than that of that time, and it still counts at t. A grant that was late, in an older
// bucket, gives nothing back. See [ratelimit.Limiter] for what t must be.
//
// While the newest bucket is that of the grant, the events are in its count: had they not been
// granted, it would be lower by n and all else the same; or, if they began the bucket, an earlier
// one would still be the newest, of which only late callers could make use. The clock is read after
// the word, so that it is not before any time that the word tells of.
func (l *Counter) RefundAt(t time.Time, n int, held time.Duration) {
	l.refund(t, n, held)
	waiting.Changed(l)
}

func (l *Counter) refund(t time.Time, n int, held time.Duration) {
	off := timeline.Clamp(l.line.At(t))
	if held < 0 || int64(held) > off-timeline.Bottom {
		return
	}
	for n > 0 {
		f := l.current.Load()
		c := &f.Scale
		word := f.Word.Load()
		st := c.state(word)
		granted := timeline.FloorDiv(off-int64(held), c.width)
		now := timeline.FloorDiv(max(off, timeline.Clamp(l.line.Now())), c.width)
		switch {
		case st.fresh || granted < st.bucket || st.bucket <= c.spec.settled || st.count == 0:
			return
		case int64(n) > c.spec.limit || now-st.bucket > c.spec.buckets:
			return
		case word >= frame.Frozen:
			l.current.Help(f)
		case f.Word.CompareAndSwap(word, word-min(uint64(n), uint64(st.count))):
			return
		}
	}
}

// Clock returns the clock that Allow, Take and Peek read.
func (l *Counter) Clock() ratelimit.Clock { return l.line.Clock() }

// Rate returns the rate that the limiter was made with or that it was set to last.
func (l *Counter) Rate() ratelimit.Rate { return l.current.Load().Scale.spec.rate }

// Buckets returns the number of buckets that the limiter was made with.
func (l *Counter) Buckets() int { return int(l.current.Load().Scale.spec.buckets) }
