package main

import (
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/cmd/ratesim/internal/chart"
	"github.com/seed-3506548a/ratelimit/policy"
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
	case o.keyGiven && !s.mapping.Keyed():
		return o.keyless()
	}
	keys := demand.Keys()
	out := func(format string, args ...any) {
		_, _ = fmt.Fprintln(w.out, strings.TrimRight(fmt.Sprintf(format, args...), " "))
	}
	notes := s.mapping.Notes()
	if o.gen == "" && !o.subseconds {
		notes = append(notes, s.stamps.Warnings()...)
		if s.stamps.Whole {
			notes = append(notes, "Times are whole seconds: requests of one second seem to come at once, so that what keys ask for in a few seconds, and in bursts, seems to be more or less than it was. "+
				"Spread them over their seconds (-subsecond uniform), and compare.")
		}
	}
	for _, note := range notes {
		out("warning: %s", note)
	}
	for _, sentence := range s.faults.Summary() {
		out("warning: %s", sentence)
	}
	allowed := int(o.share * float64(keys) * (1 + 0x1p-50)) // as 0.29 * 100 is a little less than 29
	out("%d requests of %d keys. These limits refuse something to at most %d of them (%.3g %%):", s.stamps.Requests, keys, allowed, 100*o.share)
	out("")
	out("  %-24s %12s  %-42s  %s", "the least in any span", "keys refused", "50 %, 90 %, 99 %, all keys ask for at most", "which")
	length, counted := s.stamps.Last.Sub(s.stamps.First), false
	for _, span := range spans {
		if span > length+time.Second {
			break
		}
		events, refused := demand.Window(span, o.share)
		most := demand.Most(span, 0.5, 0.9, 0.99, 1)
		asked := fmt.Sprintf("%d, %d, %d, %d", most[0], most[1], most[2], most[3])
		limit := fmt.Sprintf("log %v", ratelimit.Per(int(events), span))
		if _, err := policy.ParseLimit(limit); err != nil {
			limit, counted = strings.Replace(limit, "log", "counter", 1), true
		}
		out("  %-24s %12d  %-42s  %s", limit, len(refused), asked, listed(refused))
	}
	if counted {
		out("  A log does not take so many events. A counter does, and may refuse a little more than a log would.")
	}
	out("")
	out("  %-24s %12s  %s", "the least burst", "keys refused", "which")
	for _, rate := range demand.Rates(o.share) {
		burst, refused := demand.Burst(rate, o.share)
		out("  %-24s %12d  %s", fmt.Sprintf("gcra %v burst %d", rate, burst), len(refused), listed(refused))
	}
	if o.plot != "" {
		return plot(o.plot, []chart.Picture{chart.Envelope(demand, o.share, length)})
	}
	return nil
}

// listed names the first few of the keys that a limit refuses, and counts the others.
func listed(keys []string) string {
	const few = 4
	var names []string
	for _, key := range keys[:min(len(keys), few)] {
		if key == "" {
			key = "(no key)"
		}
		names = append(names, strings.Map(func(r rune) rune {
			if unicode.IsPrint(r) {
				return r
			}
			return unicode.ReplacementChar
		}, key))
	}
	text := strings.Join(names, ", ")
	if more := len(keys) - few; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}
