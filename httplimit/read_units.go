package httplimit

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// dateLayouts are the forms of dates that APIs send beside those that http.ParseTime knows.
var dateLayouts = []string{
	time.RFC3339Nano,
	"2006-01-02T15:04Z07:00",
	time.RFC1123Z,
	"Mon, 2 Jan 2006 15:04:05 -0700",
	"Mon, 2 Jan 2006 15:04:05 UTC",
	"Mon, 2 Jan 2006 15:04:05 GMT",
	"Mon Jan 2 2006 15:04:05 GMT-0700", // as JavaScript prints a Date
}

// parseDate parses a date of any form that contains letters.
func parseDate(s string) (time.Time, bool) {
	if at, err := http.ParseTime(s); err == nil {
		return at, true
	}
	s, _, _ = strings.Cut(s, " (") // GMT+0100 (Central European Standard Time)
	for _, layout := range dateLayouts {
		if at, err := time.Parse(layout, s); err == nil {
			return at, true
		}
	}
	if upper := strings.ToUpper(s); upper != s {
		if at, err := time.Parse(time.RFC3339Nano, upper); err == nil {
			return at, true
		}
	}
	return time.Time{}, false
}

// parseWait parses a duration, or a time as the duration from now until then, 0 if it is past. See
// [Read] for the units. ok reports whether s has such a form and is believed.
func parseWait(s string, now time.Time) (wait time.Duration, ok bool) {
	if s == "" {
		return 0, false
	}
	if ms, ok := parseThousandths(s); ok {
		switch {
		case ms >= 1e14: // Unix milliseconds, and three digits more for the thousandths
			return until(time.UnixMilli((ms+999)/1000), now)
		case ms >= 1e12:
			return until(time.UnixMilli(ms), now)
		}
		return believed(time.Duration(ms) * time.Millisecond)
	}
	if '0' <= s[0] && s[0] <= '9' {
		if d, err := time.ParseDuration(s); err == nil {
			return believed(upToMillisecond(d))
		}
	}
	if at, ok := parseDate(s); ok {
		return until(at, now)
	}
	return 0, false
}

func until(at, now time.Time) (time.Duration, bool) {
	return believed(upToMillisecond(max(at.Sub(now), 0)))
}

func believed(d time.Duration) (time.Duration, bool) {
	if d < 0 || d >= longestBelieved {
		return 0, false
	}
	return d, true
}

// upToMillisecond rounds d up. It leaves what cannot be believed anyway.
func upToMillisecond(d time.Duration) time.Duration {
	if d <= 0 || d >= longestBelieved {
		return d
	}
	return (d + time.Millisecond - 1).Truncate(time.Millisecond)
}

// parseNumberOfSeconds parses a plain number of seconds, however many.
func parseNumberOfSeconds(s string) (time.Duration, bool) {
	ms, ok := parseThousandths(s)
	return time.Duration(min(ms, longestBelieved.Milliseconds())) * time.Millisecond, ok
}

// parseSpan parses a length of time, such as a window: a plain number of seconds, or a Go duration.
func parseSpan(s string) (time.Duration, bool) {
	d, ok := parseWait(s, time.Unix(0, 0))
	return d, ok && d > 0
}

// parseMilliseconds parses a plain number of milliseconds.
func parseMilliseconds(s string) (time.Duration, bool) {
	thousandths, ok := parseThousandths(s)
	if !ok {
		return 0, false
	}
	return believed(time.Duration((thousandths+999)/1000) * time.Millisecond)
}

// parseThousandths parses digits with at most one point among them, and returns the number in
// thousandths, rounded up. A sign, an exponent or more than 15 digits before the point are no such
// number.
func parseThousandths(s string) (int64, bool) {
	whole, fraction, pointed := strings.Cut(s, ".")
	if whole == "" || len(whole) > 15 || !areDigits(whole) || pointed && (fraction == "" || !areDigits(fraction)) {
		return 0, false
	}
	rest := ""
	if len(fraction) > 3 {
		fraction, rest = fraction[:3], fraction[3:]
	}
	for len(fraction) < 3 {
		fraction += "0"
	}
	n, err := strconv.ParseInt(whole+fraction, 10, 64)
	if strings.Trim(rest, "0") != "" {
		n++
	}
	return n, err == nil
}

// parseCount parses a number of requests or tokens: digits with at most one point, rounded down.
func parseCount(s string) (int64, bool) {
	thousandths, ok := parseThousandths(s)
	if ok && !strings.Contains(s, ".") {
		return thousandths / 1000, true
	}
	whole, _, _ := strings.Cut(s, ".")
	n, err := strconv.ParseInt(whole, 10, 64)
	return n, ok && err == nil
}

func areDigits(s string) bool {
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}
