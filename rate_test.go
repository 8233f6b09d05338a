package ratelimit_test

import (
	"encoding"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
)

var (
	_ encoding.TextMarshaler   = ratelimit.Rate{}
	_ encoding.TextUnmarshaler = (*ratelimit.Rate)(nil)
)

func TestParseRate(t *testing.T) {
	for _, row := range []struct {
		text string
		want ratelimit.Rate
		back string
	}{
		{"90/min", ratelimit.PerMinute(90), "90/min"},
		{"1000/5m", ratelimit.Per(1000, 5*time.Minute), "1000/5m"},
		{"50/hour", ratelimit.PerHour(50), "50/hour"},
		{"1/s", ratelimit.PerSecond(1), "1/s"},
		{"600/day", ratelimit.PerDay(600), "600/day"},
		{"600/24h", ratelimit.PerDay(600), "600/day"},
		{"600/2d", ratelimit.Per(600, 48*time.Hour), "600/48h"},
		{"3/2s", ratelimit.Per(3, 2*time.Second), "3/2s"},
		{"7/1m30s", ratelimit.Per(7, 90*time.Second), "7/90s"},
		{"1/1500ms", ratelimit.Every(1500 * time.Millisecond), "1/1500ms"},
		{"0/s", ratelimit.PerSecond(0), "0/s"},
		{"007/minute", ratelimit.PerMinute(7), "7/min"},
		{"5/us", ratelimit.Per(5, time.Microsecond), "5/µs"},
		{"5/μs", ratelimit.Per(5, time.Microsecond), "5/µs"},
		{"5/1ns", ratelimit.Per(5, 1), "5/ns"},
		{fmt.Sprintf("%d/s", math.MaxInt), ratelimit.PerSecond(math.MaxInt), fmt.Sprintf("%d/s", math.MaxInt)},
		{"5/9223372036854775807ns", ratelimit.Per(5, math.MaxInt64), "5/9223372036854775807ns"},
		{"5/106751d23h47m16s854ms775us807ns", ratelimit.Per(5, math.MaxInt64), "5/9223372036854775807ns"},
	} {
		got, err := ratelimit.ParseRate(row.text)
		require.NoError(t, err, row.text)
		assert.Equal(t, row.want, got, row.text)
		assert.Equal(t, row.back, got.String())
		assert.NoError(t, got.Validate())
	}
}

func TestParseRateRefuses(t *testing.T) {
	const (
		whole  = "want events/period"
		events = "want a whole number of events"
		period = "want a period after the slash, more than 0"
		units  = "want a period after the slash in ns, us, ms, s, sec, second, m, min, minute, h, hour, d or day"
	)
	for text, want := range map[string]string{
		"": whole, "90": whole, "min": whole, "90 per min": whole,
		"/": events, "/min": events, "-1/s": events, "+1/s": events, "1e9/s": events, "1.5/s": events, " 1/s": events,
		"9999999999999999999/s": events, "x/s": events, "٣/s": events,
		"90/": period, "5/parsec": units, "90/fortnight": units, "5/ s": period, "5/s ": period, "5/0s": period, "5/-1s": period,
		"5/1.5h": units, "5/1": units, "5/1h1": units, "5/m5": period, "5/month": units, "5/S": units, "1/s/s": period, "5/1h,": units,
		"5/2weeks":                units,
		"5/9223372036854775808ns": period, "5/106752d": period, "5/106751d24h": period, "5/213504d": period, "5/1h213504d": period, "5/99999999999999999999ns": period,
	} {
		got, err := ratelimit.ParseRate(text)
		var bad *ratelimit.ArgumentError
		require.ErrorAs(t, err, &bad, "%q gave %v", text, got)
		assert.Zero(t, got)
		assert.Equal(t, text, bad.Value)
		assert.Contains(t, err.Error(), want, "%q", text)
		assert.Contains(t, err.Error(), `rate is "`+text+`"`)
	}
	_, err := ratelimit.ParseRate(strings.Repeat("9", 1e6))
	assert.Less(t, len(err.Error()), 300, "the message does not repeat a text of any length")
}

// A text is repeated as far as 64 bytes of it.
func TestAnErrorRepeatsATextOf64Bytes(t *testing.T) {
	whole := strings.Repeat("x", 64)
	_, err := ratelimit.ParseRate(whole)
	require.ErrorContains(t, err, `rate is "`+whole+`", want`)
	_, err = ratelimit.ParseRate(whole + "y")
	require.ErrorContains(t, err, `rate is "`+whole+`"... (65 bytes), want`)
}

func TestRateConstructors(t *testing.T) {
	assert.Equal(t, ratelimit.Rate{Events: 3, Per: time.Minute}, ratelimit.Per(3, time.Minute))
	assert.Equal(t, ratelimit.Rate{Events: 3, Per: time.Second}, ratelimit.PerSecond(3))
	assert.Equal(t, ratelimit.Rate{Events: 3, Per: time.Minute}, ratelimit.PerMinute(3))
	assert.Equal(t, ratelimit.Rate{Events: 3, Per: time.Hour}, ratelimit.PerHour(3))
	assert.Equal(t, ratelimit.Rate{Events: 3, Per: 24 * time.Hour}, ratelimit.PerDay(3))
	assert.Equal(t, ratelimit.Rate{Events: 1, Per: 3 * time.Hour}, ratelimit.Every(3*time.Hour))
}

