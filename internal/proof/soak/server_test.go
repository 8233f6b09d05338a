package soak_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit/httplimit"
	"github.com/seed-3506548a/ratelimit/internal/proof/bounds"
	"github.com/seed-3506548a/ratelimit/internal/proof/soak"
	"github.com/seed-3506548a/ratelimit/policy"
)

// proxies are addresses of clients that the server takes for its own proxies.
const proxies = "127.0.3.0/24"

// service is a server with a middleware, and all that its handlers were granted, by names that its
// clients say in X-Soak: user and address. A client of whom only the address counts has the address
// as its name.
type service struct {
	engine *policy.Engine
	server *http.Server
	url    string
	start  time.Time
	grants map[listed]*soak.Grants // what all users and addresses were granted, that are not made up

	decided  [8]atomic.Int64 // by the place in actions
	shadowed atomic.Int64
	handled  atomic.Int64
	underWay map[listed]*peak // of what is charged after the handler
}

// listed is what a list of grants is of: a path, and a user or an address.
type listed struct{ path, name string }

var actions = []policy.Action{policy.Granted, policy.ByLimit, policy.ByThrottle, policy.ByBlock, policy.ByMissing, policy.ByRevoke, policy.ByExempt, policy.ByTest}

// peak is how many requests are under way, and how many there were at most.
type peak struct{ now, most atomic.Int64 }

func (p *peak) enter() {
	n := p.now.Add(1)
	for most := p.most.Load(); n > most && !p.most.CompareAndSwap(most, n); most = p.most.Load() {
	}
}

// atMost returns how many there were.
func (p *peak) atMost() int { return max(1, int(p.most.Load())) }

// newService starts a server over loopback. Lists are made for these users and addresses, before
// anything is measured.
func newService(t testing.TB, duration time.Duration, users, addresses []string) *service {
	s := &service{start: time.Now(), grants: map[listed]*soak.Grants{}, underWay: map[listed]*peak{}}
	room := func(perSecond, more int) int { return (int(duration/time.Second)+10)*perSecond + more }
	for _, name := range users {
		for _, l := range limits {
			s.grants[listed{l.path, name}] = soak.NewGrants(room(l.rates[1], l.room))
		}
		for _, path := range []string{"/fail", "/bytes"} {
			s.grants[listed{path, name}] = soak.NewGrants(room(pace.Events, 20))
			s.underWay[listed{path, name}] = new(peak)
		}
		s.grants[listed{"blocks", name}] = soak.NewGrants(room(1, 10))
	}
	for _, name := range addresses {
		s.grants[listed{"address", name}] = soak.NewGrants(room(address.Events, 50))
	}
	var err error
	s.engine, err = policy.New(policyAt(t, 0), 1000, policy.Observe(s.observe))
	require.NoError(t, err)
	limit, err := httplimit.Middleware(s.engine, httplimit.Attributes{
		"user": httplimit.Header("X-User"), "ip": httplimit.ClientIP(netip.MustParsePrefix(proxies)),
	}, httplimit.IETF(11), httplimit.OnError(func(_ http.ResponseWriter, _ *http.Request, err error) bool {
		t.Error(err)
		return false
	}))
	require.NoError(t, err)
	inner := limit(http.HandlerFunc(s.handle))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s.url = "http://" + listener.Addr().String()
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	s.server = &http.Server{
		Handler:   http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.visit(w, r, inner) }),
		Protocols: protocols, ReadTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second, IdleTimeout: 10 * time.Second,
		MaxHeaderBytes: 1 << 16, ErrorLog: log.New(io.Discard, "", 0),
	}
	go func() { _ = s.server.Serve(listener) }()
	return s
}

// at is a time as lists have it.
func (s *service) at(t time.Time) int64 { return int64(t.Sub(s.start)) }

func (s *service) add(path, name string, lo, hi time.Time, n int64) {
	g := s.grants[listed{path, name}]
	if g == nil {
		return // a user that was made up
	}
	span := bounds.Span{Lo: s.at(lo), Hi: s.at(hi), N: n}
	if path == "/aligned" { // whose windows go by the wall clock
		span.Lo, span.Hi = lo.UnixNano(), hi.UnixNano()
	}
	g.Add(span)
}

// observe counts decisions, and remembers blocks: from now on, until the end that the engine knows.
func (s *service) observe(r *policy.Request, d *policy.Decision) {
	for i, action := range actions {
		if d.Action == action {
			s.decided[i].Add(1)
		}
	}
	if d.Shadow {
		s.shadowed.Add(1)
	}
	for _, reached := range d.Reached {
		if reached.Rule != "strict" || reached.Step.Do != "block" {
			continue
		}
		names := map[string]string{}
		for _, a := range r.Attrs {
			names[a.Name] = a.Value
		}
		name := names["user"]
		if name == "" {
			name = names["ip"]
		}
		s.add("blocks", name, time.Now(), r.Time.Add(time.Duration(reached.Step.For)), 1)
	}
}

type visitKey struct{}

// visit is what the outer handler knows of a request, and is told by the inner one.
type visit struct {
	name, address string
	before        time.Time // the decision
	over          time.Time // the handler has returned
	counted       int64     // failures, or bytes
}

// visit serves a request by the middleware, and records what is charged after the handler.
func (s *service) visit(w http.ResponseWriter, r *http.Request, inner http.Handler) {
	name, address, _ := strings.Cut(r.Header.Get("X-Soak"), " ")
	v := &visit{name: name, address: address}
	if under := s.underWay[listed{r.URL.Path, name}]; under != nil {
		under.enter()
		defer func() {
			if v.counted > 0 {
				s.add(r.URL.Path, name, v.over, time.Now(), v.counted)
			}
			under.now.Add(-1)
		}()
	}
	v.before = time.Now()
	inner.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), visitKey{}, v)))
}

// handle is what the middleware is in front of: whatever reaches it was granted.
func (s *service) handle(w http.ResponseWriter, r *http.Request) {
	now := time.Now()
	v := r.Context().Value(visitKey{}).(*visit)
	s.handled.Add(1)
	s.add("", v.name, v.before, now, 1)
	s.add("address", v.address, v.before, now, 1)
	if path := r.URL.Path; path != "/fail" && path != "/bytes" { // which visit records
		s.add(path, v.name, v.before, now, 1)
	}
	defer func() { v.over = time.Now() }()
	read, _ := io.Copy(io.Discard, http.MaxBytesReader(w, r.Body, 1<<16))
	switch r.URL.Path {
	case "/fail":
		if rand.IntN(2) == 0 {
			v.counted = 1
			w.WriteHeader(http.StatusNotFound)
		}
	case "/bytes":
		n, _ := w.Write(make([]byte, 1+rand.IntN(mostBytes)))
		v.counted = int64(n) + read
	case "/hijack":
		if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
			_, _ = fmt.Fprint(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: soak\r\nConnection: Upgrade\r\n\r\nhello")
			_ = conn.Close()
		}
	case "/panic":
		panic(http.ErrAbortHandler)
	default:
		_, _ = io.WriteString(w, "fine")
	}
}

// mostBytes is what a request of /bytes takes at most in each direction.
const mostBytes = 500

// stop ends the server, and waits for its handlers.
func (s *service) stop(t testing.TB) {
	require.NoError(t, s.server.Shutdown(t.Context()))
}
