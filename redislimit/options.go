package redislimit

import (
	"fmt"
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/identity"
)

// Option is an optional argument of a constructor.
type Option func(*options)

type options struct {
	clock    ratelimit.Clock
	timeout  time.Duration
	remember int
	combine  bool
	nodes    int // that hold leases; 0: none do
	chunk    int
	err      *ratelimit.ArgumentError
}

// Timeout sets how long a request waits for the engine, at most, in all; the deadline of a context
// may be sooner. It is 1 s by default. A request whose context is cancelled while it waits may wait
// until then all the same. One whose context cannot be cancelled may wait up to a sixteenth of it
// less.
func Timeout(d time.Duration) Option {
	return func(o *options) {
		o.timeout = d
		o.demand(d > 0, "Timeout", d, "more than 0s")
	}
}

// Remember sets for about how many keys this node remembers the last refusal. Until that is over,
// the same request is refused without asking the engine, and so is a look at it by Peek. It is
// 16,384 by default, which takes 128 kB and 200 bytes for each refusal. 0 asks the engine each
// time.
//
// # Guarantee
//
// No limit is affected, as nothing is granted. A remembered refusal is one that the engine would
// give as well, as long as no other node gives back events of the key, resets it or changes its
// rate. RetryAfter is as of the engine's last answer to this node, less the time that this took to
// arrive; what other nodes were granted since can make the wait longer.
func Remember(keys int) Option {
	return func(o *options) {
		o.remember = keys
		o.demand(0 <= keys && keys <= 1<<30, "Remember", keys, "0 to 1073741824")
	}
}

// WithClock sets the clock of this node, by which it counts how long ago it was refused, and which
// Clock returns. It is the system's by default. Limits go by the engine's clock.
func WithClock(c ratelimit.Clock) Option {
	return func(o *options) {
		o.clock = c
		o.demand(!identity.IsNil(c), "WithClock", nil, "a clock, or no such option for the system's")
	}
}

// Combine sends requests for one key together that come while another is under way. It is for keys
// with many requests at once: the engine runs fewer scripts, and a request may wait for one more.
//
// # Guarantee
//
// No limit is affected: the script decides about the requests one after the other. If the reply is
// lost, all of them are taken as charged and refused.
func Combine() Option { return func(o *options) { o.combine = true } }

// Lease lets this node take chunks of events ahead, and grant them without asking the engine. It is
// for a [GCRA] whose keys have many requests. Nodes is how many nodes have the limit, at most; all
// of them must have the same option, also those with few requests. With r events granted a second
// on one node and a round trip of d, take a chunk of at least 2 * r * d: 40 for 20,000 a second and
// 1 ms.
//
// # Guarantee
//
// The engine is given a burst that is smaller by nodes*chunk. A node holds at most a chunk of a key
// that it was not asked for yet. What is granted in an interval was charged in it, at most
// burst - nodes*chunk + floor(length*rate), or was held when it began, at most nodes*chunk. So in
// every closed interval [a, b] of true time,
//
//	granted <= burst + floor((b-a) * rate)
//
// What a node holds and does not grant is withheld from others, at most a chunk of each key. At
// once, one node gets at most burst - nodes*chunk, and so does a single request: it is the Limit of
// a Decision. So a small burst loses most of it: of 20, Lease(3, 5) leaves 5. Remaining and
// ResetAfter are as of the engine's last answer.
//
// The chunk must be at least 1, and burst - nodes*chunk at least a chunk. A request for more than a
// chunk asks the engine.
func Lease(nodes, chunk int) Option {
	return func(o *options) {
		o.nodes, o.chunk = nodes, chunk
		o.demand(1 <= nodes && nodes <= 1<<20, "Lease nodes", nodes, "1 to 1048576")
		o.demand(1 <= chunk && chunk <= maxEvents/max(nodes, 1), "Lease chunk", chunk, "1 or more, and chunks of all nodes below 2147483647")
	}
}

func (o *options) demand(ok bool, field string, value any, want string) {
	if !ok && o.err == nil {
		o.err = &ratelimit.ArgumentError{Field: field, Value: value, Want: want}
	}
}

func choose(fn string, opts []Option) (o options, err error) {
	o = options{clock: ratelimit.SystemClock{}, timeout: time.Second, remember: 1 << 14}
	for i, opt := range opts {
		if opt == nil {
			return o, &ratelimit.ArgumentError{Func: fn, Field: fmt.Sprintf("opts[%d]", i), Value: nil, Want: "an option"}
		}
		opt(&o)
	}
	if o.err != nil {
		o.err.Func = fn
		return o, o.err
	}
	return o, nil
}
