package httplimit

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"time"
)

// RefusedError is a request that the server refused, or that a [Transport] did not send because it
// would have been refused.
//
// A Transport returns it as an error only if the server did not answer the request at all: the wait
// would have been longer than Patience or the context's deadline, or the Limiter failed. Otherwise
// the caller gets the last response, and [AsRefused] returns what is known about it.
type RefusedError struct {
	// Request is the request as it came to the Transport. Do not change it. It is nil if AsRefused
	// was asked about a response without a Request, such as that of an httptest.ResponseRecorder.
	Request *http.Request

	// Status, Header, Body and Readings are from the response. They are empty if there is none.
	// Body is the beginning of what the server sent within a second, at most 4 KiB.
	Status   int
	Header   http.Header
	Body     []byte
	Readings []Reading

	// Tries is how often the request was sent.
	Tries int

	// Next is when the next request is sent at the earliest. It is zero if that is not known.
	Next time.Time

	// Err is why the request was not sent, or not sent again. It wraps context.DeadlineExceeded if
	// the context's deadline is before Next, and [ErrPatience] if the wait would be longer than
	// Patience. Otherwise it is the error of the Limiter, or of a body that cannot be had again. If
	// there is a response, it is nil if the request is sent again, if Tries are used up, and if
	// Retry forbids it.
	Err error
}

// Error returns the message, as in "httplimit: GET https://api.example.com/shows: refused with 429,
// next at 2026-11-01T00:01:03Z". It does not contain the query, which may have secrets.
func (e *RefusedError) Error() string {
	what := "not sent"
	if e.Status != 0 {
		what = fmt.Sprintf("refused with %d", e.Status)
	}
	if e.Tries > 1 {
		what += fmt.Sprintf(" after %d tries", e.Tries)
	}
	if !e.Next.IsZero() {
		what += ", next at " + e.Next.Add(time.Second-1).UTC().Format(time.RFC3339) // rounded up
	}
	if e.Err != nil {
		what += ": " + e.Err.Error()
	}
	if e.Request == nil {
		return "httplimit: " + what
	}
	return fmt.Sprintf("httplimit: %s %s: %s", e.Request.Method, e.Endpoint(), what)
}

// Unwrap returns Err.
func (e *RefusedError) Unwrap() error { return e.Err }

// Endpoint returns scheme, host and path of the request, without user, password and query.
func (e *RefusedError) Endpoint() string {
	if e.Request == nil {
		return ""
	}
	u := e.Request.URL
	return u.Scheme + "://" + u.Host + u.EscapedPath()
}

// Authenticated reports whether the request had an Authorization field.
func (e *RefusedError) Authenticated() bool {
	return e.Request != nil && e.Request.Header.Get("Authorization") != ""
}

// LogValue implements [slog.LogValuer]: what there is to know for a log, and no secrets of the
// request.
func (e *RefusedError) LogValue() slog.Value {
	var attrs []slog.Attr
	if e.Request != nil {
		attrs = append(attrs,
			slog.String("method", e.Request.Method),
			slog.String("endpoint", e.Endpoint()),
			slog.Bool("authenticated", e.Authenticated()))
	}
	attrs = append(attrs, slog.Int("status", e.Status), slog.Int("tries", e.Tries), slog.Any("readings", e.Readings))
	if v := e.Header.Get("Retry-After"); v != "" {
		attrs = append(attrs, slog.String("retry_after", v))
	}
	if !e.Next.IsZero() {
		attrs = append(attrs, slog.Time("next", e.Next))
	}
	if len(e.Body) > 0 {
		attrs = append(attrs, slog.String("body", string(e.Body)))
	}
	if e.Err != nil {
		attrs = append(attrs, slog.String("error", e.Err.Error()))
	}
	return slog.GroupValue(attrs...)
}

// refusedKey is the key of the RefusedError in the context of a response's request. A body of a
// type of its own would not do: http.Client wraps bodies.
type refusedKey struct{}

// AsRefused returns what is known about a response by which a server refused a request, and whether
// it is one: what a [Transport] gave up on, and of other transports a 429, a 503 with Retry-After,
// or a 403 with Retry-After or nothing remaining, without Body and Next. It does not read the
// response's body.
func AsRefused(resp *http.Response) (*RefusedError, bool) {
	if resp == nil {
		return nil, false
	}
	if resp.Request != nil {
		e, ok := resp.Request.Context().Value(refusedKey{}).(*RefusedError)
		if ok && e.Status == resp.StatusCode { // else the request was sent once more, by hand
			return e, true
		}
	}
	readings := Read(resp.Header, time.Now())
	if !refuses(resp, readings) {
		return nil, false
	}
	return &RefusedError{
		Request: resp.Request, Status: resp.StatusCode, Header: resp.Header, Readings: readings, Tries: 1,
	}, true
}

// refuses reports whether a response refuses a request because there were too many.
func refuses(resp *http.Response, readings []Reading) bool {
	var waits, exhausted bool
	for _, r := range readings {
		waits = waits || r.RetryAfter > 0
		exhausted = exhausted || r.Remaining == 0
	}
	switch resp.StatusCode {
	case http.StatusTooManyRequests:
		return true
	case http.StatusServiceUnavailable:
		return waits
	case http.StatusForbidden:
		return waits || exhausted
	}
	return false
}

// markRefused makes AsRefused find what is known about the response.
func markRefused(resp *http.Response, e *RefusedError) {
	resp.Request = e.Request.WithContext(context.WithValue(e.Request.Context(), refusedKey{}, e))
}
