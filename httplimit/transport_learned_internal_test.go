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
	const ms, minute = time.Millisecond, time.Minute
	var l learned
	l.grant(10, 0, 10*ms)
	l.contradicted(at(100*ms), at(110*ms), minute)
	require.Equal(t, 100*ms, l.gap, "10 within a second are 10 a second")
	l.granted(at(105*ms), at(120*ms))
	l.contradicted(at(109*ms), at(120*ms), minute)
	require.Equal(t, 100*ms, l.gap, "of requests that were sent before, nothing is learned")

	l.grant(30, minute+110*ms, 100*ms)
	l.contradicted(at(minute+3*time.Second), at(minute+3110*ms), minute)
	require.Equal(t, 2*time.Second, l.gap, "30 within a minute are 30 a minute")

	l.grant(1, 62*minute, 0)
	require.Equal(t, 1800*ms, l.gap, "it recovers after an hour")
	l.contradicted(at(63*minute), at(63*minute), minute)
	require.Equal(t, 2*time.Second, l.gap, "that was too much")
	l.exhausted(at(63*minute-1), at(63*minute+ms), minute)
	require.Empty(t, l.windows, "which the refusals at the same time say, too")
	l.grant(1, 182*minute, 0)
	require.Equal(t, 2*time.Second, l.gap, "so it is not tried again so soon")
	l.grant(1, 183*minute, 0)
	require.Equal(t, 1800*ms, l.gap)
	l.grant(1, 243*minute, 0)
	require.Equal(t, 1620*ms, l.gap, "sooner after each success")
	l.grant(1, 273*minute, 0)
	require.Equal(t, 1458*ms, l.gap)

	l.contradicted(at(500*minute), at(500*minute), 0)
	require.Equal(t, 1620*ms, l.gap)
	l.grant(1, 501*minute, 0)
	l.contradicted(at(502*minute), at(502*minute), 0)
	require.Equal(t, longestGap, l.gap, "no longer than this")
}

func TestLearnedWindows(t *testing.T) {
	var l learned
	l.exhausted(at(0), at(0), time.Hour)
	require.Empty(t, l.windows, "nothing was granted")

	l.grant(50, 0, time.Second)
	l.exhausted(at(50*time.Second), at(50*time.Second), time.Hour-50*time.Second)
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
	l.exhausted(at(12*time.Hour), at(12*time.Hour), 12*time.Hour)
	require.Len(t, l.windows, 2)
	require.Equal(t, 600, l.windows[1].requests)
	require.Equal(t, 24*time.Hour, l.windows[1].length)

	l.grant(1, 24*time.Hour, 0)
	l.exhausted(at(24*time.Hour+time.Second), at(24*time.Hour+time.Second), time.Second)
	require.Len(t, l.windows, 3)
	l.exhausted(at(24*time.Hour+time.Minute), at(24*time.Hour+time.Minute), time.Second)
	require.Len(t, l.windows, 3, "most of the time was idle")
}

func TestLearnedHistoryIsBounded(t *testing.T) {
	var l learned
	l.grant(100_000, 0, time.Millisecond)
	require.LessOrEqual(t, len(l.history), 2*longestHistory)
	require.Equal(t, at(99_999*time.Millisecond), l.history[len(l.history)-1])
	l.exhausted(at(100*time.Second), at(100*time.Second), time.Hour)
	require.Empty(t, l.windows, "so large a limit is not found out")
}

// TestLearnedPunishment refuses for a minute, whatever is left of the window. A limit of 90 in a
// minute that were sent in 9 seconds seems to be one of 69 seconds then.
func TestLearnedPunishment(t *testing.T) {
	const second, minute = time.Second, time.Minute
	var l learned
	l.grant(90, 0, second/10)
	l.exhausted(at(9*second), at(9*second), minute)
	require.Equal(t, 61*second, l.windows[0].length, "a minute, and a second for the way")
	l.grant(90, 69*second, second/10)
	l.exhausted(at(130*second), at(130*second), minute)
	require.Len(t, l.windows, 1)
	require.Equal(t, 121*second, l.windows[0].length, "it was no minute")

	l = learned{}
	l.grant(20, 0, second/100)
	l.exhausted(at(second), at(second), 4*second)
	require.Equal(t, 5*second, l.windows[0].length, "no usual one is near")
}
