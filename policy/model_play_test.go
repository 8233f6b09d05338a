package policy_test

import (
	"encoding/binary"
	"encoding/json"
	"flag"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/limittest"
	"github.com/seed-3506548a/ratelimit/policy"
)

var (
	operations = flag.Int("policy.operations", 50_000, "operations that TestModel compares with the model")
	seed       = flag.Uint64("policy.seed", 1, "seed of those operations")
)

// world is an engine and its model, and what happens to them.
type world struct {
	source
	all      []byte // that it is described by
	t        testing.TB
	engine   *policy.Engine
	model    *reference
	clock    *limittest.Clock
	now      time.Time
	still    bool // the clock never moves
	last     answer
	slots    [4]slot
	peeked   policy.Decision
	observed int // decisions that the engine had observed,
	decided  int // and those it should have

	compared, granted, refused int
}

type slot struct {
	d       policy.Decision
	settled *settled
}

var origins = []time.Time{
	time.Date(2026, 3, 2, 8, 0, 0, 123456789, time.UTC),
	time.Unix(0, 0),
	time.Date(1995, 7, 1, 0, 0, 1, 0, time.UTC),
	time.Date(2157, 6, 1, 0, 0, 0, 1, time.UTC),
}

// play compares an engine with its model in the world that the bytes describe.
func play(t testing.TB, data []byte) *world {
	w := &world{source: source{data}, all: data, t: t}
	p := w.policy()
	if p.Validate() != nil {
		return w
	}
	w.now = choose(&w.source, origins...)
	w.still = w.one(10)
	w.clock = limittest.NewClock(w.now)
	engine, err := policy.New(p, 1000, policy.WithClock(w.clock), policy.Observe(func(*policy.Request, *policy.Decision) { w.observed++ }))
	w.require(err == nil, "New: %v", err)
	w.engine, w.model = engine, newReference(p, 1000, w.clock)
	for i := range w.slots {
		w.slots[i].settled = &settled{over: true}
	}
	for len(w.data) > 0 {
		w.advance()
		w.operate()
	}
	w.require(w.observed == w.decided, "%d decisions observed of %d", w.observed, w.decided)
	return w
}

func (w *world) advance() {
	var d time.Duration
	switch w.below(16) {
	case 0, 1, 2, 3, 4:
		d = 0
	case 5, 6:
		d = w.last.RetryAfter
	case 7:
		d = w.last.RetryAfter - 1
	case 8:
		d = w.last.MoreAfter
	case 9:
		if len(w.last.Standings) > 0 {
			d = w.last.Standings[w.below(len(w.last.Standings))].ResetAfter
		}
	case 10, 11:
		d = time.Duration(w.below(256)) * 10 * time.Millisecond
	case 12:
		d = -time.Duration(w.below(256)) * 10 * time.Millisecond
	case 13:
		d = choose(&w.source, time.Second, 3*time.Second, 10*time.Second, time.Minute, 2*time.Minute)
	case 14:
		d = choose(&w.source, 1, -1, 2, 1023, -time.Second, 20*time.Second)
	case 15:
		if w.one(8) {
			d = choose(&w.source, time.Hour, -time.Minute, 30*time.Hour, -time.Hour, 400*24*time.Hour)
		}
	}
	if d > 500*24*time.Hour { // that is Never
		d = 0
	}
	w.now = w.now.Add(d)
	if !w.still && !w.one(16) {
		w.clock.Set(w.now)
	}
}

func (w *world) operate() {
	w.compared++
	at := &w.slots[w.below(len(w.slots))]
	switch w.below(16) {
	case 0, 1:
		o := w.outcome()
		if w.one(2) {
			o.Time = w.now
		}
		w.engine.Done(&at.d, o)
		w.model.done(at.settled, o)
	case 2:
		w.engine.Undo(&at.d)
		w.model.undone(at.settled)
	case 3:
		r := w.request()
		w.stamp(&r)
		w.peek(&r)
		if w.one(2) { // there is nothing to settle of it
			at.d, at.settled = w.peeked.Clone(), &settled{over: true}
		}
	case 4:
		if w.one(3) {
			w.pardon()
		}
	case 5:
		if w.one(4) {
			w.replace()
		}
	default:
		r := w.request()
		w.stamp(&r)
		w.peek(&r)
		w.decide(&r, at)
	}
}

// stamp sets the request's time, unless the clock says it.
func (w *world) stamp(r *policy.Request) {
	if !w.clock.Now().Equal(w.now) || w.one(2) {
		r.Time = w.now
	}
}

func (w *world) peek(r *policy.Request) {
	w.engine.Peek(r, &w.peeked)
	w.compare("Peek", r, &w.peeked, w.model.peek(r))
}

