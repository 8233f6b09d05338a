package limittest

import (
	"encoding/binary"
	"flag"
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
)

var (
	operations = flag.Int("limittest.operations", 500_000, "operations that TestModel compares with the model")
	seed       = flag.Uint64("limittest.seed", 1, "seed of those operations")
)

// Maker builds a limiter on the given clock, and the model of it. It returns an error for what the
// limiter's constructor refuses.
type Maker func(rate ratelimit.Rate, size int, c ratelimit.Clock) (ratelimit.Limiter, Model, error)

// FuzzModel is the body of a fuzz target that compares the limiter with its model.
func FuzzModel(f *testing.F, build Maker) {
	random := rand.New(rand.NewPCG(*seed, 1))
	for range 50 {
		data := make([]byte, 400)
		for i := range data {
			data[i] = byte(random.Uint32())
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) { Compare(t, build, data) })
}

// CompareRandom compares the limiter with its model over as many operations as the flag
// limittest.operations says, in worlds of a few hundred each.
func CompareRandom(t *testing.T, build Maker) {
	random := rand.New(rand.NewPCG(*seed, 0))
	data := make([]byte, 4096)
	compared, granted := 0, 0
	for compared < *operations {
		for i := 0; i < len(data); i += 8 {
			binary.LittleEndian.PutUint64(data[i:], random.Uint64())
		}
		c, g := Compare(t, build, data)
		compared += c
		granted += g
	}
	t.Logf("compared %d operations, %d of them grants", compared, granted)
	require.Positive(t, granted)
	require.Less(t, granted, compared)
}

