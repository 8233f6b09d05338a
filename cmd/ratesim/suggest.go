package main

import (
	"fmt"
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/cmd/ratesim/internal/chart"
	"github.com/seed-3506548a/ratelimit/simulate"
)

// spans are those that limits are suggested for.
var spans = []time.Duration{time.Second, 10 * time.Second, time.Minute, 5 * time.Minute, time.Hour, 24 * time.Hour}

// suggest prints the least limits that would have refused at most a share of the keys.
func suggest(args []string, w world) error {
	o, err := parse("suggest", args, w)
	if err != nil {
		return err
	}
	o.order = asTheyCome // a Demand sorts by itself
	s, err := o.open(nil, w)
	if err != nil {
		return err
	}
	demand := simulate.NewDemand(s.requests)
	s.close()
	switch {
	case s.faults.Err != nil:
		return fmt.Errorf("%s: reading ended early: %w", o.trace, s.faults.Err)
	case s.stamps.Requests == 0:
		return o.nothing(s)
	}
	keys := demand.Keys()
	out := func(format string, args ...any) { _, _ = fmt.Fprintf(w.out, format+"\n", args...) }
	notes := s.mapping.Notes()
	if o.gen == "" && !o.subseconds {
		notes = append(notes, s.stamps.Warnings(ratelimit.PerSecond(1))...)
	}
	for _, note := range notes {
		out("warning: %s", note)
	}
	for _, sentence := range s.faults.Summary() {
		out("warning: %s", sentence)
	}
	out("%d requests of %d keys. These limits refuse something to at most %d of them (%.3g %%):", s.stamps.Requests, keys, int(o.share*float64(keys)), 100*o.share)
	out("")
	out("  %-24s %12s   %s", "the least in any span", "keys refused", "the most that 50 %, 90 %, 99 % and all of the keys ask for in it")
	length := s.stamps.Last.Sub(s.stamps.First)
	for _, span := range spans {
		if span > length+time.Second {
			break
		}
		events, refused := demand.Window(span, o.share)
		most := demand.Most(span, 0.5, 0.9, 0.99, 1)
		out("  %-24s %12d   %d, %d, %d, %d", fmt.Sprintf("log %v", ratelimit.Per(int(events), span)), refused, most[0], most[1], most[2], most[3])
	}
	out("")
	out("  %-24s %12s", "the least burst", "keys refused")
	for _, rate := range demand.Rates(o.share) {
		burst, refused := demand.Burst(rate, o.share)
		out("  %-24s %12d", fmt.Sprintf("gcra %v burst %d", rate, burst), refused)
	}
	if o.plot != "" {
		return plot(o.plot, []chart.Picture{chart.Envelope(demand, o.share, length)})
	}
	return nil
}
