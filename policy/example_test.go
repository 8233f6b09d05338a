package policy_test

import (
	"errors"
	"fmt"
	"time"

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

func ExampleParseLimit() {
	l, err := policy.ParseLimit("gcra 90/min burst 10")
	if err != nil {
		panic(err)
	}
	limiter, err := l.New()
	if err != nil {
		panic(err)
	}
	fmt.Println(limiter.Allow())
	// Output: true
}
