package policy_test

import (
	"expvar"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/limittest"
	"github.com/seed-3506548a/ratelimit/policy"
)

var letters = ratelimit.Must(policy.Parse([]byte(`{
	"rules": [{
		"name": "letters",
		"match": ["/letters/"],
		"key": ["user"],
		"limits": [
			{"name": "second", "rate": "2/s", "as": "log"},
			{"name": "hour", "rate": "50/h", "as": "log"}
		],
		"ladder": [{"after": 2, "within": "1h", "do": "block", "for": "10m"}]
	}]
}`)))

// A request is decided about, served, and settled. The decision is used again.
func ExampleEngine() {
	clock := limittest.NewClock(time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC))
	engine, err := policy.New(letters, 10_000, policy.WithClock(clock))
	if err != nil {
		fmt.Println(err)
		return
	}
	var d policy.Decision
	for range 5 {
		request := policy.Request{Method: "GET", Path: "/letters/7", Attrs: []policy.Attr{{Name: "user", Value: "7"}}}
		engine.Decide(&request, &d)
		if d.OK {
			fmt.Println("served,", d.Standings[d.Binding].Remaining, "left in a", d.Standings[d.Binding].Name)
			engine.Done(&d, policy.Outcome{Status: 200})
			continue
		}
		fmt.Println("refused by a", d.Action, "for", d.RetryAfter)
		clock.Advance(d.RetryAfter)
	}
	// Output:
	// served, 1 left in a second
	// served, 0 left in a second
	// refused by a limit for 1s
	// served, 1 left in a second
	// served, 0 left in a second
}

// What is refused is logged. Here each attribute of a decision has a line of its own.
func ExampleObserve() {
	var out strings.Builder
	log := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{} // so that this example always prints the same
			}
			return a
		},
	}))
	clock := limittest.NewClock(time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC))
	engine, err := policy.New(letters, 10_000, policy.WithClock(clock), policy.Observe(func(r *policy.Request, d *policy.Decision) {
		if !d.OK {
			log.Warn("refused", "path", r.Path, "decision", d)
		}
	}))
	if err != nil {
		fmt.Println(err)
		return
	}
	var d policy.Decision
	for range 7 {
		engine.Decide(&policy.Request{Method: "GET", Path: "/letters/7", Attrs: []policy.Attr{{Name: "user", Value: "7"}}}, &d)
		if d.Action == policy.ByLimit {
			clock.Advance(time.Second)
		}
	}
	fmt.Print(strings.ReplaceAll(out.String(), " decision.", "\n  decision."))
	// Output:
	// level=WARN msg=refused path=/letters/7
	//   decision.ok=false
	//   decision.action=limit
	//   decision.retry_after=1s
	//   decision.rule=letters
	//   decision.limit=second
	//   decision.remaining=0
	// level=WARN msg=refused path=/letters/7
	//   decision.ok=false
	//   decision.action=limit
	//   decision.retry_after=10m0s
	//   decision.rule=letters
	//   decision.limit=second
	//   decision.remaining=0
	//   decision.reached.rule=letters
	//   decision.reached.do=block
	//   decision.reached.strikes=2
	// level=WARN msg=refused path=/letters/7
	//   decision.ok=false
	//   decision.action=block
	//   decision.retry_after=9m59s
	//   decision.rule=letters
	//   decision.limit=second
	//   decision.remaining=2
}

// Decisions are counted, by what decided.
func ExampleObserve_expvar() {
	decisions := new(expvar.Map) // of a server: expvar.NewMap("decisions"), which publishes it
	count := func(_ *policy.Request, d *policy.Decision) {
		if d.OK {
			decisions.Add("granted", 1)
		} else {
			decisions.Add("refused by "+string(d.Action), 1)
		}
	}
	clock := limittest.NewClock(time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC))
	engine, err := policy.New(letters, 10_000, policy.WithClock(clock), policy.Observe(count))
	if err != nil {
		fmt.Println(err)
		return
	}
	var d policy.Decision
	for range 5 {
		engine.Decide(&policy.Request{Method: "GET", Path: "/letters/7", Attrs: []policy.Attr{{Name: "user", Value: "7"}}}, &d)
	}
	fmt.Println(decisions)
	// Output:
	// {"granted": 2, "refused by limit": 3}
}

