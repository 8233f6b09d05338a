package axes_test

import (
	"bytes"
	"fmt"
	"iter"
	"testing"
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/policy"
	"github.com/seed-3506548a/ratelimit/policy/catalog"
	"github.com/seed-3506548a/ratelimit/simulate"
	"github.com/seed-3506548a/ratelimit/simulate/logs"
)

// BenchmarkRun plays a million requests of 100,000 keys through a limit and a policy, as command
// ratesim does: once as they are generated, and once from a log in the Combined Log Format. Where
// nothing judges, it is what the traffic itself costs. An op is a request.
func BenchmarkRun(b *testing.B) {
	const count = 1_000_000
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	events := simulate.Until(ratelimit.Must(simulate.Poisson(start, ratelimit.PerSecond(10_000), 1)), start.Add(count/10_000*time.Second))
	as := simulate.Request{Method: "GET", Path: "/", Status: 200}
	generated := ratelimit.Must(simulate.Crowded(events, 100_000, 1, 1, as, "client", "user"))
	var log bytes.Buffer
	for r := range generated {
		_, _ = fmt.Fprintf(&log, "192.0.2.1 - u%s [%s] \"GET /v1/movies/%s?page=2 HTTP/1.1\" 200 512 \"-\" \"Mozilla/5.0 (X11; Linux x86_64)\"\n",
			r.Key, r.At.Format("02/Jan/2006:15:04:05 -0700"), r.Key)
	}
	logged := func(yield func(simulate.Request) bool) {
		m := logs.Mapping{Key: []string{"user", "host"}, Attributes: []string{"client", "user"}}
		for record, err := range logs.Read(bytes.NewReader(log.Bytes()), logs.Auto) {
			if err != nil {
				b.Fatal(err)
			}
			if r, _ := m.Request(&record); !yield(r) {
				return
			}
		}
	}
	for _, traffic := range []struct {
		name     string
		requests iter.Seq[simulate.Request]
	}{{"generated", generated}, {"log", logged}} {
		b.Run("traffic="+traffic.name+"/judge=none", func(b *testing.B) {
			for b.Loop() {
				for range traffic.requests {
				}
			}
			report(b, count, 0)
		})
		for name, judge := range map[string]func() simulate.Judge{
			"limit": func() simulate.Judge {
				return ratelimit.Must(simulate.NewLimit(ratelimit.Must(policy.ParseLimit("gcra 60/min burst 30"))))
			},
			"policy": func() simulate.Judge {
				return ratelimit.Must(simulate.NewPolicy(ratelimit.Must(catalog.Load("trakt")), 400_000))
			},
		} {
			b.Run("traffic="+traffic.name+"/judge="+name, func(b *testing.B) {
				granted := 0
				for b.Loop() {
					granted += int(ratelimit.Must(simulate.Run(traffic.requests, simulate.Options{}, simulate.Subject{Judge: judge()}))[0].Granted)
				}
				report(b, count, granted)
			})
		}
	}
}