// Compare plays the world that data describes to the limiter and to its model, and requires every
// field of every Decision to be the same. It returns how many operations it compared, and how many
// of them granted something.
func Compare(t testing.TB, build Maker, data []byte) (compared, granted int) {
	in := source{data}
	rate, size := in.rate(), in.size()
	origin := origins[in.below(len(origins))]
	clock := NewClock(origin)
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
				w.rate, w.size, compared, call, w.offset(), Offset(origin, clock.Now()), w.n)
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
func (w *world) operate(l ratelimit.Limiter, m Model) (call string, got, want ratelimit.Decision) {
	off, at, n := w.offset(), Offset(w.origin, w.clock.Now()), w.n
	switch w.below(13) {
	case 12:
		if charger, ok := l.(ratelimit.Charger); ok {
			return "ChargeAt", charger.ChargeAt(w.now, n), m.Charge(off, n)
		}
		return "PeekAt", l.PeekAt(w.now, n), m.Peek(off, n)
	case 0:
		return "Take", l.Take(n), m.Take(at, n)
	case 1:
		want = m.Take(at, 1)
		got = want
		got.OK = l.Allow()
		return "Allow", got, want
	case 2:
		got, want = l.PeekAt(w.now, n), m.Peek(off, n)
		if asked, ok := l.(interface{ FitsAt(time.Time, int) bool }); ok && got == want {
			got.OK = asked.FitsAt(w.now, n)
		}
		return "PeekAt, FitsAt", got, want
	case 3:
		held := w.held()
		l.RefundAt(w.now, n, held)
		m.Refund(off, at, n, held)
		return "RefundAt", l.PeekAt(w.now, 1), m.Peek(off, 1)
	case 4, 5, 6, 7, 8:
		if quick, ok := l.(interface{ AllowAt(time.Time) bool }); ok && n == 1 {
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
	model := m.(Reserver)
	slot := &w.reserved[w.below(len(w.reserved))]
	if w.below(3) == 0 {
		if slot.Reservation != nil {
			actAt := Offset(w.origin, slot.ActAt())
			early := latest(off, at).Cmp(actAt) <= 0
			call, give := "CancelAt", early
			if w.below(2) == 0 {
				call, give = "RefundAt of a reservation", true
				slot.RefundAt(w.now)
			} else {
				slot.CancelAt(w.now)
			}
			if give && !slot.over {
				model.GiveBack(off, at, slot.n, actAt, slot.did)
				slot.over = true
			}
			return call, l.PeekAt(w.now, 1), m.Peek(off, 1)
		}
		return "PeekAt", l.PeekAt(w.now, 1), m.Peek(off, 1)
	}
	most := w.patience()
	r, got := reserver.ReserveAt(w.now, n, most)
	delay, did, want := model.Reserve(off, n, most)
	if got.OK && r.ActAt().Equal(w.now.Add(delay)) {
		*slot = reserved{r, n, did, false}
	} else if got.OK {
		got.RetryAfter = r.ActAt().Sub(w.now) // a difference to report
	}
	return fmt.Sprintf("ReserveAt %v", most), got, want
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

// world is what the operations of one limiter are chosen by.
type world struct {
	source
	rate   ratelimit.Rate
	size   int
	origin time.Time
	clock  *Clock
	now    time.Time
	n      int
	last   ratelimit.Decision

	grants   [4]time.Time
	reserved [3]reserved
}

func (w *world) offset() *big.Int { return Offset(w.origin, w.now) }

// advance moves now: mostly by what the limiter just said and by what its rate makes interesting,
// and by a nanosecond more or less.
func (w *world) advance() {
	var d time.Duration
	switch w.below(16) {
	case 0, 1, 2:
		return
	case 3, 4:
		d = w.last.RetryAfter
	case 5:
		d = w.last.ResetAfter
	case 6:
		d = w.rate.Per
	case 7, 8:
		d = w.rate.Per / time.Duration(max(1, w.rate.Events)) * time.Duration(1+w.below(4))
	case 9:
		d = time.Duration(w.byte())
	case 10:
		d = -time.Duration(w.uint64() >> (1 + w.below(63)))
	case 11:
		d = time.Duration(w.uint64() >> (1 + w.below(63)))
	case 12:
		d = -w.rate.Per
	case 13:
		w.now = w.grants[w.below(len(w.grants))]
		if w.now.IsZero() {
			w.now = w.origin
		}
	case 14:
		if w.below(8) == 0 {
			w.now = extremes[w.below(len(extremes))]
		}
	case 15:
		w.now = w.origin.Add(time.Duration(w.byte()) - 128)
		if w.below(2) == 0 { // before the origin by as long as a full bucket takes to drain
			d = -time.Duration(float64(w.size) * float64(w.rate.Per) / float64(max(1, w.rate.Events)))
			w.now = w.origin
		}
	}
	if d == ratelimit.Never && w.below(16) > 0 { // seldom to the end of time, where nothing happens
		d = 0
	}
	w.now = w.now.Add(d).Add(time.Duration(w.below(3) - 1))
}

// patience returns how long a reservation may have to wait: often just long enough.
func (w *world) patience() time.Duration {
	switch w.below(6) {
	case 0:
		return 0
	case 1:
		return -time.Duration(w.byte())
	case 2:
		return math.MaxInt64
	case 3:
		return time.Duration(w.uint64() >> (1 + w.below(63)))
	default:
		return w.rate.Per/time.Duration(max(1, w.rate.Events))*time.Duration(w.below(8)) + time.Duration(w.below(3)-1)
	}
}

// number returns a number of events: the edges of what can be granted, and of int.
func (w *world) number() int {
	switch w.below(12) {
	case 0:
		return 0
	case 1:
		return w.size
	case 2:
		return w.size + 1
	case 3:
		return w.last.Remaining
	case 4:
		return w.last.Remaining + 1
	case 5:
		return []int{-1, math.MaxInt, math.MinInt, math.MaxInt32}[w.below(4)]
	case 6:
		return 1 + int(w.uint64()%uint64(w.size))
	case 7:
		return w.size / 2
	default:
		return 1
	}
}

// held returns how long ago refunded events were granted: often truly.
func (w *world) held() time.Duration {
	switch w.below(8) {
	case 0, 1, 2:
		return 0
	case 3:
		return time.Duration(w.uint64())
	case 4:
		return time.Duration(w.byte())
	default:
		return w.now.Sub(w.grants[w.below(len(w.grants))])
	}
}
