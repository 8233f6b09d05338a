package ratelimit_test

import (
	"fmt"
	"math"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/benbjohnson/clock"
	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/burst"
	"github.com/seed-3506548a/ratelimit/fixedwindow"
	"github.com/seed-3506548a/ratelimit/gcra"
	"github.com/seed-3506548a/ratelimit/slidingwindow"
)

func setRetryAfter(h http.Header, d ratelimit.Decision) {
	if d.OK || d.RetryAfter == ratelimit.Never {
		return
	}
	seconds := int64(d.RetryAfter / time.Second)
	if d.RetryAfter%time.Second > 0 {
		seconds++
	}
	h.Set("Retry-After", strconv.FormatInt(seconds, 10))
}

func TestRetryAfter(t *testing.T) {
	for after, want := range map[time.Duration]string{
		0:                 "0",
		1:                 "1",
		time.Second:       "1",
		time.Second + 1:   "2",
		45 * time.Second:  "45",
		math.MaxInt64 - 1: "9223372037",
		ratelimit.Never:   "",
	} {
		h := http.Header{}
		setRetryAfter(h, ratelimit.Decision{RetryAfter: after})
		require.Equal(t, want, h.Get("Retry-After"), after)
	}
	h := http.Header{}
	setRetryAfter(h, ratelimit.Decision{OK: true})
	require.Empty(t, h)
}

// step is a request for n events at a time of a day, and its answer: ok, how many remain, how long
// to wait, and which limit binds.
type step struct {
	at   string
	n    int
	ok   bool
	left int
	wait time.Duration
	by   int
}

// follow makes the steps, by a mock.
func follow(t *testing.T, mock *clock.Mock, l ratelimit.Limiter, steps []step) {
	for _, s := range steps {
		at, err := time.Parse("2006-01-02 15:04:05.999999999", "2026-01-0"+s.at)
		require.NoError(t, err)
		mock.Set(at)
		d := l.Take(s.n)
		got := step{s.at, s.n, d.OK, d.Remaining, d.RetryAfter, d.By}
		require.Equal(t, s, got)
	}
}

func traktWrites(opts ...ratelimit.Option) (ratelimit.Limiter, error) {
	return gcra.New(ratelimit.PerSecond(1), 1, opts...)
}

func traktReads(opts ...ratelimit.Option) (ratelimit.Limiter, error) {
	return fixedwindow.NewAligned(ratelimit.Per(1000, 5*time.Minute), opts...)
}

func traktReadsFromTheFirst(opts ...ratelimit.Option) (ratelimit.Limiter, error) {
	return fixedwindow.NewAnchored(ratelimit.Per(1000, 5*time.Minute), opts...)
}

func TestTrakt(t *testing.T) {
	mock := clock.NewMock()
	with := ratelimit.WithClock(mock)
	follow(t, mock, ratelimit.Must(traktWrites(with)), []step{
		{at: "1 12:00:00", n: 1, ok: true},
		{at: "1 12:00:00", n: 1, wait: time.Second},
		{at: "1 12:00:00.4", n: 1, wait: 600 * time.Millisecond},
		{at: "1 12:00:01", n: 1, ok: true},
		{at: "1 12:00:01.999999999", n: 1, wait: 1},
		{at: "1 12:00:02", n: 1, ok: true},
	})
	follow(t, mock, ratelimit.Must(traktReads(with)), []step{
		{at: "1 12:03:10", n: 999, ok: true, left: 1},
		{at: "1 12:04:00", n: 2, left: 1, wait: time.Minute},
		{at: "1 12:04:00", n: 1, ok: true},
		{at: "1 12:04:50", n: 1, wait: 10 * time.Second}, // the Retry-After of its documentation
		{at: "1 12:05:00", n: 1000, ok: true},
		{at: "1 12:05:00", n: 1, wait: 5 * time.Minute},
		{at: "1 12:05:00", n: 1001, wait: ratelimit.Never},
	})
	follow(t, mock, ratelimit.Must(traktReadsFromTheFirst(with)), []step{
		{at: "2 12:03:10", n: 1000, ok: true},
		{at: "2 12:05:00", n: 1, wait: 3*time.Minute + 10*time.Second},
		{at: "2 12:08:10", n: 1, ok: true, left: 999},
	})
}

func willItTrack(opts ...ratelimit.Option) (ratelimit.Limiter, error) {
	return fixedwindow.NewAligned(ratelimit.PerMinute(60), opts...)
}

func TestWillItTrack(t *testing.T) {
	mock := clock.NewMock()
	follow(t, mock, ratelimit.Must(willItTrack(ratelimit.WithClock(mock))), []step{
		{at: "1 12:00:10", n: 59, ok: true, left: 1},
		{at: "1 12:00:12", n: 1, ok: true},
		{at: "1 12:00:15", n: 1, wait: 45 * time.Second}, // the Retry-After of its documentation
		{at: "1 12:00:59.999999999", n: 1, wait: 1},
		{at: "1 12:01:00", n: 1, ok: true, left: 59},
		{at: "1 12:01:59", n: 59, ok: true},
		{at: "1 12:02:00", n: 60, ok: true}, // 119 in two seconds: so do windows
	})
}

