package policy_test

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/policy"
)

func TestSpan(t *testing.T) {
	for text, want := range map[string]struct {
		span  time.Duration
		again string
	}{
		"90s":        {90 * time.Second, "1m30s"},
		"1h30m":      {90 * time.Minute, "1h30m"},
		"7d":         {7 * 24 * time.Hour, "7d"},
		"36h":        {36 * time.Hour, "1d12h"},
		"1500ms":     {1500 * time.Millisecond, "1s500ms"},
		"1us1ns":     {1001, "1us1ns"},
		"1µs":        {1000, "1us"},
		"2min":       {2 * time.Minute, "2m"},
		"106751d":    {106751 * 24 * time.Hour, "106751d"},
		"1s1s":       {2 * time.Second, "2s"},
		"0h1s":       {time.Second, "1s"},
		"1day12hour": {36 * time.Hour, "1d12h"},
	} {
		var s policy.Span
		require.NoError(t, s.UnmarshalText([]byte(text)), text)
		require.Equal(t, want.span, time.Duration(s))
		require.Equal(t, want.again, s.String())
	}
	require.Equal(t, "0s", policy.Span(0).String())
	require.Equal(t, "-1m30s", policy.Span(-90*time.Second).String())
	require.Equal(t, "-106751d23h47m16s854ms775us808ns", policy.Span(math.MinInt64).String())

	for _, text := range []string{"", "0s", "90", "1.5h", "-1h", "+1h", "s", "hour", "1h 30m", "1w", "1h30", "106752d", "1e3s", " 1s"} {
		s := policy.Span(7)
		var bad *ratelimit.ArgumentError
		require.ErrorAs(t, s.UnmarshalText([]byte(text)), &bad, text)
		require.Equal(t, text, bad.Value)
		require.EqualValues(t, 7, s)
	}
	for _, s := range []policy.Span{0, -1} {
		_, err := s.MarshalText()
		var bad *ratelimit.ArgumentError
		require.ErrorAs(t, err, &bad)
	}
}

// FuzzSpan: what is written is read again as it was. And what is read of a text is more than 0, and
// can be written.
func FuzzSpan(f *testing.F) {
	f.Add(int64(1), "1h30m")
	f.Add(int64(math.MaxInt64), "9223372036854775807ns")
	f.Fuzz(func(t *testing.T, n int64, text string) {
		if n > 0 {
			written, err := policy.Span(n).MarshalText()
			require.NoError(t, err)
			var again policy.Span
			require.NoError(t, again.UnmarshalText(written))
			require.EqualValues(t, n, again)
		}
		var read policy.Span
		if err := read.UnmarshalText([]byte(text)); err != nil {
			require.Zero(t, read)
			return
		}
		require.Positive(t, read)
		var again policy.Span
		require.NoError(t, again.UnmarshalText([]byte(read.String())))
		require.Equal(t, read, again)
	})
}
