package redislimit_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/gcra"
	"github.com/seed-3506548a/ratelimit/limittest"
	"github.com/seed-3506548a/ratelimit/redislimit"
)

var rates = []struct {
	rate  ratelimit.Rate
	burst int
}{
	{ratelimit.PerMinute(90), 10},
	{ratelimit.PerSecond(7), 3},
	{ratelimit.Per(1000, 5*time.Minute), 20},
	{ratelimit.PerSecond(12345), 100},
	{ratelimit.PerSecond(1_500_000), 5000},
	{ratelimit.PerDay(1), 1},
	{ratelimit.Per(3, 7*time.Nanosecond), 1000},
	{ratelimit.Per(1_000_000_007, time.Second), 1 << 20},
	{ratelimit.Per(997, 1009*time.Microsecond), 5},
	{ratelimit.PerHour(50), 50},
}

// source draws from the bytes of a fuzzer.
type source []byte

func (s *source) draw(n int) int {
	v := 0
	for range 2 {
		if len(*s) > 0 {
			v = v<<8 | int((*s)[0])
			*s = (*s)[1:]
		}
	}
	return v % n
}

// playGCRA does the same to a limit on an engine and to a gcra, which is the model, and demands the
// same Decisions.
func playGCRA(t *testing.T, data source) {
	m := newMini(t)
	now := t0
	clock := limittest.NewClock(now)
	at := rates[data.draw(len(rates))]
	model := ratelimit.Must(gcra.New(at.rate, at.burst, ratelimit.WithClock(clock)))
	limit, err := redislimit.NewGCRA(m, "test", at.rate, at.burst, redislimit.Remember(0))
	require.NoError(t, err)
	ctx := t.Context()
	changes := data.draw(2) == 0 // then time goes forwards only
	for len(data) > 0 {
		step := time.Duration(1)
		for range data.draw(14) {
			step *= 10
		}
		step = min(time.Duration(1+data.draw(99))*step/10, 48*time.Hour).Truncate(time.Microsecond)
		if data.draw(8) == 0 && !changes {
			step = -min(step, time.Duration(at.burst)*at.rate.Per/time.Duration(at.rate.Events)).Truncate(time.Microsecond)
		}
		now = now.Add(step)
		clock.Set(now)
		m.SetTime(now)
		burst := limit.Burst()
		n := []int{1, 1, 2, burst, burst + 1, 0, -1, burst / 2, 1 + data.draw(burst)}[data.draw(9)]
		var got, want ratelimit.Decision
		switch op := data.draw(16); op {
		default:
			got, err = limit.Take(ctx, "k", n)
			want = model.Take(n)
		case 0, 1:
			got, err = limit.Peek(ctx, "k", n)
			want = model.Peek(n)
		case 2:
			n += data.draw(3) * burst
			got, err = limit.Charge(ctx, "k", n)
			want = model.ChargeAt(now, n)
		case 3, 4:
			if at := limit.Rate(); model.Peek(1).RetryAfter > at.Per/time.Duration(at.Events) {
				continue // more than a burst is owed: the model cannot always tell that from reservations
			}
			held := step.Abs() / time.Duration(1+data.draw(3)) / 1000 * 1000
			require.NoError(t, limit.Refund(ctx, "k", n, held))
			model.RefundAt(now, n, held)
			got, err = limit.Peek(ctx, "k", 1)
			want = model.Peek(1)
		case 5:
			if !changes {
				continue
			}
			to := rates[data.draw(len(rates))]
			if model.SetRate(to.rate, to.burst) != nil || limit.SetRate(to.rate, to.burst) != nil {
				return
			}
			require.Equal(t, to.rate, limit.Rate())
			got, err = limit.Peek(ctx, "k", 0)
			require.NoError(t, err)
			want = model.Peek(0)
			// What is owed is rounded up by a tick at most, which is a microsecond here, and a
			// nanosecond of the model.
			require.GreaterOrEqual(t, got.ResetAfter+1, want.ResetAfter)
			require.LessOrEqual(t, got.ResetAfter, want.ResetAfter+time.Microsecond)
			require.NoError(t, limit.Reset(ctx, "k"))
			limit = ratelimit.Must(redislimit.NewGCRA(m, "test", to.rate, to.burst, redislimit.Remember(0)))
			model = ratelimit.Must(gcra.New(to.rate, to.burst, ratelimit.WithClock(clock)))
			continue
		}
		require.NoError(t, err)
		require.Equal(t, want, got, "%v of %v, %v after the start", n, limit.Rate(), now.Sub(t0))
	}
}

