// Package compare calls a limiter and its model with the same operations, which it derives from
// bytes. It requires every field of every decision to be the same. Only tests use it.
package compare

import (
	"encoding/binary"
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/proof/model"
	"github.com/seed-3506548a/ratelimit/limittest"
)

var (
	operations = flag.Int("compare.operations", 100_000, "operations that TestModel compares with the model")
	seed       = flag.Uint64("compare.seed", 1, "seed of those operations")
)

// Maker builds a limiter on the given clock, and the model of it. It returns an error for what the
// limiter's constructor refuses.
type Maker func(rate ratelimit.Rate, size int, c ratelimit.Clock) (ratelimit.Limiter, model.Limiter, error)

// Fuzz is the body of a fuzz target that compares the limiter with its model.
func Fuzz(f *testing.F, build Maker) {
	random := rand.New(rand.NewPCG(*seed, 1))
	for range 50 {
		data := make([]byte, 400)
		for i := range data {
			data[i] = byte(random.Uint32())
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) { play(t, build, data) })
}

// Random compares the limiter with its model over as many operations as the flag
// compare.operations says, in worlds of a few hundred each.
func Random(t *testing.T, build Maker) {
	random := rand.New(rand.NewPCG(*seed, 0))
	data := make([]byte, 4096)
	compared, granted := 0, 0
	for compared < *operations {
		for i := 0; i < len(data); i += 8 {
			binary.LittleEndian.PutUint64(data[i:], random.Uint64())
		}
		c, g := play(t, build, data)
		compared += c
		granted += g
	}
	t.Logf("compared %d operations, %d of them grants", compared, granted)
	require.Positive(t, granted)
	require.Less(t, granted, compared)
}

// play plays the world that data describes to the limiter and to its model, and requires every
// field of every Decision to be the same. It returns how many operations it compared, and how many
// of them granted something.
func play(t testing.TB, build Maker, data []byte) (compared, granted int) {
	in := source{data}
	rate, size := in.rate(), in.size()
	origin := origins[in.below(len(origins))]
	clock := limittest.NewClock(origin)
	l, m, err := build(rate, size, clock)
	if err != nil {
		return 0, 0
	}
	w := world{source: in, rate: rate, size: size, origin: origin, now: origin, clock: clock}
	for len(w.data) > 0 {
		w.advance()
		if w.below(4) > 0 {
			clock.Set(w.now)
		}
		w.n = w.number()
		call, got, want := w.operate(l, m)
		if got != want { // the comparison by testify is slow
			require.Equal(t, want, got, "rate %v, size %d, operation %d: %s at offset %v, clock at %v, n %d",
				w.rate, w.size, compared, call, w.offset(), model.Offset(origin, clock.Now()), w.n)
		}
		compared++
		if got.OK && w.n > 0 {
			granted++
			w.grants[compared%len(w.grants)] = w.now
		}
		w.last = got
	}
	return compared, granted
}

// operate calls a method of the limiter, and of the model.
func (w *world) operate(l ratelimit.Limiter, m model.Limiter) (call string, got, want ratelimit.Decision) {
	off, at, n := w.offset(), model.Offset(w.origin, w.clock.Now()), w.n
	switch w.below(13) {
	case 12:
		if whole, ok := l.(ratelimit.Composite); ok && w.below(2) == 0 {
			return w.operateEach(whole, m.(model.All))
		}
		return "ChargeAt", l.(ratelimit.Charger).ChargeAt(w.now, n), m.Charge(off, n)
	case 0:
		return "Take", l.Take(n), m.Take(at, n)
	case 1:
		want = m.Take(at, 1)
		got = want
		got.OK = l.Allow()
		return "Allow", got, want
	case 2:
		got, want = l.PeekAt(w.now, n), m.Peek(off, n)
		if asked, ok := l.(ratelimit.Allower); ok && got == want {
			got.OK = asked.FitsAt(w.now, n)
		}
		return "PeekAt, FitsAt", got, want
	case 3:
		held := w.held()
		l.RefundAt(w.now, n, held)
		m.Refund(off, at, n, held)
		return "RefundAt", l.PeekAt(w.now, 1), m.Peek(off, 1)
	case 4, 5, 6, 7, 8:
		if quick, ok := l.(ratelimit.Allower); ok && n == 1 {
			want = m.Take(off, 1)
			got = want
			got.OK = quick.AllowAt(w.now)
			return "AllowAt", got, want
		}
		return "TakeAt", l.TakeAt(w.now, n), m.Take(off, n)
	}
	changeable, ok := l.(settable)
	if w.below(4) == 0 && ok {
		rate, size := w.source.rate(), w.source.size()
		if w.below(2) == 0 {
			rate.Per = w.rate.Per
		}
		if err := changeable.SetRateAt(w.now, rate, size); err == nil {
			m.SetRate(off, at, rate, size)
			w.rate, w.size = rate, size
		}
		return "SetRateAt " + rate.String(), l.PeekAt(w.now, 1), m.Peek(off, 1)
	}
	reserver, ok := l.(ratelimit.Reserver)
	if !ok {
		return "TakeAt", l.TakeAt(w.now, n), m.Take(off, n)
	}
	other := m.(model.Reserver)
	slot := &w.reserved[w.below(len(w.reserved))]
	if w.below(3) == 0 {
		if slot.Reservation != nil {
			actAt := model.Offset(w.origin, slot.ActAt())
			early := off.Cmp(actAt) <= 0 && at.Cmp(actAt) <= 0
			call, give := "CancelAt", early
			if w.below(2) == 0 {
				call, give = "RefundAt of a reservation", true
				slot.RefundAt(w.now)
			} else {
				slot.CancelAt(w.now)
			}
			if give && !slot.over {
				other.GiveBack(off, at, slot.n, actAt, slot.did)
				slot.over = true
			}
			return call, l.PeekAt(w.now, 1), m.Peek(off, 1)
		}
		return "PeekAt", l.PeekAt(w.now, 1), m.Peek(off, 1)
	}
	most := w.patience()
	r, got := reserver.ReserveAt(w.now, n, most)
	delay, did, want := other.Reserve(off, n, most)
	if got.OK && r.ActAt().Equal(w.now.Add(delay)) {
		*slot = reserved{r, n, did, false}
	} else if got.OK {
		got.RetryAfter = r.ActAt().Sub(w.now) // a difference to report
	}
	return fmt.Sprintf("ReserveAt %v", most), got, want
}

// operateEach asks for a number of events of each member, now and then a number too few.
func (w *world) operateEach(l ratelimit.Composite, m model.All) (call string, got, want ratelimit.Decision) {
	off, at := w.offset(), model.Offset(w.origin, w.clock.Now())
	var costs []int
	for range m {
		costs = append(costs, w.number())
	}
	if w.below(16) == 0 {
		costs = costs[1:]
	}
	if w.below(4) == 0 {
		held := w.held()
		l.RefundEach(w.now, held, costs...)
		m.RefundEach(off, at, held, costs)
		return "RefundEach", l.PeekAt(w.now, 1), m.Peek(off, 1)
	}
	return fmt.Sprint("TakeEach ", costs), l.TakeEach(w.now, costs...), m.TakeEach(off, costs)
}

// settable is what limiters that are not compositions have besides.
type settable interface {
	SetRateAt(t time.Time, rate ratelimit.Rate, size int) error
}

type reserved struct {
	ratelimit.Reservation
	n    int
	did  any
	over bool
}