func (w *world) decide(r *policy.Request, at *slot) {
	w.engine.Decide(r, &at.d)
	w.last, at.settled = w.model.decide(r)
	w.compare("Decide", r, &at.d, w.last)
	if w.last.Action != policy.ByTest {
		w.decided++
	}
	if w.one(20) {
		at.d = at.d.Clone()
	}
	if w.last.OK {
		w.granted++
		return
	}
	w.refused++
	tested := len(r.Tighten) > 0 && w.last.Action != policy.ByTest // which is asked for when all else grants
	ahead := r.Time.After(w.clock.Now())                           // by so much, maybe, that a table waits for the clock
	if !r.Refuse && !tested && !ahead && w.last.RetryAfter != ratelimit.Never {
		w.exact(*r, w.last.RetryAfter)
	}
}

// exact requires that the request is granted when it was told to retry, by a clock that shows so,
// and not a nanosecond earlier.
func (w *world) exact(r policy.Request, wait time.Duration) {
	clock := w.clock.Now()
	defer w.clock.Set(clock)
	if r.Time.IsZero() {
		r.Time = clock
	}
	retry := r.Time.Add(wait)
	for early := range time.Duration(2) {
		r.Time = retry.Add(-early)
		w.clock.Set(r.Time)
		w.peek(&r)
		w.require(w.peeked.OK == (early == 0), "%d ns before it was told to retry, after %v: %v %v", early, wait, w.peeked.Action, w.peeked.Standings)
	}
}

func (w *world) pardon() {
	rule := choose(&w.source, "r0", "r1", "r2")
	attrs := w.request().Attrs
	got := w.engine.Pardon(rule, attrs...)
	want, onlyStrikes := w.model.pardon(rule, attrs)
	w.require(got == want || onlyStrikes, "Pardon %v: %v", rule, got)
}

func (w *world) replace() {
	p := w.policy()
	if w.one(2) { // the same with other numbers
		p = w.engine.Policy()
		r := &p.Rules[w.below(len(p.Rules))]
		if len(r.Limits) > 0 {
			l := &r.Limits[w.below(len(r.Limits))]
			l.Rate.Events = 1 + w.below(6)
		}
	}
	if p.Validate() != nil {
		return
	}
	err := w.engine.Replace(p)
	w.require(w.model.replace(p) == (err == nil), "Replace: %v", err)
}

func (w *world) compare(call string, r *policy.Request, d *policy.Decision, want answer) {
	got := answer{d.OK, d.Action, d.RetryAfter, d.Standings, d.Binding, d.MoreAfter, d.Reached, d.Shadow}
	if len(got.Standings) == 0 {
		got.Standings = nil
	}
	if len(got.Reached) == 0 {
		got.Reached = nil
	}
	if !reflect.DeepEqual(got, want) {
		w.fail(call, r, got, want)
	}
}

func (w *world) require(ok bool, format string, args ...any) {
	if !ok {
		w.document()
		require.Failf(w.t, "operation", format, args...)
	}
}

func (w *world) fail(call string, r *policy.Request, got, want answer) {
	w.document()
	w.t.Logf("model %+v", want)
	w.t.Logf("engine %+v", got)
	require.Equal(w.t, want, got, "operation %d: %s of %+v, at %v, the clock at %v", w.compared, call, r,
		w.now.Sub(w.model.origin), w.clock.Now().Sub(w.model.origin))
}

func (w *world) document() {
	if w.engine != nil {
		text, err := json.Marshal(w.engine.Policy())
		w.t.Log(string(text), err)
	}
	w.t.Logf("the world: %x", w.all)
}

// random returns bytes for a world.
func random(r *rand.Rand, n int) []byte {
	data := make([]byte, 0, n)
	for len(data) < n {
		data = binary.LittleEndian.AppendUint64(data, r.Uint64())
	}
	return data
}

// TestModel compares every field of every Decision, of as many operations as its flag says.
func TestModel(t *testing.T) {
	r := rand.New(rand.NewPCG(*seed, 0))
	compared, granted, refused, worlds := 0, 0, 0, 0
	for compared < *operations {
		w := play(t, random(r, 1500))
		compared, granted, refused, worlds = compared+w.compared, granted+w.granted, refused+w.refused, worlds+1
	}
	t.Logf("compared %d operations in %d worlds, %d of them grants, %d refusals", compared, worlds, granted, refused)
	require.Greater(t, granted, compared/10)
	require.Greater(t, refused, compared/10)
}

func FuzzEngine(f *testing.F) {
	r := rand.New(rand.NewPCG(*seed, 1))
	for range 30 {
		f.Add(random(r, 600))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) < 1<<14 {
			play(t, data)
		}
	})
}
