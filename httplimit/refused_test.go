package httplimit_test

import (
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit/httplimit"
)

// The message says what there is to say, and a log the same in attributes.
func TestRefusedErrorInWords(t *testing.T) {
	r := newRequest(t.Context(), t, http.MethodPost, "/a%2Fb?key=secret", nil)
	signed := newRequest(t.Context(), t, http.MethodGet, "/", nil)
	signed.Header.Set("Authorization", "x")
	for _, c := range []struct {
		refused      httplimit.RefusedError
		message, log string
	}{
		{httplimit.RefusedError{}, "httplimit: not sent", "status=0 tries=0 readings=[]"},
		{
			httplimit.RefusedError{Request: r, Err: errors.New("why")}, "httplimit: POST https://api.example.com/a%2Fb: not sent: why",
			"method=POST endpoint=https://api.example.com/a%2Fb authenticated=false status=0 tries=0 readings=[] error=why",
		},
		{
			httplimit.RefusedError{Request: signed, Status: 1, Tries: 1}, "httplimit: GET https://api.example.com/: refused with 1",
			"method=GET endpoint=https://api.example.com/ authenticated=true status=1 tries=1 readings=[]",
		},
		{
			httplimit.RefusedError{Status: 503, Tries: 2, Next: receivedAt.Add(1), Body: []byte("x"), Header: fields("Retry-After: 1"), Err: errors.New("why")},
			"httplimit: refused with 503 after 2 tries, next at 2026-03-02T08:00:01Z: why",
			"status=503 tries=2 readings=[] retry_after=1 next=2026-03-02T08:00:00.000Z body=x error=why",
		},
		{
			httplimit.RefusedError{Status: 429, Next: receivedAt, Readings: []httplimit.Reading{{Name: "a"}}}, "httplimit: refused with 429, next at 2026-03-02T08:00:00Z",
			`status=429 tries=0 readings="[{Name:a Partition: Limit:0 Remaining:0 Window:0s Reset:0s RetryAfter:0s Global:false}]" next=2026-03-02T08:00:00.000Z`,
		},
	} {
		require.EqualError(t, &c.refused, c.message)
		require.Equal(t, c.refused.Err, errors.Unwrap(&c.refused))
		var log strings.Builder
		handler := slog.NewTextHandler(&log, &slog.HandlerOptions{ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
			if len(groups) == 0 {
				return slog.Attr{}
			}
			return a
		}})
		slog.New(handler).Info("", "refused", &c.refused)
		require.Equal(t, c.log, strings.ReplaceAll(strings.TrimSpace(log.String()), "refused.", ""))
	}
}

// What refuses is known of each transport's responses, of which one try is known.
func TestAsRefusedOfAnotherTransport(t *testing.T) {
	for _, c := range []struct {
		status int
		fields string
		want   bool
	}{
		{429, "", true}, {503, "", false}, {503, "Retry-After: 0", false}, {503, "Retry-After-Ms: 0.1", true}, {503, "X-RateLimit-Remaining: 0", false},
		{403, "", false}, {403, "Retry-After: 1", true}, {403, "X-RateLimit-Remaining: 0", true}, {403, "X-RateLimit-Remaining: 1", false}, {403, "X-RateLimit-Limit: 1", false},
		{200, "X-RateLimit-Remaining: 0", false}, {500, "Retry-After: 1", false},
	} {
		h := fields(c.fields)
		e, ok := httplimit.AsRefused(&http.Response{StatusCode: c.status, Header: h})
		require.Equal(t, c.want, ok, "%+v", c)
		if ok {
			require.Equal(t, &httplimit.RefusedError{Status: c.status, Header: h, Readings: httplimit.Read(h, time.Now()), Tries: 1}, e)
		} else {
			require.Nil(t, e)
		}
	}
}