// In every field of every Decision, a GCRA on an engine is the gcra of this module, on a clock in
// microseconds.
func FuzzGCRA(f *testing.F) {
	f.Add([]byte{0, 0, 0, 1, 0, 5, 0, 9})
	f.Add([]byte("00000000000001072B000000X80C0018000000000%")) // a change when all has just drained
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) < 4000 {
			playGCRA(t, data)
		}
	})
}

func TestGCRAIsGCRA(t *testing.T) {
	for seed := range uint64(10) {
		random := rand.New(rand.NewPCG(seed, 1))
		data := make([]byte, 3000)
		for i := range data {
			data[i] = byte(random.Uint32())
		}
		playGCRA(t, data)
	}
}

// After a change of the rate, older grants give nothing back, also if they had drained before it or
// their key had expired: what is owed then is that of newer grants.
func TestRefundAfterAChangeOfTheRate(t *testing.T) {
	for _, gap := range []time.Duration{0, 4 * time.Millisecond, 500 * time.Millisecond, 5 * time.Second} {
		m, clock := newMini(t), limittest.NewClock(t0)
		pass := func(d time.Duration) {
			clock.Set(clock.Now().Add(d))
			m.FastForward(d)
			m.SetTime(clock.Now())
		}
		for name, setRate := range map[string]func() (*redislimit.Store, error){
			"gcra": func() (*redislimit.Store, error) {
				limit := ratelimit.Must(redislimit.NewGCRA(m, "gcra", ratelimit.PerSecond(1000), 10, redislimit.WithClock(clock)))
				_, err := limit.Take(t.Context(), "k", 6)
				require.NoError(t, err)
				pass(gap)
				return &limit.Store, limit.SetRate(ratelimit.PerHour(1), 10)
			},
			"several": func() (*redislimit.Store, error) {
				limit := ratelimit.Must(redislimit.NewSeveral(m, "several", []redislimit.Bucket{{ratelimit.PerSecond(1000), 10}}, redislimit.WithClock(clock)))
				_, err := limit.Take(t.Context(), "k", 6)
				require.NoError(t, err)
				pass(gap)
				return &limit.Store, limit.SetRate([]redislimit.Bucket{{ratelimit.PerHour(1), 10}})
			},
		} {
			limit, err := setRate()
			require.NoError(t, err)
			pass(time.Millisecond)
			d, err := limit.Take(t.Context(), "k", 3)
			require.NoError(t, err)
			require.True(t, d.OK)
			require.NoError(t, limit.Refund(t.Context(), "k", 6, gap+time.Millisecond))
			after, err := limit.Peek(t.Context(), "k", 0)
			require.NoError(t, err)
			require.Equal(t, d.Remaining, after.Remaining, "%s, changed after %v", name, gap)
			pass(time.Millisecond)
			d, err = limit.Take(t.Context(), "k", 1)
			require.NoError(t, err)
			require.True(t, d.OK)
			require.NoError(t, limit.Refund(t.Context(), "k", 1, 0))
			after, err = limit.Peek(t.Context(), "k", 0)
			require.NoError(t, err)
			require.Equal(t, d.Remaining+1, after.Remaining, "%s, changed after %v", name, gap)
		}
	}
}

// Setting the present rate changes nothing: older grants are given back as before.
func TestRefundAfterTheSameRate(t *testing.T) {
	m, clock := newMini(t), limittest.NewClock(t0)
	limit := hundred(t, m, redislimit.WithClock(clock))
	_, err := limit.Take(t.Context(), "k", 10)
	require.NoError(t, err)
	require.NoError(t, limit.SetRate(limit.Rate(), limit.Burst()))
	require.NoError(t, limit.Refund(t.Context(), "k", 10, 0))
	d, err := limit.Peek(t.Context(), "k", 0)
	require.NoError(t, err)
	require.Equal(t, 100, d.Remaining)
}

// A key expires a second after it is full again, and not before that: what it owes would be granted
// once more.
func TestExpiry(t *testing.T) {
	m := newMini(t)
	limit, err := redislimit.NewGCRA(m, "test", ratelimit.PerSecond(3), 10)
	require.NoError(t, err)
	_, err = limit.Take(t.Context(), "k", 1)
	require.NoError(t, err)
	require.Equal(t, 1334*time.Millisecond, m.TTL("test:{k}"))
	window, err := redislimit.NewAlignedWindow(m, "window", ratelimit.PerMinute(3))
	require.NoError(t, err)
	_, err = window.Take(t.Context(), "k", 1)
	require.NoError(t, err)
	require.Equal(t, time.Minute+time.Second, m.TTL("window:{k}"))
	log, err := redislimit.NewLog(m, "log", ratelimit.Per(3, 1500*time.Microsecond))
	require.NoError(t, err)
	_, err = log.Take(t.Context(), "k", 1)
	require.NoError(t, err)
	require.Equal(t, 1002*time.Millisecond, m.TTL("log:{k}"))
}
