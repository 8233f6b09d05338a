package logs_test

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit/policy"
	"github.com/seed-3506548a/ratelimit/simulate"
	"github.com/seed-3506548a/ratelimit/simulate/logs"
)

// A limit for each user refuses less than 1 % of what an access log has. It needs no clock: Run
// takes the times of the requests.
func TestAccessLog(t *testing.T) {
	file, err := os.Open("../testdata/access.log")
	require.NoError(t, err)
	defer func() { _ = file.Close() }()
	limit, err := policy.ParseLimit("gcra 60/min burst 10")
	require.NoError(t, err)
	judge, err := simulate.NewLimit(limit)
	require.NoError(t, err)

	var faults logs.Faults
	mapping := logs.Mapping{Key: []string{"user", "host"}}
	requests := func(yield func(simulate.Request) bool) {
		for record, err := range logs.Read(file, logs.Auto) {
			if !faults.Add(&record, err) {
				continue
			}
			request, err := mapping.Request(&record)
			faults.Add(&record, err)
			if !yield(request) {
				return
			}
		}
	}
	results, err := simulate.Run(simulate.Sorted(requests), simulate.Options{}, simulate.Subject{Name: "mine", Judge: judge})
	require.NoError(t, err)
	require.NoError(t, faults.Err)
	require.Zero(t, faults.Lines, faults.Summary())
	require.Positive(t, results[0].Offered)
	require.Less(t, float64(results[0].Refused)/float64(results[0].Offered), 0.01, results[0])
}
