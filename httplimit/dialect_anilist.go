package httplimit

import (
	"fmt"
	"net/http"
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/policy"
)

// AniList is the dialect of AniList: X-RateLimit-Limit and X-RateLimit-Remaining, and, of refusals
// only, X-RateLimit-Reset: the Unix time at which requests are accepted again.
var AniList Dialect = aniList{}

type aniList struct{}

func (aniList) Headers(h http.Header, d *policy.Decision, now time.Time) {
	f := newLines()
	f.retryAfter(d)
	f.limitAndRemaining(d)
	if !d.OK && d.RetryAfter != ratelimit.Never {
		f.number("X-RateLimit-Reset", wholeSecond(now.Add(d.RetryAfter)).Unix())
	}
	f.set(h)
}

func (aniList) Refuse(w http.ResponseWriter, _ *http.Request, d *policy.Decision) {
	code := Status(d)
	respond(w, code, typeJSON, fmt.Sprintf(`{"data":null,"errors":[{"message":"%s.","status":%d}]}`, http.StatusText(code), code))
}
