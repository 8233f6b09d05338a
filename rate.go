package ratelimit

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// Rate is a number of events in a length of time.
//
// For a bucket, 90 in a minute and 3 in 2 seconds are the same rate, because it spreads its events.
// For a window they differ: one window grants 90 in each minute, the other 3 in each 2 seconds.
//
// Events == 0 is a valid rate: a limiter of that rate refuses every event.
type Rate struct {
	Events int
	Per    time.Duration
}

// Per returns the rate of n events in each d.
func Per(n int, d time.Duration) Rate { return Rate{Events: n, Per: d} }

// PerSecond returns the rate of n events a second.
func PerSecond(n int) Rate { return Rate{Events: n, Per: time.Second} }

// PerMinute returns the rate of n events a minute.
func PerMinute(n int) Rate { return Rate{Events: n, Per: time.Minute} }

// PerHour returns the rate of n events an hour.
func PerHour(n int) Rate { return Rate{Events: n, Per: time.Hour} }

// PerDay returns the rate of n events in each 24 hours.
func PerDay(n int) Rate { return Rate{Events: n, Per: 24 * time.Hour} }

// Every returns the rate of one event in each d.
func Every(d time.Duration) Rate { return Rate{Events: 1, Per: d} }

// Validate returns an [*ArgumentError] unless Events >= 0 and Per > 0. A constructor may require
// more.
func (r Rate) Validate() error {
	if r.Events < 0 {
		return &ArgumentError{"ratelimit.Rate.Validate", "rate.Events", r.Events, "0 or more"}
	}
	if r.Per <= 0 {
		return &ArgumentError{"ratelimit.Rate.Validate", "rate.Per", r.Per, "more than 0s"}
	}
	return nil
}

// units are the units of a period, longest first. Of several names for one unit String writes the
// first.
var units = []struct {
	name   string
	length time.Duration
}{
	{"day", 24 * time.Hour}, {"d", 24 * time.Hour},
	{"hour", time.Hour}, {"h", time.Hour},
	{"min", time.Minute}, {"minute", time.Minute}, {"m", time.Minute},
	{"s", time.Second}, {"sec", time.Second}, {"second", time.Second},
	{"ms", time.Millisecond},
	{"µs", time.Microsecond}, {"us", time.Microsecond}, {"μs", time.Microsecond},
	{"ns", time.Nanosecond},
}

// String returns the rate in the form that [ParseRate] reads: "90/min", "1000/5m", "3/1500ms". A
// period that is not a single unit is written as a multiple of the longest of h, m, s, ms, µs and
// ns that divides it.
func (r Rate) String() string {
	for _, u := range units {
		if r.Per == u.length {
			return fmt.Sprintf("%d/%s", r.Events, u.name)
		}
	}
	for _, name := range []string{"h", "m", "s", "ms", "µs"} {
		if length, _ := unit(name); r.Per != 0 && r.Per%length == 0 {
			return fmt.Sprintf("%d/%d%s", r.Events, r.Per/length, name)
		}
	}
	return fmt.Sprintf("%d/%dns", r.Events, r.Per.Nanoseconds())
}

// ParseRate parses a whole number of events, a slash, and a period. The period is a unit of time,
// or a sum of whole numbers of units.
//
//	90/min   1000/5m   50/hour   1/s   600/day   7/1m30s   1000000/250ms
//
// The units are ns, us (or µs), ms, s (sec, second), m (min, minute), h (hour) and d (day, always
// 24 hours). There are no signs, spaces, fractions or exponents. The error is an [*ArgumentError].
func ParseRate(s string) (Rate, error) {
	refuse := func(want string) (Rate, error) {
		return Rate{}, &ArgumentError{"ratelimit.ParseRate", "rate", s, want}
	}
	count, period, found := strings.Cut(s, "/")
	if !found {
		return refuse(`events/period, as in "90/min" or "1000/5m"`)
	}
	events, rest, ok := leadingInt(count)
	if !ok || rest != "" || events > math.MaxInt {
		return refuse(fmt.Sprintf("a whole number of events from 0 to %d before the slash", math.MaxInt))
	}
	per, known, ok := parsePeriod(period)
	if !known {
		return refuse("a period after the slash in ns, us, ms, s, sec, second, m, min, minute, h, hour, d or day")
	}
	if !ok {
		return refuse(`a period after the slash, more than 0 and at most 292 years, as in "s", "min", "5m" or "1h30m"`)
	}
	return Rate{Events: int(events), Per: per}, nil
}

// parsePeriod parses "min" or "1h30m". known reports whether all units exist, and ok whether the
// period is valid.
func parsePeriod(s string) (period time.Duration, known, ok bool) {
	if length, ok := unit(s); ok {
		return length, true, true
	}
	if s != "" && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsLetter(r) }) {
		return 0, false, false
	}
	var total time.Duration
	for s != "" {
		count, rest, ok := leadingInt(s)
		if !ok {
			return 0, true, false
		}
		end := strings.IndexAny(rest, "0123456789")
		if end < 0 {
			end = len(rest)
		}
		length, ok := unit(rest[:end])
		if !ok {
			return 0, false, false
		}
		if count > int64((math.MaxInt64-total)/length) {
			return 0, true, false
		}
		total += time.Duration(count) * length
		s = rest[end:]
	}
	return total, true, total > 0
}

// unit returns the length of the unit of that name.
func unit(name string) (time.Duration, bool) {
	for _, u := range units {
		if u.name == name {
			return u.length, true
		}
	}
	return 0, false
}

// leadingInt parses the digits at the beginning of s. ok reports whether there are any and whether
// they fit.
func leadingInt(s string) (n int64, rest string, ok bool) {
	rest = strings.TrimLeft(s, "0123456789")
	n, err := strconv.ParseInt(s[:len(s)-len(rest)], 10, 64)
	return n, rest, err == nil
}

// MarshalText implements [encoding.TextMarshaler] by String. It returns an error for a rate that is
// not valid, such as the zero Rate, because UnmarshalText could not read it. For an optional rate
// use the struct tag `json:",omitzero"`, or a *Rate that may be nil.
func (r Rate) MarshalText() ([]byte, error) {
	if err := r.Validate(); err != nil {
		return nil, err
	}
	return []byte(r.String()), nil
}

// UnmarshalText implements [encoding.TextUnmarshaler] by [ParseRate]. An empty string is an error.
// For null, package encoding/json does not call it and leaves r unchanged.
func (r *Rate) UnmarshalText(text []byte) error {
	parsed, err := ParseRate(string(text))
	if err != nil {
		return err
	}
	*r = parsed
	return nil
}
