package simulate

import (
	"slices"
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/policy"
)

// tally counts what a judge decides, in memory that does not grow with the number of requests.
type tally struct {
	options Options
	subject Subject

	requests, never          int
	unlimited                int
	offered, granted, shadow int64
	last                     int64   // when the last request came
	actions                  []Acted // in the order in which they came
	steps                    []Reached
	waits                    quantiles
	keys                     byKey
	series                   series
	limits                   limits
}

func newTally(s Subject, o Options) tally {
	t := tally{options: o, subject: s, keys: newByKey(), series: newSeries(int64(o.Bin), 240), limits: newLimits(s.Judge)}
	for i := range t.limits.all {
		t.keys.rows.busyWidth = max(t.keys.rows.busyWidth, int64(t.limits.all[i].limit.Rate.Per)/busyBins)
	}
	return t
}

// count counts a verdict.
func (t *tally) count(now int64, key int32, r *Request, v *Verdict) {
	n := int64(max(v.Cost, 0))
	t.requests++
	t.offered += n
	t.last = max(t.last, now)
	if v.OK {
		t.granted += n
	} else {
		t.refuse(v)
	}
	t.series.add(now, v.OK, n)
	shadow := false
	if d := v.Decision; d != nil {
		if len(d.Standings) == 0 && d.Action == policy.Granted {
			t.unlimited++
		}
		if shadow = d.Shadow; shadow {
			t.shadow++
		}
		for i := range d.Reached {
			t.reach(&d.Reached[i])
		}
	}
	t.keys.count(keyed{now, n, key, v.OK, shadow})
	t.limits.count(now, key, r, v)
}

func (t *tally) refuse(v *Verdict) {
	t.acted(v.Action)
	if v.RetryAfter == ratelimit.Never {
		t.never++
	} else {
		t.waits.add(int64(v.RetryAfter))
	}
}

// acted counts a request that an action has refused.
func (t *tally) acted(action policy.Action) {
	for i := range t.actions {
		if a := &t.actions[i]; a.Action == string(action) {
			a.Requests++
			return
		}
	}
	t.actions = append(t.actions, Acted{string(action), 1})
}

// reach counts a step of a ladder.
func (t *tally) reach(r *policy.Reached) {
	i := slices.IndexFunc(t.steps, func(s Reached) bool {
		return s.Rule == r.Rule && s.Do == r.Step.Do && s.After == r.Step.After && s.Within == Seconds(r.Step.Within)
	})
	if i < 0 {
		i = len(t.steps)
		t.steps = append(t.steps, Reached{Rule: r.Rule, Do: r.Step.Do, After: r.Step.After, Within: Seconds(r.Step.Within)})
	}
	t.steps[i].Times++
}

// result returns what was counted.
func (l *lane) result(keys *keys) *Result {
	t := &l.tally
	r := &Result{
		Schema: 1, Name: t.subject.Name, Client: t.subject.Client.String(), First: l.origin, Last: l.origin.Add(time.Duration(t.last)),
		Requests: t.requests, Offered: t.offered, Granted: t.granted, Refused: t.offered - t.granted, Never: t.never,
		Keys: len(keys.names), MoreKeys: keys.others, Shadow: t.shadow, Unlimited: t.unlimited, Steps: t.steps,
		Limits: t.limits.result(keys), Actions: []Acted{}, Bins: []Bin{},
	}
	t.keys.result(r, keys, t.options.Top)
	for _, action := range []policy.Action{policy.ByLimit, policy.ByThrottle, policy.ByBlock, policy.ByRevoke, policy.ByMissing, policy.ByStore} {
		for _, a := range t.actions {
			if a.Action == string(action) {
				r.Actions = append(r.Actions, a)
			}
		}
	}
	if waits := t.waits.at(0.5, 0.9, 0.99, 1); t.waits.n > 0 {
		r.Waits = &Waits{Median: Seconds(waits[0]), P90: Seconds(waits[1]), P99: Seconds(waits[2]), Longest: Seconds(waits[3])}
		for _, c := range t.waits.sorted() {
			r.Waits.Cells = append(r.Waits.Cells, Cell{Seconds(c.longest), c.n})
		}
	}
	for i, b := range t.series.bins {
		r.Bins = append(r.Bins, Bin{At: l.origin.Add(time.Duration(int64(i) * t.series.width)), Offered: b.granted + b.refused, Granted: b.granted, Refused: b.refused})
	}
	r.BinWidth, r.HeatWidth = Seconds(t.series.width), Seconds(t.keys.rows.width)
	if c := &l.clients; c.kind != Open {
		delays := c.delays.at(0.5, 1)
		r.Clients = &Clients{Retries: c.retries, GrantedLate: c.late, GaveUp: c.gaveUp, MedianDelay: Seconds(delays[0]), LongestDelay: Seconds(delays[1])}
	}
	return r
}
