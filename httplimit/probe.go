package httplimit

import (
	"context"
	"net/http"
)

// probe is what attributes say of themselves. They are functions, so there is no other way to ask:
// each is called once with a complete request whose context has a probe.
type probe struct {
	err          error // it was made of invalid arguments
	trustsNobody bool  // it takes the peer's address, whatever X-Forwarded-For has
}

type probeKey struct{}

// probing returns the probe that the request has, mostly nil.
func probing(r *http.Request) *probe {
	p, _ := r.Context().Value(probeKey{}).(*probe)
	return p
}

// examine calls read with a request that no client has sent. What a user's own attribute makes of
// it does not matter, and neither does it if that panics: it may need what an authentication before
// it has put into the context.
func examine(read func(*http.Request)) (p probe) {
	defer func() { _ = recover() }()
	ctx := context.WithValue(context.Background(), probeKey{}, &p)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://example.com/", http.NoBody)
	if err != nil {
		return probe{err: err}
	}
	r.RequestURI, r.RemoteAddr = "/", "192.0.2.1:1234"
	r.Header.Set("X-Forwarded-For", "198.51.100.1")
	read(r)
	return p
}
