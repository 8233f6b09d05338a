package redislimit

import (
	_ "embed"
	"fmt"
	"strconv"
	"time"

	"github.com/seed-3506548a/ratelimit"
)

//go:embed window.lua
var windowSource string

var windowScript = newScript(windowSource)

// AlignedWindow is a limit of a number of events in each window, such as each full minute, for each
// key. Its decisions agree in every field with those of fixedwindow.NewAligned.
type AlignedWindow struct{ Store }

// NewAlignedWindow returns a limit of rate.Events in each window. Windows begin at multiples of
// rate.Per since the Unix epoch, by the engine's clock. For the name see [NewGCRA].
//
// # Guarantee
//
//	granted <= rate.Events in every window
//
// for each key. If the engine's clock is set back, nothing is granted until it has caught up with
// the window that was open.
//
// The error is a [*ratelimit.ArgumentError] unless 0 <= rate.Events <= 2^31-1 and rate.Per is a
// whole number of microseconds, at most 2^51 of them (71 years); and as for [NewGCRA].
func NewAlignedWindow(engine Engine, name string, rate ratelimit.Rate, opts ...Option) (*AlignedWindow, error) {
	const fn = "redislimit.NewAlignedWindow"
	if err := checkWindow(fn, rate, maxEvents); err != nil {
		return nil, err
	}
	o, err := choose(fn, opts)
	if err != nil {
		return nil, err
	}
	w := new(AlignedWindow)
	if err = w.init(fn, engine, name, &window{rate}, o); err != nil {
		return nil, err
	}
	return w, nil
}

// SetRate changes the number of events, on this node; rate.Per must stay. Change it on all nodes.
// What was granted in the open window keeps counting. Until all nodes have the same rate, the
// largest applies. Errors are those of [NewAlignedWindow]; and another rate.Per.
func (w *AlignedWindow) SetRate(rate ratelimit.Rate) error {
	const fn = "redislimit.AlignedWindow.SetRate"
	if err := checkWindow(fn, rate, maxEvents); err != nil {
		return err
	}
	if err := samePer(fn, rate, w.Rate()); err != nil {
		return err
	}
	w.set(&window{rate})
	return nil
}

// Rate returns the rate that was set last.
func (w *AlignedWindow) Rate() ratelimit.Rate { return (*w.algorithm.Load()).(*window).rate }

func checkWindow(fn string, rate ratelimit.Rate, most int) error {
	refuse := func(field string, value any, want string) error {
		return &ratelimit.ArgumentError{Func: fn, Field: field, Value: value, Want: want}
	}
	switch {
	case rate.Events < 0 || rate.Events > most:
		return refuse("rate.Events", rate.Events, fmt.Sprintf("0 to %d", most))
	case rate.Per <= 0 || rate.Per%time.Microsecond != 0 || rate.Per/time.Microsecond > maxDepth:
		return refuse("rate.Per", rate.Per, "a whole number of microseconds, at most 2^51 of them (71 years)")
	}
	return nil
}

func samePer(fn string, rate, before ratelimit.Rate) error {
	if rate.Per != before.Per {
		return &ratelimit.ArgumentError{Func: fn, Field: "rate.Per", Value: rate.Per,
			Want: before.Per.String() + ", as the limit was made: only Events can change"}
	}
	return nil
}

// window is the algorithm of an [AlignedWindow].
type window struct{ rate ratelimit.Rate }

func (w *window) script() *Script { return windowScript }

func (w *window) quick(int) (*Script, []string) { return nil, nil }

func (w *window) limit() int { return w.rate.Events }

func (w *window) shown() ratelimit.Rate { return w.rate }

func (w *window) args(to []string) []string {
	return append(to, strconv.FormatInt(int64(w.rate.Per/time.Microsecond), 10), strconv.Itoa(w.rate.Events))
}

func (w *window) decide(ds []ratelimit.Decision, reply []int64, op operation, ns []int) bool {
	if len(reply) != 3 {
		return false
	}
	elapsed, count := time.Duration(reply[0]-reply[1])*time.Microsecond, reply[2]
	for i := range ds {
		w.step(&ds[i], elapsed, &count, ns[i], op != charge)
	}
	return true
}

// step sets d to the decision on n events at a time after the window's start, and counts them if
// they are granted and to be charged. It does what the script does.
func (w *window) step(d *ratelimit.Decision, elapsed time.Duration, count *int64, n int, charged bool) {
	limit := int64(w.rate.Events)
	opens := max(-elapsed, 0)
	if *count+int64(n) > limit {
		opens = max(w.rate.Per-elapsed, 0)
	}
	*d = ratelimit.Decision{OK: n == 0, Limit: w.rate.Events}
	switch {
	case n == 0:
	case n < 0 || int64(n) > limit:
		d.RetryAfter = ratelimit.Never
	default:
		d.OK, d.RetryAfter = opens == 0, opens
	}
	if d.OK && charged {
		*count += int64(n)
	}
	switch {
	case elapsed >= w.rate.Per || *count == 0 && elapsed >= 0:
		d.Remaining = w.rate.Events
	case *count == 0:
		d.ResetAfter = -elapsed
	default:
		d.ResetAfter = w.rate.Per - elapsed
		if elapsed >= 0 {
			d.Remaining = int(max(limit-*count, 0))
		}
	}
}

func (w *window) still(d *ratelimit.Decision, r *refused, n int, after time.Duration) bool {
	elapsed, count := time.Duration(r.reply[0]-r.reply[1])*time.Microsecond+after, r.reply[2]
	w.step(d, elapsed, &count, n, false)
	return !d.OK
}
