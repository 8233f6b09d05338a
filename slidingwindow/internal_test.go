package slidingwindow

import (
	"math/big"
	"math/rand/v2"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/limittest"
)

// What a limiter costs is in the package documentation, with 72 bytes rounded up to 80 and 56 to 64, as the
// allocator does.
func TestSizes(t *testing.T) {
	if unsafe.Sizeof(uintptr(0)) != 8 {
		t.Skip("counted on 64-bit platforms")
	}
	require.EqualValues(t, 64, unsafe.Sizeof(Counter{}))
	require.EqualValues(t, 72, unsafe.Sizeof(counterFrame{}))
	require.EqualValues(t, 56, unsafe.Sizeof(counterSpec{}))
	require.EqualValues(t, 64, unsafe.Sizeof(Log{}))
	require.EqualValues(t, 128, unsafe.Sizeof(logFrame{}), "two cache lines, and so it is aligned to one")
	require.EqualValues(t, 64, unsafe.Offsetof(logFrame{}.Scale)+unsafe.Offsetof(logScale{}.ring), "the word and its cells fill the first")
	require.EqualValues(t, 32, unsafe.Sizeof(logSpec{}))
}

// wearOut brings a Log's frame to where no version is left, or no cell that is free.
func wearOut(l *Log, versions bool) {
	f := l.current.Load()
	c := &f.Scale
	word := f.Word.Load()
	st := c.state(word)
	if versions {
		f.Word.Init(c.word(1<<(59-2*c.bits)-1, st))
		return
	}
	for i := range c.cells {
		if uint64(i) != st.cell {
			c.cells[i].Init(1) // as of a caller that was suspended
		}
	}
}

// Frames that are worn out are replaced in the course of whatever is called, which does the same as ever.
func TestLogWornOut(t *testing.T) {
	t0 := time.Unix(0, 0)
	for seed := range uint64(2000) {
		random := rand.New(rand.NewPCG(seed, 1))
		rate := ratelimit.Per(1+random.IntN(5), 10)
		clock := limittest.NewClock(t0)
		l, err := NewLog(rate, ratelimit.WithClock(clock))
		require.NoError(t, err)
		model, at := limittest.NewLog(rate), time.Duration(0)
		for range 30 {
			if random.IntN(2) == 0 {
				wearOut(l, random.IntN(2) == 0)
			}
			if random.IntN(2) == 0 {
				at += time.Duration(random.IntN(7))
			}
			now, off := t0.Add(at), big.NewInt(int64(at))
			clock.Set(now)
			n := random.IntN(4)
			switch random.IntN(5) {
			case 0:
				require.Equal(t, model.Take(off, n), l.TakeAt(now, n))
			case 1, 2:
				require.Equal(t, model.Take(off, 1).OK, l.Allow())
			case 3:
				held := time.Duration(random.IntN(3))
				l.RefundAt(now, n, held)
				model.Refund(off, off, n, held)
			case 4:
				if random.IntN(4) == 0 {
					rate.Events = 1 + random.IntN(5)
					require.NoError(t, l.SetRateAt(now, rate))
					model.SetRate(off, off, rate, rate.Events)
				}
			}
			require.Equal(t, model.Peek(off, 1), l.Peek(1))
		}
	}
}
