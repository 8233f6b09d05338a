package httplimit

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/policy"
)

// Dialect is how an API tells its clients of limits. Dialects are safe for simultaneous use.
//
// The dialects of this package tell of the one limit that binds, [policy.Decision.Binding]; of none
// that is hidden or in shadow. A refusal has Retry-After, in whole seconds, rounded up and at least
// 1, unless no wait would help. Times are rounded up, and what remains is never more than there is.
//
// A refusal has the status that [Status] returns; where a dialect differs, it says so.
//
// Names of header fields are written as the API writes them, "X-RateLimit-Limit". Over HTTP their
// case means nothing; in the map of an http.Header that was not sent, [net/http.Header.Get] does
// not find them.
type Dialect interface {
	// Headers sets the header fields of a response: of each request that a limit applied to,
	// granted or not, and of each refusal. It must set fields and not add to them. now is the time
	// of the decision, by the limits' clock.
	Headers(h http.Header, d *policy.Decision, now time.Time)

	// Refuse writes status and body of a refusal. The header fields of Headers are set already.
	Refuse(w http.ResponseWriter, r *http.Request, d *policy.Decision)
}

// tellsMore reports whether the dialect may tell MoreAfter of a request that is granted.
func tellsMore(d Dialect) bool {
	switch d := d.(type) {
	case trakt, willItTrack, aniList, prayerLetters, gitHub, Fields:
		return false
	case ietf:
		return d > 7
	}
	return true
}

// lines collects header fields. It is used again, and so is what is left of two blocks of memory
// that the values are cut from: several responses share an allocation.
type lines struct {
	names [8]string
	ends  [8]int // of the values in text
	n     int
	text  []byte

	texts  strings.Builder
	values []string
}

// A response that is kept keeps the blocks that its values are cut from, so these are small.
const (
	textBlock  = 512
	valueBlock = 32
)

var linesPool = sync.Pool{New: func() any { return new(lines) }}

func newLines() *lines {
	f := linesPool.Get().(*lines)
	f.n, f.text = 0, f.text[:0]
	return f
}

// end takes text with the value of the next field appended.
func (f *lines) end(name string, text []byte) {
	f.names[f.n], f.ends[f.n], f.text = name, len(text), text
	f.n++
}

func (f *lines) number(name string, n int64) { f.end(name, strconv.AppendInt(f.text, n, 10)) }

func (f *lines) word(name, value string) { f.end(name, appendPlain(f.text, value)) }

// appendPlain appends what may be in a field: printable ASCII. The names of a policy have nothing
// else.
func appendPlain(b []byte, s string) []byte {
	for i := range len(s) {
		b = append(b, plainByte(s[i]))
	}
	return b
}

func plainByte(c byte) byte {
	if c < ' ' || c > '~' {
		return '_'
	}
	return c
}

// appendString appends a String as of RFC 9651, which is one of JSON, too.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	for i := range len(s) {
		if s[i] == '"' || s[i] == '\\' {
			b = append(b, '\\')
		}
		b = append(b, plainByte(s[i]))
	}
	return append(b, '"')
}

// retryAfter adds Retry-After to a refusal, unless no wait would help.
func (f *lines) retryAfter(d *policy.Decision) {
	if !d.OK && d.RetryAfter != ratelimit.Never {
		f.number("Retry-After", max(seconds(d.RetryAfter), 1))
	}
}

// set sets the fields, in place of those of the same names in whatever case, and gives f back. They
// are in the map as they are written: by Set they would be written otherwise.
func (f *lines) set(h http.Header) {
	for there := range h {
		for _, name := range f.names[:f.n] {
			if len(there) == len(name) && there != name && strings.EqualFold(there, name) {
				delete(h, there)
			}
		}
	}
	text, values := f.cut()
	from := 0
	for i := range values {
		values[i] = text[from:f.ends[i]]
		h[f.names[i]] = values[i : i+1 : i+1]
		from = f.ends[i]
	}
	linesPool.Put(f)
}

// cut returns the text as a string, and room for the values.
func (f *lines) cut() (text string, values []string) {
	if f.texts.Cap()-f.texts.Len() < len(f.text) {
		f.texts.Reset()
		f.texts.Grow(max(textBlock, len(f.text)))
	}
	from := f.texts.Len()
	f.texts.Write(f.text)
	if len(f.values) < f.n {
		f.values = make([]string, valueBlock)
	}
	values, f.values = f.values[:f.n], f.values[f.n:]
	return f.texts.String()[from:], values
}

// binding returns the standing that a client is told of, or nil.
func binding(d *policy.Decision) *policy.Standing {
	if d.Binding < 0 || d.Binding >= len(d.Standings) {
		return nil
	}
	return &d.Standings[d.Binding]
}

// byLimit reports whether it was limits that decided, and nothing else.
func byLimit(d *policy.Decision) bool {
	return d.OK || d.Action == policy.ByLimit || d.Action == policy.ByTest
}

// Status returns the HTTP status of a refusal, for a [Fields.Body] or a dialect of your own:
//
//   - 403 if the key is revoked or missing, so that no wait helps
//   - 429 if a limit, a throttle, a block or a test refused the request
//   - 503 if a limit's store did not answer; the middlewares ask [OnError] then, and no dialect
func Status(d *policy.Decision) int {
	switch d.Action {
	case policy.ByRevoke, policy.ByMissing:
		return http.StatusForbidden
	case policy.ByStore:
		return http.StatusServiceUnavailable
	default:
		return http.StatusTooManyRequests
	}
}

// resetAfter returns how long until the limit is full again, and the request would be granted. It
// is false if that is never.
func resetAfter(d *policy.Decision, s *policy.Standing) (time.Duration, bool) {
	after := s.ResetAfter
	if !d.OK && d.RetryAfter != ratelimit.Never {
		after = max(after, d.RetryAfter)
	}
	return after, after != ratelimit.Never
}

// seconds returns whole seconds, rounded up.
func seconds(d time.Duration) int64 {
	n := int64(d / time.Second)
	if d%time.Second > 0 {
		n++
	}
	return n
}

// wholeSecond returns the time, rounded up to a second.
func wholeSecond(t time.Time) time.Time {
	if t.Nanosecond() > 0 {
		t = t.Add(time.Duration(int64(time.Second) - int64(t.Nanosecond())))
	}
	return t
}

const typeJSON = "application/json"

// respond writes a refusal.
func respond(w http.ResponseWriter, status int, contentType, body string) {
	h := w.Header()
	h.Del("Content-Length") // it may be that of another body
	h.Set("Content-Type", contentType)
	w.WriteHeader(status)
	_, _ = w.Write([]byte(body)) // a client that is gone reads nothing
}

// quoted returns the text as JSON has it.
func quoted(s string) string {
	text, err := json.Marshal(s)
	if err != nil {
		return `""`
	}
	return string(text)
}
