package httplimit

import (
	"net/http"
	"strings"
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/policy"
)

// Fields is a dialect of your own: the X-RateLimit-* family with other names, units and answers.
// Its zero value sets Retry-After and nothing else.
//
//	httplimit.Fields{Limit: "X-RateLimit-Limit", Remaining: "X-RateLimit-Remaining",
//		Reset: "X-RateLimit-Reset"}
//
// Names are sent as you write them. Clients of net/http find X-RateLimit-Limit by Get. A test with
// an httptest.ResponseRecorder finds it by w.Header()["X-RateLimit-Limit"] only: Get looks for
// X-Ratelimit-Limit.
type Fields struct {
	// The names of the header fields; "" leaves a field out.
	//
	// Limit is the most events that are granted at once: of a window its events, of a gcra its
	// burst and not its rate. Remaining is how many of these are left, and Used is the rest.
	// Resource is the rule's name. Reset is when the limit is full again; in a refusal it is not
	// before the request would be granted.
	Limit, Remaining, Reset, Used, Resource string

	// Unit is how Reset says when.
	Unit Unit

	// Status is that of refusals by limits, throttles and blocks. 0 is 429. A refusal of a key that
	// is revoked or missing is always 403.
	Status int

	// Body writes a refusal: its status, its body, and header fields of its own. nil writes a line
	// of text.
	//
	// With Body, Status is not used. The function [Status] returns what Fields would have written:
	// call w.WriteHeader(httplimit.Status(d)). Retry-After and the fields above are set already.
	// w.Header().Get("Retry-After") is the wait in whole seconds, with what [Jitter] has added, and
	// "" if d.RetryAfter is Never.
	Body func(w http.ResponseWriter, r *http.Request, d *policy.Decision)
}

// Unit is how a time is written.
type Unit int

// The units of a time. Parts of a second are rounded up.
const (
	UnixSeconds Unit = iota // 1602289440
	Seconds                 // 10: from now
	RFC3339                 // 2020-10-10T00:24:00Z
	HTTPDate                // Sat, 10 Oct 2020 00:24:00 GMT
)

// Headers sets the header fields.
func (o Fields) Headers(h http.Header, d *policy.Decision, now time.Time) {
	f := newLines()
	f.retryAfter(d)
	if s := binding(d); s != nil {
		if o.Limit != "" {
			f.number(o.Limit, int64(s.Limit))
		}
		if o.Remaining != "" {
			f.number(o.Remaining, int64(s.Remaining))
		}
		if o.Used != "" {
			f.number(o.Used, int64(max(s.Limit-s.Remaining, 0)))
		}
		if o.Resource != "" && s.Rule != "" {
			f.word(o.Resource, s.Rule)
		}
		if after, ok := resetAfter(d, s); ok && o.Reset != "" {
			o.reset(f, now, after)
		}
	}
	f.set(h)
}

func (o Fields) reset(f *lines, now time.Time, after time.Duration) {
	at := wholeSecond(now.Add(after))
	switch o.Unit {
	case Seconds:
		f.number(o.Reset, seconds(after))
	case RFC3339:
		f.end(o.Reset, at.UTC().AppendFormat(f.text, time.RFC3339))
	case HTTPDate:
		f.end(o.Reset, at.UTC().AppendFormat(f.text, http.TimeFormat))
	default:
		f.number(o.Reset, at.Unix())
	}
}

// Refuse writes the refusal.
func (o Fields) Refuse(w http.ResponseWriter, r *http.Request, d *policy.Decision) {
	if o.Body != nil {
		o.Body(w, r, d)
		return
	}
	code := Status(d)
	if o.Status != 0 && code == http.StatusTooManyRequests {
		code = o.Status
	}
	respond(w, code, "text/plain; charset=utf-8", http.StatusText(code)+"\n")
}

// fault returns what cannot be.
func (o Fields) fault() error {
	names := map[string]bool{"retry-after": true}
	for _, one := range []struct{ field, name string }{
		{"Limit", o.Limit}, {"Remaining", o.Remaining}, {"Reset", o.Reset}, {"Used", o.Used}, {"Resource", o.Resource},
	} {
		if one.name == "" {
			continue
		}
		if lower := strings.ToLower(one.name); !isToken(one.name) || names[lower] {
			return &ratelimit.ArgumentError{Func: "httplimit.Fields", Field: one.field, Value: one.name,
				Want: "the name of a header field that no other one has, other than Retry-After"}
		} else {
			names[lower] = true
		}
	}
	if o.Unit < UnixSeconds || o.Unit > HTTPDate {
		return &ratelimit.ArgumentError{Func: "httplimit.Fields", Field: "Unit", Value: int(o.Unit), Want: "UnixSeconds, Seconds, RFC3339 or HTTPDate"}
	}
	if o.Status != 0 && (o.Status < 400 || o.Status > 599) {
		return &ratelimit.ArgumentError{Func: "httplimit.Fields", Field: "Status", Value: o.Status, Want: "400 to 599, or 0 for 429"}
	}
	return nil
}
