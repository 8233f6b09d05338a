package simulate_test

import (
	"iter"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/simulate"
)

// count counts the events in [t0+from, t0+to), and requires them to be in order.
func count(t *testing.T, events iter.Seq[simulate.Event], from, to time.Duration) (n int) {
	last := t0
	for e := range simulate.Until(events, t0.Add(to)) {
		require.False(t, e.At.Before(last))
		require.Equal(t, 1, e.N)
		last = e.At
		if !e.At.Before(t0.Add(from)) {
			n++
		}
	}
	return n
}

func TestConstant(t *testing.T) {
	events := ratelimit.Must(simulate.Constant(t0, ratelimit.PerSecond(3)))
	require.Equal(t, slices.Collect(at(1, 0, 333333333, 666666666, time.Second)),
		slices.Collect(simulate.Until(events, t0.Add(time.Second+1))))
	fast := ratelimit.Must(simulate.Constant(t0, ratelimit.PerSecond(math.MaxInt32)))
	require.Equal(t, 2_147_484, count(t, fast, 0, time.Millisecond))
	slow := ratelimit.Must(simulate.Constant(t0, ratelimit.Per(1, math.MaxInt64)))
	require.Len(t, slices.Collect(slow), 2, "it ends after 292 years")
}

// Counts of independent events vary by their square root: here they are within 5 times that.
func requireAbout(t *testing.T, want float64, got int) {
	t.Helper()
	require.InDelta(t, want, got, 5*math.Sqrt(want))
}

func TestPoisson(t *testing.T) {
	events := ratelimit.Must(simulate.Poisson(t0, ratelimit.PerSecond(1000), 7))
	requireAbout(t, 100_000, count(t, events, 0, 100*time.Second))
	var gaps []time.Duration
	last, squares := t0, 0.0
	for e := range simulate.Until(events, t0.Add(100*time.Second)) {
		gap := e.At.Sub(last)
		gaps, last = append(gaps, gap), e.At
		squares += math.Pow(gap.Seconds()*1000, 2)
	}
	require.InDelta(t, 2, squares/float64(len(gaps)), 0.05, "the second moment of the exponential distribution")
	slices.Sort(gaps)
	require.InDelta(t, math.Ln2, gaps[len(gaps)/2].Seconds()*1000, 0.02, "its median")

	// Faster than the clock can show.
	requireAbout(t, 1_000_000, count(t, ratelimit.Must(simulate.Poisson(t0, ratelimit.Per(10, 1), 7)), 0, 100*time.Microsecond))
}

func TestOnOff(t *testing.T) {
	events := ratelimit.Must(simulate.OnOff(t0, ratelimit.PerSecond(1000), time.Second, 3*time.Second, 7))
	n := count(t, events, 0, 4000*time.Second)
	require.InDelta(t, 1_000_000, n, 150_000, "a quarter of the time")
	silent := 0 // longer than Poisson's ever are: 14 times as long as the average comes once in a million
	last := t0
	for e := range simulate.Until(events, t0.Add(4000*time.Second)) {
		if e.At.Sub(last) > 30*time.Millisecond {
			silent++
		}
		last = e.At
	}
	require.InDelta(t, 1000, silent, 150, "it was off so often")

	// It begins by being on: for a second on average, of whose beginning 1 - 1/e is within the
	// first.
	n = 0
	for seed := range uint64(1000) {
		n += count(t, ratelimit.Must(simulate.OnOff(t0, ratelimit.PerSecond(100), time.Second, time.Hour, seed)), 0, time.Second)
	}
	require.InDelta(t, 63_212, n, 3000)

	// Also if it is on for no longer than events are apart, and if it is never off.
	for _, on := range []time.Duration{time.Second, time.Millisecond, 100 * time.Microsecond} {
		always := ratelimit.Must(simulate.OnOff(t0, ratelimit.PerSecond(1000), on, 0, 7))
		requireAbout(t, 100_000, count(t, always, 0, 100*time.Second))
		quarter := ratelimit.Must(simulate.OnOff(t0, ratelimit.PerSecond(1000), on, 3*on, 7))
		require.InDelta(t, 100_000, count(t, quarter, 0, 400*time.Second), 25_000, "on for %v", on)
	}
}

