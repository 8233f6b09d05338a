package slidingwindow

import (
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/frame"
	"github.com/seed-3506548a/ratelimit/internal/timeline"
)

// counterCore has the methods of [Counter]. Those that return a Decision set one instead, as in
// package bucket.
type counterCore struct {
	line timeline.Timeline

	// The frame is replaced when its word cannot count to a bucket, and when the rate changes.
	current frame.Current[counterScale]
}

// Init makes l a counter in which nothing was ever granted. In its errors it is the function fn.
func (l *counterCore) Init(fn string, rate ratelimit.Rate, buckets int, opts []ratelimit.Option) error {
	if err := checkCounter(fn, rate, buckets); err != nil {
		return err
	}
	var err error
	if l.line, err = timeline.New(fn, opts); err != nil {
		return err
	}
	l.current.Init(newCounterFrame(newCounterSpec(rate, int64(buckets)), 0, nil))
	return nil
}

// Allow decides the common cases itself: the time is in the newest bucket, or in a later one in
// which nothing fits either. It leaves the others to take.
//
// Invariant of the loop: word and ring count exactly the events granted so far. The step is
// computed from one load of the word, and from a word of the ring that never changes (see
// [counterScale]), and lands only if the word has not moved since, so it is atomic. A lost race
// means that another caller's change landed. Then the same step on the new word is right, with the
// time as read before. A refusal stores nothing, except that it may settle the ring for a grant
// that is under way.
func (l *counterCore) Allow() bool {
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
func (l *counterCore) allowAnywhere(off int64) bool {
	var d ratelimit.Decision
	l.take(&d, off, 1)
	return d.OK
}

// Take charges n events now, all or none.
func (l *counterCore) Take(d *ratelimit.Decision, n int) { l.take(d, l.line.Now(), n) }

// TakeAt charges n events as of t, all or none.
func (l *counterCore) TakeAt(d *ratelimit.Decision, t time.Time, n int) { l.take(d, l.line.At(t), n) }

// take is Allow for any n and any off, with a whole Decision.
//
// A refusal, and n == 0, acts when the word is loaded, if the newest bucket is the same after the
// ring has been read: then nothing that was read had been overwritten. It may answer from a frozen
// word: that was the limiter's state until its frame was replaced, which was after f was loaded.
func (l *counterCore) take(d *ratelimit.Decision, off int64, n int) {
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

// countElsewhere plans a frame around a bucket, with n events granted in it. If they do not fit any
// longer, it plans the same frame once more.
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

// Peek returns what Take would, and charges nothing.
func (l *counterCore) Peek(d *ratelimit.Decision, n int) { l.peek(d, l.line.Now(), n) }

// PeekAt returns what TakeAt would, and charges nothing.
func (l *counterCore) PeekAt(d *ratelimit.Decision, t time.Time, n int) { l.peek(d, l.line.At(t), n) }

func (l *counterCore) peek(d *ratelimit.Decision, off int64, n int) {
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

// Clock returns the clock that Allow and Take read.
func (l *counterCore) Clock() ratelimit.Clock { return l.line.Clock() }

// Rate returns the rate that the counter was made with or that it was set to last.
func (l *counterCore) Rate() ratelimit.Rate { return l.current.Load().Scale.spec.rate }

// Buckets returns the number of buckets that the counter was made with.
func (l *counterCore) Buckets() int { return int(l.current.Load().Scale.spec.buckets) }
