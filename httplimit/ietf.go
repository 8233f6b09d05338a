package httplimit

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/policy"
)

// IETF is the dialect of draft-ietf-httpapi-ratelimit-headers, in the form of draft
//
//   - 6: RateLimit-Limit, RateLimit-Remaining and RateLimit-Reset, in seconds,
//   - 7: RateLimit: limit=100, remaining=50, reset=5
//   - 11, which is that of 8 and later: RateLimit: "day";r=100;t=36000
//
// of the limit that binds, and RateLimit-Policy with all that may be told. In 11, t is how long
// until there is one more, and a limit that has the name of another is called by its rule as well,
// "user/minute".
//
// A refusal has the problem details of RFC 9457: quota-exceeded, with the policies that it has
// violated; temporary-reduced-capacity, by 503, if the limit grants less than is shown at present;
// abnormal-usage-detected for throttles, blocks and revocations.
//
// Another draft is an error of [Middleware] and [PerKey].
func IETF(draft int) Dialect { return ietf(draft) }

type ietf int

func (draft ietf) fault() error {
	if draft != 6 && draft != 7 && draft != 11 {
		return &ratelimit.ArgumentError{Func: "httplimit.IETF", Field: "draft", Value: int(draft), Want: "6, 7 or 11"}
	}
	return nil
}

func (draft ietf) Headers(h http.Header, d *policy.Decision, _ time.Time) {
	f := newLines()
	f.retryAfter(d)
	draft.policies(f, d)
	if s := binding(d); s != nil {
		draft.standing(f, d, s)
	}
	f.set(h)
}

// policies adds RateLimit-Policy.
func (draft ietf) policies(f *lines, d *policy.Decision) {
	b := f.text
	before := len(b)
	for i := range d.Standings {
		s := &d.Standings[i]
		if s.Hidden || s.Shadow {
			continue
		}
		if len(b) > before {
			b = append(b, ", "...)
		}
		quota := s.Limit
		if s.Rate.Per > 0 {
			quota = s.Rate.Events
		}
		if draft > 7 {
			b = append(appendName(b, d, s), ";q="...)
		}
		b = strconv.AppendInt(b, int64(quota), 10)
		if s.Rate.Per >= time.Second {
			b = strconv.AppendInt(append(b, ";w="...), seconds(s.Rate.Per), 10)
		}
	}
	if len(b) > before {
		f.end("RateLimit-Policy", b)
	}
}

// standing adds how the limit that binds stands.
func (draft ietf) standing(f *lines, d *policy.Decision, s *policy.Standing) {
	after, resets := resetAfter(d, s)
	switch {
	case draft > 7:
		b := append(appendName(f.text, d, s), ";r="...)
		b = strconv.AppendInt(b, int64(s.Remaining), 10)
		if d.MoreAfter != ratelimit.Never {
			b = strconv.AppendInt(append(b, ";t="...), seconds(d.MoreAfter), 10)
		}
		f.end("RateLimit", b)
	case draft == 7:
		b := strconv.AppendInt(append(f.text, "limit="...), int64(s.Limit), 10)
		b = strconv.AppendInt(append(b, ", remaining="...), int64(s.Remaining), 10)
		if resets {
			b = strconv.AppendInt(append(b, ", reset="...), seconds(after), 10)
		}
		f.end("RateLimit", b)
	default:
		f.number("RateLimit-Limit", int64(s.Limit))
		f.number("RateLimit-Remaining", int64(s.Remaining))
		if resets {
			f.number("RateLimit-Reset", seconds(after))
		}
	}
}

// appendName appends the name of a limit as a String of RFC 9651. It has its rule's before it if
// another one that is told has the same.
func appendName(b []byte, d *policy.Decision, s *policy.Standing) []byte {
	return appendString(b, policyName(d, s))
}

func policyName(d *policy.Decision, s *policy.Standing) string {
	for i := range d.Standings {
		if o := &d.Standings[i]; o != s && o.Name == s.Name && !o.Hidden && !o.Shadow {
			return s.Rule + "/" + s.Name
		}
	}
	return s.Name
}

// problem is a refusal as of RFC 9457.
type problem struct {
	Type     string   `json:"type"`
	Title    string   `json:"title"`
	Status   int      `json:"status"`
	Violated []string `json:"violated-policies,omitempty"`
}

const problemTypes = "https://iana.org/assignments/http-problem-types#"

func (ietf) Refuse(w http.ResponseWriter, _ *http.Request, d *policy.Decision) {
	p := problem{Type: problemTypes + "quota-exceeded", Title: "Request cannot be satisfied as assigned quota has been exceeded",
		Status: Status(d)}
	s := binding(d)
	switch {
	case d.Action == policy.ByMissing:
		p.Type, p.Title = "about:blank", http.StatusText(p.Status)
	case !byLimit(d):
		p.Type, p.Title = problemTypes+"abnormal-usage-detected", "Request not satisfied due to detection of abnormal request pattern"
	default:
		p.Violated = violated(d)
		if isReduced(d, s) {
			p.Type, p.Title = problemTypes+"temporary-reduced-capacity", "Request cannot be satisfied due to temporary server capacity constraints"
			p.Status = http.StatusServiceUnavailable
		}
	}
	body, err := json.Marshal(p)
	if err != nil {
		body = []byte("{}")
	}
	respond(w, p.Status, "application/problem+json", string(body))
}

// violated returns the names of the limits that refuse: of those that may be told, or else of the
// one that is told in their place.
func violated(d *policy.Decision) (names []string) {
	for i := range d.Standings {
		if s := &d.Standings[i]; s.Crossed && !s.Hidden && !s.Shadow {
			names = append(names, policyName(d, s))
		}
	}
	if s := binding(d); s != nil && names == nil {
		names = []string{policyName(d, s)}
	}
	return names
}

// isReduced reports whether the limit that binds refuses, and grants less than it shows.
func isReduced(d *policy.Decision, s *policy.Standing) bool {
	return d.Action == policy.ByLimit && s != nil && s.Crossed && s.Reduced
}
