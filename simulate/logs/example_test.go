package logs_test

import (
	"fmt"
	"strings"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/policy"
	"github.com/seed-3506548a/ratelimit/simulate"
	"github.com/seed-3506548a/ratelimit/simulate/logs"
)

// What a limit for each user, or address of strangers, would have refused of a log.
func Example() {
	log := strings.NewReader(`192.0.2.1 - bob [02/Mar/2026:08:00:08 +0000] "GET /movies HTTP/1.1" 200 512
192.0.2.1 - bob [02/Mar/2026:08:00:09 +0000] "GET /movies HTTP/1.1" 200 512
what is no request
192.0.2.1 - bob [02/Mar/2026:08:00:10 +0000] "GET /movies HTTP/1.1" 200 512
192.0.2.2 - - [02/Mar/2026:08:00:10 +0000] "GET /shows HTTP/1.1" 200 99
`)
	var faults logs.Faults
	mapping := logs.Mapping{Key: []string{"user", "host"}}
	requests := func(yield func(simulate.Request) bool) {
		for record, err := range logs.Read(log, logs.Auto) {
			if !faults.Add(&record, err) {
				continue
			}
			request, err := mapping.Request(&record)
			faults.Add(&record, err) // of a number; the request is good
			if !yield(request) {
				return
			}
		}
	}
	limit := ratelimit.Must(policy.ParseLimit("log 2/min"))
	judge := ratelimit.Must(simulate.NewLimit(limit))
	// Logs are written when requests end, so they are not in order of time.
	results, err := simulate.Run(simulate.Sorted(requests), simulate.Options{}, simulate.Subject{Judge: judge})
	if err != nil || faults.Err != nil {
		fmt.Println(err, faults.Err)
		return
	}
	for _, key := range results[0].Worst {
		fmt.Println(key.Key, key.Granted, "granted,", key.Refused, "refused")
	}
	fmt.Println(faults.Lost, "line is not a request") // faults.Summary says which, and why
	// Output:
	// bob 2 granted, 1 refused
	// 192.0.2.2 1 granted, 0 refused
	// 1 line is not a request
}
