package httplimit_test

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/httplimit"
	"github.com/seed-3506548a/ratelimit/policy"
)

// Whatever a client sends, over a socket, it has one bucket, and no more than that.
func TestHostileRequests(t *testing.T) {
	many := make([]string, 10000)
	for i := range many {
		many[i] = fmt.Sprintf("X-H%d: %d", i, i)
	}
	for _, c := range []struct {
		name, target string
		fields       []string
	}{
		{"a forged address", "/v1/x", []string{"X-Forwarded-For: 203.0.113.1", "Forwarded: for=203.0.113.2", "X-Real-IP: 203.0.113.3"}},
		{"many forged addresses", "/v1/x", []string{"X-Forwarded-For: 203.0.113.1" + strings.Repeat(", 203.0.113.1", 10000)}},
		{"two fields of them", "/v1/x", []string{"X-Forwarded-For: 203.0.113.1", "X-Forwarded-For: 203.0.113.2"}},
		{"a malformed one", "/v1/x", []string{`X-Forwarded-For: "", ,;=%00`, `Forwarded: for="[::1]:x";;,=`}},
		{"two users", "/v1/x", []string{"X-User: 7", "X-User: 8"}},
		{"a user that is too long", "/v1/x", []string{"X-User: " + strings.Repeat("a", 257)}},
		{"a user of other bytes", "/v1/x", []string{"X-User: J\xf6rg"}},
		{"10,000 fields", "/v1/x", many},
		{"a path that is not clean", "//v1//x", nil},
		{"an absolute target", "http://other.example/v1/x", nil},
		{"escapes", "/%761/%78", nil},
		{"an escaped slash", "/v1/a%2f..%2f..%2fhealth", nil},
		{"a dot", "/health/../v1/x", nil},
		{"a query", "/v1/x?/health", nil},
		{"another method", "BREW /v1/x", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			e, _ := newEngine(t, `{"rules": [{"name": "health", "match": ["/health"], "mode": "exempt"},
				{"name": "api", "match": ["/v1/"], "key": ["user|ip"], "limits": [{"name": "all", "rate": "1/s", "as": "gcra"}]}]}`)
			h := limited(t, e, httplimit.IETF(11), fine)
			require.Equal(t, "200 OK", wire(t, h, "/v1/y").status)
			require.Equal(t, "429 Too Many Requests", wire(t, h, c.target, c.fields...).status)
		})
	}
}

// FuzzDialects holds what all dialects must, for whatever was decided.
func FuzzDialects(f *testing.F) {
	f.Add(false, uint8(2), int64(time.Second), int64(time.Minute), 10, 0, "hour", "api", int64(1e9), uint8(0))
	f.Add(true, uint8(0), int64(0), int64(math.MaxInt64), 1, 1, "a\"b\\\r\n", "\x00", int64(1<<62), uint8(255))
	f.Add(false, uint8(4), int64(math.MaxInt64), int64(1), -1, 7, "é", "", int64(-1), uint8(7))
	f.Fuzz(func(t *testing.T, ok bool, action uint8, retry, reset int64, limit, remaining int, name, rule string, per int64, flags uint8) {
		actions := []policy.Action{"", "exempt", "limit", "throttle", "block", "revoke", "test", "missing"}
		d := policy.Decision{
			OK: ok, Action: actions[int(action)%len(actions)], RetryAfter: time.Duration(max(retry, 0)), MoreAfter: time.Duration(max(reset, 0)),
			Binding: int(flags>>6) - 1,
			Standings: []policy.Standing{
				{Rule: rule, Name: name, Rate: ratelimit.Rate{Events: limit, Per: time.Duration(max(per, 0))}, Limit: limit, Remaining: remaining,
					RetryAfter: time.Duration(max(retry, 0)), ResetAfter: time.Duration(max(reset, 0)), Crossed: flags&1 != 0, Reduced: flags&2 != 0},
				{Rule: rule, Name: "unheard-of", Hidden: true, Crossed: flags&4 != 0},
				{Rule: rule, Name: "unseen", Shadow: true, Crossed: flags&8 != 0},
			},
		}
		if d.Binding > 0 {
			d.Binding = 0
		}
		now := time.Unix(0, reset/3)
		for dialectName, dialect := range dialects {
			w := httptest.NewRecorder()
			dialect.Headers(w.Header(), &d, now)
			var values strings.Builder
			for name, all := range w.Header() {
				require.Len(t, all, 1, dialectName)
				for _, c := range []byte(all[0]) {
					require.True(t, c >= ' ' && c != 0x7f, "%s: %s: %q", dialectName, name, all[0])
				}
				values.WriteString(all[0])
			}
			after := w.Header().Get("Retry-After")
			if ok || d.RetryAfter == ratelimit.Never {
				require.Empty(t, after, dialectName)
			} else {
				seconds, err := strconv.ParseInt(after, 10, 64)
				require.NoError(t, err, dialectName)
				require.GreaterOrEqual(t, seconds, int64(1), dialectName)
				require.GreaterOrEqual(t, time.Duration(seconds), d.RetryAfter/time.Second, dialectName)
				require.LessOrEqual(t, seconds-1, int64(d.RetryAfter/time.Second), dialectName)
			}
			if !ok {
				dialect.Refuse(w, request("/"), &d)
				require.GreaterOrEqual(t, w.Code, 400, dialectName)
				values.WriteString(w.Body.String())
				if w.Header().Get("Content-Type") != "text/plain; charset=utf-8" {
					require.True(t, json.Valid(w.Body.Bytes()), "%s: %s", dialectName, w.Body)
				}
				require.Equal(t, d.Action == policy.ByRevoke || d.Action == policy.ByMissing,
					w.Code == http.StatusForbidden && (dialectName != "GitHub" || !strings.Contains(w.Body.String(), "rate limit")), dialectName)
			}
			require.NotContains(t, values.String(), "unheard-of", dialectName)
			require.NotContains(t, values.String(), "unseen", dialectName)
		}
	})
}

// A time far away is written as one, and not as what an overflow makes of it.
func TestLongWaits(t *testing.T) {
	e, _ := newEngine(t, `{"rules": [{"name": "api", "limits": [{"name": "all", "rate": "1/10000d", "as": "gcra"}]}]}`)
	for name, dialect := range dialects {
		h := limited(t, e, dialect, fine)
		do(h, "/")
		w := do(h, "/")
		require.Equal(t, []string{"864000000"}, field(w, "Retry-After"), name)
	}
	never, _ := newEngine(t, `{"rules": [{"name": "api", "limits": [{"name": "all", "rate": "0/s", "as": "gcra"}]}]}`)
	for name, dialect := range dialects {
		w := do(limited(t, never, dialect, fine), "/")
		require.GreaterOrEqual(t, w.Code, 400, name)
		require.Empty(t, field(w, "Retry-After"), name)
	}
}