func aniList(opts ...ratelimit.Option) (*fixedwindow.Limiter, ratelimit.Limiter, error) {
	perMinute, err := fixedwindow.NewAnchored(ratelimit.PerMinute(90), opts...)
	if err != nil {
		return nil, nil, err
	}
	limiter, err := burst.New(perMinute, ratelimit.PerSecond(10))
	return perMinute, limiter, err
}

func TestAniList(t *testing.T) {
	mock := clock.NewMock()
	perMinute, limiter, err := aniList(ratelimit.WithClock(mock))
	require.NoError(t, err)
	const minute, peak = 0, 1 // who binds
	follow(t, mock, limiter, []step{
		{at: "1 12:00:00", n: 10, ok: true, by: peak},
		{at: "1 12:00:00.5", n: 1, wait: 500 * time.Millisecond, by: peak},
		{at: "1 12:00:01", n: 10, ok: true, by: peak},
	})
	// Degraded: 30 are enforced, and 20 of them have been used. 90 are advertised.
	require.NoError(t, perMinute.SetRate(ratelimit.PerMinute(30)))
	follow(t, mock, limiter, []step{
		{at: "1 12:00:02", n: 9, ok: true, left: 1, by: minute},
		{at: "1 12:00:03", n: 1, ok: true, by: minute},
		{at: "1 12:00:04", n: 1, wait: 56 * time.Second, by: minute},
	})
	advertised := perMinute.Peek(0).Remaining + 90 - perMinute.Rate().Events
	require.Equal(t, 60, advertised, "where its clients say that they are stopped")
	follow(t, mock, limiter, []step{
		{at: "1 12:01:00", n: 10, ok: true, by: peak},
		{at: "1 12:01:01", n: 10, ok: true, by: peak},
		{at: "1 12:01:02", n: 10, ok: true, by: minute},
		{at: "1 12:01:03", n: 1, wait: 57 * time.Second, by: minute},
	})
	// And well again.
	require.NoError(t, perMinute.SetRate(ratelimit.PerMinute(90)))
	follow(t, mock, limiter, []step{
		{at: "1 12:01:03", n: 10, ok: true, by: peak},
	})
}

func prayerLetters(opts ...ratelimit.Option) (ratelimit.Limiter, error) {
	perHour, err := slidingwindow.NewLog(ratelimit.PerHour(50), opts...)
	if err != nil {
		return nil, err
	}
	perDay, err := slidingwindow.NewLog(ratelimit.PerDay(600), opts...)
	if err != nil {
		return nil, err
	}
	return ratelimit.All(perHour, perDay)
}

func TestPrayerLetters(t *testing.T) {
	mock := clock.NewMock()
	limiter := ratelimit.Must(prayerLetters(ratelimit.WithClock(mock)))
	const hour, day = 0, 1 // its limit_exceeded
	follow(t, mock, limiter, []step{
		{at: "1 08:30:00", n: 30, ok: true, left: 20, by: hour},
		{at: "1 08:59:00", n: 20, ok: true, by: hour},
		{at: "1 09:00:00", n: 1, wait: 30 * time.Minute, by: hour}, // it is not reset on the hour
		{at: "1 09:29:59.999999999", n: 1, wait: 1, by: hour},
		{at: "1 09:30:00", n: 30, ok: true, by: hour},
		{at: "1 09:30:00", n: 21, wait: time.Hour, by: hour}, // 20 of them could pass at 09:59 already
	})
	for at := range 10 { // a full hour's, ten times
		follow(t, mock, limiter, []step{{at: fmt.Sprintf("1 %d:00:00", 11+at), n: 50, ok: true, by: hour}})
	}
	follow(t, mock, limiter, []step{
		{at: "1 21:00:00", n: 50, left: 20, wait: 11*time.Hour + 30*time.Minute, by: day}, // 580 in a day, until those of 08:30 are old
		{at: "1 21:00:00", n: 20, ok: true, by: day},
		{at: "1 23:00:00", n: 1, wait: 9*time.Hour + 30*time.Minute, by: day},
		{at: "2 08:30:00", n: 30, ok: true, by: day},
		{at: "2 08:59:00", n: 21, left: 20, wait: 31 * time.Minute, by: hour},
	})
}

// What the documentation shows is what is tested here.
func TestAPIsAreDocumented(t *testing.T) {
	page, err := os.ReadFile("docs/apis.md")
	require.NoError(t, err)
	source, err := os.ReadFile("apis_test.go")
	require.NoError(t, err)
	parts := strings.Split(string(page), "```")
	require.Greater(t, len(parts), 8)
	for i := 1; i < len(parts); i += 2 {
		code, ok := strings.CutPrefix(parts[i], "go\n")
		require.True(t, ok, parts[i])
		require.Contains(t, string(source), code)
	}
}
