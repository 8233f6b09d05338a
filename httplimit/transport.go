package httplimit

import (
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/identity"
)

// Transport is an [http.RoundTripper] that keeps to the limits of the servers that it calls: it
// paces itself, waits when it must, and sends again what was refused. Wrap a client once:
//
//	client := &http.Client{Transport: &httplimit.Transport{}}
//
// # Waiting
//
// A refusal pauses its scope: all requests wait, also those that wait already. After the pause one
// request, the probe, is sent, and the others once it is granted. The pause is as long as
// Retry-After or the reset of the headers says. If they say nothing, it is a random part of 1 s, of
// 2 s after the next refusal, and so on up to a minute. Requests wait in the order in which they
// came.
//
// Most refusals can be known before. Where the headers say that nothing remains, the next request
// waits for the reset. Without a Limiter, the last tenth of a limit is spread over the rest of its
// window. Where the headers say less, the Transport learns from the first refusals how many
// requests are granted in how long. A refusal while something remains, or one that says nothing,
// reduces the rate to what was granted in the last second, or in the last minute, hour or day, if a
// limit of less is impossible. The next one halves it at least. It recovers by a tenth after ten
// minutes to an hour, and then sooner and sooner; what was too much is taken back.
//
// Nothing is known before the first answer of a scope, so the others wait for it, but for a second
// at most.
//
// # Partitions
//
// If responses name the part of the API that a limit holds for, such as a bucket or a resource,
// requests whose method and path begin alike wait for that part only. A limit that is called global
// pauses all scopes of the host.
//
// # Requests
//
// A request is sent again only if its body can be had again, by GetBody. The caller's request is
// never changed. If a request cannot be sent again, the caller gets the last response and no error,
// and its body can be read, if 4 KiB or all of it comes within a second; see [AsRefused]. If it was
// never sent, the error is a [*RefusedError]: at once, if the wait would end after the context's
// deadline. If the context ends while the request waits, the error is that of the context.
//
// # Use
//
// The zero value works. Set the fields before the first use, and do not copy a Transport after it.
// It is safe for simultaneous use. It has no goroutines. A request takes a mutex for some
// microseconds, and memory is kept for each scope and partition in use.
type Transport struct {
	// Base sends the requests. nil: http.DefaultTransport.
	Base http.RoundTripper

	// Limiter is waited for before each try, as by [ratelimit.Wait]: the server's limit, if it is
	// known. It must not be a [ratelimit.Penalizer]. nil: only what the responses say counts.
	Limiter ratelimit.Limiter

	// Scope names what pauses together, such as an account. It must not change the request. nil:
	// scheme and host.
	Scope func(*http.Request) string

	// Tries is how often a request is sent at most. 0: 3.
	Tries int

	// Patience is how long a request waits before a try at most. 0: what the context allows, at
	// most an hour.
	Patience time.Duration

	// Retry reports whether the request was refused and may be sent again. It must not read the
	// response's body. nil: 429, 503 with Retry-After, and 403 with Retry-After or nothing
	// remaining. A Retry-After of 0, of a year or more, or that is no time is as none.
	Retry func(*http.Request, *http.Response) bool

	// On429 is called for each response that refuses a request, before it is sent again or given
	// up. The goroutine of the request calls it, so it must be safe for simultaneous use.
	On429 func(*RefusedError)

	// OnWait is called before a request waits, with how long as far as that is known: a probe's
	// answer takes as long as it takes. It must be safe for simultaneous use.
	OnWait func(*http.Request, time.Duration)

	// Clock is the clock that waits are measured by. If it is a [ratelimit.TimerClock], its After
	// is waited for. nil: the Limiter's, or else the system's.
	Clock ratelimit.Clock

	mutex   sync.Mutex
	scopes  map[string]*scope
	hosts   map[string]*barrier
	sweepAt int // how many scopes there are when idle ones are forgotten
}

const (
	defaultTries    = 3
	defaultPatience = time.Hour
)

// RoundTrip implements [http.RoundTripper].
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL == nil {
		closeBody(req)
		return nil, errors.New("httplimit: the request has no URL")
	}
	var last *http.Response // what the server has answered, to be returned if it is not asked again
	var said *RefusedError  // what is known about it
	try := req
	for tries := 0; ; {
		p, err := t.enter(req, tries)
		if err != nil {
			closeBody(try)
			var refused *RefusedError
			if last != nil && errors.As(err, &refused) {
				e := *said // a copy: On429 was given the original
				e.Next, e.Err = refused.Next, refused.Err
				markRefused(last, &e)
				return last, nil
			}
			return nil, err
		}
		tries++
		resp, e, again, err := t.exchange(p, req, try, tries)
		if e == nil {
			return resp, err
		}
		again = again && tries < t.tries()
		if again {
			try, e.Err = t.retry(req, e.Next)
			again = e.Err == nil
		}
		hold(resp, e, again)
		if t.On429 != nil {
			t.On429(e)
		}
		if !again {
			return resp, nil
		}
		last, said = resp, e
	}
}

// CloseIdleConnections closes those of Base, as [http.Client.CloseIdleConnections] asks for.
func (t *Transport) CloseIdleConnections() {
	if c, ok := t.base().(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

func (t *Transport) base() http.RoundTripper {
	if identity.IsNil(t.Base) {
		return http.DefaultTransport
	}
	return t.Base
}

func (t *Transport) clock() ratelimit.Clock {
	switch {
	case !identity.IsNil(t.Clock):
		return t.Clock
	case !identity.IsNil(t.Limiter):
		return t.Limiter.Clock()
	}
	return ratelimit.SystemClock{}
}

func (t *Transport) tries() int {
	if t.Tries <= 0 {
		return defaultTries
	}
	return t.Tries
}

func (t *Transport) patience() time.Duration {
	if t.Patience <= 0 {
		return defaultPatience
	}
	return t.Patience
}

// exchange sends a request that has passed its barriers, and learns from the answer. e is nil
// unless it was refused. Without an answer, the next request is the probe.
func (t *Transport) exchange(p *passage, req, try *http.Request, tries int) (resp *http.Response, e *RefusedError, again bool, err error) {
	defer func() { // also if Base panics
		t.mutex.Lock()
		defer t.mutex.Unlock()
		t.settle(p, t.clock().Now(), false)
	}()
	resp, err = t.base().RoundTrip(try)
	if err != nil || resp == nil {
		return resp, nil, false, err
	}
	if resp.Body == nil {
		resp.Body = http.NoBody
	}
	now := t.clock().Now()
	readings := Read(resp.Header, now)
	refused := refuses(resp, readings)
	again = refused
	if t.Retry != nil {
		again = t.Retry(req, resp)
		refused = refused || again
	}
	t.mutex.Lock()
	defer t.mutex.Unlock()
	next := t.learn(p, req, resp.StatusCode, readings, now, refused)
	t.settle(p, now, !refused)
	if !refused {
		return resp, nil, false, nil
	}
	return resp, &RefusedError{
		Request: req, Status: resp.StatusCode, Header: resp.Header, Readings: readings, Tries: tries, Next: next,
	}, again, nil
}
