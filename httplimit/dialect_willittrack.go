package httplimit

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/policy"
)

// WillItTrack is the dialect of WillItTrack: X-RateLimit-Limit and X-RateLimit-Remaining, and a
// JSON object for refusals, whose text has the length of the limit's window. Its request_id is the
// response's X-Request-Id, if something before has set that.
var WillItTrack Dialect = willItTrack{}

type willItTrack struct{}

func (willItTrack) Headers(h http.Header, d *policy.Decision, _ time.Time) {
	f := newLines()
	f.retryAfter(d)
	f.limitAndRemaining(d)
	f.set(h)
}

// limitAndRemaining adds the two fields that most APIs have.
func (f *lines) limitAndRemaining(d *policy.Decision) {
	if s := binding(d); s != nil {
		f.number("X-RateLimit-Limit", int64(s.Limit))
		f.number("X-RateLimit-Remaining", int64(s.Remaining))
	}
}

func (willItTrack) Refuse(w http.ResponseWriter, _ *http.Request, d *policy.Decision) {
	code, message := "rate_limited", "Rate limit exceeded."
	s := binding(d)
	switch {
	case d.Action == policy.ByRevoke:
		code, message = "access_revoked", "Access is revoked."
	case d.Action == policy.ByMissing:
		code, message = "unidentified", "The request does not say whose it is."
	case d.RetryAfter == ratelimit.Never:
	case byLimit(d) && s != nil && s.Rate.Per > 0:
		message += fmt.Sprintf(" Try again in %d seconds.", max(seconds(s.Rate.Per), 1))
	default:
		message += fmt.Sprintf(" Try again in %d seconds.", max(seconds(d.RetryAfter), 1))
	}
	id := w.Header().Get("X-Request-Id")
	if id == "" {
		id = "req_" + rand.Text()
	}
	respond(w, Status(d), typeJSON, fmt.Sprintf(
		`{"error":{"type":"invalid_request_error","code":"%s","message":"%s","request_id":%s}}`, code, message, quoted(id)))
}
