package httplimit

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// Reading is what a response says about one limit, or how long to wait: [Read] returns them.
type Reading struct {
	// Name is how the response calls the limit: "day", "requests", "AUTHED_API_GET_LIMIT". It is ""
	// if it has no name.
	Name string

	// Partition names the part of the API that the limit holds for, such as GitHub's resource,
	// Discord's bucket or the pk of an IETF draft. "" is what the request itself belongs to.
	Partition string

	// Limit is how much is granted in a window, and Remaining how much of it is left. They are -1
	// if the response does not say. They count whatever the API counts, which may be tokens.
	Limit, Remaining int64

	// Window is how long the limit's window is, Reset how long until the window ends or more is
	// granted, and RetryAfter how long to wait before the next request, all from the time of the
	// response on. They are 0 if the response does not say.
	Window, Reset, RetryAfter time.Duration

	// Global reports that the response calls the limit global: it holds for all partitions.
	Global bool
}

// longestBelieved is the longest window or wait that Read believes. A longer one comes from a
// mistaken unit or from a date of another kind.
const longestBelieved = 365 * 24 * time.Hour

// mostReadings bounds the answer of Read, and longestField the length of a field that it looks at,
// so that a hostile server costs its client little.
const (
	mostReadings = 64
	longestField = 4 << 10
)

// Read returns what the header h of a response that was received at that time says about limits.
// It is lenient: it knows the dialects below in any spelling of upper and lower case, reads what it
// can of each field, and ignores the rest. It never returns a negative duration, and none of a year
// or more.
//
//   - Retry-After in seconds or as a date, and retry-after-ms: a Reading of their own, as they do
//     not say by which limit; of several, the longest counts
//   - X-RateLimit-Limit, -Remaining, -Reset and -Used, also X-Rate-Limit-* and RateLimit-*, with a
//     name after or before the last word, and with a vendor in front:
//     X-RateLimit-Remaining-Tokens, Anthropic-RateLimit-Requests-Limit
//   - RateLimit and RateLimit-Policy of all IETF drafts
//   - X-RateLimit-Resource and X-RateLimit-Bucket, as the Partition
//   - the JSON object of Trakt, 32/40 of Shopify, 76;w=21600 of Docker, and
//     total=10; remaining=9; resets=2 of Zendesk
//
// # Units
//
// The unit of a time follows from its form, never from the name of its field, because APIs use the
// same names for different units. Text with letters is a Go duration (6m0s), an RFC 3339 time or an
// HTTP date. A plain number is in Unix milliseconds from 10^11 on, in Unix seconds from 10^9 on,
// and otherwise in seconds from the response on. Only retry-after-ms is in milliseconds. Durations
// are rounded up to the millisecond.
//
// Dates are compared with the response's own Date, so the clocks need not agree. received is used
// if there is none.
//
// A response with an Age above 0 comes from a cache and is about the past, so only its Retry-After
// is read.
func Read(h http.Header, received time.Time) []Reading {
	f := collect(h)
	f.dated(received)
	var all []Reading
	marks := f.marks()
	if f.age == 0 {
		all = append(f.structured(), f.families(marks)...)
		all = append(all, f.singular()...)
	}
	all = slices.DeleteFunc(all, func(r Reading) bool {
		return r.Limit < 0 && r.Remaining < 0 && r.Reset == 0
	})
	if wait := f.retryAfter(); wait > 0 {
		all = append(all, Reading{Partition: marks.bucket, Limit: -1, Remaining: -1, RetryAfter: wait})
	}
	if len(all) > mostReadings {
		all = append(all[:mostReadings-1], all[len(all)-1]) // the last may be the Retry-After
	}
	for i := range all {
		if marks.global {
			all[i].Global, all[i].Partition = true, ""
		}
	}
	return all
}

// fieldset is the header of a response, by names in lower case.
type fieldset struct {
	values map[string][]string
	names  []string // sorted, so that the order of Readings does not depend on a map's
	now    time.Time
	age    time.Duration
}

func collect(h http.Header) *fieldset {
	f := &fieldset{values: map[string][]string{}}
	var given []string
	for name := range h {
		if lower := strings.ToLower(name); lower == "date" || lower == "age" || strings.Contains(lower, "limit") || strings.Contains(lower, "retry") {
			given = append(given, name)
		}
	}
	slices.Sort(given)
	for _, name := range given {
		lower := strings.ToLower(name)
		if f.values[lower] == nil {
			f.names = append(f.names, lower)
		}
		for _, v := range h[name] {
			if len(v) <= longestField {
				f.values[lower] = append(f.values[lower], strings.TrimSpace(v))
			}
		}
	}
	slices.Sort(f.names)
	return f
}

// list returns all values of a field as one list.
func (f *fieldset) list(name string) string { return strings.Join(f.values[name], ", ") }

// dated finds the time that the response's dates are relative to: when it was generated by its own
// clock, and how long it has lain in a cache since.
func (f *fieldset) dated(received time.Time) {
	for _, v := range f.values["age"] {
		if age, ok := parseNumberOfSeconds(v); ok {
			f.age = max(f.age, age)
		}
	}
	f.now = received
	for _, v := range f.values["date"] {
		if at, ok := parseDate(v); ok {
			f.now = at.Add(f.age)
		}
	}
}

// retryAfter returns the longest wait that the response demands, or 0.
func (f *fieldset) retryAfter() (longest time.Duration) {
	for _, name := range f.names {
		parse := func(text string) (time.Duration, bool) { return parseWait(text, f.now) }
		switch name {
		case "retry-after", "x-ratelimit-retry-after":
		case "retry-after-ms", "x-ms-retry-after-ms":
			parse = parseMilliseconds
		default:
			continue
		}
		for _, v := range f.values[name] {
			longest = max(longest, longestOf(v, parse))
		}
	}
	return longest
}

// longestOf parses a wait, or the list of waits that a proxy has made of several fields. It returns
// 0 if it is neither.
func longestOf(v string, parse func(string) (time.Duration, bool)) (longest time.Duration) {
	if wait, ok := parse(v); ok { // a date has a comma too
		return wait
	}
	for one := range strings.SplitSeq(v, ", ") { // without the space, it may be a decimal comma
		wait, ok := parse(one)
		if !ok {
			return 0
		}
		longest = max(longest, wait)
	}
	return longest
}
