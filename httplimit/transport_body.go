package httplimit

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
)

const (
	longestDrained = 64 << 10 // of a body whose request is sent again, so that the connection can be used again
	longestCopied  = 4 << 10  // of a body for RefusedError

	// slowestHeld is how long so much of a body may take. Then the body is closed, so that the
	// request goes on.
	slowestHeld = time.Second
)

// errNoBody is why a request is not sent again.
var errNoBody = errors.New("httplimit: the body cannot be had again: the request has no GetBody")

// errSlowBody is why a refusal's body cannot be read on.
var errSlowBody = fmt.Errorf("httplimit: the rest of the body did not come within %v", slowestHeld)

func closeBody(r *http.Request) {
	if r.Body != nil {
		_ = r.Body.Close()
	}
}

// rewound returns the request to be sent again: a copy with a body of its own.
func rewound(r *http.Request) (*http.Request, error) {
	if r.Body == nil || r.Body == http.NoBody {
		return r, nil
	}
	if r.GetBody == nil {
		return nil, errNoBody
	}
	body, err := r.GetBody()
	if err != nil {
		return nil, err
	}
	again := r.WithContext(r.Context())
	again.Body = body
	return again, nil
}

// hold copies the beginning of a refusal's body to e. If the request is sent again, it also reads
// the body and closes it, and keeps what it has read for the case that the response is the last.
func hold(resp *http.Response, e *RefusedError, again bool) {
	most := int64(longestCopied)
	if again {
		most = longestDrained
	}
	body := heldBody{resp.Body, closeOnce(resp.Body.Close)}
	slow := time.AfterFunc(slowestHeld, func() { _ = body.Close() })
	begin, err := io.ReadAll(io.LimitReader(body, most))
	inTime := slow.Stop()
	e.Body = begin[:min(len(begin), longestCopied)]
	markRefused(resp, e)
	if again {
		_ = body.Close()
	}
	var rest io.Reader = body
	switch whole := err == nil && int64(len(begin)) < most; {
	case whole:
		rest = http.NoBody
	case !inTime:
		rest = failing{errSlowBody}
	case err != nil:
		rest = failing{err}
	case again:
		rest = failing{io.ErrUnexpectedEOF}
	}
	resp.Body = heldBody{io.MultiReader(bytes.NewReader(begin), rest), body}
}

type heldBody struct {
	io.Reader
	io.Closer
}

// closeOnce is an [io.Closer] of which later calls return what the first has returned.
func closeOnce(f func() error) io.Closer { return closer(sync.OnceValue(f)) }

type closer func() error

func (c closer) Close() error { return c() }

// failing is a reader that fails.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }
