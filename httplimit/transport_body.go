package httplimit

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"time"
)

const (
	longestDrained = 64 << 10 // of a body whose request is sent again, so that the connection can be used again
	longestCopied  = 4 << 10  // of a body for RefusedError

	longestDrain = time.Second // how long such a body is read; one that goes on is closed
)

// errNoBody is why a request is not sent again.
var errNoBody = errors.New("httplimit: the body cannot be had again")

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
// the body and closes it, and keeps what it has read for the case that the response is the last. A
// body that does not end soon is closed, so that it does not hold up the request for ever.
func hold(resp *http.Response, e *RefusedError, again bool) {
	most := int64(longestCopied)
	if again {
		most = longestDrained
		body := resp.Body
		stalled := time.AfterFunc(longestDrain, func() { _ = body.Close() })
		defer stalled.Stop()
	}
	begin, err := io.ReadAll(io.LimitReader(resp.Body, most))
	e.Body = begin[:min(len(begin), longestCopied)]
	markRefused(resp, e)
	rest := heldBody{Reader: io.MultiReader(bytes.NewReader(begin), errorOr(resp.Body, err)), Closer: resp.Body}
	if again {
		if err == nil && int64(len(begin)) == most {
			err = io.ErrUnexpectedEOF
		}
		_ = resp.Body.Close()
		rest = heldBody{Reader: io.MultiReader(bytes.NewReader(begin), errorOr(http.NoBody, err)), Closer: http.NoBody}
	}
	resp.Body = rest
}

type heldBody struct {
	io.Reader
	io.Closer
}

// errorOr returns r, or a reader that fails with the error that r has failed with.
func errorOr(r io.Reader, err error) io.Reader {
	if err != nil {
		return failing{err}
	}
	return r
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }
