package simulate

import (
	"fmt"
	"iter"
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/identity"
)

// Subject is a judge that is tried, and the clients that it is tried on.
type Subject struct {
	Name   string
	Judge  Judge
	Client Client // what a client does when it is refused
	Seed   uint64 // of clients that do it at random
}

// Options say what a [Result] has. The zero value will do.
type Options struct {
	Top int           // how many keys and examples are listed; 0: 10
	Bin time.Duration // of the series over time; 0: as long as gives at most 240

	// Keys is how many keys are told apart, 1 to 2^24; 0: 2^20. All others are counted as one. A
	// client of these that is Obeying waits with the refused request only, and goes on with others.
	Keys int

	// Each is called for each request that is judged, with the index of the subject. What it is
	// given is valid during the call only.
	Each func(subject int, r *Request, v *Verdict)
}

// Run plays requests through each of the subjects, and returns what became of them, in the same
// order. All subjects get the same requests, so that their results can be compared; the second and
// the others are compared with the first.
//
// The requests must come in order of time: see [Sorted] and [Reorder]. One that is earlier than the
// one before it is taken for one of the same time. Times must lie within 146 years of the first.
//
// Run takes memory for the keys, for the grants within the windows of the limits, and for the
// requests of clients that wait, but none for each request. The error is a
// [*ratelimit.ArgumentError] of an option or a subject.
func Run(requests iter.Seq[Request], o Options, subjects ...Subject) ([]*Result, error) {
	lanes, err := o.lanes(requests, subjects)
	if err != nil {
		return nil, err
	}
	keys := newKeys(o.Keys)
	var start, last time.Time
	first := true
	r := &Request{} // one for all, as judges are free to keep a pointer, and each would be allocated
	for *r = range requests {
		if first {
			start, last, first = r.At, r.At, false
			for _, l := range lanes {
				l.origin = start
			}
		}
		if r.At.Before(last) {
			r.At = last
		}
		last = r.At
		now := int64(since(start, r.At))
		r.key = keys.of(r)
		for _, l := range lanes {
			l.granted = l.arrive(now, r.key, r)
		}
		for _, l := range lanes[1:] {
			l.differ(lanes[0], r.key, r)
		}
	}
	results := make([]*Result, len(lanes))
	for i, l := range lanes {
		l.drain()
		results[i] = l.result(keys)
		if i > 0 {
			results[i].Diff = l.diff.result(subjects[0].Name, keys, o.Top)
		}
	}
	return results, nil
}

// lanes checks the arguments of Run.
func (o *Options) lanes(requests iter.Seq[Request], subjects []Subject) ([]*lane, error) {
	bad := func(field string, value any, want string) error {
		return &ratelimit.ArgumentError{Func: "simulate.Run", Field: field, Value: value, Want: want}
	}
	if o.Top == 0 {
		o.Top = 10
	}
	if o.Keys == 0 {
		o.Keys = 1 << 20
	}
	switch {
	case requests == nil:
		return nil, bad("requests", nil, "a sequence")
	case len(subjects) == 0:
		return nil, bad("subjects", "none", "one or more")
	case o.Top < 0:
		return nil, bad("Top", o.Top, "0 or more")
	case o.Bin < 0:
		return nil, bad("Bin", o.Bin, "0s or more")
	case o.Keys < 1 || o.Keys > 1<<24:
		return nil, bad("Keys", o.Keys, "1 to 16777216")
	}
	lanes := make([]*lane, len(subjects))
	for i, s := range subjects {
		if identity.IsNil(s.Judge) {
			return nil, bad(fmt.Sprintf("subjects[%d].Judge", i), nil, "one")
		}
		if s.Client >= clientN {
			return nil, bad(fmt.Sprintf("subjects[%d].Client", i), int(s.Client), "Open, Obeying, Backoff or Impatient")
		}
		lanes[i] = newLane(i, s, *o)
	}
	return lanes, nil
}

// lane is a subject that requests are played through.
type lane struct {
	tally
	index   int
	origin  time.Time // of the first request
	judge   Judge
	each    func(int, *Request, *Verdict)
	verdict Verdict
	clients clients
	granted bool // the request that came last, at its first try
	diff    diff
}

func newLane(index int, s Subject, o Options) *lane {
	l := &lane{index: index, judge: s.Judge, each: o.Each}
	l.tally = newTally(s, o)
	l.clients.init(s)
	return l
}

// ask plays a request, and counts what becomes of it.
func (l *lane) ask(now int64, key int32, r *Request) *Verdict {
	v := &l.verdict
	l.judge.Judge(r, v)
	l.count(now, key, r, v)
	if l.each != nil {
		l.each(l.index, r, v)
	}
	return v
}

// keys numbers keys from 1, in the order in which they come. 0 are all those beyond the most.
type keys struct {
	most     int
	numbers  map[string]int32
	names    []string // of numbers[name] is names[number-1]
	numbered []int32  // those of keys of a generator, by their number there
	others   bool
}

func newKeys(most int) *keys { return &keys{most: most, numbers: map[string]int32{}} }

func (k *keys) of(r *Request) int32 {
	if !r.generated() {
		return k.named(r)
	}
	for int(r.number) >= len(k.numbered) {
		k.numbered = append(k.numbered, 0)
	}
	n := &k.numbered[r.number]
	if *n == 0 {
		*n = k.named(r)
	}
	return *n
}

func (k *keys) named(r *Request) int32 {
	n, ok := k.numbers[r.Key]
	switch {
	case ok:
		return n
	case len(k.names) == k.most:
		k.others = true
		return 0
	}
	name := r.kept(r.Key)
	k.names = append(k.names, name)
	k.numbers[name] = int32(len(k.names))
	return int32(len(k.names))
}

func (k *keys) name(n int32) string {
	if n == 0 {
		return "(others)"
	}
	return k.names[n-1]
}
