package bucket

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/timeline"
	"github.com/seed-3506548a/ratelimit/limittest"
)

// hot is a Striped, what it has granted, and what it may grant.
type hot struct {
	*Striped
	clock  *limittest.Clock
	burst  int
	grants []hotGrant
	paces  []pace
	newest int64 // the latest offset used

	leases, refused int
}

type hotGrant struct {
	off int64
	n   int
}

// pace is a rate, in events a second, and from when to when events may drain at it.
type pace struct {
	from, to, rate int64
}

var hotStart = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func newHot(t testing.TB, perSecond, burst, stripes int) *hot {
	h := &hot{Striped: new(Striped), clock: limittest.NewClock(hotStart), burst: burst,
		paces: []pace{{math.MinInt64, math.MaxInt64, int64(perSecond)}}, newest: math.MinInt64}
	require.NoError(t, h.Init("f", "burst", ratelimit.PerSecond(perSecond), burst, stripes,
		[]ratelimit.Option{ratelimit.WithClock(h.clock)}))
	h.clock.Set(hotStart.Add(-time.Hour)) // so that refunds and changes are as of the times that they pass
	return h
}

// expect makes the next lease of a stripe have n events, if there is room for them.
func (h *hot) expect(stripe int, n uint64) { h.stripes[stripe].habit.Store(n * thrift) }

func (h *hot) used(off int64, n int) {
	h.grants = append(h.grants, hotGrant{off, n})
}

// take takes n events, and demands that a look before it said whether it may, and that what is said
// is right: see exact.
func (h *hot) take(t testing.TB, stripe int, off int64, n int) ratelimit.Decision {
	s := &h.stripes[stripe]
	var looked, d, after ratelimit.Decision
	h.peek(&looked, s, off, n)
	before := h.leased.load()
	if n == 1 && off%2 == 0 {
		d.OK = h.allow(s, off)
	} else {
		h.Striped.take(&d, s, off, n)
		h.peek(&after, s, off, 0)
		require.Equal(t, after.Remaining, d.Remaining)
		require.Equal(t, looked.RetryAfter, d.RetryAfter)
		require.Equal(t, after.ResetAfter, d.ResetAfter)
	}
	require.Equal(t, looked.OK, d.OK, "%d at %d: %+v", n, off, looked)
	h.exact(t, s, off, n, looked)
	if !d.OK {
		require.Equal(t, before, h.leased.load(), "a refusal leases nothing")
		h.refused++
	}
	if before != h.leased.load() {
		h.leases++
	}
	if d.OK && n > 0 {
		h.used(off, n)
	}
	h.newest = max(h.newest, off)
	return looked
}

// exact demands that what a refusal says of other times is right, and what remains.
func (h *hot) exact(t testing.TB, s *stripe, off int64, n int, d ratelimit.Decision) {
	fits := func(off int64, n int) bool {
		var other ratelimit.Decision
		h.peek(&other, s, off, n)
		return other.OK
	}
	var now ratelimit.Decision
	h.peek(&now, s, off, 0)
	if !fits(off, now.Remaining) || fits(off, now.Remaining+1) || now.Remaining > now.Limit {
		require.Failf(t, "Remaining is wrong", "%d at %d: %+v", n, off, now)
	}
	if wait := int64(d.RetryAfter); !d.OK && d.RetryAfter != ratelimit.Never {
		if !fits(off+wait, n) || fits(off+wait-1, n) {
			require.Failf(t, "RetryAfter is wrong", "%d at %d: %+v", n, off, d)
		}
	}
}

// refund gives back k events of a grant, as of the latest offset used.
func (h *hot) refund(i, k int) {
	g := &h.grants[i]
	h.RefundAt(hotStart.Add(time.Duration(h.newest)), k, time.Duration(h.newest-g.off))
	g.n -= k
}

// setRate changes the rate as of the latest offset used. Leases may drain at the old one until they
// end.
func (h *hot) setRate(t testing.TB, perSecond int) {
	from := h.newest
	require.NoError(t, h.SetRateAt("f", "burst", hotStart.Add(time.Duration(from)), ratelimit.PerSecond(perSecond), h.burst))
	h.paces[len(h.paces)-1].to = from + length
	h.paces = append(h.paces, pace{from, math.MaxInt64, int64(perSecond)})
}

