package httplimit

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/seed-3506548a/ratelimit/policy"
)

// PrayerLetters is the dialect of PrayerLetters: a refusal names the limit that it has crossed, and
// all limits of its rule, in a JSON object. Other responses say nothing. A refusal that is not by a
// limit has no limit_exceeded.
var PrayerLetters Dialect = prayerLetters{}

type prayerLetters struct{}

func (prayerLetters) Headers(h http.Header, d *policy.Decision, _ time.Time) {
	f := newLines()
	f.retryAfter(d)
	f.set(h)
}

func (prayerLetters) Refuse(w http.ResponseWriter, _ *http.Request, d *policy.Decision) {
	code, what, message := Status(d), "too_many_requests", "You have made too many requests."
	if code == http.StatusForbidden {
		what, message = "forbidden", "You may not use this."
	}
	var b strings.Builder
	fmt.Fprintf(&b, `{"status":%d,"error":"%s"`, code, what)
	if s := binding(d); s != nil {
		if byLimit(d) {
			fmt.Fprintf(&b, `,"limit_exceeded":%s`, quoted(s.Name))
			message = fmt.Sprintf("You have made too many requests: the limit %q is %d.", s.Name, s.Limit)
		}
		b.WriteString(`,"limits":{`)
		comma := ""
		for i := range d.Standings {
			if one := &d.Standings[i]; one.Rule == s.Rule && !one.Hidden && !one.Shadow {
				fmt.Fprintf(&b, "%s%s:%d", comma, quoted(one.Name), one.Limit)
				comma = ","
			}
		}
		b.WriteByte('}')
	}
	fmt.Fprintf(&b, `,"message":%s,"more_info":"https://www.prayerletters.com/dev/errors/%d"}`, quoted(message), code)
	respond(w, code, typeJSON, b.String())
}
