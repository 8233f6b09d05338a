package policy

import (
	"strconv"
	"strings"
	"time"

	"github.com/seed-3506548a/ratelimit"
)

// longestSpan is what a step's spans may be at most.
const longestSpan = Span(9 * 365 * 24 * time.Hour)

// spanUnits are what a Span is written with, longest first. A day has 24 hours.
var spanUnits = []struct {
	name   string
	length Span
}{
	{"d", Span(24 * time.Hour)},
	{"h", Span(time.Hour)},
	{"m", Span(time.Minute)},
	{"s", Span(time.Second)},
	{"ms", Span(time.Millisecond)},
	{"us", Span(time.Microsecond)},
	{"ns", 1},
}

// String returns the span in the units d, h, m, s, ms, us and ns, longest first: "7d", "1m30s". The
// zero Span is "0s".
func (s Span) String() string {
	if s == 0 {
		return "0s"
	}
	var b strings.Builder
	rest := s
	if s < 0 {
		b.WriteByte('-')
	}
	for _, u := range spanUnits {
		if n := rest / u.length; n != 0 {
			b.WriteString(strings.TrimPrefix(strconv.FormatInt(int64(n), 10), "-"))
			b.WriteString(u.name)
			rest %= u.length
		}
	}
	return b.String()
}

// MarshalText implements [encoding.TextMarshaler] by String. A span that is not more than 0 is an
// error, since nothing could read it back; leave it out of a struct by the tag `json:",omitzero"`.
func (s Span) MarshalText() ([]byte, error) {
	if s <= 0 {
		return nil, &ratelimit.ArgumentError{Func: "policy.Span.MarshalText", Field: "span", Value: s, Want: "more than 0s"}
	}
	return []byte(s.String()), nil
}

// UnmarshalText implements [encoding.TextUnmarshaler]: whole numbers, each with its unit, are added
// up. The units are those of [ratelimit.ParseRate]. The error is a [*ratelimit.ArgumentError].
func (s *Span) UnmarshalText(text []byte) error {
	parsed, err := ratelimit.ParseRate("1/" + string(text)) // whose period is written likewise
	if err != nil || text[0] < '0' || text[0] > '9' {
		return &ratelimit.ArgumentError{Func: "policy.Span.UnmarshalText", Field: "span", Value: string(text), Want: wantSpan}
	}
	*s = Span(parsed.Per)
	return nil
}

const wantSpan = `a length of time of more than 0, in whole numbers with units ns, us, ms, s, m, h or d, as in "90s", "1h30m" or "7d"`
