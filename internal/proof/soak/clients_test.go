package soak_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/seed-3506548a/ratelimit/httplimit"
)

var paths = []string{"/free", "/vary", "/aligned", "/anchored", "/interval", "/log", "/counter", "/strict", "/fail", "/bytes"}

// client asks the server, and counts what it is answered.
type client struct {
	url    string
	name   string // counted as, and by the rules for addresses as
	ip     string
	random *rand.Rand
	dialer *net.Dialer
	rt     http.RoundTripper
	turn   int // at paths

	answered *answers
}

// answers is what kinds of clients were answered.
type answers struct{ granted, refused, other, none atomic.Int64 }

// newTransport returns one whose connections come from an address.
func newTransport(from string, http2 bool) (*http.Transport, *net.Dialer) {
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(!http2)
	protocols.SetUnencryptedHTTP2(http2)
	return &http.Transport{DialContext: dialer.DialContext, MaxIdleConnsPerHost: 8, Protocols: protocols, DisableCompression: true}, dialer
}

// next is the path that the client asks for: for some seconds the same as the others of its user,
// so that they use up the limit.
func (c *client) next() string { return paths[(int(time.Now().Unix()/3)+c.turn)%len(paths)] }

// request returns one by the user, if there is one.
func (c *client) request(ctx context.Context, method, path, user string, body io.Reader) *http.Request {
	r, err := http.NewRequestWithContext(ctx, method, c.url+path, body)
	if err != nil {
		panic(err)
	}
	name := user
	if user != "" {
		r.Header.Set("X-User", user)
	} else {
		name = c.ip
	}
	r.Header.Set("X-Soak", name+" "+c.ip)
	if strings.HasPrefix(c.ip, "203.") { // by a proxy, behind what the client has written there
		r.Header.Set("X-Forwarded-For", fmt.Sprintf("198.51.100.%d, %s", c.random.IntN(256), c.ip))
	} else if c.random.IntN(2) == 0 {
		r.Header.Set("X-Forwarded-For", fmt.Sprintf("203.0.113.%d", c.random.IntN(256))) // it is not believed
	}
	return r
}

// send sends a request, and counts the answer.
func (c *client) send(r *http.Request) {
	resp, err := c.rt.RoundTrip(r)
	if err != nil {
		c.answered.none.Add(1)
		return
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusOK, http.StatusNotFound, http.StatusSwitchingProtocols:
		c.answered.granted.Add(1)
	case http.StatusTooManyRequests:
		c.answered.refused.Add(1)
	default:
		c.answered.other.Add(1)
	}
}

// pause waits for twice as long as given at most.
func (c *client) pause(ctx context.Context, mean time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(time.Duration(c.random.Int64N(int64(2 * mean)))):
	}
}

// behave asks as a client does that keeps to the limits, by a Transport.
func (c *client) behave(ctx context.Context) {
	for ctx.Err() == nil {
		one, cancel := context.WithTimeout(ctx, 5*time.Second)
		c.send(c.request(one, http.MethodGet, c.next(), c.name, http.NoBody))
		cancel()
		c.pause(ctx, 50*time.Millisecond)
	}
}

// misbehave asks without regard to answers, in all ways that there are.
func (c *client) misbehave(ctx context.Context) {
	for ctx.Err() == nil {
		one, cancel := context.WithTimeout(ctx, 2*time.Second)
		path, user := c.next(), c.name
		switch c.random.IntN(20) {
		case 0: // a user that was made up
			c.send(c.request(one, http.MethodGet, path, fmt.Sprintf("made-up-%d", c.random.Uint64()), nil))
		case 1, 2, 3: // no user
			c.send(c.request(one, http.MethodGet, path, "", nil))
		case 4:
			c.hangUp(one, path, user)
		case 5: // a context that ends at any time
			short, end := context.WithTimeout(one, time.Duration(c.random.IntN(3000))*time.Microsecond)
			c.send(c.request(short, http.MethodGet, path, user, nil))
			end()
		case 6:
			c.send(c.request(one, http.MethodPost, path, user, c.slowly(one)))
		case 7:
			r := c.request(one, http.MethodGet, "/hijack", user, nil)
			if t := c.rt.(*http.Transport); t.Protocols.HTTP1() {
				r.Header.Set("Connection", "Upgrade")
				r.Header.Set("Upgrade", "soak")
			}
			c.send(r)
		case 8:
			c.send(c.request(one, []string{http.MethodHead, http.MethodOptions, http.MethodDelete, "BREW"}[c.random.IntN(4)], path, user, nil))
		case 9: // large header fields, or too large ones
			r := c.request(one, http.MethodGet, path, user, nil)
			r.Header.Set("X-Padding", strings.Repeat("x", []int{1000, 10_000, 100_000}[c.random.IntN(3)]))
			c.send(r)
		case 10:
			c.send(c.request(one, http.MethodGet, "/panic", user, nil))
		default: // ignores that it was refused
			c.send(c.request(one, http.MethodGet, path, user, nil))
		}
		cancel()
		c.pause(ctx, 25*time.Millisecond)
	}
}