// drained returns how many whole events drain from one offset to another at the most: at each time
// at the fastest of the rates that events may drain at.
func (h *hot) drained(from, to int64) int64 {
	cuts := []int64{from, to}
	for _, p := range h.paces {
		for _, at := range []int64{p.from, p.to} {
			if from < at && at < to {
				cuts = append(cuts, at)
			}
		}
	}
	slices.Sort(cuts)
	var whole, billionths int64
	for i, at := range cuts[1:] {
		fastest := int64(0)
		for _, p := range h.paces {
			if p.from <= cuts[i] && at <= p.to {
				fastest = max(fastest, p.rate)
			}
		}
		seconds, nanos := (at-cuts[i])/1e9, (at-cuts[i])%1e9
		whole += seconds*fastest + nanos*fastest/1e9
		billionths += nanos * fastest % 1e9
	}
	return whole + billionths/1e9
}

// drain takes all that can be had at an offset.
func (h *hot) drain(off int64) {
	granted := 0
	for i := range h.stripes {
		for {
			var d ratelimit.Decision
			h.peek(&d, &h.stripes[i], off, 0)
			if d.Remaining == 0 || !h.charge(&h.stripes[i], off, d.Remaining) {
				break
			}
			granted += d.Remaining
		}
	}
	if granted > 0 {
		h.used(off, granted)
	}
	h.newest = max(h.newest, off)
}

// exceeded returns where more was granted than may be, or "": in every closed interval between two
// grants at most
//
//	burst + floor(what drains in it)
//
// events that were not given back.
func (h *hot) exceeded() string {
	at := map[int64]int{}
	for _, g := range h.grants {
		at[g.off] += g.n
	}
	times := slices.Sorted(maps.Keys(at))
	for i, first := range times {
		sum := int64(0)
		for _, last := range times[i:] {
			sum += int64(at[last])
			if most := int64(h.burst) + h.drained(first, last); sum > most {
				return fmt.Sprintf("%d granted in [%d, %d], want at most %d", sum, first, last, most)
			}
		}
	}
	return ""
}

// playHot does to a Striped what data describes, at times that are late, early, the same again, or
// at the edges of leases and frames; with all sizes of leases. It checks all decisions, and the
// bound over all intervals.
func playHot(t testing.TB, data []byte) *hot {
	choose := func(n int) int {
		if len(data) == 0 {
			return 0
		}
		b := data[0]
		data = data[1:]
		return int(b) % n
	}
	rates := []int{1_000_000, 100_000, 7_777_777, 61_036, 100_000_000, 999_999_937, 1_000_000_007, math.MaxInt32, 61_035, 1000}
	rate := rates[choose(len(rates))]
	burst := 20*(1+choose(8)) + int(int64(rate)*int64(choose(24)*grain)/1e9) // leases of all lengths fit
	h := newHot(t, rate, burst, 1<<choose(3))
	changes := choose(3) == 0
	now, wait := int64(choose(2*grain)), int64(0)
	for len(data) > 0 {
		stripe := choose(len(h.stripes))
		s := &h.stripes[stripe]
		if choose(4) == 0 {
			h.expect(stripe, uint64(choose(60)*choose(60)))
		}
		switch choose(16) {
		case 0, 1, 2, 3:
		case 4:
			now &^= mostLeft
		case 5:
			now += int64(choose(256))
		case 6:
			now += int64(choose(256)) * 64
		case 7:
			now += grain - 1
		case 8:
			now -= int64(choose(256)) * 256
		case 9:
			now = lease(s.lease.Load()).first() + int64(choose(3)) - 1
		case 10:
			now = lease(s.lease.Load()).first() + length + int64(choose(4)) - 2
		case 11:
			now = h.newest
		case 12:
			now += wait
		case 13: // a full burst drains
			now = h.newest + int64(h.burst)*1e9/int64(h.Rate().Events)
		case 14:
			if choose(8) == 0 {
				now += 3 * int64(time.Second) // the frames of the fastest rates are shorter
			}
		case 15:
			if now = h.core.current.Load().Scale.start + int64(choose(3)) - 1; choose(2) == 0 {
				now += grain
			}
		}
		now = min(max(now, -1e12), 1e12)
		wait = 0
		switch choose(12) {
		case 0:
			for i := range min(len(h.grants), choose(8)) {
				g := len(h.grants) - 1 - i
				h.refund(g, h.grants[g].n-choose(2)*choose(h.grants[g].n+1))
			}
		case 1:
			var d ratelimit.Decision
			if h.core.peek(&d, now, 1); d.OK {
				h.core.ChargeAt(&d, hotStart.Add(time.Duration(now)), 1)
				h.used(now, 1)
				h.newest = max(h.newest, now)
			}
		case 2:
			if changes && h.newest > math.MinInt64 {
				h.setRate(t, rates[choose(len(rates))])
			}
		case 4, 5:
			h.drain(now)
		case 3:
			wait = int64(h.take(t, stripe, now, choose(h.burst+2)).RetryAfter)
		case 6:
			wait = int64(h.take(t, stripe, now, 1+choose(4)).RetryAfter)
		default:
			for range 1 + choose(6) {
				wait = int64(h.take(t, stripe, now, 1).RetryAfter)
			}
		}
		if wait > int64(time.Second) {
			wait = 0
		}
	}
	require.Empty(t, h.exceeded())
	return h
}

