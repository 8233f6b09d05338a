package httplimit

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// at returns a time of the story.
func at(d time.Duration) time.Time { return time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC).Add(d) }

// grant lets n requests be granted, one each d from begin on.
func (l *learned) grant(n int, begin, d time.Duration) {
	for i := range n {
		sent := at(begin + time.Duration(i)*d)
		l.granted(sent, sent)
	}
}

func TestLearnedGap(t *testing.T) {
	const ms, second, minute = time.Millisecond, time.Second, time.Minute
	var l learned
	l.grant(10, 0, 10*ms)
	l.contradicted(at(100*ms), at(110*ms), minute, 0)
	require.Equal(t, 125*ms, l.gap, "10 within a second are 10 a second, with a quarter more for the way")
	l.granted(at(105*ms), at(120*ms))
	l.contradicted(at(109*ms), at(120*ms), minute, 0)
	require.Equal(t, 125*ms, l.gap, "of requests that were sent before, nothing is learned")

	l.grant(30, minute+110*ms, 100*ms)
	l.contradicted(at(minute+3110*ms), at(minute+3110*ms), minute, 0)
	require.Equal(t, 250*ms, l.gap, "it may still be a limit a second")
	l.grant(30, 3*minute, 250*ms)
	l.contradicted(at(3*minute+7500*ms), at(3*minute+7500*ms), minute, 0)
	perMinute := (minute + second/2) / 30
	require.Equal(t, perMinute, l.gap, "it is not, as 10 were granted in one: 30 within a minute are 30 a minute")

	l.grant(1, 64*minute, 0)
	require.Equal(t, perMinute-perMinute/10, l.gap, "it recovers after an hour")
	l.contradicted(at(65*minute), at(65*minute), minute, 0)
	require.Equal(t, perMinute, l.gap, "that was too much")
	l.exhausted(at(65*minute-1), at(65*minute+ms), minute, 0)
	require.Empty(t, l.windows, "which the refusals at the same time say, too")
	l.grant(1, 184*minute, 0)
	require.Equal(t, perMinute, l.gap, "so it is not tried again so soon")
	l.grant(1, 185*minute, 0)
	require.Equal(t, perMinute-perMinute/10, l.gap)
	l.grant(1, 245*minute, 0)
	require.InDelta(t, perMinute*81/100, l.gap, 2, "sooner after each success")
	l.grant(1, 275*minute, 0)
	require.InDelta(t, perMinute*729/1000, l.gap, 2)

	l.contradicted(at(500*minute), at(500*minute), 0, 0)
	require.InDelta(t, perMinute*81/100, l.gap, 2)
	l.grant(1, 501*minute, 0)
	l.contradicted(at(502*minute), at(502*minute), 0, 0)
	require.Equal(t, longestGap, l.gap, "no longer than this")
}

// TestLearnedUnit guesses the unit of a limit by the requests that were granted.
func TestLearnedUnit(t *testing.T) {
	const ms, second, minute = time.Millisecond, time.Second, time.Minute
	for _, one := range []struct {
		name        string
		n           int
		every       time.Duration
		wait, named time.Duration
		want        time.Duration
	}{
		{"10 in 1.01 s", 10, 101 * ms, minute, 0, 126 * ms},
		{"10 in 1.4 s", 10, 140 * ms, minute, 0, 165 * ms},
		{"7 in a second, of 70", 70, 140 * ms, minute, 0, 165 * ms},
		{"none in a second", 30, 1600 * ms, minute, 0, (minute + second/2) / 30},
		{"a wait that is too long for a second", 30, 10 * ms, 5 * minute, 0, (minute + second/2) / 30},
		{"too long for a minute", 30, 10 * ms, 2 * time.Hour, 0, longestGap},
		{"something is left of a named minute", 30, 100 * ms, 5 * minute, minute, 1750 * ms / 15},
		{"of a named hour", 30, 10 * ms, 5 * minute, time.Hour, (minute + second/2) / 30},
	} {
		t.Run(one.name, func(t *testing.T) {
			var l learned
			l.grant(one.n, time.Hour, one.every)
			sent := at(time.Hour + time.Duration(one.n)*one.every)
			l.contradicted(sent, sent, one.wait, one.named)
			require.Equal(t, one.want, l.gap)
		})
	}

	var l learned
	l.grant(100, 0, 10*ms)
	l.grant(10, 2*minute, 10*ms)
	l.contradicted(at(2*minute+second), at(2*minute+second), 0, 0)
	require.Equal(t, longestGap, l.gap, "100 were granted in a second and in a minute: so it is 110 an hour")
}

