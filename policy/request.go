package policy

import "time"

// Request is what an engine is asked about.
type Request struct {
	// Time is when it is made: any time. The zero Time is now, by the engine's clock.
	//
	// Limits that are gcra or aligned may refuse times far from the others: as late, if a request
	// was granted whose time is 10 s later, or for aligned limits more than 4 windows later; and as
	// ahead, for ever, if the time is 5 s or 2 windows after both the newest granted one and the
	// clock. (It is less for a gcra of more than 6500 events a second, 2^16 and 2^15 events, and
	// for one with an override that is much faster.) So for a replay, give the engine a clock, and
	// set it to the times of the requests.
	Time time.Time

	// Method and Path are matched with patterns; Path is escaped, as [net/url.URL.EscapedPath]
	// returns it. An empty Path matches no pattern.
	Method, Path string

	// Attrs say who asks. Of several with one name, the first that has a value counts.
	Attrs []Attr

	// Cost is how many events the request counts as. 0: as the policy says, else 1. Only a [Cost]
	// of the policy can make it 0 events. A negative one is refused by every limit.
	Cost int

	// Amounts are estimates of what limits with Of count, which Done settles.
	Amounts []Amount

	// Tighten lowers limits for this request, so that the clients of an API can be tested. It never
	// raises one.
	Tighten []Tightening

	// Refuse refuses the request, likewise, if nothing else does. Its RetryAfter is a second.
	Refuse bool
}

// Attr is a fact about who asks: {"user", "7"}. One with an empty value is missing.
type Attr struct{ Name, Value string }

// Amount is how much of something a request takes: {"tokens", 1500}.
type Amount struct {
	Name string
	N    int
}

// Tightening lowers the limit of a name, or of a rule/name, to To events.
type Tightening struct {
	Limit string
	To    int
}

// Outcome is what became of a request that was granted.
type Outcome struct {
	// Time is when the response was made. The zero Time is now, by the engine's clock.
	Time time.Time

	// Status is the response's, by which limits with Count choose. 0 is none, and is not counted.
	Status int

	// Amounts are what the request took. An amount that is missing here was as it was estimated.
	Amounts []Amount
}

// amount returns the amount of the name, if it is there.
func amount(all []Amount, name string) (n int, ok bool) {
	for i := range all {
		if all[i].Name == name {
			return all[i].N, true
		}
	}
	return 0, false
}
