package simulate_test

import (
	"encoding/csv"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/fixedwindow"
	"github.com/seed-3506548a/ratelimit/gcra"
	"github.com/seed-3506548a/ratelimit/policy"
	"github.com/seed-3506548a/ratelimit/simulate"
	"github.com/seed-3506548a/ratelimit/slidingwindow"
)

// What a minute's limit lets pass of a crowd, counted in aligned windows and in a rolling one.
func Example() {
	start := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	crowd := simulate.Crowd{
		Usual: ratelimit.PerMinute(30),
		Peak:  ratelimit.PerMinute(300),
		After: 90 * time.Second,
		Rise:  10 * time.Second,
		Decay: 2 * time.Minute,
	}
	traffic := simulate.Until(ratelimit.Must(simulate.FlashCrowd(start, crowd, 1)), start.Add(10*time.Minute))
	for _, limiter := range []ratelimit.Limiter{
		ratelimit.Must(fixedwindow.NewAligned(ratelimit.PerMinute(60))),
		ratelimit.Must(slidingwindow.NewLog(ratelimit.PerMinute(60))),
	} {
		report := simulate.Replay(traffic, limiter)
		fmt.Printf("%d of %d granted, at most %d in a minute; the longest wait is %v\n",
			report.Granted, report.Offered, report.MostGranted(time.Minute), report.Waits(1)[0].Round(time.Second))
	}
	// Output:
	// 512 of 843 granted, at most 112 in a minute; the longest wait is 45s
	// 496 of 843 granted, at most 60 in a minute; the longest wait is 4s
}

// What two limits for each key would have refused of the same requests, most of which are of a few
// keys.
func ExampleRun() {
	start := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	traffic := simulate.Until(ratelimit.Must(simulate.Poisson(start, ratelimit.PerMinute(120), 1)), start.Add(time.Hour))
	requests := ratelimit.Must(simulate.Crowded(traffic, 5, 1, 1, simulate.Request{}))
	subject := func(limit string) simulate.Subject {
		judge := ratelimit.Must(simulate.NewLimit(ratelimit.Must(policy.ParseLimit(limit))))
		return simulate.Subject{Name: limit, Judge: judge}
	}
	results, err := simulate.Run(requests, simulate.Options{}, subject("gcra 40/min burst 20"), subject("log 40/min"))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, r := range results {
		fmt.Printf("%s: %d of %d granted, something refused to %d of %d keys\n", r.Name, r.Granted, r.Offered, r.KeysRefused, r.Keys)
	}
	fmt.Printf("newly refused %d, newly granted %d\n", results[1].Diff.NewlyRefused, results[1].Diff.NewlyGranted)
	// Output:
	// gcra 40/min burst 20: 6887 of 7248 granted, something refused to 1 of 5 keys
	// log 40/min: 6676 of 7248 granted, something refused to 2 of 5 keys
	// newly refused 373, newly granted 162
}

// Trakt's AUTHED_API_POST_LIMIT lets every user send one POST, PUT or DELETE a second. This finds
// in a log who would have been refused how often.
func ExampleReadLog() {
	file, err := os.Open("testdata/access.log")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = file.Close() }()
	var users []string
	writes := map[string][]simulate.Event{}
	for entry, err := range simulate.ReadLog(file) {
		if err != nil {
			fmt.Println(err) // that line is left out
			continue
		}
		if entry.User == "" || entry.Method == "GET" {
			continue
		}
		if writes[entry.User] == nil {
			users = append(users, entry.User)
		}
		writes[entry.User] = append(writes[entry.User], simulate.Event{At: entry.At, N: 1})
	}
	for _, user := range users {
		limiter := ratelimit.Must(gcra.New(ratelimit.PerSecond(1), 1))
		report := simulate.Replay(slices.Values(writes[user]), limiter)
		fmt.Printf("%-5s %2d of %2d refused\n", user, report.Refused, report.Requests)
	}
	// Output:
	// bob    6 of 28 refused
	// dave   0 of 13 refused
	// alice  0 of 25 refused
	// carol  4 of 18 refused
}

// Any trace will do. This one says what each call costs: 5000 tokens a minute.
func ExampleReplay() {
	trace := csv.NewReader(strings.NewReader(`time,tokens
2026-01-01 12:00:00.20,2000
2026-01-01 12:00:07.90,2500
2026-01-01 12:00:08.00,1200
2026-01-01 12:00:31.55,300
2026-01-01 12:01:00.20,1200
`))
	records, err := trace.ReadAll()
	if err != nil {
		fmt.Println(err)
		return
	}
	calls := func(yield func(simulate.Event) bool) {
		for _, record := range records[1:] {
			at, errAt := time.Parse(time.DateTime, record[0]) // it takes fractions too
			tokens, errTokens := strconv.Atoi(record[1])
			if errAt != nil || errTokens != nil {
				fmt.Println("not a call:", record)
				continue
			}
			if !yield(simulate.Event{At: at, N: tokens}) {
				return
			}
		}
	}
	report := simulate.Replay(calls, ratelimit.Must(slidingwindow.NewLog(ratelimit.PerMinute(5000))))
	fmt.Printf("%d of %d tokens granted, %v is the longest wait\n", report.Granted, report.Offered, report.Waits(1)[0])
	// Output:
	// 6000 of 7200 tokens granted, 52.2s is the longest wait
}
