package main

import (
	"fmt"
	"iter"
	"log"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/burst"
	"github.com/seed-3506548a/ratelimit/fixedwindow"
	"github.com/seed-3506548a/ratelimit/gcra"
	"github.com/seed-3506548a/ratelimit/simulate"
	"github.com/seed-3506548a/ratelimit/slidingwindow"
	"github.com/seed-3506548a/ratelimit/tokenbucket"
)

// compareCrowd plays a flash crowd, and writes the table into a page, between two marks, and the
// picture.
func compareCrowd(page, picture string) error {
	start := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	crowd, err := simulate.FlashCrowd(start, simulate.Crowd{
		Usual: ratelimit.PerMinute(30),
		Peak:  ratelimit.PerMinute(300),
		After: 90 * time.Second,
		Rise:  10 * time.Second,
		Decay: 2 * time.Minute,
	}, 1)
	if err != nil {
		return err
	}
	table, err := compare(simulate.Until(crowd, start.Add(10*time.Minute)), start, 10*time.Minute, ratelimit.PerMinute(60), picture)
	if err != nil {
		return err
	}
	return replace(page, "comparison", table)
}

// compareLog plays a log, prints the table, and draws compare.svg.
func compareLog(name string, rate ratelimit.Rate) error {
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	var events []simulate.Event
	for entry, err := range simulate.ReadLog(file) {
		if err != nil {
			log.Println(err) // that line is left out
			continue
		}
		events = append(events, simulate.Event{At: entry.At, N: 1})
	}
	if len(events) == 0 {
		return fmt.Errorf("%s has no requests", name)
	}
	byTime := func(a, b simulate.Event) int { return a.At.Compare(b.At) }
	start, last := slices.MinFunc(events, byTime).At, slices.MaxFunc(events, byTime).At
	table, err := compare(slices.Values(events), start, last.Sub(start)+time.Second, rate, "compare.svg")
	fmt.Print(table)
	return err
}

// stopped is a clock that stands still, for the buckets of a Counter to begin at the same time in
// each run.
type stopped struct{ time.Time }

func (s stopped) Now() time.Time { return s.Time }

// compare plays the events, which are within length of the start, through one limiter of each
// algorithm. It returns a table of what became of them, and draws when they were granted.
func compare(events iter.Seq[simulate.Event], start time.Time, length time.Duration, rate ratelimit.Rate, picture string) (table string, err error) {
	tenth := max(rate.Events/10, 1)
	clock := ratelimit.WithClock(stopped{start})
	bucket, err := gcra.New(rate, max(rate.Events, 1), clock)
	if err != nil {
		return "", err
	}
	limiters := []struct {
		name  string
		build func() (ratelimit.Limiter, error)
	}{
		{"none", func() (ratelimit.Limiter, error) { return ratelimit.Unlimited(), nil }},
		{fmt.Sprintf("gcra, burst %d", tenth), func() (ratelimit.Limiter, error) { return gcra.New(rate, tenth, clock) }},
		{"bucket, in batches", func() (ratelimit.Limiter, error) { return tokenbucket.NewInterval(rate, max(rate.Events, 1), clock) }},
		{"window, anchored", func() (ratelimit.Limiter, error) { return fixedwindow.NewAnchored(rate, clock) }},
		{"window, aligned", func() (ratelimit.Limiter, error) { return fixedwindow.NewAligned(rate, clock) }},
		{"counter, 10 buckets", func() (ratelimit.Limiter, error) { return slidingwindow.NewCounter(rate, 10, clock) }},
		{"log", func() (ratelimit.Limiter, error) { return slidingwindow.NewLog(rate, clock) }},
		{fmt.Sprintf("burst: gcra, and %d/s", tenth), func() (ratelimit.Limiter, error) { return burst.New(bucket, ratelimit.PerSecond(tenth)) }},
	}
	unit, axis := time.Minute, "minutes"
	if length > 5*time.Hour {
		unit, axis = time.Hour, "hours"
	}
	drawn := raster{title: "When each limiter of " + rate.String() + " grants, and how many in all", axis: axis, end: float64(length) / float64(unit)}
	var b strings.Builder
	fmt.Fprintf(&b, "| %s | granted | refused | most in a period | most in a second | median wait | longest wait |\n|---|---|---|---|---|---|---|\n", rate)
	for _, l := range limiters {
		limiter, err := l.build()
		if err != nil {
			return "", err
		}
		r := simulate.Replay(events, limiter)
		waits := r.Waits(0.5, 1)
		fmt.Fprintf(&b, "| %s | %d | %d | %d | %d | %v | %v |\n", l.name, r.Granted, r.Refused,
			r.MostGranted(rate.Per), r.MostGranted(time.Second), waits[0].Round(100*time.Millisecond), waits[1].Round(100*time.Millisecond))
		for g := range r.Grants() {
			drawn.dot(fmt.Sprintf("%s: %d ", l.name, r.Granted), float64(g.At.Sub(start))/float64(unit))
		}
	}
	return b.String(), drawn.draw(picture)
}
