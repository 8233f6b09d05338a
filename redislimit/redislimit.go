// Package redislimit keeps limits on Redis or Valkey, so that all nodes of a service share them.
// docs/redis.md of the repository has what is promised in each failure, and how to choose options.
//
//	client := redis.NewClient(&redis.Options{
//		Addr: "localhost:6379", ContextTimeoutEnabled: true, DialerRetries: 1,
//	})
//	engine, err := goredis.New(client)
//	...
//	limits, err := redislimit.NewGCRA(engine, "api", ratelimit.PerMinute(90), 10)
//	...
//	d, err := limits.Take(ctx, user, 1)
//
// An [Engine] is a server, reached by a client that the program has: see packages
// redislimit/goredis and redislimit/rueidis.
//
// # Limits
//
//   - [NewGCRA]: events spread at a rate, and a burst of some at once
//   - [NewAlignedWindow]: a number of events in each window, such as each full minute
//   - [NewLog]: a number of events in every window, wherever it begins
//   - [NewSeveral]: several GCRAs of one key, charged together
//
// Their decisions are those of packages gcra, fixedwindow and slidingwindow, in every field, by the
// engine's clock in microseconds. A wait that is no whole number of microseconds may end up to a
// microsecond late by that clock.
//
// # Guarantee
//
// The bound of a limit holds for each key over all nodes, by the engine's clock. The clocks of the
// nodes do not matter. It needs an engine that forgets nothing: [Store.Check] warns of settings
// that let it. If the clock is set back, what was granted keeps counting, unless its key has
// expired.
//
// A request without an answer is taken as charged and refused, and nothing is granted twice.
//
// # Cost
//
// A request is one round trip and one script, but for refusals that are remembered ([Remember]),
// and grants of what was taken ahead ([Lease]). A key takes about 100 bytes of the engine's memory,
// a log 10 more for each event, and expires when it has been full for a second.
//
// # Source
//
// ITU-T Recommendation I.371 for the GCRA. Brandur Leach's redis-cell and the module redis_rate
// keep one on Redis, in floating-point numbers.
package redislimit
