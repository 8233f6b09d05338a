// Package policy says in one document what is limited: which requests, counted by what, by which
// limits, and what becomes of callers that go too far.
//
// A [Policy] is a value. It is written as JSON or in Go, [Parse] and [Policy.Validate] find its
// faults, and [Policy.Explain] says in plain words what it does:
//
//	{
//		"name": "example",
//		"rules": [{
//			"name": "api",
//			"match": ["/v1/"],
//			"key": ["user|ip"],
//			"limits": [
//				{"name": "minute", "rate": "60/min", "as": "aligned"},
//				{"name": "day", "rate": "5000/day", "as": "log"}
//			]
//		}]
//	}
//
// A rule is for the requests that match it. A request is granted if every rule that is for it
// grants it; a request that no rule is for is not limited. Package policy/catalog has the policies
// of real APIs.
//
// # JSON
//
// Names are in lower case, and a field that is empty is left out. A rate is a string that
// [ratelimit.ParseRate] reads, such as "90/min", and a [Span] is one such as "1h30m". Numbers are
// whole and at most 2147483647. schema.json, in this package's folder, describes the documents to
// editors; a document may name it as "$schema".
package policy

import (
	"time"

	"github.com/seed-3506548a/ratelimit"
)

// Policy is what is limited, and how. Its zero value is no valid policy, for it has no rule.
type Policy struct {
	// Name is for people, logs and metrics.
	Name string `json:"name,omitempty"`

	// Costs says how many events a request counts as. Of several that match, the last one wins; if
	// none does, it is 1.
	Costs []Cost `json:"costs,omitempty"`

	// Rules are all asked: each one that is for a request must grant it. If a rule with mode exempt
	// is for a request, wherever it stands, the others are not.
	Rules []Rule `json:"rules,omitempty"`

	// Overrides change limits for some requests. Of several that are for a request and a limit, the
	// last one wins.
	Overrides []Override `json:"overrides,omitempty"`
}

// Cost is how many events a request counts as.
type Cost struct {
	// Match lists patterns as in [Rule]. None: every request.
	Match []string `json:"match,omitempty"`

	// N is 0 to 2147483647. At 0 a request is charged nothing, and refused only by blocks and
	// revocations, for a missing key, and by limits with Of or Count.
	N int `json:"n"`
}

// Rule counts the requests that it is for, and limits them.
type Rule struct {
	// Name is unique. A name has 1 to 64 letters, digits, dots, underscores and hyphens, and begins
	// with a letter or a digit.
	Name string `json:"name"`

	// Match lists patterns, of which one must match. None: every request.
	//
	// A pattern is written as for [net/http.ServeMux], without a host: "GET /letters/{id}", "/v1/",
	// "/{$}". Without a method it matches all methods, and GET is for HEAD, too. {name} is one
	// segment, which is not empty, {name...} at the end is the rest, a slash at the end is
	// everything below, and {$} after it only the slash. Segments are compared unescaped. A path is
	// cleaned of empty segments, "." and ".." before it is matched. "/a/" is not for "/a", which a
	// ServeMux would redirect.
	Match []string `json:"match,omitempty"`

	// When lists conditions on the attributes of a request, all of which must hold: "user" (there
	// is one), "!user" (there is none), "plan=free|trial" (it is one of these), "client!=a|b" (it
	// is none of these, or there is none). Values are compared exactly. In them, % and two
	// hexadecimal digits stand for a byte, as %7C does for |. [Is] writes such conditions. An
	// attribute without a value is not there.
	When []string `json:"when,omitempty"`

	// Key lists what is counted together: requests that agree in all its parts, at most 4, share
	// limits. A part is an attribute, or several, of which the first that is there counts:
	// "user|ip". The user 7 and the ip 7 are two keys. None: all requests together.
	Key []string `json:"key,omitempty"`

	// Missing says what becomes of a request without a value for some part of Key. "": it is
	// refused, by action missing. "skip": the rule is not for it. "share": requests without
	// that part, and with the same others, are counted together.
	Missing string `json:"missing,omitempty"`

	// Limits are all asked, at most 16. Only a rule with mode exempt has none.
	Limits []Limit `json:"limits,omitempty"`

	// Ladder is what becomes of keys that are refused again and again, at most 16 steps. A strike
	// is a refusal by a limit of this rule. Refusals until its RetryAfter has passed, or a second
	// if that is longer, belong to the same strike: an episode. A block or throttle that the strike
	// begins does not make the episode longer.
	Ladder []Step `json:"ladder,omitempty"`

	// Mode is Enforce unless it is given.
	Mode Mode `json:"mode,omitempty"`
}

// Mode is what a rule's limits are for.
type Mode string