func TestRateAsText(t *testing.T) {
	var config struct{ Limit ratelimit.Rate }
	require.NoError(t, json.Unmarshal([]byte(`{"Limit":"1000/5m"}`), &config))
	assert.Equal(t, ratelimit.Per(1000, 5*time.Minute), config.Limit)
	text, err := json.Marshal(config)
	require.NoError(t, err)
	assert.JSONEq(t, `{"Limit":"1000/5m"}`, string(text))

	var optional struct {
		Limit ratelimit.Rate `json:",omitzero"`
	}
	text, err = json.Marshal(optional)
	require.NoError(t, err)
	assert.JSONEq(t, `{}`, string(text), "none is left out")
	require.NoError(t, json.Unmarshal(text, &optional))
	assert.Zero(t, optional.Limit)

	require.ErrorContains(t, json.Unmarshal([]byte(`{"Limit":"5/parsec"}`), &config), `rate is "5/parsec"`)
	assert.Equal(t, ratelimit.Per(1000, 5*time.Minute), config.Limit, "an error leaves the value alone")

	_, err = ratelimit.PerSecond(-1).MarshalText()
	require.EqualError(t, err, "ratelimit.Rate.Validate: rate.Events is -1, want 0 or more")
	_, err = ratelimit.Rate{}.MarshalText()
	require.EqualError(t, err, "ratelimit.Rate.Validate: rate.Per is 0s, want more than 0s")
	assert.Equal(t, "-1/-3m", ratelimit.Per(-1, -3*time.Minute).String(), "String shows also what is not valid")
	assert.Equal(t, "0/0ns", ratelimit.Rate{}.String())
}

// What has no rate: a pointer may be nil, null leaves a rate as it is, and the zero Rate has no
// text of its own.
func TestRateThatThereIsNot(t *testing.T) {
	type limits struct {
		Struct  ratelimit.Rate            `json:"struct,omitzero"`
		Pointer *ratelimit.Rate           `json:"pointer"`
		Map     map[string]ratelimit.Rate `json:"map"`
		Slice   []ratelimit.Rate          `json:"slice"`
	}
	var none, read limits
	text, err := json.Marshal(none)
	require.NoError(t, err)
	require.JSONEq(t, `{"pointer":null,"map":null,"slice":null}`, string(text))
	require.NoError(t, json.Unmarshal(text, &read))
	require.Equal(t, none, read)

	some := ratelimit.PerSecond(0)
	all := limits{some, &some, map[string]ratelimit.Rate{"a": some}, []ratelimit.Rate{some}}
	text, err = json.Marshal(all)
	require.NoError(t, err)
	require.JSONEq(t, `{"struct":"0/s","pointer":"0/s","map":{"a":"0/s"},"slice":["0/s"]}`, string(text), "a rate of 0 events is one")
	require.NoError(t, json.Unmarshal(text, &read))
	require.Equal(t, all, read)
	require.NoError(t, json.Unmarshal([]byte(`{"struct":null}`), &read))
	require.Equal(t, some, read.Struct)

	for name, empty := range map[string]any{
		"map":     map[string]ratelimit.Rate{"a": {}},
		"slice":   make([]ratelimit.Rate, 1),
		"pointer": new(ratelimit.Rate),
		"struct":  struct{ Rate ratelimit.Rate }{},
	} {
		_, err := json.Marshal(empty)
		require.ErrorContains(t, err, "ratelimit.Rate.Validate: rate.Per is 0s, want more than 0s", name)
	}
	require.ErrorContains(t, json.Unmarshal([]byte(`{"struct":""}`), &read), `ratelimit.ParseRate: rate is ""`)
}

func FuzzRate(f *testing.F) {
	for _, text := range []string{"90/min", "1000/5m", "7/1m30s", "5/9223372036854775807ns", "1e9/s", "5/µs", "5/1h1"} {
		f.Add(text, 90, int64(time.Minute))
	}
	f.Fuzz(func(t *testing.T, text string, events int, per int64) {
		if parsed, err := ratelimit.ParseRate(text); err == nil {
			require.NoError(t, parsed.Validate())
			again, err := ratelimit.ParseRate(parsed.String())
			require.NoError(t, err)
			require.Equal(t, parsed, again)
		}
		rate := ratelimit.Rate{Events: events, Per: time.Duration(per)}
		written, err := rate.MarshalText()
		require.Equal(t, rate.Validate(), err)
		if err == nil {
			var read ratelimit.Rate
			require.NoError(t, read.UnmarshalText(written))
			require.Equal(t, rate, read)
		}
	})
}