// slowly is a body that comes in pieces, or breaks off.
func (c *client) slowly(ctx context.Context) io.Reader {
	pieces, breaks := 1+c.random.IntN(5), c.random.IntN(4) == 0
	from, to := io.Pipe()
	go func() {
		for range pieces {
			if _, err := to.Write(make([]byte, mostBytes/5)); err != nil {
				return
			}
			select {
			case <-ctx.Done():
			case <-time.After(5 * time.Millisecond):
			}
		}
		if breaks {
			_ = to.CloseWithError(io.ErrUnexpectedEOF)
		} else {
			_ = to.Close()
		}
	}()
	return from
}

// hangUp sends a part of a request, or all of it, and closes the connection before the answer.
func (c *client) hangUp(ctx context.Context, path, user string) {
	c.answered.none.Add(1)
	conn, err := c.dialer.DialContext(ctx, "tcp", strings.TrimPrefix(c.url, "http://"))
	if err != nil {
		return
	}
	defer func() { _ = conn.Close() }()
	text := fmt.Sprintf("POST %s HTTP/1.1\r\nHost: soak\r\nX-User: %s\r\nX-Soak: %s %s\r\n", path, user, user, c.ip)
	if strings.HasPrefix(c.ip, "203.") {
		text += "X-Forwarded-For: " + c.ip + "\r\n"
	}
	text += "Content-Length: 100\r\n\r\n" + strings.Repeat("x", 100)
	_, _ = io.WriteString(conn, text[:c.random.IntN(len(text)+1)])
}

// users and addresses of the clients: polite ones have one of two addresses, others come directly
// or by a proxy.
func names() (polite, rude, addresses []string) {
	for i := range 10 {
		polite = append(polite, fmt.Sprintf("polite-%d", i))
		rude = append(rude, fmt.Sprintf("rude-%d", i))
	}
	addresses = []string{"127.0.1.1", "127.0.1.2", "127.0.2.1", "127.0.2.2", "127.0.2.3", "127.0.2.4", "203.0.113.1", "203.0.113.2", "203.0.113.3", "203.0.113.4"}
	return polite, rude, addresses
}

// newClients returns fifty of either kind, what they are answered, and how to close their
// connections.
func newClients(url string) (behaving, misbehaving []*client, answered [2]*answers, closeAll func()) {
	polite, rude, addresses := names()
	var transports []*http.Transport
	closeAll = func() {
		for _, t := range transports {
			t.CloseIdleConnections()
		}
	}
	answered = [2]*answers{{}, {}}
	for i, name := range polite {
		base, dialer := newTransport(addresses[i%2], i%4 == 3)
		transports = append(transports, base)
		kept := &httplimit.Transport{Base: base}
		for j := range 5 {
			behaving = append(behaving, &client{url: url, name: name, turn: i, ip: addresses[i%2], dialer: dialer, rt: kept,
				random: rand.New(rand.NewPCG(uint64(i), uint64(j))), answered: answered[0]})
		}
	}
	for i := range 50 {
		ip := addresses[2+i%8]
		from := ip
		if strings.HasPrefix(ip, "203.") {
			from = fmt.Sprintf("127.0.3.%d", 1+i%4)
		}
		base, dialer := newTransport(from, i%5 == 4)
		transports = append(transports, base)
		misbehaving = append(misbehaving, &client{url: url, name: rude[i%len(rude)], turn: i % len(rude), ip: ip, dialer: dialer, rt: base,
			random: rand.New(rand.NewPCG(100, uint64(i))), answered: answered[1]})
	}
	return behaving, misbehaving, answered, closeAll
}