func TestFlashCrowd(t *testing.T) {
	const s = time.Second
	events := ratelimit.Must(simulate.FlashCrowd(t0, simulate.Crowd{
		Usual: ratelimit.PerSecond(100), Peak: ratelimit.PerSecond(10_100), After: 10 * s, Rise: 10 * s, Decay: 10 * s}, 7))
	requireAbout(t, 1000, count(t, events, 0, 10*s))
	requireAbout(t, 1000+50_000, count(t, events, 10*s, 20*s))
	requireAbout(t, 1000+100_000*(1-1/math.E), count(t, events, 20*s, 30*s))
	requireAbout(t, 10_000+100_000*(1/math.E-math.Exp(-11)), count(t, events, 30*s, 130*s))
	requireAbout(t, 10_000, count(t, events, 200*s, 300*s))

	// With nobody usually, all are there at once and then gone.
	burst := ratelimit.Must(simulate.FlashCrowd(t0, simulate.Crowd{
		Usual: ratelimit.PerSecond(0), Peak: ratelimit.PerSecond(1_000_000), After: s, Decay: time.Millisecond}, 7))
	requireAbout(t, 1000, len(slices.Collect(burst)))

	// However long it takes to rise, the first do not keep one waiting: after t there are t² ·
	// peak/(2 · rise).
	for e := range ratelimit.Must(simulate.FlashCrowd(t0, simulate.Crowd{
		Usual: ratelimit.PerSecond(0), Peak: ratelimit.PerSecond(1_000_000_000), Rise: math.MaxInt64}, 7)) {
		require.WithinRange(t, e.At, t0.Add(100*time.Millisecond), t0.Add(40*time.Second))
		break
	}

	// A crowd that is never over does not keep it from coming to an end.
	late := ratelimit.Must(simulate.FlashCrowd(t0, simulate.Crowd{
		Usual: ratelimit.PerDay(1), Peak: ratelimit.PerSecond(1_000_000_000), After: math.MaxInt64 - 1, Rise: math.MaxInt64}, 7))
	requireAbout(t, 106_751, len(slices.Collect(late)))
}

func TestTrafficIsDeterministic(t *testing.T) {
	end := t0.Add(time.Minute)
	for name, build := range map[string]func(seed uint64) iter.Seq[simulate.Event]{
		"Poisson": func(seed uint64) iter.Seq[simulate.Event] {
			return ratelimit.Must(simulate.Poisson(t0, ratelimit.PerSecond(20), seed))
		},
		"OnOff": func(seed uint64) iter.Seq[simulate.Event] {
			return ratelimit.Must(simulate.OnOff(t0, ratelimit.PerSecond(20), time.Second, time.Second, seed))
		},
		"FlashCrowd": func(seed uint64) iter.Seq[simulate.Event] {
			return ratelimit.Must(simulate.FlashCrowd(t0, simulate.Crowd{
				Usual: ratelimit.PerSecond(1), Peak: ratelimit.PerSecond(20), After: time.Second, Rise: time.Second, Decay: 10 * time.Second}, seed))
		},
	} {
		events := simulate.Until(build(1), end)
		first := slices.Collect(events)
		require.NotEmpty(t, first, name)
		require.Equal(t, first, slices.Collect(events), "%s: the same sequence twice", name)
		require.Equal(t, first, slices.Collect(simulate.Until(build(1), end)), "%s: the same seed", name)
		require.NotEqual(t, first, slices.Collect(simulate.Until(build(2), end)), "%s: another seed", name)
		for range build(1) {
			break
		}
	}
}

// Parts of nanoseconds add up, so traffic of an event in each nanosecond has its rate, too.
func TestPoissonOfNanoseconds(t *testing.T) {
	random, sum, n := rand.New(rand.NewPCG(7, 0)), 0.0, 0
	for e := range ratelimit.Must(simulate.Poisson(t0, ratelimit.Per(1, 1), 7)) {
		sum += random.ExpFloat64()
		require.InDelta(t, sum, float64(e.At.Sub(t0)), 1.001)
		if n++; n == 1000 {
			break
		}
	}
}