// Tokens of a language model: the estimate is charged before a request, and what it took after it.
func ExampleEngine_Done() {
	p, err := policy.Parse([]byte(`{"rules": [{
		"name": "chat", "key": ["client"],
		"limits": [{"name": "tokens", "rate": "90000/min", "as": "gcra", "of": "tokens"}]
	}]}`))
	if err != nil {
		panic(err)
	}
	clock := limittest.NewClock(time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC))
	engine, err := policy.New(p, 10_000, policy.WithClock(clock))
	if err != nil {
		panic(err)
	}
	tokens := func(n int) []policy.Amount { return []policy.Amount{{Name: "tokens", N: n}} }
	request := policy.Request{Attrs: []policy.Attr{{Name: "client", Value: "a"}}, Amounts: tokens(50_000)}
	var d policy.Decision
	engine.Decide(&request, &d)
	fmt.Println(d.OK, d.Standings[0].Remaining)
	engine.Done(&d, policy.Outcome{Status: 200, Amounts: tokens(60_000)})

	engine.Decide(&request, &d)
	fmt.Println(d.OK, d.Standings[0].Remaining, d.RetryAfter.Round(time.Millisecond))
	// Output:
	// true 40000
	// false 30000 13.333s
}

// What a user has left now is asked by a request that counts as 0 events.
func ExampleEngine_Peek() {
	p, err := policy.Parse([]byte(`{
		"costs": [{"match": ["GET /v1/limits"], "n": 0}],
		"rules": [{
			"name": "api", "match": ["/v1/"], "key": ["user"],
			"limits": [
				{"name": "minute", "rate": "60/min", "as": "aligned"},
				{"name": "tokens", "rate": "90000/min", "as": "gcra", "of": "tokens"}
			]
		}]
	}`))
	if err != nil {
		panic(err)
	}
	engine, err := policy.New(p, 10_000, policy.WithClock(limittest.NewClock(time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC))))
	if err != nil {
		panic(err)
	}
	attrs := []policy.Attr{{Name: "user", Value: "7"}}
	var d policy.Decision
	left := func() {
		engine.Peek(&policy.Request{Method: "GET", Path: "/v1/limits", Attrs: attrs}, &d)
		for _, s := range d.Standings {
			fmt.Println(s.Name, s.Remaining, "of", s.Limit, "full in", s.ResetAfter)
		}
	}
	left()
	for range 100 {
		engine.Decide(&policy.Request{
			Method: "POST", Path: "/v1/chat", Attrs: attrs,
			Amounts: []policy.Amount{{Name: "tokens", N: 1000}},
		}, &d)
	}
	left()
	// Output:
	// minute 60 of 60 full in 0s
	// tokens 90000 of 90000 full in 0s
	// minute 0 of 60 full in 1m0s
	// tokens 30000 of 90000 full in 40s
}

// A policy is replaced while requests are decided. What was consumed stays consumed.
func ExampleEngine_Replace() {
	clock := limittest.NewClock(time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC))
	p := policy.Policy{Rules: []policy.Rule{{
		Name:   "api",
		Key:    []string{"user"},
		Limits: []policy.Limit{{Name: "minute", Rate: ratelimit.PerMinute(60), As: policy.Aligned}},
	}}}
	engine, err := policy.New(p, 10_000, policy.WithClock(clock))
	if err != nil {
		panic(err)
	}
	request := policy.Request{Attrs: []policy.Attr{{Name: "user", Value: "7"}}}
	var d policy.Decision
	for range 60 {
		engine.Decide(&request, &d)
	}
	p.Rules[0].Limits[0].Rate = ratelimit.PerMinute(90) // the engine has a copy
	if err := engine.Replace(p); err != nil {
		panic(err)
	}
	engine.Peek(&request, &d)
	fmt.Println(d.OK, d.Standings[0].Remaining, "of", d.Standings[0].Limit)
	// Output:
	// true 29 of 90
}

// What an engine had no room for, as a monitor would read it.
func ExampleEngine_Stats() {
	engine, err := policy.New(letters, 1, policy.WithClock(limittest.NewClock(time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC))))
	if err != nil {
		panic(err)
	}
	var d policy.Decision
	for _, user := range []string{"1", "2", "3", "4", "5"} {
		engine.Decide(&policy.Request{Method: "GET", Path: "/letters/7", Attrs: []policy.Attr{{Name: "user", Value: user}}}, &d)
	}
	fmt.Println(d.OK, d.RetryAfter)
	of := engine.Stats().Limits[1]
	fmt.Printf("%s/%s: %d live keys, %d refusals as there was no room\n", of.Rule, of.Name, of.Live, of.Full)
	// Output:
	// false 1h0m0s
	// letters/hour: 1 live keys, 4 refusals as there was no room
}
