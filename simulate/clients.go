package simulate

import (
	"container/heap"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/seed-3506548a/ratelimit"
)

// Client is what a client does when it is refused.
type Client uint8

// The clients. All but Open try a request again, up to 5 times, and give up what would be sent more
// than 10 minutes after it was first due.
const (
	// Open sends what the trace has, and never again.
	Open Client = iota

	// Obeying waits for as long as it is told, rounded up to whole seconds as in Retry-After. Until
	// then it sends nothing: what it would have sent is sent then, in order. It gives up a request
	// that is told to wait more than 10 minutes, and sends the next ones when they come.
	Obeying

	// Backoff waits, whatever it is told, for a random time of at most 1 s, then 2 s, 4 s, ...
	Backoff

	// Impatient tries again after a random time of 50 to 150 ms, whatever it is told.
	Impatient

	clientN
)

var clientNames = [clientN]string{"open", "obeying", "backoff", "impatient"}

// ParseClient returns the client of a name: "open", "obeying" or "retry-after", "backoff",
// "impatient". The error is a [*ratelimit.ArgumentError].
func ParseClient(name string) (Client, error) {
	if name == "retry-after" {
		return Obeying, nil
	}
	for i, known := range clientNames {
		if name == known {
			return Client(i), nil
		}
	}
	return 0, &ratelimit.ArgumentError{Func: "simulate.ParseClient", Field: "name", Value: name, Want: strings.Join(clientNames[:], ", ")}
}

// String returns the client's name.
func (c Client) String() string {
	if c < clientN {
		return clientNames[c]
	}
	return "unknown"
}

const (
	mostTries = 6 // with the first
	patience  = int64(10 * time.Minute)
)

// clients are those of a lane: what they will send, and what became of what they have sent.
type clients struct {
	kind    Client
	random  *rand.Rand
	waiting waiting
	order   uint64
	sent    Request         // the last; each of its own would be allocated
	pauses  map[int32]int64 // of keys that obey, until when

	retries, late, gaveUp int
	delays                quantiles // of requests that were granted at another try than the first
}

// try is a request that will be sent.
type try struct {
	at, due int64 // when it is sent, and when it would have been at first
	order   uint64
	number  int // 0 is the first
	key     int32
	request Request
}

func (c *clients) init(s Subject) {
	c.kind, c.random, c.pauses = s.Client, rand.New(rand.NewPCG(s.Seed, 2)), map[int32]int64{}
}

// arrive plays what clients send until now, and then a request of the trace. It reports whether
// that was granted, at once.
func (l *lane) arrive(now int64, key int32, r *Request) bool {
	c := &l.clients
	if c.kind == Open {
		return l.ask(now, key, r).OK
	}
	l.sendUntil(now)
	if until := c.pauses[key]; until > now {
		c.wait(try{at: until, due: now, key: key, request: *r})
		return false
	}
	return l.send(try{at: now, due: now, key: key, request: *r})
}

// drain plays what clients send after the end of the trace.
func (l *lane) drain() { l.sendUntil(1<<63 - 1) }

func (l *lane) sendUntil(now int64) {
	c := &l.clients
	for len(c.waiting) > 0 && c.waiting[0].at <= now {
		next := heap.Pop(&c.waiting).(try)
		if until := c.pauses[next.key]; until > next.at {
			next.at = until
			c.wait(next)
			continue
		}
		l.send(next)
	}
}

// send plays a request, and lets the client wait if it was refused.
func (l *lane) send(t try) bool {
	c := &l.clients
	c.sent = t.request
	c.sent.At = l.origin.Add(time.Duration(t.at))
	v := l.ask(t.at, t.key, &c.sent)
	if t.number > 0 {
		c.retries++
	}
	if v.OK {
		if t.at > t.due {
			c.late++
			c.delays.add(t.at - t.due)
		}
		return true
	}
	t.number++
	switch c.kind {
	case Obeying:
		if v.RetryAfter == ratelimit.Never || int64(v.RetryAfter) > patience {
			c.gaveUp++
			return false
		}
		t.at += int64((v.RetryAfter + time.Second - 1) / time.Second * time.Second)
		if t.key != 0 { // which is many clients
			c.pauses[t.key] = t.at
		}
	case Backoff:
		t.at += 1 + c.random.Int64N(int64(time.Second)<<(t.number-1))
	default:
		t.at += int64(50*time.Millisecond) + c.random.Int64N(int64(100*time.Millisecond))
	}
	c.wait(t)
	return false
}

// wait lets a request wait, or gives it up.
func (c *clients) wait(t try) {
	if t.number == mostTries || t.at-t.due > patience {
		c.gaveUp++
		return
	}
	c.order++
	t.order = c.order
	heap.Push(&c.waiting, t)
}

// waiting is a heap of what is sent next.
type waiting []try

func (w waiting) Len() int { return len(w) }

func (w waiting) Less(i, j int) bool {
	return w[i].at < w[j].at || w[i].at == w[j].at && w[i].order < w[j].order
}

func (w waiting) Swap(i, j int) { w[i], w[j] = w[j], w[i] }

// Push implements [heap.Interface].
func (w *waiting) Push(x any) { *w = append(*w, x.(try)) }

// Pop implements [heap.Interface].
func (w *waiting) Pop() any {
	last := (*w)[len(*w)-1]
	(*w)[len(*w)-1] = try{} // its slices are the trace's
	*w = (*w)[:len(*w)-1]
	return last
}