// The same arguments give the same traffic in each version, so that a report can be made again.
func TestTrafficOfEachVersion(t *testing.T) {
	crowd := simulate.Crowd{Usual: ratelimit.PerSecond(1), Peak: ratelimit.PerSecond(20), After: time.Second, Rise: 3 * time.Second, Decay: 10 * time.Second}
	calm, sudden, steady := crowd, crowd, crowd
	calm.Usual, sudden.Rise, steady.Decay = ratelimit.PerSecond(0), 0, 0
	for _, row := range []struct {
		name   string
		events iter.Seq[simulate.Event]
		want   string // ms after the start: the first seven events, and every 40th
	}{
		{"Poisson", ratelimit.Must(simulate.Poisson(t0, ratelimit.PerSecond(20), 1)), "23 50 122 195 201 268 287 1953 4006 5599 7399 9889 11516 13529 15418 17486 19630 21398 22958 25503 27790 29784 31610 33380 35217 36994 38848 40627 42957 45053 46878 48882 51286 53449 55421 57697 59755"},
		{"Poisson", ratelimit.Must(simulate.Poisson(t0, ratelimit.Per(7, 3*time.Second), 2)), "709 862 1011 1020 2201 2615 2660 12980 30377 48689"},
		{"OnOff", ratelimit.Must(simulate.OnOff(t0, ratelimit.PerSecond(20), time.Second, 2*time.Second, 1)), "26 99 171 178 245 263 320 6676 23899 30340 32497 35166 37527 47642 52493 55404"},
		{"OnOff", ratelimit.Must(simulate.OnOff(t0, ratelimit.PerSecond(2), 300*time.Millisecond, time.Second, 2)), "178 352 362 12445 15855 17606 17901"},
		{"FlashCrowd", ratelimit.Must(simulate.FlashCrowd(t0, crowd, 1)), "469 1538 1812 1833 2027 2076 2213 4439 6565 10089 15688 22839 41964"},
		{"FlashCrowd", ratelimit.Must(simulate.FlashCrowd(t0, crowd, 2)), "1213 1339 1346 1902 2037 2051 2069 3861 6669 9120 12544 18654 31176 56238"},
		{"calm", ratelimit.Must(simulate.FlashCrowd(t0, calm, 1)), "1398 1772 2015 2034 2212 2258 2386 4545 6893 10480 16376 28503"},
		{"sudden", ratelimit.Must(simulate.FlashCrowd(t0, sudden, 1)), "469 1076 1147 1207 1234 1242 1290 3165 5566 10594 17202 32620 59041"},
		{"steady", ratelimit.Must(simulate.FlashCrowd(t0, steady, 1)), "469 1538 1812 1833 2027 2076 2213 12369 44054"},
	} {
		var got []string
		i := 0
		for e := range simulate.Until(row.events, t0.Add(time.Minute)) {
			if i++; i < 8 || i%40 == 0 {
				got = append(got, strconv.FormatInt(e.At.Sub(t0).Milliseconds(), 10))
			}
		}
		require.Equal(t, row.want, strings.Join(got, " "), row.name)
	}
}

