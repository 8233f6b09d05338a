package policy_test

import (
	"errors"
	"fmt"
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/limittest"
	"github.com/seed-3506548a/ratelimit/policy"
)

func ExampleParse() {
	p, err := policy.Parse([]byte(`{
		"name": "example",
		"rules": [{
			"name": "api",
			"match": ["/v1/"],
			"key": ["user|ip"],
			"limits": [{"name": "minute", "rate": "60/min", "as": "aligned"}]
		}]
	}`))
	if err != nil {
		panic(err)
	}
	fmt.Println(p.Name, p.Rules[0].Limits[0])
	// Output: example minute: aligned 60/min
}

// All faults are found at once.
func ExampleParse_faults() {
	_, err := policy.Parse([]byte(`{
		"rules": [{
			"name": "api",
			"match": ["/v1/*"],
			"keys": ["user"],
			"limits": [{"name": "minute", "rate": "60/min"}]
		}]
	}`))
	var faults *policy.Faults
	if errors.As(err, &faults) {
		for _, fault := range faults.List {
			fmt.Println(fault.Line, fault.Path)
			fmt.Println("  is", fault.Is)
			fmt.Println("  want", fault.Want)
		}
	}
	// Output:
	// 4 rules[0].match[0]
	//   is "/v1/*"
	//   want {name} for any segment, or a slash at the end for everything below; as a part of a name, * is %2A
	// 5 rules[0].keys
	//   is not a field of a rule
	//   want name, match, when, key, missing, limits, ladder or mode
	// 6 rules[0].limits[0].as
	//   is missing
	//   want gcra, interval, anchored, aligned, log or counter; there is no default, as it is what the limit promises
}

func ExamplePolicy_Explain() {
	login, err := policy.ParseLimit("attempts: log 5/15m count 401")
	if err != nil {
		panic(err)
	}
	p := policy.Policy{
		Rules: []policy.Rule{{
			Name:   "login",
			Match:  []string{"POST /login"},
			Key:    []string{"ip"},
			Limits: []policy.Limit{login},
			Ladder: []policy.Step{{After: 3, Within: policy.Span(24 * time.Hour), Do: "block", For: policy.Span(time.Hour)}},
		}},
	}
	fmt.Print(p.Explain())
	// Output:
	// Rule login: requests for POST /login.
	//   Those with the same ip are counted together.
	//   A request with no ip is refused.
	//   Limit attempts: log 5/15m.
	//     It counts responses with status 401, after they were made. While it is full, all requests are refused.
	//     It grants 5 in 15m, wherever that begins: at worst 5 in 15m, and on top what is under way while it fills up.
	//     A request that it refuses waits at most 15m.
	//   A refusal by one of these limits is a strike. Refusals until its retry after has passed, or 1s if that is longer, belong to the same strike.
	//     From strike 3 within 1d on: block the key in this rule for 1h.
	//
	// Not limited: requests for which there is no rule that enforces.
}

// A limit from a flag or an environment variable.
func ExampleParseLimit() {
	for _, text := range []string{"gcra 90/min burst 10", "counter 600/day buckets 24", "failures: log 20/hour count 401,4xx", "gcra 90 per minute"} {
		l, err := policy.ParseLimit(text)
		var wrong *ratelimit.ArgumentError
		if errors.As(err, &wrong) {
			fmt.Printf("%q, want %s\n", wrong.Value, wrong.Want)
			continue
		}
		fmt.Println(l.As, l.Rate.Events, l.Rate.Per, l.Burst, l.Count)
	}
	// Output:
	// gcra 90 1m0s 10 []
	// counter 600 24h0m0s 24 []
	// log 20 1h0m0s 0 [401 4xx]
	// "gcra 90 per minute", want a rate after the algorithm, as in "90/min" or "1000/5m"
}

// A single limiter from the text of a limit, on a clock that is set: in a program, without it.
func ExampleLimit_New() {
	l, err := policy.ParseLimit("log 2/min")
	if err != nil {
		panic(err)
	}
	clock := limittest.NewClock(time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC))
	limiter, err := l.New(ratelimit.WithClock(clock))
	if err != nil {
		panic(err)
	}
	for range 4 {
		d := limiter.Take(1)
		fmt.Println(d.OK, d.Remaining, d.RetryAfter)
		clock.Advance(15 * time.Second)
	}
	// Output:
	// true 1 0s
	// true 0 0s
	// false 0 30s
	// false 0 15s
}

func ExampleLimit_String() {
	l := policy.Limit{Name: "tokens", Rate: ratelimit.PerMinute(90_000), As: policy.GCRA, Of: "tokens"}
	fmt.Println(l)
	// Output: tokens: gcra 90000/min of tokens
}

// The faults of a policy that is made in Go, each with its path.
func ExamplePolicy_Validate() {
	p := policy.Policy{Rules: []policy.Rule{{
		Name:   "api",
		Key:    []string{"user"},
		Limits: []policy.Limit{{Name: "minute", Rate: ratelimit.PerMinute(60), As: policy.Aligned, Burst: 10}},
		Ladder: []policy.Step{{After: 3, Do: "block", For: policy.Span(time.Hour)}},
	}}}
	fmt.Println(p.Validate())
	// Output:
	// policy: 2 faults:
	// 	rules[0].limits[0].burst is 10, want none: only gcra, interval and counter have one
	// 	rules[0].ladder[0].within is missing, want the span in which the strikes count, as in "1h"; only after 1 needs none
}
