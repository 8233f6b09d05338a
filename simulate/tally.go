package simulate

import (
	"cmp"
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
	keys                     []perKey // by their numbers
	series                   series
	rows                     *rows
	limits                   limits
}

// perKey are the events of a key, and its requests that rules in shadow would have refused.
type perKey struct {
	offered, refused, shadow int64
	row                      int32 // over time, from the first refusal on; 0: there is none
}

func newTally(s Subject, o Options) tally {
	return tally{options: o, subject: s, series: newSeries(int64(o.Bin), 240), rows: newRows(), limits: newLimits(s.Judge)}
}

// count counts a verdict.
func (t *tally) count(now int64, key int32, r *Request, v *Verdict) {
	n := int64(max(v.Cost, 0))
	t.requests++
	t.offered += n
	t.last = max(t.last, now)
	for int(key) >= len(t.keys) {
		t.keys = append(t.keys, perKey{})
	}
	k := &t.keys[key]
	k.offered += n
	if v.OK {
		t.granted += n
	} else {
		t.refuse(k, v, n)
	}
	t.series.add(now, v.OK, n)
	if k.row > 0 {
		t.rows.add(now, k.row, v.OK, n)
	}
	if d := v.Decision; d != nil {
		if len(d.Standings) == 0 && d.Action == policy.Granted {
			t.unlimited++
		}
		if d.Shadow {
			t.shadow++
			k.shadow++
		}
		for i := range d.Reached {
			t.reach(&d.Reached[i])
		}
	}
	t.limits.count(now, key, r, v)
}

func (t *tally) refuse(k *perKey, v *Verdict, n int64) {
	if k.refused == 0 {
		k.row = t.rows.next()
	}
	k.refused += max(n, 1) // also one that costs nothing is of a key that was refused
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

// worst sets the keys of which most was refused, or else in shadow, or else offered; and how many
// keys were refused.
func (t *tally) worst(r *Result, keys *keys) {
	var all []int32
	r.Worst = []Key{}
	for i := range t.keys {
		k := &t.keys[i]
		if k.refused > 0 {
			r.KeysRefused++
		}
		if k.shadow > 0 {
			r.KeysShadow++
		}
		if k.offered > 0 || k.refused > 0 {
			all = append(all, int32(i))
		}
	}
	before := func(a, b int32) int {
		x, y := &t.keys[a], &t.keys[b]
		return cmp.Or(cmp.Compare(y.refused, x.refused), cmp.Compare(y.shadow, x.shadow), cmp.Compare(y.offered, x.offered),
			cmp.Compare(keys.name(a), keys.name(b)))
	}
	slices.SortFunc(all, before)
	for _, key := range all[:min(len(all), t.options.Top)] {
		k := &t.keys[key]
		w := Key{Key: keys.name(key), Offered: k.offered, Granted: k.offered - k.refused, Refused: k.refused, Shadow: k.shadow}
		if k.row > 0 {
			for _, b := range t.rows.of[k.row-1] {
				w.Bins = append(w.Bins, Cells{b.granted, b.refused})
			}
		}
		r.Worst = append(r.Worst, w)
	}
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
	t.worst(r, keys)
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
	r.BinWidth, r.HeatWidth = Seconds(t.series.width), Seconds(t.rows.width)
	if c := &l.clients; c.kind != Open {
		delays := c.delays.at(0.5, 1)
		r.Clients = &Clients{Retries: c.retries, GrantedLate: c.late, GaveUp: c.gaveUp, MedianDelay: Seconds(delays[0]), LongestDelay: Seconds(delays[1])}
	}
	return r
}
