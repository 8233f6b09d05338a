package catalog_test

import (
	"testing"
	"time"
)

// greedy returns bursts of a user at these times, of which each uses up what there is and asks for
// one more: a strike of the rule requests.
func greedy(want string, times ...time.Duration) (story []step) {
	for _, at := range times {
		story = append(story,
			step{at: at, times: 100, ask: "GET / user=ann", want: "granted; requests 0 of 100; shadow"},
			step{at: at, ask: "GET / user=ann", want: "refused by limit; requests 0 of 100; retry after " + want})
	}
	return story
}

// What Reached says of a strike of the rule requests.
const (
	logged    = "; log at strike 1 of requests" // it is done at each strike, whatever came before
	throttled = "; throttle at strike "
)

// One mistake costs the time until one more has come back, and is logged. The third within an hour
// slows down to one a second.
func TestFairUseIsSoftAtFirst(t *testing.T) {
	follow(t, "fair-use", join(
		[]step{
			{at: 0, times: 20, ask: "GET / user=ann", want: "granted; pace 0 of 20"},
			{at: 0, times: 30, ask: "GET / user=ann", want: "granted; pace 0 of 20"}, // which only watches
			{at: 0, ask: "GET / user=ann", want: "granted; pace 0 of 20; shadow"},    // half the limit would refuse it
			{at: 0, times: 49, ask: "GET / user=ann", want: "granted; requests 0 of 100; shadow"},
			{at: 0, ask: "GET / user=ann", want: "refused by limit; requests 0 of 100; retry after 300ms" + logged},
			{at: 0, ask: "GET / user=ann", want: "refused by limit; requests 0 of 100; retry after 300ms"}, // the same strike
			{at: 300*ms - ns, ask: "GET / user=ann", want: "refused by limit; requests 0 of 100; retry after 1ns"},
			{at: 300 * ms, ask: "GET / user=ann", want: "granted; requests 0 of 100; shadow"},
		},
		greedy("300ms"+logged, m),
		greedy("300ms"+logged+throttled+"3 of requests", 2*m),
		[]step{
			{at: 2*m + 500*ms, ask: "GET / user=ann", want: "granted; requests 0 of 100; shadow"}, // the throttle's one
			{at: 2*m + s, ask: "GET / user=ann", want: "refused by throttle; requests 2 of 100; retry after 500ms"},
			{at: 2*m + 1500*ms - ns, ask: "GET / user=ann", want: "refused by throttle; requests 3 of 100; retry after 1ns"},
			{at: 2*m + 1500*ms, ask: "GET / user=ann", want: "granted; requests 3 of 100"},
			{at: 2*m + 1500*ms, ask: "GET / user=bob", want: "granted; pace 19 of 20"},
			{at: 7*m - s, ask: "GET / user=ann", want: "granted; pace 19 of 20"},
			{at: 7*m - ns, ask: "GET / user=ann", want: "refused by throttle; pace 20 of 20; retry after 1ns"},
			{at: 7 * m, times: 100, ask: "GET / user=ann", want: "granted; requests 0 of 100; shadow"},
		},
	))
}

// A user that goes on is reported, shut out for an hour, then for a day, and in the end for good.
func TestFairUseIsHardInTheEnd(t *testing.T) {
	follow(t, "fair-use", join(
		greedy("300ms"+logged, 0, m),
		greedy("300ms"+logged+throttled+"3 of requests", 2*m),
		greedy("300ms"+logged+throttled+"4 of requests", 7*m),
		greedy("300ms"+logged+throttled+"5 of requests", 12*m),
		greedy("300ms"+logged+throttled+"6 of requests; notify at strike 6 of requests", 17*m),
		greedy("300ms"+logged+throttled+"7 of requests", 22*m),
		greedy("300ms"+logged+throttled+"8 of requests", 27*m),
		greedy("300ms"+logged+throttled+"9 of requests", 32*m),
		greedy("1h0m0s"+logged+"; block at strike 10 of requests", 37*m),
		[]step{
			{at: h, ask: "GET / user=ann", want: "refused by block; pace 20 of 20; retry after 37m0s"},
			{at: h, ask: "GET / user=bob", want: "granted; pace 19 of 20"},
			{at: h + 37*m - ns, ask: "GET / user=ann", want: "refused by block; pace 20 of 20; retry after 1ns"},
		},
		// The next hour begins mildly again, but the week goes on.
		greedy("300ms"+logged, h+37*m, h+38*m),
		greedy("300ms"+logged+throttled+"3 of requests", h+39*m),
		greedy("300ms"+logged+throttled+"4 of requests", h+44*m),
		greedy("300ms"+logged+throttled+"5 of requests", h+49*m),
		greedy("300ms"+logged+throttled+"6 of requests; notify at strike 6 of requests", h+54*m),
		greedy("300ms"+logged+throttled+"7 of requests", h+59*m),
		greedy("300ms"+logged+throttled+"8 of requests", 2*h+4*m),
		greedy("300ms"+logged+throttled+"9 of requests", 2*h+9*m),
		greedy("24h0m0s"+logged+"; block at strike 20 of requests", 2*h+14*m),
		[]step{{at: d + 2*h + 14*m - ns, ask: "GET / user=ann", want: "refused by block; pace 20 of 20; retry after 1ns"}},
		greedy("24h0m0s"+logged+"; block at strike 21 of requests", d+2*h+14*m),
		greedy("24h0m0s"+logged+"; block at strike 22 of requests", 2*d+2*h+14*m),
		greedy("24h0m0s"+logged+"; block at strike 23 of requests", 3*d+2*h+14*m),
		greedy("24h0m0s"+logged+"; block at strike 24 of requests", 4*d+2*h+14*m),
		[]step{
			{at: 5*d + 2*h + 14*m, times: 100, ask: "GET / user=ann", want: "granted; requests 0 of 100; shadow"},
			{at: 5*d + 2*h + 14*m, ask: "GET / user=ann", want: "refused by limit; requests 0 of 100; never" + logged + "; revoke at strike 25 of requests"},
			{at: 365 * d, ask: "GET / user=ann", want: "refused by revoke; pace 20 of 20; never"},
			{at: 365 * d, ask: "pardon requests user=ann", want: "true"},
			{at: 365 * d, ask: "GET / user=ann", want: "granted; pace 19 of 20"},
		},
	))
}

// Failed requests are counted by their responses. After a hundred in ten minutes all requests are
// refused until some of them are old, and the second time for ten minutes at least.
func TestFairUseCountsFailures(t *testing.T) {
	follow(t, "fair-use", []step{
		{at: 0, times: 20, ask: "GET /nothing user=ann", want: "granted; pace 0 of 20", done: "404"},
		{at: s, times: 20, ask: "GET /found user=ann", want: "granted; pace 0 of 20", done: "200"}, // which is no failure
		{at: m, times: 40, ask: "GET /nothing user=ann", want: "granted; pace 0 of 20", done: "404"},
		{at: 2 * m, times: 40, ask: "GET /nothing user=ann", want: "granted; pace 0 of 20", done: "400"},
		{at: 3 * m, ask: "GET /found user=ann", want: "refused by limit; failures 0 of 100; retry after 7m0s; notify at strike 1 of failures"},
		{at: 10*m - ns, ask: "GET /found user=ann", want: "refused by limit; failures 0 of 100; retry after 1ns"},
		{at: 10 * m, times: 20, ask: "GET /nothing user=ann", want: "granted; pace 0 of 20", done: "404"},
		{at: 10 * m, ask: "GET /found user=bob", want: "granted; pace 19 of 20"},
		{at: 10 * m, ask: "GET /found user=ann", want: "refused by limit; failures 0 of 100; retry after 10m0s; notify at strike 1 of failures; block at strike 2 of failures"},
		{at: 20*m - ns, ask: "GET /found user=ann", want: "refused by block; pace 20 of 20; retry after 1ns"},
		{at: 20 * m, ask: "GET /found user=ann", want: "granted; pace 19 of 20", done: "200"},
	})
}

// A pace above 20 a second is watched: it refuses nothing, and the fifth time is logged.
func TestFairUseWatchesThePace(t *testing.T) {
	var story []step
	for at := range time.Duration(5) {
		want := "granted; pace 0 of 20"
		if at == 4 {
			want += "; log at strike 5 of pace"
		}
		story = append(story,
			step{at: at * m, times: 20, ask: "GET / user=ann", want: "granted; pace 0 of 20"},
			step{at: at * m, ask: "GET / user=ann", want: want})
	}
	follow(t, "fair-use", story)
}

func join(parts ...[]step) (story []step) {
	for _, part := range parts {
		story = append(story, part...)
	}
	return story
}
