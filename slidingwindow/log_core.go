package slidingwindow

import (
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/frame"
	"github.com/seed-3506548a/ratelimit/internal/timeline"
)

// logCore is the state of a [Log], and what its methods do. Methods that make a Decision set one,
// as in package bucket. Those on a hot path take an offset, so that [Log] calls them directly.
type logCore struct {
	line timeline.Timeline

	// The frame is replaced when it has no free cell, and when the rate changes.
	current frame.Current[logScale]
}

// Init makes l a log in which nothing was ever granted. In its errors it is the function fn.
func (l *logCore) Init(fn string, rate ratelimit.Rate, opts []ratelimit.Option) error {
	if err := checkLog(fn, rate); err != nil {
		return err
	}
	var err error
	if l.line, err = timeline.New(fn, opts); err != nil {
		return err
	}
	l.current.Init(newLogFrame(&logSpec{rate: rate}, logState{}, 0, nil))
	return nil
}

// take is allow for any n and any off, with a whole Decision.
//
// A refusal, and n == 0, acts when the word is loaded. A frozen word was the limiter's state until
// its frame was replaced, which was after f was loaded, so a refusal may answer from it. A refusal
// that is found by replacing the frame acts then.
func (l *logCore) take(d *ratelimit.Decision, off int64, n int) {
	now := instant(timeline.Clamp(off))
	for {
		f := l.current.Load()
		c := &f.Scale
		word := f.Word.Load()
		st := c.state(word)
		ok := c.decide(d, st, now, n)
		if !still(f, word) {
			continue
		}
		if !ok || n == 0 {
			return
		}
		if word >= frame.Frozen {
			l.current.Help(f)
			continue
		}
		moved, full := c.move(f, word, st, c.granted(st, now, uint64(n)))
		if full {
			if moved = l.current.Replace(f, grantRenewed(now, n)); moved {
				// The frame's last state decides; it may be another than the one just seen.
				c.decide(d, c.state(f.Word.Load()), now, n)
			}
		}
		if moved {
			return
		}
		frame.BackOff()
	}
}

// grantRenewed plans a frame with free cells, in which n events are granted if they still fit.
func grantRenewed(now uint64, n int) *logPlan {
	return &logPlan{Successor: func(f *logFrame, word uint64) *logFrame {
		c := &f.Scale
		st := c.state(word)
		var d ratelimit.Decision
		if !c.decide(&d, st, now, n) {
			return c.renewed(st, st, 0)
		}
		return c.renewed(st, c.granted(st, now, uint64(n)), int64(n))
	}}
}

func (l *logCore) peek(d *ratelimit.Decision, off int64, n int) {
	now := instant(timeline.Clamp(off))
	for {
		f := l.current.Load()
		word := f.Word.Load()
		f.Scale.decide(d, f.Scale.state(word), now, n)
		if still(f, word) {
			return
		}
	}
}

// FitsAt returns PeekAt(t, n).OK, without the search for what remains.
func (l *logCore) FitsAt(t time.Time, n int) bool {
	now := instant(timeline.Clamp(l.line.At(t)))
	for {
		f := l.current.Load()
		word := f.Word.Load()
		fits := f.Scale.fits(f.Scale.state(word), now, n)
		if still(f, word) {
			return fits
		}
	}
}

// Clock returns the clock that Allow and Take read.
func (l *logCore) Clock() ratelimit.Clock { return l.line.Clock() }

// Rate returns the rate that the log was made with or that it was set to last.
func (l *logCore) Rate() ratelimit.Rate { return l.current.Load().Scale.spec.rate }