func TestLearnedWindows(t *testing.T) {
	var l learned
	l.exhausted(at(0), at(0), time.Hour, 0)
	require.Empty(t, l.windows, "nothing was granted")

	l.grant(50, 0, time.Second)
	l.exhausted(at(50*time.Second), at(50*time.Second), time.Hour-50*time.Second, 0)
	require.Equal(t, []window{{50, time.Hour, at(50*time.Second + 50*time.Hour)}}, l.windows)

	first, open := l.opens(at(time.Minute), at(time.Minute), 0)
	require.True(t, open)
	require.Equal(t, at(time.Hour), first)
	first, open = l.opens(at(time.Minute), at(time.Minute), 3)
	require.True(t, open)
	require.Equal(t, at(time.Hour+3*time.Second), first, "those under way count")
	_, open = l.opens(at(time.Minute), at(time.Minute), 50)
	require.False(t, open, "it depends on them")
	first, _ = l.opens(at(100*time.Hour), at(0), 0)
	require.Equal(t, at(100*time.Hour), first, "it is forgotten")

	for hour := 1; hour < 12; hour++ {
		l.grant(50, time.Duration(hour)*time.Hour, time.Second)
	}
	l.exhausted(at(12*time.Hour), at(12*time.Hour), 12*time.Hour, 0)
	require.Len(t, l.windows, 2)
	require.Equal(t, 600, l.windows[1].requests)
	require.Equal(t, 24*time.Hour, l.windows[1].length)

	l.grant(1, 24*time.Hour, 0)
	l.exhausted(at(24*time.Hour+time.Second), at(24*time.Hour+time.Second), time.Second, 0)
	require.Len(t, l.windows, 3)
	l.exhausted(at(24*time.Hour+time.Minute), at(24*time.Hour+time.Minute), time.Second, 0)
	require.Len(t, l.windows, 3, "most of the time was idle")
}

func TestLearnedHistoryIsBounded(t *testing.T) {
	var l learned
	l.grant(100_000, 0, time.Millisecond)
	require.LessOrEqual(t, len(l.history), 2*longestHistory)
	require.Equal(t, at(99_999*time.Millisecond), l.history[len(l.history)-1])
	l.exhausted(at(100*time.Second), at(100*time.Second), time.Hour, 0)
	require.Empty(t, l.windows, "so large a limit is not found out")
}

// TestLearnedPunishment refuses for a minute, whatever is left of the window. A limit of 90 in a
// minute that were sent in 9 seconds seems to be one of 69 seconds then.
func TestLearnedPunishment(t *testing.T) {
	const second, minute = time.Second, time.Minute
	var l learned
	l.grant(90, 0, second/10)
	l.exhausted(at(9*second), at(9*second), minute, 0)
	require.Equal(t, 61*second, l.windows[0].length, "a minute, and a second for the way")
	l.grant(90, 69*second, second/10)
	l.exhausted(at(130*second), at(130*second), minute, 0)
	require.Len(t, l.windows, 1)
	require.Equal(t, 121*second, l.windows[0].length, "it was no minute")

	l = learned{}
	l.grant(90, 0, second/10)
	l.grant(90, 60*second, second/10)
	l.exhausted(at(120*second+1), at(120*second+1), minute, 90)
	require.Equal(t, []window{{90, 61 * second, at(120*second + 1 + 50*61*second)}}, l.windows, "no more than the limit that is named")

	l = learned{}
	l.grant(20, 0, second/100)
	l.exhausted(at(second), at(second), 4*second, 0)
	require.Equal(t, 5*second, l.windows[0].length, "no usual one is near")
}
