package httplimit

import (
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/policy"
)

// Trakt is the dialect of Trakt: X-Ratelimit has the limit as a JSON object,
//
//	X-Ratelimit: {"name":"UNAUTHED_API_GET_LIMIT","period":300,"limit":1000,
//		"remaining":0,"until":"2020-10-10T00:24:00Z"} (in one line)
//
// A refusal by a block or a throttle has only Retry-After, as with those that Trakt answers before
// its limiter.
var Trakt Dialect = trakt{}

type trakt struct{}

func (trakt) Headers(h http.Header, d *policy.Decision, now time.Time) {
	f := newLines()
	f.retryAfter(d)
	if s := binding(d); s != nil && byLimit(d) {
		b := f.text
		b = appendString(append(b, `{"name":`...), s.Name)
		if s.Rate.Per > 0 {
			b = strconv.AppendInt(append(b, `,"period":`...), seconds(s.Rate.Per), 10)
		}
		b = strconv.AppendInt(append(b, `,"limit":`...), int64(s.Limit), 10)
		b = strconv.AppendInt(append(b, `,"remaining":`...), int64(s.Remaining), 10)
		if after, ok := resetAfter(d, s); ok {
			b = append(b, `,"until":"`...)
			b = append(wholeSecond(now.Add(after)).UTC().AppendFormat(b, time.RFC3339), '"')
		}
		f.end("X-Ratelimit", append(b, '}'))
	}
	f.set(h)
}

func (trakt) Refuse(w http.ResponseWriter, _ *http.Request, d *policy.Decision) {
	code, name := Status(d), "API"
	if s := binding(d); s != nil && byLimit(d) {
		name = s.Name
	}
	message := name + " rate limit exceeded."
	switch {
	case code == http.StatusForbidden:
		message = "Forbidden."
	case d.RetryAfter != ratelimit.Never:
		message += fmt.Sprintf(" Please wait %d seconds then retry your request.", max(seconds(d.RetryAfter), 1))
	}
	respond(w, code, "text/plain; charset=utf-8", message)
}