// The modes of a rule.
const (
	Enforce Mode = ""       // what does not fit is refused
	Watch   Mode = "watch"  // it is granted, and is a strike
	Shadow  Mode = "shadow" // it is granted, and reported as what would have been refused
	Exempt  Mode = "exempt" // nothing limits the requests that the rule is for
)

// Algorithm is how a limit counts, and so what it promises.
type Algorithm string

// The algorithms, with the most that each grants in a span of the rate's length, wherever that
// begins. Their packages have the exact bounds.
const (
	GCRA     Algorithm = "gcra"     // burst + rate; evenly, after a burst: package gcra
	Interval Algorithm = "interval" // capacity + rate; batches come back: tokenbucket.NewInterval
	Anchored Algorithm = "anchored" // 2 * rate; windows begin with a request: fixedwindow.NewAnchored
	Aligned  Algorithm = "aligned"  // 2 * rate; by the wall clock: fixedwindow.NewAligned
	Log      Algorithm = "log"      // rate, exactly: slidingwindow.NewLog
	Counter  Algorithm = "counter"  // rate; stricter by a bucket's length: slidingwindow.NewCounter
)

// Limit is one limit of a rule.
type Limit struct {
	// Name is unique in its rule, also in another case, and written as the name of a [Rule]. It is
	// in headers and in answers.
	Name string `json:"name"`

	// Rate is how many events in how much time. At 0 events it refuses each request that counts as
	// 1 or more.
	Rate ratelimit.Rate `json:"rate,omitzero"`

	// As is the algorithm. There is no default, since it is what is promised.
	As Algorithm `json:"as"`

	// Burst is, of a gcra, its burst, and of an interval, its capacity: 0 is as many as
	// Rate.Events. Of a counter it is the number of buckets: 0 is 10. The others have none.
	Burst int `json:"burst,omitempty"`

	// Of is what is counted. "": a request counts as what Costs says. Else a named amount, such as
	// "tokens": before, the estimate is charged; after the response, what it turned out to be.
	Of string `json:"of,omitempty"`

	// Count lists the responses that are counted, after they were made: "401", "4xx". While the
	// limit is full, requests are refused. None: each request is counted before it.
	Count []string `json:"count,omitempty"`

	// Shown is what is advertised, if it is not Rate.
	Shown *ratelimit.Rate `json:"shown,omitempty"`

	// Hidden limits are in no header and no answer. Their waits count all the same.
	Hidden bool `json:"hidden,omitempty"`
}

// Step is a step of a ladder: what is done after so many strikes. Of throttle, block and revoke the
// last one in the ladder that is reached is done.
type Step struct {
	// After is how many strikes, 1 or more.
	After int `json:"after"`

	// Within is the span in which they count. It begins with the first of them, and the next one
	// with the first strike after it. 0 is for After 1 only: each strike. A ladder has at most 4
	// different ones.
	Within Span `json:"within,omitzero"`

	// Do is "log" or "notify", which report; "throttle", which slows the key down to To; "block",
	// which refuses it; or "revoke", which refuses it until it is pardoned.
	Do string `json:"do"`

	// To is what throttle lets through: a gcra with a burst of what it grants in a second, at least
	// 1.
	To *ratelimit.Rate `json:"to,omitempty"`

	// For is how long throttle and block last; and revoke, if there is no room for more of them
	// (then it blocks; 0 is a day).
	For Span `json:"for,omitzero"`

	// Who is the key that throttle, block and revoke hit, in every rule that enforces or watches.
	// It is written as Key of [Rule]. None, or if the request has no value for it: the key of the
	// rule, in this rule only.
	Who []string `json:"who,omitempty"`
}

// Override changes a limit for the requests that it is for. What was consumed stays consumed: all
// requests of a key go on sharing the limit, each judged by the limit that applies to it.
type Override struct {
	// Match and When are written as those of [Rule].
	Match []string `json:"match,omitempty"`
	When  []string `json:"when,omitempty"`

	// Limit is the limit's name, or rule/name where several rules have one of that name.
	Limit string `json:"limit"`

	// Rate replaces the limit's, and drops its Shown. Of all algorithms but gcra it has the limit's
	// period. A burst that the limit does not give follows it.
	Rate *ratelimit.Rate `json:"rate,omitempty"`

	// Shown replaces the limit's.
	Shown *ratelimit.Rate `json:"shown,omitempty"`

	// Burst replaces that of a gcra or an interval. 0: as it was.
	Burst int `json:"burst,omitempty"`

	// Unlimited takes the limit away.
	Unlimited bool `json:"unlimited,omitempty"`
}

// Span is a length of time: in JSON a string such as "90s", "1h30m" or "7d".
type Span time.Duration
