package slidingwindow

import (
	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/frame"
	"github.com/seed-3506548a/ratelimit/internal/timeline"
)

// counterCore is the state of a [Counter], and what its methods do. Methods that make a Decision
// set one, as in package bucket. Those on a hot path take an offset, so that [Counter] calls them
// directly.
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
