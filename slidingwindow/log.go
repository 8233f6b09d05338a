package slidingwindow

import (
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/frame"
	"github.com/seed-3506548a/ratelimit/internal/timeline"
	"github.com/seed-3506548a/ratelimit/internal/waiting"
)

var (
	_ ratelimit.Limiter = (*Log)(nil)
	_ ratelimit.Delayer = (*Log)(nil)
)

// Log limits events in a sliding window by the times of the last rate.Events. See the package
// documentation for what it guarantees and costs.
//
// Its zero value is of no use, and most of its methods panic on it: call [NewLog]. It is safe for
// simultaneous use and must not be copied after first use.
type Log struct {
	line timeline.Timeline

	// The frame is replaced when it has no free cell, and when the rate changes.
	current frame.Current[logScale]
}

// NewLog returns a limiter that grants at most rate.Events in any window of length rate.Per, and
// whatever that allows. It reads the time from the system's monotonic clock unless
// [ratelimit.WithClock] gives it another.
//
// The error is a [*ratelimit.ArgumentError] unless
//
//	0 <= rate.Events <= 2^18-1, 0 < rate.Per <= 2^58 ns (9 years)
//
// At rate.Events == 0 the limiter refuses every event.
func NewLog(rate ratelimit.Rate, opts ...ratelimit.Option) (*Log, error) {
	const fn = "slidingwindow.NewLog"
	if err := checkLog(fn, rate); err != nil {
		return nil, err
	}
	line, err := timeline.New(fn, opts)
	if err != nil {
		return nil, err
	}
	l := &Log{line: line}
	l.current.Init(newLogFrame(&logSpec{rate: rate}, logState{}, 0, nil))
	return l, nil
}

// Allow reports whether one event may happen now, and charges it if so. It is Take(1).OK without
// the search for what remains.
func (l *Log) Allow() bool {
	switch line := &l.line; {
	case line.Injected == nil:
		return l.allow(int64(time.Since(line.Origin)))
	case line.Coarse != nil:
		return l.allow(int64(line.Coarse.Elapsed()) - line.Ahead)
	default:
		return l.allow(timeline.Clamp(line.Now()))
	}
}

// AllowAt is Allow as of t: TakeAt(t, 1).OK without the search for what remains. [ratelimit.All]
// calls it.
func (l *Log) AllowAt(t time.Time) bool { return l.allow(timeline.Clamp(l.line.At(t))) }

// allow is take for one event, and without a Decision.
//
// Invariant of the loop: the state that the word refers to lists the events that were granted and
// not given back, as far as they may count. The step is computed from that state and lands only if
// the word has not moved since, so it is atomic. A lost race means that another caller's change
// landed; then the same step on the new state is right, with the time as read before. A refusal
// stores nothing, unless it first lost a race for what was left.
func (l *Log) allow(off int64) bool {
	now := instant(off)
	for {
		f := l.current.Load()
		c := &f.Scale
		word := f.Word.Load()
		st := c.state(word)
		refused := c.at(st, uint64(c.limit)) > now-c.per
		if !still(f, word) {
			continue
		}
		if refused {
			return false
		}
		if word >= frame.Frozen || now < c.changed || c.limit == 0 {
			break
		}
		moved, full := c.move(f, word, st, c.granted(st, now, 1))
		if moved {
			return true
		}
		if full {
			break
		}
		frame.BackOff()
	}
	return l.allowAnyway(off)
}

// allowAnyway keeps the Decision that Allow has no use for out of its stack frame.
//
//go:noinline
func (l *Log) allowAnyway(off int64) bool {
	var d ratelimit.Decision
	l.take(&d, off, 1)
	return d.OK
}

// Take charges n events now, all of them or none. See [ratelimit.Decision] for what it returns.
func (l *Log) Take(n int) (d ratelimit.Decision) {
	l.take(&d, l.line.Now(), n)
	return d
}

// TakeAt charges n events as of t, all of them or none; t may be any time.
func (l *Log) TakeAt(t time.Time, n int) (d ratelimit.Decision) {
	l.take(&d, l.line.At(t), n)
	return d
}

