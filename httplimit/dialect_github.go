package httplimit

import (
	"fmt"
	"net/http"
	"time"

	"github.com/seed-3506548a/ratelimit/policy"
)

// GitHub is the dialect of GitHub's REST API: X-RateLimit-Limit, -Remaining, -Used, -Reset as a
// Unix time, and -Resource, which is the rule's name. A limit is GitHub's primary one, whose
// refusals are 403; blocks and throttles are secondary ones, 429.
var GitHub Dialect = gitHub{}

type gitHub struct{}

func (gitHub) Headers(h http.Header, d *policy.Decision, now time.Time) {
	gitHubFields.Headers(h, d, now)
}

var gitHubFields = Fields{
	Limit: "X-RateLimit-Limit", Remaining: "X-RateLimit-Remaining", Reset: "X-RateLimit-Reset",
	Used: "X-RateLimit-Used", Resource: "X-RateLimit-Resource",
}

func (gitHub) Refuse(w http.ResponseWriter, _ *http.Request, d *policy.Decision) {
	code, message := Status(d), "You have exceeded a secondary rate limit. Please wait before you try again."
	switch {
	case code == http.StatusForbidden:
		message = "Forbidden."
	case byLimit(d):
		code, message = http.StatusForbidden, "API rate limit exceeded."
	}
	const about = "https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api"
	respond(w, code, typeJSON, fmt.Sprintf(`{"message":"%s","documentation_url":"%s"}`, message, about))
}