func TestTrafficArguments(t *testing.T) {
	second := ratelimit.PerSecond(1)
	for want, err := range map[string]error{
		"simulate.Constant: rate.Events is -1, want 0 or more":                           failure(simulate.Constant(t0, ratelimit.PerSecond(-1))),
		"simulate.Poisson: rate.Per is 0s, want more than 0s":                            failure(simulate.Poisson(t0, ratelimit.Rate{Events: 1}, 1)),
		"simulate.OnOff: rate.Per is -1ns, want more than 0s":                            failure(simulate.OnOff(t0, ratelimit.Per(1, -1), 1, 1, 1)),
		"simulate.OnOff: on is 1µs, want 1.001µs or more":                                failure(simulate.OnOff(t0, second, time.Microsecond, time.Second, 1)),
		"simulate.OnOff: off is -1ns, want 0s or more":                                   failure(simulate.OnOff(t0, second, time.Second, -1, 1)),
		"simulate.FlashCrowd: crowd.Peak is 1/s, want the usual rate or more: 2/s":       failure(simulate.FlashCrowd(t0, simulate.Crowd{Usual: ratelimit.PerSecond(2), Peak: second}, 1)),
		"simulate.OnOff: on is -1ns, want 1.001µs or more":                               failure(simulate.OnOff(t0, ratelimit.PerSecond(0), -1, 1, 1)),
		"simulate.FlashCrowd: crowd.Usual.Per is 0s, want more than 0s":                  failure(simulate.FlashCrowd(t0, simulate.Crowd{Peak: second}, 1)),
		"simulate.FlashCrowd: crowd.Peak.Events is -1, want 0 or more":                   failure(simulate.FlashCrowd(t0, simulate.Crowd{Usual: second, Peak: ratelimit.PerSecond(-1)}, 1)),
		"simulate.FlashCrowd: crowd.Rise is -1ns, want 0s or more":                       failure(simulate.FlashCrowd(t0, simulate.Crowd{Usual: second, Peak: second, Rise: -1}, 1)),
		"simulate.FlashCrowd: crowd.After is -1ns, want 0s or more":                      failure(simulate.FlashCrowd(t0, simulate.Crowd{Usual: second, Peak: second, After: -1}, 1)),
		"simulate.FlashCrowd: crowd.Decay is -2562047h47m16.854775808s, want 0s or more": failure(simulate.FlashCrowd(t0, simulate.Crowd{Usual: second, Peak: second, Decay: math.MinInt64}, 1)),
	} {
		var bad *ratelimit.ArgumentError
		require.ErrorAs(t, err, &bad, want)
		require.EqualError(t, err, want)
	}
	none := ratelimit.PerSecond(0)
	for _, events := range []iter.Seq[simulate.Event]{
		ratelimit.Must(simulate.Constant(t0, none)),
		ratelimit.Must(simulate.Poisson(t0, none, 1)),
		ratelimit.Must(simulate.OnOff(t0, none, time.Second, time.Second, 1)),
		ratelimit.Must(simulate.FlashCrowd(t0, simulate.Crowd{Usual: none, Peak: none}, 1)),
	} {
		require.Empty(t, slices.Collect(events))
	}
}

func failure(_ iter.Seq[simulate.Event], err error) error { return err }

// Being on for a millionth of what events are apart is too short, and a nanosecond more is not.
func TestOnOffOfTheShortestTime(t *testing.T) {
	_, err := simulate.OnOff(time.Unix(0, 0), ratelimit.PerSecond(1), time.Microsecond, 0, 1)
	require.ErrorContains(t, err, "on is 1µs, want 1.001µs or more")
	_, err = simulate.OnOff(time.Unix(0, 0), ratelimit.PerSecond(1), time.Microsecond+1, 0, 1)
	require.NoError(t, err)
	_, err = simulate.OnOff(time.Unix(0, 0), ratelimit.PerSecond(10), 100, 0, 1)
	require.ErrorContains(t, err, "on is 100ns, want 101ns or more")
	_, err = simulate.OnOff(time.Unix(0, 0), ratelimit.PerSecond(10), 101, 0, 1)
	require.NoError(t, err)
}

// An event that would come exactly at 2^63 ns is beyond the end, and not 292 years before the
// start.
func TestTrafficThatBeginsAtTheEnd(t *testing.T) {
	tried := 0
	for seed := range uint64(100) {
		x := rand.New(rand.NewPCG(seed, 0)).ExpFloat64()
		if x <= 1 {
			continue
		}
		per := time.Duration(0x1p63 / x)
		if x*float64(per) != 0x1p63 {
			continue
		}
		tried++
		for e := range ratelimit.Must(simulate.Poisson(t0, ratelimit.Every(per), seed)) {
			require.Fail(t, "an event", "at %v of seed %d", e.At, seed)
		}
	}
	require.Greater(t, tried, 5)
}

// Also where it is on for about as long as the clock can tell.
func TestOnOffOfNanoseconds(t *testing.T) {
	events := ratelimit.Must(simulate.OnOff(t0, ratelimit.Per(1, 1), 1, 99, 7))
	n := count(t, events, 0, 10*time.Millisecond)
	require.InDelta(t, 100_000, n, 5_000, "a hundredth of the time")
}