// take is allow for any n and any off, with a whole Decision.
//
// A refusal, and n == 0, acts when the word is loaded, or, if it is a frozen one, at some moment
// since f was: until its frame was replaced, that word was the limiter's state. One that is found
// out by replacing the frame acts then.
func (l *Log) take(d *ratelimit.Decision, off int64, n int) {
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

// Peek returns what Take would, and charges nothing. It may already be outdated.
func (l *Log) Peek(n int) (d ratelimit.Decision) {
	l.peek(&d, l.line.Now(), n)
	return d
}

// PeekAt returns what TakeAt would, and charges nothing. It may already be outdated.
func (l *Log) PeekAt(t time.Time, n int) (d ratelimit.Decision) {
	l.peek(&d, l.line.At(t), n)
	return d
}

func (l *Log) peek(d *ratelimit.Decision, off int64, n int) {
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

// FitsAt reports whether TakeAt would grant n events, and charges nothing: PeekAt(t, n).OK without
// the search for what remains. It may already be outdated. [ratelimit.All] asks it.
func (l *Log) FitsAt(t time.Time, n int) bool {
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

// RefundAt gives back n events that were granted at t-held, if they have not expired at t, nothing
// has been granted at a later time, and the rate has not changed since. A grant that was late gives
// nothing back. See [ratelimit.Limiter] for what t must be. If held is a moment too short, the last
// events are given back.
//
// While the newest time is that of the grant, the events are among the last ones, which all have
// that time. Had they not been granted, as many events would be left as are now, at times no later
// than these. The clock is read after the word, so that it is not before any time that the word
// tells of.
func (l *Log) RefundAt(t time.Time, n int, held time.Duration) {
	l.refund(t, n, held)
	waiting.Changed(l)
}

func (l *Log) refund(t time.Time, n int, held time.Duration) {
	off := timeline.Clamp(l.line.At(t))
	if n < 1 || held < 0 || int64(held) > off-timeline.Bottom {
		return
	}
	granted := instant(off - int64(held))
	for {
		f := l.current.Load()
		c := &f.Scale
		word := f.Word.Load()
		st := c.state(word)
		now := instant(max(off, timeline.Clamp(l.line.Now())))
		after, ok := c.refunded(st, granted, uint64(n))
		if !still(f, word) {
			continue
		}
		if !ok || now-st.time >= c.per {
			return
		}
		if word >= frame.Frozen {
			l.current.Help(f)
			continue
		}
		moved, full := c.move(f, word, st, after)
		if full {
			moved = l.current.Replace(f, refundRenewed(granted, n))
		}
		if moved {
			return
		}
	}
}

// SetRate is SetRateAt by the limiter's clock.
func (l *Log) SetRate(rate ratelimit.Rate) error {
	defer waiting.Changed(l)
	return l.setRate("slidingwindow.Log.SetRate", l.line.Now(), rate)
}

// SetRateAt changes the number of events as of t; rate.Per must be the one that the limiter was
// made with. What was granted keeps counting, also if it is more than the new limit. Unless nothing
// ever was, for times before t, before the newest grant, and before an earlier change's t, nothing
// is granted any more; and what was granted up to the newest time, or is later at that time, cannot
// be refunded. A greater number lets the difference pass at once. No grant is lost or counted twice
// by changes under load. The time that it takes, and the new ring, are of the order of the limit,
// or of what still counts, if that is more. To set the present rate does nothing. Errors are those
// of the constructor.
func (l *Log) SetRateAt(t time.Time, rate ratelimit.Rate) error {
	defer waiting.Changed(l)
	return l.setRate("slidingwindow.Log.SetRateAt", l.line.At(t), rate)
}

// setRate repeats until its own plan was taken: a turn more means that another caller's was.
func (l *Log) setRate(fn string, off int64, rate ratelimit.Rate) error {
	if err := checkLog(fn, rate); err != nil {
		return err
	}
	now := instant(timeline.Clamp(off))
	for {
		f := l.current.Load()
		s := f.Scale.spec
		if rate.Per != s.rate.Per {
			return &ratelimit.ArgumentError{Func: fn, Field: "rate.Per", Value: rate.Per,
				Want: s.rate.Per.String() + ", as the limiter was made: only Events can change"}
		}
		if rate == s.rate {
			return nil
		}
		change := &logPlan{Successor: func(f *logFrame, word uint64) *logFrame {
			return f.Scale.converted(word, now, rate)
		}}
		if l.current.Replace(f, change) {
			return nil
		}
	}
}

// Clock returns the clock that Allow, Take and Peek read.
func (l *Log) Clock() ratelimit.Clock { return l.line.Clock() }

// Rate returns the rate that the limiter was made with or that it was set to last.
func (l *Log) Rate() ratelimit.Rate { return l.current.Load().Scale.spec.rate }
