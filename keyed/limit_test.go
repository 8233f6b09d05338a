package keyed_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/keyed"
)

func TestLimitArguments(t *testing.T) {
	table := ratelimit.Must(keyed.NewGCRA[string](ratelimit.PerSecond(10), 5, 8))
	windows := ratelimit.Must(keyed.NewAlignedWindow[string](ratelimit.PerMinute(60), 8))
	none := ratelimit.Must(keyed.NewGCRA[string](ratelimit.PerSecond(0), 5, 8))
	failure := func(_ keyed.Limit, err error) error { return err }
	for want, err := range map[string]error{
		"keyed.Table.Limit: rate.Events is -1, want 0 to 2147483647":                                                 failure(table.Limit(ratelimit.PerSecond(-1), 1)),
		"keyed.Table.Limit: rate.Per is 0s, want more than 0s":                                                       failure(table.Limit(ratelimit.Rate{}, 1)),
		"keyed.Table.Limit: rate is 2/ns, want at most one event a nanosecond":                                       failure(table.Limit(ratelimit.Per(2, 1), 1)),
		"keyed.Table.Limit: burst is 0, want 1 to 2147483647":                                                        failure(table.Limit(ratelimit.PerSecond(1), 0)),
		"keyed.Table.Limit: burst is 1073741825, want at most 1073741824 at this rate: 2^38 of the table's ticks":    failure(table.Limit(ratelimit.PerSecond(10), 1<<30+1)),
		"keyed.Table.Limit: rate is 1/87600h, want a rate at which an event drains within 2^38 of the table's ticks": failure(table.Limit(ratelimit.Per(1, 10*365*24*time.Hour), 1)),
		"keyed.Table.Limit: rate is 200/s, want at most 160/s: make the table for the fastest limit":                 failure(table.Limit(ratelimit.PerSecond(200), 1)),
		"keyed.Table.Limit: rate is 2560/s, want at most 160/s: make the table for the fastest limit":                failure(table.Limit(ratelimit.PerSecond(2560), 1)),
		"keyed.Table.Limit: rate is 3/10ns, want at most 1/16ns: make the table for the fastest limit":               failure(none.Limit(ratelimit.Per(3, 10), 1)),
		"keyed.Table.Limit: rate.Per is 1s, want 1m0s, the table's windows":                                          failure(windows.Limit(ratelimit.PerSecond(1), 1)),
		"keyed.Table.Limit: rate.Events is 61, want at most 60, as the table was made":                               failure(windows.Limit(ratelimit.PerMinute(61), 61)),
		"keyed.Table.Limit: burst is 60, want 30, the events of a window":                                            failure(windows.Limit(ratelimit.PerMinute(30), 60)),
	} {
		var bad *ratelimit.ArgumentError
		require.ErrorAs(t, err, &bad, want)
		require.EqualError(t, err, want)
	}
}
