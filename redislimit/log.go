package redislimit

import (
	_ "embed"
	"strconv"
	"time"

	"github.com/seed-3506548a/ratelimit"
)

//go:embed log.lua
var logSource string

var logScript = newScript(logSource)

// maxLog is the most events of a log: a script that takes all of them at once must not hold up an
// engine for long.
const maxLog = 1<<16 - 1

// Log is an exact sliding window for each key: the times of the last events are kept. Its decisions
// agree in every field with those of slidingwindow.Log.
type Log struct{ Store }

// NewLog returns a limit of rate.Events in every window of length rate.Per, by the engine's clock.
// It takes 10 bytes of the engine's memory for each event, and O(log rate.Events) time. For the
// name see [NewGCRA].
//
// # Guarantee
//
// In every half-open window [a, a+rate.Per) of the engine's clock,
//
//	granted <= rate.Events
//
// for each key.
//
// The error is a [*ratelimit.ArgumentError] unless 0 <= rate.Events <= 65535 and rate.Per is a
// whole number of microseconds, at most 2^51 of them (71 years); and as for [NewGCRA].
func NewLog(engine Engine, name string, rate ratelimit.Rate, opts ...Option) (*Log, error) {
	const fn = "redislimit.NewLog"
	if err := checkWindow(fn, rate, maxLog); err != nil {
		return nil, err
	}
	o, err := choose(fn, opts)
	if err != nil {
		return nil, err
	}
	l := new(Log)
	if err = l.init(fn, engine, name, &log{rate}, o); err != nil {
		return nil, err
	}
	return l, nil
}

// SetRate changes the number of events, on this node; rate.Per must stay. Change it on all nodes.
// What was granted keeps counting. Until all nodes have the same rate, the largest applies. Errors
// are those of [NewLog]; and another rate.Per.
func (l *Log) SetRate(rate ratelimit.Rate) error {
	const fn = "redislimit.Log.SetRate"
	if err := checkWindow(fn, rate, maxLog); err != nil {
		return err
	}
	if err := samePer(fn, rate, l.Rate()); err != nil {
		return err
	}
	l.set(&log{rate})
	return nil
}

// Rate returns the rate that was set last.
func (l *Log) Rate() ratelimit.Rate { return (*l.algorithm.Load()).(*log).rate }

// log is the algorithm of a [Log].
type log struct{ rate ratelimit.Rate }

func (l *log) script() *Script { return logScript }

func (l *log) quick(int) (*Script, []string) { return nil, nil }

func (l *log) limit() int { return l.rate.Events }

func (l *log) shown() ratelimit.Rate { return l.rate }

func (l *log) args(to []string) []string {
	return append(to, strconv.FormatInt(int64(l.rate.Per/time.Microsecond), 10), strconv.Itoa(l.rate.Events))
}

// decide takes what the script has decided, as only that sees the times.
func (l *log) decide(ds []ratelimit.Decision, reply []int64, _ operation, ns []int) bool {
	if len(reply) != 1+4*len(ds) {
		return false
	}
	for i := range ds {
		told := reply[1+4*i:]
		ds[i] = ratelimit.Decision{
			OK: told[0] == 1, Limit: l.rate.Events, Remaining: int(told[1]),
			RetryAfter: time.Duration(told[2]) * time.Microsecond, ResetAfter: time.Duration(told[3]) * time.Microsecond,
		}
		if n := ns[i]; n < 0 || n > l.rate.Events {
			ds[i].OK, ds[i].RetryAfter = false, ratelimit.Never
		}
	}
	return true
}

func (l *log) still(d *ratelimit.Decision, r *refused, n int, after time.Duration) bool {
	if n != r.n || after >= r.decision.RetryAfter {
		return false
	}
	*d = r.decision
	d.RetryAfter -= after
	d.ResetAfter -= after
	return true
}