// TestStripedKeepsTheBound plays thousands of random worlds.
func TestStripedKeepsTheBound(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	data := make([]byte, 600)
	granted, leases, refused := 0, 0, 0
	for range 6000 {
		for i := range data {
			data[i] = byte(random.Uint32())
		}
		h := playHot(t, data)
		granted += len(h.grants)
		leases += h.leases
		refused += h.refused
	}
	t.Logf("%d grants, at least %d leases, %d refusals", granted, leases, refused)
	require.Greater(t, leases, 3000)
	require.Greater(t, refused, 10_000)
}

// What comes late is not taken for what is later.
func TestDeposit(t *testing.T) {
	for _, row := range []struct {
		held, next, want lease
		what             string
	}{
		{newLease(timeline.Bottom, 0), newLease(-grain, 3), newLease(-grain, 3), "the first"},
		{newLease(-grain, 3), newLease(0, 5), newLease(0, 5), "a later one takes the place of what is left"},
		{newLease(grain, 3), newLease(0, 5), newLease(grain, 3), "one that is late is lost"},
		{newLease(grain, 0), newLease(0, 5), newLease(grain, 0), "also if nothing is left"},
		{newLease(grain, 3), newLease(grain, 5), newLease(grain, 8), "one of the same time is added"},
		{newLease(grain, 3), newLease(grain, 0), newLease(grain, 3), ""},
		{newLease(grain, mostLeft-5), newLease(grain, 5), newLease(grain, mostLeft), "up to what the bits hold"},
		{newLease(grain, mostLeft-4), newLease(grain, 5), newLease(grain, mostLeft-4), "and no more"},
	} {
		var s stripe
		s.lease.Init(uint64(row.held))
		s.deposit(row.next.first(), row.next.left())
		require.Equal(t, row.want, lease(s.lease.Load()), row.what)
	}
}

func FuzzStriped(f *testing.F) {
	random := rand.New(rand.NewPCG(3, 4))
	for range 50 {
		data := make([]byte, 300)
		for i := range data {
			data[i] = byte(random.Uint32())
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) { playHot(t, data[:min(len(data), 1000)]) })
}

func TestStripedSizes(t *testing.T) {
	require.EqualValues(t, 64, unsafe.Sizeof(stripe{}))
	require.EqualValues(t, 64, unsafe.Sizeof(horizon{}))
	if unsafe.Sizeof(uintptr(0)) == 8 {
		require.EqualValues(t, 192, unsafe.Sizeof(Striped{}))
		require.EqualValues(t, 64, unsafe.Offsetof(Bucket{}.first))
		require.EqualValues(t, 128, unsafe.Sizeof(Bucket{}))
	}
	for _, n := range []int{1, 2, 3, 16, 17, mostStripes, mostStripes + 1, math.MaxInt} {
		b := newHot(t, 1000, 1, n).Striped
		require.Len(t, b.stripes, 1<<(64-b.shift))
		require.Zero(t, uintptr(unsafe.Pointer(&b.stripes[0]))%8)
		b.stripe()
	}
}
