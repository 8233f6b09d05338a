package httplimit

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"sync/atomic"
)

// tracker is a ResponseWriter that remembers the status and counts the bytes of the body. It is
// used by wrapped.
type tracker struct {
	http.ResponseWriter
	status  int // 0: there is none yet
	written atomic.Int64
}

// WriteHeader also takes 1xx, after which the status is still to come, but for 101.
func (t *tracker) WriteHeader(status int) {
	t.ResponseWriter.WriteHeader(status)
	if t.status == 0 && (status >= 200 || status == http.StatusSwitchingProtocols) {
		t.status = status
	}
}

// begin is what a write means if there is no status yet.
func (t *tracker) begin() {
	if t.status == 0 {
		t.status = http.StatusOK
	}
}

func (t *tracker) Write(p []byte) (n int, err error) {
	t.begin()
	n, err = t.ResponseWriter.Write(p)
	t.written.Add(int64(n))
	return n, err
}

// WriteString spares a copy where the inner one has it, too.
func (t *tracker) WriteString(s string) (n int, err error) {
	t.begin()
	n, err = io.WriteString(t.ResponseWriter, s)
	t.written.Add(int64(n))
	return n, err
}

// FlushError is what [http.ResponseController] asks for. It would find a Flusher that the inner one
// only unwraps to past the tracker, and the status that a flush sends would not be known.
func (t *tracker) FlushError() error {
	err := http.NewResponseController(t.ResponseWriter).Flush()
	if !errors.Is(err, http.ErrNotSupported) {
		t.begin()
	}
	return err
}

// Unwrap is for the rest of [http.ResponseController].
func (t *tracker) Unwrap() http.ResponseWriter { return t.ResponseWriter }

// outcome returns the status of the response, now that the handler has returned or panics.
func (t *tracker) outcome(panics bool) int {
	switch {
	case t.status != 0:
		return t.status
	case panics:
		return http.StatusInternalServerError
	default:
		return http.StatusOK
	}
}

// What the inner one may have, besides. A handler that finds it missing serves worse, and one that
// finds what is not there fails: so it is there only if the inner one has it.
type (
	flushes struct {
		t     *tracker
		inner http.Flusher
	}
	hijacks struct {
		t     *tracker
		inner http.Hijacker
	}
	reads struct {
		t     *tracker
		inner io.ReaderFrom
	}
)

func (f flushes) Flush() {
	f.t.begin()
	f.inner.Flush()
}

func (h hijacks) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buffer, err := h.inner.Hijack()
	if err == nil && h.t.status == 0 {
		h.t.status = http.StatusSwitchingProtocols
	}
	return conn, buffer, err
}

// ReadFrom sends no status if src has nothing: a handler may still answer that src has failed.
func (r reads) ReadFrom(src io.Reader) (n int64, err error) {
	n, err = r.inner.ReadFrom(src)
	if n > 0 {
		r.t.begin()
	}
	r.t.written.Add(n)
	return n, err
}

// hijackerOf returns what a [http.ResponseController] has the connection taken over by: the writer
// or what it wraps. It would find the latter past the tracker, and that would not be counted.
func hijackerOf(w http.ResponseWriter) (http.Hijacker, bool) {
	for {
		if h, ok := w.(http.Hijacker); ok {
			return h, true
		}
		outer, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			return nil, false
		}
		w = outer.Unwrap()
	}
}

// wrapped returns the tracker with what the inner one has, and nothing else.
func (t *tracker) wrapped() http.ResponseWriter {
	flusher, canFlush := t.ResponseWriter.(http.Flusher)
	hijacker, canHijack := hijackerOf(t.ResponseWriter)
	reader, canRead := t.ResponseWriter.(io.ReaderFrom)
	pusher, canPush := t.ResponseWriter.(http.Pusher)
	f, h, r := flushes{t, flusher}, hijacks{t, hijacker}, reads{t, reader}
	type can struct{ flush, hijack, read, push bool }
	switch (can{canFlush, canHijack, canRead, canPush}) {
	case can{}:
		return t
	case can{flush: true}:
		return struct {
			*tracker
			flushes
		}{t, f}
	case can{hijack: true}:
		return struct {
			*tracker
			hijacks
		}{t, h}
	case can{flush: true, hijack: true}:
		return struct {
			*tracker
			flushes
			hijacks
		}{t, f, h}
	case can{read: true}:
		return struct {
			*tracker
			reads
		}{t, r}
	case can{flush: true, read: true}:
		return struct {
			*tracker
			flushes
			reads
		}{t, f, r}
	case can{hijack: true, read: true}:
		return struct {
			*tracker
			hijacks
			reads
		}{t, h, r}
	case can{flush: true, hijack: true, read: true}:
		return struct {
			*tracker
			flushes
			hijacks
			reads
		}{t, f, h, r}
	case can{push: true}:
		return struct {
			*tracker
			http.Pusher
		}{t, pusher}
	case can{flush: true, push: true}:
		return struct {
			*tracker
			flushes
			http.Pusher
		}{t, f, pusher}
	case can{hijack: true, push: true}:
		return struct {
			*tracker
			hijacks
			http.Pusher
		}{t, h, pusher}
	case can{flush: true, hijack: true, push: true}:
		return struct {
			*tracker
			flushes
			hijacks
			http.Pusher
		}{t, f, h, pusher}
	case can{read: true, push: true}:
		return struct {
			*tracker
			reads
			http.Pusher
		}{t, r, pusher}
	case can{flush: true, read: true, push: true}:
		return struct {
			*tracker
			flushes
			reads
			http.Pusher
		}{t, f, r, pusher}
	case can{hijack: true, read: true, push: true}:
		return struct {
			*tracker
			hijacks
			reads
			http.Pusher
		}{t, h, r, pusher}
	default:
		return struct {
			*tracker
			flushes
			hijacks
			reads
			http.Pusher
		}{t, f, h, r, pusher}
	}
}

// counted is a request's body that counts what is read of it. A transport may go on reading it when
// the handler has returned.
type counted struct {
	io.ReadCloser
	n atomic.Int64
}

func (c *counted) Read(p []byte) (n int, err error) {
	n, err = c.ReadCloser.Read(p)
	c.n.Add(int64(n))
	return n, err
}
